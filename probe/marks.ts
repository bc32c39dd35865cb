/** The instants of a round trip, on the monotonic clock. */
import type { Course, RoundTrip } from './round-trip.ts'

export const deadlineOf = ({ startedAt, course }: RoundTrip): number => startedAt.monotonicMs + course.timeoutMs
export const slowMarkOf = ({ startedAt, course }: RoundTrip): number =>
  startedAt.monotonicMs + Math.min(course.slowMs, course.timeoutMs)

/** 60 s before the deadline; where the time is short, midway between slow mark and deadline. */
export function controlMarkOf(state: RoundTrip): number {
  const leftMs = deadlineOf(state) - slowMarkOf(state)
  return deadlineOf(state) - Math.min(60_000, Math.floor(leftMs / 2))
}

/**
 * It was put off until less than the slow mark was left: a mail is slow before it is lost, so that its absence at the deadline says nothing, and
 * what the server said until then says more. A control trip, which is short and has no slow mark, waits for what it has sent.
 */
export const wasTakenTooLate = ({ course, startedAt, sent, failure }: RoundTrip): boolean =>
  course.kind !== 'control' &&
  failure !== null &&
  sent !== null &&
  sent.at.monotonicMs + course.slowMs > startedAt.monotonicMs + course.timeoutMs

/**
 * An attempt gives up a little before the deadline, so that it can say itself where it was stuck, and after half of the whole time
 * at the latest: a server that hangs must not use up the time for another.
 */
export function budgetMs({ timeoutMs }: Course, leftMs: number): number {
  const marginMs = Math.min(500, timeoutMs / 50)
  return Math.max(1, Math.min(timeoutMs / 2, leftMs - marginMs))
}
