/** Why an incident was told to nobody: each reason counted apart, and each only where what it rests on was true in the world. */
import { hourMs } from '../../../common/durations.ts'
import { maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import { type Fate, fatesOf } from './fates.ts'
import type { FlowHistory, FlowViolation } from './history.ts'
import { isAllClear, type Message, read } from './messages.ts'
import { endOf, firstPhones, phonesOf } from './policy.ts'
import { earliestMs, firstSinceMs, lookedAtMs, returnsOf, stepMs } from './steps.ts'
import type { ToldEvent, ToldIncident } from './told.ts'

/** `series`: it was over when it was heard of, and the hour had two notices; `cancelled`: over before a gateway could take a page; `failed`: none did for as long as a page is tried. */
export type Silence = 'no_policy' | 'nobody_to_page' | 'maintenance' | 'series' | 'cancelled' | 'failed'

export const emptySilences = (): Record<Silence, number> => ({
  no_policy: 0,
  nobody_to_page: 0,
  maintenance: 0,
  series: 0,
  cancelled: 0,
  failed: 0,
})

/** The incidents of which no phone was told, by the reason. What has none is a fault (`untold`), and in none of the classes. */
export function silencesOf(history: FlowHistory): Silence[] {
  const messages = history.taken.map(read)
  return history.incidents.flatMap((incident) => {
    const own = messages.filter(({ code }) => code === incident.code)
    return isTold(own) ? [] : (silenceOf(history, incident, fatesOf(history, incident, own)) ?? [])
  })
}

export function silenceFaults(
  history: FlowHistory,
  incident: ToldIncident,
  messages: readonly Message[],
  fates: readonly Fate[],
): FlowViolation[] {
  const { code, openedMs, events } = incident
  const untrue = events.filter((event) => !holdsTrue(history, incident, event))
  if (untrue.length > 0)
    return untrue.map(({ at_ms, type }) => ({ kind: 'groundless_silence', atMs: at_ms, what: `${type} in the log of ${code}` }))
  // A page that was written is accounted for by itself.
  if (!history.rested || isTold(messages) || fates.length > 0 || silenceOf(history, incident, fates) !== null) return []
  return [{ kind: 'untold', atMs: openedMs, what: `nobody was told of ${code}, and its log does not say why` }]
}

const isTold = (messages: readonly Message[]): boolean =>
  messages.some((message) => message.told !== null && !isAllClear(message))

function silenceOf(history: FlowHistory, incident: ToldIncident, fates: readonly Fate[]): Silence | null {
  if (fates.length > 0) return fates.some(({ left }) => left?.why === 'failed') ? 'failed' : 'cancelled'
  const says = (type: ToldEvent['type']) => incident.events.some((event) => event.type === type)
  if (says('no_policy') || (history.setting.policy === null && says('nobody_to_page'))) return 'no_policy'
  if (says('nobody_to_page')) return 'nobody_to_page'
  if (says('page_suppressed_by_flapping')) return 'series'
  if (!says('page_suppressed_by_maintenance')) return null
  // What maintenance holds goes out as soon as it ends, unless the incident has ended by then.
  const end = endOf(incident)
  const endedInTime =
    end !== undefined && end.at_ms <= earliestMs(history, incident.openedMs, firstSinceMs(incident), returnsOf(incident)) + stepMs
  return isPast(incident) || endedInTime ? 'maintenance' : null
}

const isPast = (incident: ToldIncident): boolean => endOf(incident)?.detail.over_before_heard === true

/** An event that says why nobody is paged says what is so. */
function holdsTrue(history: FlowHistory, incident: ToldIncident, { type, at_ms, detail }: ToldEvent): boolean {
  const { setting, windows } = history
  if (type === 'no_policy') return setting.policy === null
  // Of one monitor there is never a mass failure, nor are there many that cannot be judged.
  if (type === 'page_held_by_fleet_guard' || type === 'page_suppressed_by_blind_spell') return false
  if (type === 'nobody_to_page') {
    if (detail.recipient === 'operator') return setting.operatorPhone === null
    if (detail.kind === 'past') return firstPhones(setting).length === 0
    return phonesOf(setting, setting.policy?.steps[Number(detail.step)]?.contact_ids ?? []).length === 0
  }
  if (type === 'page_suppressed_by_flapping') return isPast(incident) && noticesBefore(history, at_ms) >= 2
  if (type !== 'page_suppressed_by_maintenance') return true
  // Put off until maintenance ends, or kept from the customer for good.
  return !isPast(incident) || detail.until !== undefined
    ? maintenanceAt(windows, at_ms) !== null || lookedAtMs(history, firstSinceMs(incident), at_ms) > at_ms
    : wasInMaintenance(history, incident)
}

/** A probe may know its clock no better. */
const clockMs = 120_000

/** Whether maintenance began before a mail was seen to be lost, and went on until mail truly came back. */
function wasInMaintenance({ windows, outageSpans }: FlowHistory, incident: ToldIncident): boolean {
  const toldMs = Date.parse(String(endOf(incident)?.detail.ended_at))
  return incident.pages.every(({ sinceMs }) => {
    const met = outageSpans.filter(({ fromMs, toMs }) => fromMs < toldMs && toMs > sinceMs)
    const backMs = met.length === 0 ? toldMs : Math.max(...met.map(({ toMs }) => toMs))
    const maintenance = maintenanceAt(windows, sinceMs)
    return maintenance !== null && backMs - clockMs <= maintenance.ends_ms
  })
}

/** How many notices the log has for customers in the hour until then: of trouble, and of its end where somebody was told of trouble; none of what was closed by hand. */
function noticesBefore({ incidents }: FlowHistory, atMs: number): number {
  return incidents
    .filter((incident) => (endOf(incident)?.type ?? 'resolved') === 'resolved')
    .flatMap((incident) => {
      const told = incident.events.find(
        ({ type, detail }) => type === 'paged' && (detail.kind === undefined || detail.kind === 'past'),
      )
      const end = told === undefined || isPast(incident) ? undefined : endOf(incident)
      return [told, end].filter((event) => event !== undefined)
    })
    .filter(({ at_ms }) => at_ms <= atMs && at_ms > atMs - hourMs).length
}
