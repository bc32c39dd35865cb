/**
 * What should have been told, to whom and how often: judged by what the gateways took, from the policy, the log and when somebody was
 * there to act. It knows none of the flows' code and reads no page of theirs.
 */
import { type EscalationPolicy, roundGapS } from '../../../coordinator/core/escalation.ts'
import { type MaintenanceWindow, maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import type { Span } from '../oracle.ts'
import type { Page } from '../world.ts'
import { operatorPhone } from './draw.ts'
import type { Taken } from './gateways.ts'
import type { FlowSetting } from './setting.ts'
import type { ToldIncident } from './told.ts'

export type FlowHistory = {
  setting: FlowSetting
  incidents: readonly ToldIncident[]
  taken: readonly Taken[]
  windows: readonly MaintenanceWindow[]
  upSpans: readonly Span[]
  /** All that was to be done had its time. */
  rested: boolean
}

export type FlowViolation = {
  kind:
    | 'duplicate_page'
    | 'in_maintenance'
    | 'untold'
    | 'late_step'
    | 'early_step'
    | 'no_all_clear'
    | 'groundless_all_clear'
    | 'after_all_clear'
  atMs: number
  what: string
}

/** `past`: an outage that was over before it was heard of, which needs no all-clear. */
type Told = 'trouble' | 'past' | 'all_clear'
type Message = Taken & { told: Told; code: string; repeated: boolean; says: (word: string) => boolean }

/** Every due step is taken within this time of when it could be. */
const stepMs = 5_000

export function judgeFlows(history: FlowHistory): FlowViolation[] {
  const messages = history.taken.map(read)
  return history.incidents.flatMap((incident) => {
    const own = messages.filter(({ code }) => code === incident.code)
    return [
      ...duplicates(own),
      ...tooMany(history.setting, incident, own),
      ...inMaintenance(history, incident, own),
      ...steps(history, incident),
      ...(history.rested ? untold(incident, own) : []),
      ...(history.rested ? allClears(incident, own) : []),
      ...afterAllClear(own),
    ]
  })
}

/** The decisions of the incidents, each with when a phone first rang because of it. */
export function pagesAsTold(incidents: readonly ToldIncident[], taken: readonly Taken[]): Page[] {
  const messages = taken.map(read)
  return incidents.flatMap(({ code, pages }) =>
    pages.map((page) => {
      const first = messages.find((message) => message.code === code && wordsOf[page.kind].some((word) => message.says(word)))
      return { ...page, toldMs: first?.atMs ?? null }
    }),
  )
}

const wordsOf = { down: ['DOWN', 'UNSTABLE'], past: ['WAS DOWN'], unconfirmed: ['UNCONFIRMED'] }
const repeatMark = '(repeat) '

function read(taken: Taken): Message {
  const repeated = taken.text.startsWith(repeatMark)
  const text = repeated ? taken.text.slice(repeatMark.length) : taken.text
  const code = /Code (\w+)$/.exec(text)?.[1] ?? ''
  const says = (word: string) => text.startsWith(`${word} `)
  const told = wordsOf.past.some(says) ? 'past' : [...wordsOf.down, ...wordsOf.unconfirmed].some(says) ? 'trouble' : 'all_clear'
  return { ...taken, told, code, repeated, says }
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

/** How often, and from when on, a phone may ring by the policy: other messages than these are too many or too early. */
function tooMany({ policy, contacts }: FlowSetting, incident: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  const startMs = incident.events.find(({ type }) => type === 'confirmed')?.at_ms ?? incident.openedMs
  const schedule = policy === null ? [] : scheduleOf(policy)
  const down = messages.filter(({ says }) => wordsOf.down.some(says))
  const rings = Map.groupBy(down, ({ to }) => to)
  return [...rings].flatMap(([to, theirs]) => {
    const due = schedule.filter(({ contact_ids }) =>
      contact_ids.some((id) => contacts.get(id)?.some(({ address }) => address === to)),
    )
    const firsts = [...Map.groupBy(theirs, ({ reference }) => reference).values()].flatMap(([first]) => first ?? [])
    return firsts.flatMap(({ atMs }, index): FlowViolation[] => {
      const step = due[index]
      if (step === undefined) return [{ kind: 'duplicate_page', atMs, what: `${to} rings more often than the policy says` }]
      // Written by one clock, taken by another: a second of grace.
      if (atMs < startMs + step.after_ms - 1000) return [{ kind: 'early_step', atMs, what: `${to} rings too early` }]
      return []
    })
  })
}

/** In a window a phone rings only for what was in the outbox before it: as many messages as the log had pages for it by then. */
function inMaintenance({ setting, windows }: FlowHistory, incident: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  return troublesIn(windows, messages).flatMap(({ startMs, message: { atMs, to, text } }): FlowViolation[] => {
    const written = incident.events.filter(
      ({ type, at_ms, detail }) => type === 'paged' && at_ms < startMs && phonesOf(setting, detail.to as string[]).includes(to),
    )
    const rung = messages.filter((other) => other.to === to && other.told !== 'all_clear' && other.atMs <= atMs)
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
    return message.told === 'all_clear' || window === null ? [] : [{ startMs: window.started_ms, message }]
  })
}

/** How many rang in maintenance, rightly or not. */
export const rungInMaintenance = ({ windows, taken }: FlowHistory): number => troublesIn(windows, taken.map(read)).length

const phonesOf = ({ contacts, operatorPhone: operator }: FlowSetting, names: readonly string[]): string[] =>
  names.flatMap((name) => (name === 'operator' ? (operator ?? []) : (contacts.get(name)?.map(({ address }) => address) ?? [])))

type DueStep = { step: number; round: number; after_ms: number; wait_ms: number; contact_ids: string[] }

/** The steps in their order, each with the least time since the start and its wait after the one before it. */
function scheduleOf({ steps, repeat }: EscalationPolicy): DueStep[] {
  const due: DueStep[] = []
  let after_ms = 0
  for (let round = 0; round <= repeat; round++) {
    for (const [step, { after_s, contact_ids }] of steps.entries()) {
      const wait_ms = (after_s + (step === 0 && round > 0 ? roundGapS : 0)) * 1000
      after_ms += wait_ms
      due.push({ step, round, after_ms, wait_ms, contact_ids })
    }
  }
  return due
}

const ends = new Set(['resolved', 'resolved_by_hand', 'monitor_deleted', 'acknowledged'])
const takes = new Set(['paged', 'nobody_to_page'])

/** Every step is taken within five seconds of when it could be: when it was due, outside maintenance, with a coordinator there. */
function steps(history: FlowHistory, { kind, events }: ToldIncident): FlowViolation[] {
  const { policy } = history.setting
  if (kind !== 'down' || policy === null) return []
  const start = events.findIndex(({ type, detail }) => type === 'confirmed' || (type === 'opened' && detail.kind === 'down'))
  const story = events.slice(start)
  const endMs = story.find(({ type }) => ends.has(type))?.at_ms ?? Number.POSITIVE_INFINITY
  const taken = story.filter(({ type, detail }) => takes.has(type) && typeof detail.step === 'number')
  let beforeMs = story[0]?.at_ms ?? 0
  for (const { step, round, wait_ms } of scheduleOf(policy)) {
    const couldMs = earliestMs(history, beforeMs + wait_ms)
    const event = taken.find(({ detail }) => detail.step === step && detail.round === round)
    const lateMs = (event?.at_ms ?? endMs) - couldMs
    if (lateMs > stepMs && couldMs < endMs && (event !== undefined || history.rested))
      return [{ kind: 'late_step', atMs: couldMs, what: `step ${round}.${step} was taken ${Math.round(lateMs / 1000)} s late` }]
    if (event === undefined) return []
    beforeMs = event.at_ms
  }
  return []
}

/** From then on it can be done: no maintenance, and a coordinator that stays for as long as it may take. */
function earliestMs({ windows, upSpans }: FlowHistory, dueMs: number): number {
  let atMs = dueMs
  for (;;) {
    const heldMs = maintenanceAt(windows, atMs)?.ends_ms ?? atMs
    const up = upSpans.find(({ toMs, fromMs }) => toMs - Math.max(fromMs, heldMs) > stepMs)
    const nextMs = Math.max(heldMs, up?.fromMs ?? Number.POSITIVE_INFINITY)
    if (nextMs === atMs || nextMs === Number.POSITIVE_INFINITY) return nextMs
    atMs = nextMs
  }
}

/** What a log can say for there being no message. */
const reasons = new Set(['no_policy', 'nobody_to_page', 'page_suppressed_by_maintenance', 'page_failed', 'page_cancelled'])

function untold({ code, openedMs, events }: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  const isExplained = events.some(
    ({ type, detail }) => reasons.has(type) || (ends.has(type) && Number(detail.pages_cancelled) > 0),
  )
  if (messages.some(({ told }) => told !== 'all_clear') || isExplained) return []
  return [{ kind: 'untold', atMs: openedMs, what: `nobody was told of ${code}, and its log does not say why` }]
}

/** Whoever was told of the trouble is told of its end, and nobody else. */
function allClears({ code, events }: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  const end = events.find(({ type }) => type === 'resolved')
  const failedFor = events.flatMap(({ type, detail }) => (type === 'page_failed' ? [detail.to] : []))
  const phones = (told: Told) => new Set(messages.filter((message) => message.told === told).map(({ to }) => to))
  const [troubled, cleared] = [phones('trouble'), phones('all_clear')]
  const faults: FlowViolation[] = []
  for (const to of troubled) {
    if (end === undefined || cleared.has(to) || failedFor.includes(to)) continue
    faults.push({ kind: 'no_all_clear', atMs: end.at_ms, what: `${to} never heard that ${code} is over` })
  }
  for (const to of cleared) {
    // Who may have been told is told of the end too: an attempt whose outcome nobody knows.
    const inDoubt = events.some(({ detail }) => JSON.stringify(detail).includes('unknown') && detail.to === to)
    if (troubled.has(to) || inDoubt || to === operatorPhone) continue
    const first = messages.find((message) => message.told === 'all_clear' && message.to === to)
    faults.push({ kind: 'groundless_all_clear', atMs: first?.atMs ?? 0, what: `${to} had heard nothing of ${code}` })
  }
  return faults
}

/** Once a phone has heard that it is over, it hears of the trouble only as a marked repeat. */
function afterAllClear(messages: readonly Message[]): FlowViolation[] {
  return messages.flatMap((message): FlowViolation[] => {
    if (message.told !== 'trouble' || message.repeated) return []
    const clear = messages.find(({ told, to, atMs }) => told === 'all_clear' && to === message.to && atMs < message.atMs)
    if (clear === undefined) return []
    const afterS = Math.round((message.atMs - clear.atMs) / 1000)
    return [{ kind: 'after_all_clear', atMs: message.atMs, what: `${afterS} s after the all-clear: ${message.text}` }]
  })
}
