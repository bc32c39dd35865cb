/**
 * What should have been told, to whom and how often: judged by what the gateways took, from the policy, the log and when somebody was
 * there to act. It knows none of the flows' code and reads no page of theirs.
 */
import { type MaintenanceWindow, maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import type { Page } from '../pages.ts'
import { allClearFaults } from './all-clears.ts'
import { fatesOf, pageFaults } from './fates.ts'
import type { FlowHistory, FlowViolation } from './history.ts'
import { firstTaken, isAllClear, type Message, read } from './messages.ts'
import { firstPhones, isEnd, phonesOf, scheduleOf, stopMs, storyOf } from './policy.ts'
import { silenceFaults } from './silence.ts'
import { stepFaults } from './steps.ts'
import type { ToldIncident } from './told.ts'

export function judgeFlows(history: FlowHistory): FlowViolation[] {
  const messages = history.taken.map(read)
  const faults = messages.flatMap((message) => strangeness(history, message))
  for (const incident of history.incidents) {
    const own = messages.filter(({ code, told }) => code === incident.code && told !== null)
    const fates = fatesOf(history, incident, own)
    faults.push(
      ...duplicates(own),
      ...groundlessMarks(history, incident, own),
      ...firstTaken(own).flatMap((message) => groundless(history, incident, message)),
      ...tooMany(history, incident, own),
      ...inMaintenance(history, incident, own),
      ...afterAcknowledged(history, incident, own),
      ...stepFaults(history, incident),
      ...pageFaults(history, incident, fates),
      ...silenceFaults(history, incident, own, fates),
      ...allClearFaults(history, incident, own),
      ...returnFaults(incident),
    )
  }
  return faults
}

/** The decisions of the incidents, each with when a phone first rang because of it. */
export function pagesAsTold(incidents: readonly ToldIncident[], taken: FlowHistory['taken']): Page[] {
  const messages = taken.map(read)
  return incidents.flatMap(({ code, pages }) =>
    pages.map((page) => {
      const first = messages.find((message) => message.code === code && message.told === page.kind)
      return { ...page, toldMs: first?.atMs ?? null }
    }),
  )
}

/** What no incident can be asked about. */
function strangeness({ incidents }: FlowHistory, { atMs, told, code, text }: Message): FlowViolation[] {
  if (told === null) return [{ kind: 'unknown_text', atMs, what: `nobody knows what it says: ${text}` }]
  if (incidents.some((incident) => incident.code === code)) return []
  return [{ kind: 'unknown_incident', atMs, what: `there is no such incident: ${text}` }]
}

/** One message, taken more than once, says so every time but one. */
function duplicates(messages: readonly Message[]): FlowViolation[] {
  const plain = Map.groupBy(
    messages.filter(({ repeated }) => !repeated),
    ({ reference }) => reference,
  )
  return [...plain.values()].flatMap(([, ...more]) =>
    more.map(({ atMs, text }) => ({ kind: 'duplicate_page' as const, atMs, what: `taken twice without a mark: ${text}` })),
  )
}

/** The mark excuses a duplicate, so it must have its cause: an attempt that nobody knows the end of, or a sender that has died. */
function groundlessMarks(
  { attempts, crashesMs }: FlowHistory,
  incident: ToldIncident,
  messages: readonly Message[],
): FlowViolation[] {
  return messages.flatMap(({ repeated, reference, text, atMs }): FlowViolation[] => {
    const inDoubt = attempts.some(
      (attempt) => attempt.reference === reference && attempt.knownMs === null && attempt.text !== text,
    )
    const crashed = crashesMs.some((crashMs) => incident.openedMs <= crashMs && crashMs <= atMs)
    return !repeated || inDoubt || crashed ? [] : [{ kind: 'groundless_mark', atMs, what: `taken for the first time: ${text}` }]
  })
}

/** A mail that came back late is one line in the log, as long as the incident is open. */
function returnFaults({ code, events }: ToldIncident): FlowViolation[] {
  const endedMs = events.find(isEnd)?.committedMs ?? Number.POSITIVE_INFINITY
  const lines = events.filter(({ type }) => type === 'returned_late')
  return lines.flatMap(({ detail, committedMs }, index): FlowViolation[] => {
    const isFirst = lines.findIndex((other) => other.detail.test_id === detail.test_id) === index
    const what = `${code} tells of a late return ${isFirst ? 'after its end' : 'once more'}`
    return isFirst && committedMs <= endedMs ? [] : [{ kind: 'groundless_line', atMs: committedMs, what }]
  })
}

/** Each message has a decision behind it, and reaches only those whose affair that is. */
function groundless({ setting }: FlowHistory, incident: ToldIncident, { told, to, atMs, text }: Message): FlowViolation[] {
  const decided = incident.events.filter(({ committedMs }) => committedMs <= atMs)
  const isPast = decided.some(({ detail }) => detail.over_before_heard === true)
  const opened = (kind: string) => decided.some(({ type, detail }) => type === 'opened' && detail.kind === kind)
  const toOperator = to === setting.operatorPhone
  const policyPhones = phonesOf(setting, setting.policy?.steps.flatMap(({ contact_ids }) => contact_ids) ?? [])
  const isRight = {
    down: () => storyOf({ ...incident, events: decided }).length > 0 && !isPast && policyPhones.includes(to),
    past: () => isPast && firstPhones(setting).includes(to),
    unconfirmed: () => opened('unconfirmed') && toOperator,
    blind: () => false,
    blind_resolved: () => false,
    fleet: () => decided.some(({ type, detail }) => type === 'paged' && detail.kind === 'fleet') && toOperator,
  }
  if (told === null || !(told in isRight) || isRight[told as keyof typeof isRight]()) return []
  return [{ kind: 'false_page', atMs, what: `no affair of ${to}: ${text}` }]
}

/** How often, and from when on, a phone may ring by the policy: other messages than these are too many or too early. */
function tooMany({ setting }: FlowHistory, incident: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  const schedule = setting.policy === null ? [] : scheduleOf(setting.policy)
  const story = storyOf(incident)
  const startMs = story[0]?.at_ms ?? incident.openedMs
  const endMs = stopMs(story)
  const rings = Map.groupBy(firstTaken(messages), ({ told, to }) => `${told} ${to}`)
  return [...rings.values()].flatMap((theirs) => {
    const [{ to, told } = { to: '', told: null }] = theirs
    const due = told === 'down' ? schedule.filter(({ contact_ids }) => phonesOf(setting, contact_ids).includes(to)) : []
    // Whose affair it is not has been told of.
    if (told === 'down' && due.length === 0) return []
    const most = told === 'down' ? due.length : 1
    return theirs.flatMap(({ atMs, text }, index): FlowViolation[] => {
      if (index >= most) return [{ kind: 'duplicate_page', atMs, what: `${to} rings more often than it should: ${text}` }]
      const dueMs = told === 'down' ? startMs + (due[index]?.after_ms ?? 0) : incident.openedMs
      // Written by one clock, taken by another: a second of grace.
      if (atMs < dueMs - 1000) return [{ kind: 'early_step', atMs, what: `${to} rings too early` }]
      if (told === 'down' && dueMs > endMs + 1000) return [{ kind: 'step_after_end', atMs, what: `${to} rings after the end` }]
      return []
    })
  })
}

/** All gateways in a row have answered within this time. */
const inHandMs = 45_000

/** Once somebody looks after it, a phone rings only for what may have rung before: in a gateway's hands then, or never answered for. */
function afterAcknowledged(
  { attempts, crashesMs }: FlowHistory,
  incident: ToldIncident,
  messages: readonly Message[],
): FlowViolation[] {
  return firstTaken(messages).flatMap((message): FlowViolation[] => {
    const { told, to, atMs, text, reference } = message
    if (told !== 'down' && told !== 'unconfirmed') return []
    const asked = told === 'down' ? storyOf(incident) : incident.events
    const ackMs = asked.find(({ type }) => type === 'acknowledged')?.committedMs ?? Number.POSITIVE_INFINITY
    if (atMs <= ackMs + inHandMs) return []
    const inDoubt = attempts.some(
      (attempt) => attempt.reference === reference && attempt.atMs <= ackMs + inHandMs && (attempt.knownMs ?? atMs) > ackMs,
    )
    const crashed = crashesMs.some((crashMs) => incident.openedMs <= crashMs && crashMs <= atMs)
    return inDoubt || crashed ? [] : [{ kind: 'after_acknowledged', atMs, what: `${to} rings although somebody has it: ${text}` }]
  })
}

/** In a window a phone rings only for what was in the outbox before it: as many messages as the log had pages for it by then. */
function inMaintenance({ setting, windows }: FlowHistory, incident: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  return troublesIn(windows, messages).flatMap(({ startMs, message: { atMs, to, text } }): FlowViolation[] => {
    const written = incident.events.filter(
      ({ type, at_ms, detail }) => type === 'paged' && at_ms < startMs && phonesOf(setting, detail.to as string[]).includes(to),
    )
    const rung = messages.filter((other) => other.to === to && !isAllClear(other) && other.atMs <= atMs)
    const references = new Set(rung.map(({ reference }) => reference))
    return references.size <= written.length ? [] : [{ kind: 'in_maintenance', atMs, what: `in maintenance: ${text}` }]
  })
}

/** Messages that reach a phone in a window, each with the start of that window. */
function troublesIn(
  windows: readonly MaintenanceWindow[],
  messages: readonly Message[],
): { startMs: number; message: Message }[] {
  return messages.flatMap((message) => {
    const window = maintenanceAt(windows, message.atMs)
    return isAllClear(message) || window === null ? [] : [{ startMs: window.started_ms, message }]
  })
}

/** How many rang in maintenance, rightly or not. */
export const rungInMaintenance = ({ windows, taken }: FlowHistory): number => troublesIn(windows, taken.map(read)).length
