/** Whether the log's steps came as the policy says, and when they could. */
import { maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import type { Span } from '../oracle.ts'
import type { FlowHistory, FlowViolation } from './history.ts'
import { isEnd, scheduleOf, stopMs, storyOf } from './policy.ts'
import type { ToldIncident } from './told.ts'

/** Every due step is taken within this time of when it could be. */
export const stepMs = 5_000
/** A judgement reads the clock before it waits for a step that is being taken. */
const graceMs = 1_000
const takes = new Set(['paged', 'nobody_to_page'])

/** Every step is taken within five seconds of when it could be: when it was due, outside maintenance, with a coordinator there. */
export function stepFaults(history: FlowHistory, incident: ToldIncident): FlowViolation[] {
  const { policy } = history.setting
  const story = storyOf(incident)
  if (story.length === 0 || policy === null) return []
  const endMs = stopMs(story)
  const taken = story.filter(({ type, detail }) => takes.has(type) && typeof detail.step === 'number')
  const after = taken.find(({ at_ms }) => at_ms > endMs + graceMs)
  if (after !== undefined) return [{ kind: 'step_after_end', atMs: after.at_ms, what: 'a step was taken after the end' }]
  const returns = returnsOf(incident)
  const needless = taken.find(({ at_ms }) =>
    returns.some(({ fromMs, toMs }) => fromMs + graceMs < at_ms && at_ms < toMs - graceMs),
  )
  if (needless !== undefined)
    return [{ kind: 'step_while_back', atMs: needless.at_ms, what: 'a step was taken while mail was back' }]
  const lastSinceMs = Math.max(...incident.pages.map(({ sinceMs }) => sinceMs))
  const hasty = taken.find(({ at_ms }) => lookedAtMs(history, lastSinceMs, at_ms) > at_ms + graceMs)
  if (hasty !== undefined)
    return [{ kind: 'early_step', atMs: hasty.at_ms, what: 'a step was taken before the look after maintenance' }]
  let beforeMs = story[0]?.at_ms ?? 0
  for (const { step, round, wait_ms } of scheduleOf(policy)) {
    const couldMs = earliestMs(history, beforeMs + wait_ms, firstSinceMs(incident), returns)
    const event = taken.find(({ detail }) => detail.step === step && detail.round === round)
    const lateMs = (event?.at_ms ?? endMs) - couldMs
    if (lateMs > stepMs && couldMs < endMs) {
      if (event !== undefined) {
        const what = `step ${round}.${step} was taken ${Math.round(lateMs / 1000)} s late`
        return [{ kind: 'late_step', atMs: couldMs, what }]
      }
      if (history.rested) return [{ kind: 'skipped_step', atMs: couldMs, what: `step ${round}.${step} was not taken` }]
    }
    if (event === undefined) return []
    beforeMs = event.at_ms
  }
  return []
}

/** When the first test was sent that the incident was opened for. */
export const firstSinceMs = ({ pages, openedMs }: ToldIncident): number =>
  Math.min(openedMs, ...pages.map(({ sinceMs }) => sinceMs))

/** When mail was back, and only the all-clear waited. */
export function returnsOf({ events }: ToldIncident): Span[] {
  return events.flatMap(({ type, committedMs }, index) => {
    if (type !== 'all_clear_waits') return []
    const next = events.slice(index).find((event) => event.type === 'fails_again' || isEnd(event))
    return [{ fromMs: committedMs, toMs: next?.committedMs ?? Number.POSITIVE_INFINITY }]
  })
}

/** Whose mail was lost in maintenance is told of when the monitor has been looked at anew, and not before. */
export function lookedAtMs({ windows, lookMs }: FlowHistory, sinceMs: number, atMs: number): number {
  const ends = windows.flatMap(({ schedule }) => (schedule.kind === 'once' ? [schedule.ends_ms] : []))
  const ended = ends.filter((endMs) => endMs > sinceMs && endMs <= atMs).map((endMs) => endMs + lookMs)
  return Math.max(atMs, ...ended)
}

/** From then on it can be done: no maintenance nor a look after it, mail not back, and a coordinator that stays for as long as it may take. */
export function earliestMs(history: FlowHistory, dueMs: number, sinceMs: number, returns: readonly Span[]): number {
  const { windows, upSpans } = history
  let atMs = dueMs
  for (;;) {
    const backUntilMs = returns.find(({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs)?.toMs ?? atMs
    const heldMs = Math.max(maintenanceAt(windows, atMs)?.ends_ms ?? atMs, lookedAtMs(history, sinceMs, atMs), backUntilMs)
    const up = upSpans.find(({ toMs, fromMs }) => toMs - Math.max(fromMs, heldMs) > stepMs)
    const nextMs = Math.max(heldMs, up?.fromMs ?? Number.POSITIVE_INFINITY)
    if (nextMs === atMs || nextMs === Number.POSITIVE_INFINITY) return nextMs
    atMs = nextMs
  }
}
