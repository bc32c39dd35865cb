/**
 * What a probe's other mail says of its health beside one failing test: control trips, and mail to other monitors. All times are those of
 * the clock of one boot of its machine, which nobody can set; what was done under another boot is not beside it.
 */
import { controlTurnMs } from '../../common/limits.ts'
import type { Outcome } from '../../common/wire/test.ts'
import type { Span } from './spans.ts'
import { isPass, proofWaitMs } from './verdict.ts'

/** A test as its probe tells it: ms since the boot. `boot_id`: null where it was told before probes told of their boots. */
export type OwnTest = { outcome: Outcome; boot_id: string | null; started_uptime_ms: number; finished_uptime_ms: number }
/**
 * A control trip that has ended. `domain`: the mail domain of the reference. `beside`, where it was lost: the mail domains from which mail
 * that was sent at the same moment has come back.
 */
export type ControlTrip = {
  reference: string
  domain: string
  boot_id: string | null
  started_uptime_ms: number
  outcome: Outcome
  beside: readonly string[]
}
/** The newest mail to that domain that has come back. */
export type NewestReturn = { domain: string; boot_id: string | null; started_uptime_ms: number }
/** What is known of a probe around its failing tests. */
export type ProbeRecord = { trips: readonly ControlTrip[]; returns: readonly NewestReturn[] }

/** What was sent within so long was sent at the same moment: a pair of control trips, or one of them and mail to a monitor. */
export const sameMomentMs = 1000

/** A test that came back needs no proof, and none is looked for. */
export const needsProof = ({ outcome }: Pick<OwnTest, 'outcome'>): boolean => !isPass(outcome)

/** The control trips that started within it, both ends included, say all that there is to say of the test. */
export const spanOfTrips = ({ started_uptime_ms, finished_uptime_ms }: OwnTest): Span => ({
  start_ms: started_uptime_ms - controlTurnMs - sameMomentMs,
  end_ms: finished_uptime_ms + proofWaitMs,
})

/**
 * `doubted`: a control trip of the probe was lost while the test ran, or so shortly before that none could be sent with it, and the probe
 * itself is to blame. It is not where the reference is out of order: mail sent elsewhere at the same moment has come back, and the reference
 * does not answer the next trips either. `proved`: a control trip to another mail system, sent while the test ran or soon after it, has
 * returned. `proved_since`: so has any mail to another mail system that was sent since then.
 */
export function healthBeside(
  test: OwnTest,
  { trips, returns }: ProbeRecord,
  targetDomain: string,
): { doubted: boolean; proved: boolean; proved_since: boolean } {
  if (!needsProof(test) || test.boot_id === null) return { doubted: false, proved: false, proved_since: false }
  const span = spanOfTrips(test)
  const near = trips.filter(
    ({ boot_id, started_uptime_ms: atMs }) => boot_id === test.boot_id && atMs >= span.start_ms && atMs <= span.end_ms,
  )
  const answered = near.filter(({ outcome }) => cameBack(outcome))
  const isSince = ({ domain, boot_id, started_uptime_ms }: NewestReturn): boolean =>
    domain !== targetDomain && boot_id === test.boot_id && started_uptime_ms >= test.started_uptime_ms
  const isOnProbe = (trip: ControlTrip): boolean =>
    answered.some((next) => answersAfter(next, trip) && next.started_uptime_ms >= test.started_uptime_ms) ||
    !(partnerReturned(trip, answered) || trip.beside.some((domain) => domain !== targetDomain))
  return {
    doubted: near.some((trip) => speaksAgainst(trip, test) && isOnProbe(trip)),
    proved: answered.some(isSince),
    proved_since: returns.some(isSince),
  }
}

/**
 * It was lost while the test ran, or so shortly before that no other could be sent with it. One that was cut short as the probe was started
 * again was not: a test whose mail was out by then is `not_run` itself. Of a test whose mail never got out, the way back
 * is not the question: against it speaks only what did not get out either.
 */
function speaksAgainst({ outcome, started_uptime_ms }: ControlTrip, test: OwnTest): boolean {
  if (cameBack(outcome) || outcome === 'not_run' || (gotOut(outcome) && !gotOut(test.outcome))) return false
  return started_uptime_ms >= test.started_uptime_ms - controlTurnMs && started_uptime_ms <= test.finished_uptime_ms
}

/** A copy without a stamp will do: that reference has no responder, and its mail is here. */
const cameBack = (outcome: Outcome): boolean => isPass(outcome) || outcome === 'echo'

const gotOut = (outcome: Outcome): boolean => cameBack(outcome) || outcome === 'timeout' || outcome === 'bounced'

const answersAfter = (next: ControlTrip, trip: ControlTrip): boolean =>
  next.reference === trip.reference && next.started_uptime_ms > trip.started_uptime_ms

const partnerReturned = (lost: ControlTrip, answered: readonly ControlTrip[]): boolean =>
  answered.some(
    ({ reference, started_uptime_ms }) =>
      reference !== lost.reference && Math.abs(started_uptime_ms - lost.started_uptime_ms) <= sameMomentMs,
  )
