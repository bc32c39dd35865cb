/** The instants of a round trip, on the monotonic clock. */
import { minuteMs } from '../common/durations.ts'
import type { Course, RoundTrip } from './round-trip.ts'

export const deadlineOf = ({ startedAt, course }: RoundTrip): number => startedAt.monotonicMs + course.timeoutMs
export const slowMarkOf = ({ startedAt, course }: RoundTrip): number =>
  startedAt.monotonicMs + Math.min(course.slowMs, course.timeoutMs)

/** 60 s before the deadline; where the time is short, midway between slow mark and deadline. */
export function controlMarkOf(state: RoundTrip): number {
  const leftMs = deadlineOf(state) - slowMarkOf(state)
  return deadlineOf(state) - Math.min(60_000, Math.floor(leftMs / 2))
}

/** A mail server that finds our inbox closed tries again after so long (Postfix: minimal_backoff_time); others are hardly quicker. */
const inboxRetryMs = 5 * minuteMs
/** A healthy mail is there and back within this time. */
const wayMsMax = minuteMs

/**
 * Whether a gap in our own inbox could swallow the returned mail and be over at the slow mark, with no try left before the deadline:
 * then a control trip must be under way with the test, to be lost in the same gap. Longer tests outlast such a gap.
 */
export function needsControlAtStart({ timeoutMs, slowMs }: Course): boolean {
  const lastTryMs = inboxRetryMs * Math.floor((timeoutMs - wayMsMax) / inboxRetryMs)
  return slowMs + wayMsMax > lastTryMs
}

/**
 * An attempt gives up a little before the deadline, so that it can say itself where it was stuck, and after half of the whole time
 * at the latest: a server that hangs must not use up the time for another.
 */
export function budgetMs({ timeoutMs }: Course, leftMs: number): number {
  const marginMs = Math.min(500, timeoutMs / 50)
  return Math.max(1, Math.min(timeoutMs / 2, leftMs - marginMs))
}
