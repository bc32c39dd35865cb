/** What became of each page that was written, as the log says, or had to be: taken in time, given up, taken back, or lost. */
import { maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import type { Span } from '../oracle.ts'
import type { FlowHistory, FlowViolation } from './history.ts'
import { endsOf, firstTaken, type Message } from './messages.ts'
import { endOf, isEnd, phonesOf } from './policy.ts'
import type { ToldIncident } from './told.ts'

/** `left`: no phone rang for it, and the log accounts for that. */
export type Fate = {
  to: string
  kind: string
  writtenMs: number
  /** By then it must have been taken. */
  dueMs: number
  takenMs: number | null
  left: { why: 'failed' | 'cancelled'; atMs: number } | null
}

/**
 * With a coordinator that stays and a gateway that accepts. Within it: a sender that dies (5 s), one answer in a hundred that is lost
 * (10 s, and 30 s until the next attempt), the other gateway swallowing the next (10 s, and 60 s).
 */
const promptMs = 130_000
/**
 * Where one of them was missing the next attempt may be as far off as the first was before (flow/send-pages.ts: every pause is twice
 * the one before it, until there is one an hour), and then takes as long again as above. Senders that died may have doubled the pause too.
 */
const pauseMs = { min: 480_000, max: 3_600_000 }
/** No page is given up sooner: eight attempts in half an hour, and fewer where senders died, each of which costs it one. */
const givenUpMs = { undisturbed: 20 * 60_000, senderDied: 10 * 60_000 }
/** So long may the last attempt have taken. */
const attemptMs = 45_000

export function fatesOf(history: FlowHistory, incident: ToldIncident, messages: readonly Message[]): Fate[] {
  const written = [...writtenByLog(history, incident), ...allClearsDue(incident, messages)]
  return [...Map.groupBy(written, ({ to, kind }) => `${kind} ${to}`).values()].flatMap((pages) =>
    fatesOfLike(history, incident, messages, pages),
  )
}

type Written = Pick<Fate, 'to' | 'kind' | 'writtenMs'>

const writtenByLog = ({ setting, windows }: FlowHistory, { events }: ToldIncident): Written[] =>
  events.flatMap(({ type, committedMs, detail }) => {
    if (type !== 'paged') return []
    const kind = String(detail.kind ?? 'down')
    // What is over is written at once, and rings after maintenance.
    const writtenMs = kind === 'past' ? (maintenanceAt(windows, committedMs)?.ends_ms ?? committedMs) : committedMs
    return phonesOf(setting, detail.to as string[]).map((to) => ({ to, kind, writtenMs }))
  })

/** Whoever was told of the trouble is told of its end, which the log does not name one by one. */
function allClearsDue(incident: ToldIncident, messages: readonly Message[]): Written[] {
  const end = endOf(incident)
  if (end === undefined) return []
  const due = messages.flatMap(({ told, to }) => (told === 'down' || told === 'unconfirmed' ? { to, kind: endsOf[told] } : []))
  const distinct = new Map(due.map((page) => [`${page.kind} ${page.to}`, page]))
  return [...distinct.values()].map((page) => ({ ...page, writtenMs: end.committedMs }))
}

/**
 * Of pages of one kind to one phone, of which only the number and the times are known: a page that was given up is the latest that had
 * been tried for long enough, and each ring is of the page that had the least time left.
 */
function fatesOfLike(
  history: FlowHistory,
  incident: ToldIncident,
  messages: readonly Message[],
  pages: readonly Written[],
): Fate[] {
  const end = endOf(incident)
  const [{ to, kind } = { to: '', kind: '' }] = pages
  const words = isAllClearKind(kind) ? [kind, 'closed'] : [kind]
  const rings = firstTaken(messages.filter((message) => message.to === to && words.includes(message.told ?? '')))
  const references = rings.map(({ reference }) => reference)
  const fates = pages.map((page): Fate => ({ ...page, dueMs: deadlineMs(history, page.writtenMs), takenMs: null, left: null }))
  const open = () => fates.filter(({ takenMs, left }) => takenMs === null && left === null)
  for (const { type, detail, committedMs } of incident.events) {
    if (type !== 'page_failed' || detail.kind !== kind || detail.to !== to || references.includes(String(detail.page_id)))
      continue
    const page = open().findLast(({ writtenMs }) => isTriedLongEnough(history, writtenMs, committedMs)) ?? open()[0]
    if (page !== undefined) page.left = { why: 'failed', atMs: committedMs }
  }
  for (const { atMs } of rings) {
    // That an all-clear came before the end is another fault.
    const could = open().filter(({ writtenMs }) => writtenMs <= atMs || isAllClearKind(kind))
    const inTime = could.filter(({ dueMs }) => dueMs >= atMs).sort((a, b) => a.dueMs - b.dueMs)
    const page = inTime[0] ?? could[0]
    if (page !== undefined) page.takenMs = atMs
  }
  if (isAllClearKind(kind)) return fates
  for (const { type, committedMs, detail } of incident.events) {
    if (type !== 'acknowledged' || Number(detail.pages_cancelled) + turnedBack(incident, committedMs) === 0) continue
    for (const page of open()) if (page.writtenMs <= committedMs) page.left = { why: 'cancelled', atMs: committedMs }
  }
  if (end === undefined) return fates
  for (const page of open()) page.left = { why: 'cancelled', atMs: end.committedMs }
  return fates
}

/** Pages whose turn came when nobody wanted them any more. */
const turnedBack = ({ events }: ToldIncident, sinceMs: number): number =>
  events.filter(({ type, committedMs }) => type === 'page_cancelled' && committedMs >= sinceMs).length

const isAllClearKind = (kind: string): boolean => (Object.values(endsOf) as string[]).includes(kind)

export function pageFaults(history: FlowHistory, incident: ToldIncident, fates: readonly Fate[]): FlowViolation[] {
  const cancelled = fates.filter(({ left }) => left?.why === 'cancelled')
  const untraced = cancelled.slice(cancelledByLog(incident))
  return fates.flatMap((fate): FlowViolation[] => {
    const { to, kind, writtenMs, dueMs, takenMs, left } = fate
    const page = `the page ${kind} ${incident.code} to ${to}`
    const lost = (why: string): FlowViolation[] => [
      { kind: isAllClearKind(kind) ? 'no_all_clear' : 'lost_page', atMs: writtenMs, what: `${page} ${why}` },
    ]
    if (takenMs !== null) {
      if (takenMs <= dueMs) return []
      const lateS = Math.round((takenMs - dueMs) / 1000)
      return [{ kind: 'late_page', atMs: writtenMs, what: `${page} was taken ${lateS} s late` }]
    }
    if (left === null) return history.rested ? lost('was never taken, and the log does not say why') : []
    if (dueMs < left.atMs) return lost(`could have been taken before it was ${left.why}`)
    if (left.why === 'cancelled') return untraced.includes(fate) ? lost('was not taken back either') : []
    const wasDeaf = history.deafSpans.some(({ fromMs, toMs }) => fromMs <= left.atMs && toMs >= left.atMs - attemptMs)
    if (!wasDeaf) return lost('was given up while a gateway accepted')
    if (isAwaited(incident, fate, left.atMs)) return lost('was given up while it was so and nobody had acknowledged it')
    return isTriedLongEnough(history, writtenMs, left.atMs) ? [] : lost('was given up too soon')
  })
}

/** Until somebody has acknowledged what it tells of, or that is over. */
const isAwaited = ({ events }: ToldIncident, { kind }: Fate, atMs: number): boolean =>
  (kind === 'down' || kind === 'unconfirmed') &&
  !events.some((event) => (event.type === 'acknowledged' || isEnd(event)) && event.at_ms <= atMs)

function isTriedLongEnough({ crashesMs }: FlowHistory, writtenMs: number, failedMs: number): boolean {
  const senderDied = crashesMs.some((atMs) => writtenMs <= atMs && atMs <= failedMs)
  return failedMs - writtenMs >= givenUpMs[senderDied ? 'senderDied' : 'undisturbed']
}

/** How many pages the log says were taken back, at the end or as their turn came after it. */
function cancelledByLog({ events }: ToldIncident): number {
  return events.reduce(
    (sum, { type, detail }) => sum + (type === 'page_cancelled' ? 1 : 0) + Number(detail.pages_cancelled ?? 0),
    0,
  )
}

/** Where a coordinator or a gateway was missing, they must both be there for a while. */
function deadlineMs({ upSpans, deafSpans }: FlowHistory, writtenMs: number): number {
  const clear = without(upSpans, deafSpans)
  const now = clear.some(({ fromMs, toMs }) => fromMs <= writtenMs && toMs >= writtenMs + promptMs)
  if (now) return writtenMs + promptMs
  for (const { fromMs, toMs } of clear) {
    const bothMs = Math.max(fromMs, writtenMs)
    const retriedMs = Math.min(Math.max(bothMs - writtenMs, pauseMs.min), pauseMs.max) + promptMs
    if (toMs - bothMs >= retriedMs) return bothMs + retriedMs
  }
  return Number.POSITIVE_INFINITY
}

function without(spans: readonly Span[], gaps: readonly Span[]): Span[] {
  return gaps.reduce<Span[]>(
    (rest, gap) =>
      rest.flatMap(({ fromMs, toMs }) =>
        [
          { fromMs, toMs: Math.min(toMs, gap.fromMs) },
          { fromMs: Math.max(fromMs, gap.toMs), toMs },
        ].filter((span) => span.fromMs < span.toMs),
      ),
    [...spans],
  )
}
