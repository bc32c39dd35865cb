/**
 * What a probe's other mail says of its health beside one failing test: control trips, and mail to other monitors. All times are those of
 * the probe's own clock, and need no putting right.
 */
import { controlTurnMs } from '../../common/limits.ts'
import type { Outcome } from '../../common/wire/test.ts'
import type { Span } from './spans.ts'
import { isPass, proofWaitMs } from './verdict.ts'

/** A test as its probe tells it. */
export type OwnTest = { outcome: Outcome; started_ms: number; finished_ms: number }
/** A control trip that has ended. `domain`: the mail domain of the reference. */
export type ControlTrip = { reference: string; domain: string; started_ms: number; returned: boolean }
/** Mail to another monitor that has come back; of each mail domain only the newest is known. */
export type SideReturn = { domain: string; started_ms: number }
/** What is known of a probe around its failing tests. */
export type ProbeRecord = { trips: readonly ControlTrip[]; returns: readonly SideReturn[] }

/** The probe starts the trips to two references at one moment (probe/control.ts). */
const pairMs = 1000
/** Mail to another monitor within so long of a lost control trip was sent at the same time. */
export const sameTimeMs = 5000

/** A test that came back needs no proof, and none is looked for. */
export const needsProof = ({ outcome }: OwnTest): boolean => !isPass(outcome)

/** A test that timed out has lasted its timeout, also where somebody has set the probe's clock back while it ran. */
function endedMs({ outcome, started_ms, finished_ms }: OwnTest, timeoutS: number): number {
  return outcome === 'timeout' ? Math.max(finished_ms, started_ms + timeoutS * 1000) : finished_ms
}

/** The control trips that started within it, both ends included, say all that there is to say of the test. */
export const spanOfTrips = (test: OwnTest, timeoutS: number): Span => ({
  start_ms: test.started_ms - controlTurnMs - pairMs,
  end_ms: endedMs(test, timeoutS) + proofWaitMs,
})

/**
 * `doubted`: a control trip of the probe was lost while the test ran, or so shortly before that none could be sent with it, and the probe
 * itself is to blame. It is not where the reference is out of order: mail sent elsewhere at the same time has come back, and the reference
 * does not answer the next trips either. `proved`: a control trip to another mail system, sent while the test ran or soon after it, has
 * returned.
 */
export function healthBeside(
  test: OwnTest,
  { trips, returns }: ProbeRecord,
  targetDomain: string,
  timeoutS: number,
): { doubted: boolean; proved: boolean } {
  if (!needsProof(test)) return { doubted: false, proved: false }
  const span = spanOfTrips(test, timeoutS)
  const near = trips.filter(({ started_ms }) => started_ms >= span.start_ms && started_ms <= span.end_ms)
  const answered = near.filter(({ returned }) => returned)
  const isBeside = ({ started_ms }: ControlTrip): boolean => started_ms >= test.started_ms
  const lost = near.filter(
    ({ returned, started_ms }) =>
      !returned && started_ms >= test.started_ms - controlTurnMs && started_ms <= endedMs(test, timeoutS),
  )
  const isOnProbe = (trip: ControlTrip): boolean =>
    answered.some((next) => next.reference === trip.reference && next.started_ms > trip.started_ms && isBeside(next)) ||
    !(partnerReturned(trip, answered) || mailReturned(trip, returns, targetDomain))
  return { doubted: lost.some(isOnProbe), proved: answered.some((trip) => trip.domain !== targetDomain && isBeside(trip)) }
}

const partnerReturned = (lost: ControlTrip, answered: readonly ControlTrip[]): boolean =>
  answered.some(({ reference, started_ms }) => reference !== lost.reference && Math.abs(started_ms - lost.started_ms) <= pairMs)

const mailReturned = (lost: ControlTrip, returns: readonly SideReturn[], targetDomain: string): boolean =>
  returns.some(({ domain, started_ms }) => domain !== targetDomain && Math.abs(started_ms - lost.started_ms) <= sameTimeMs)
