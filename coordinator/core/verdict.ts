/** What the coordinator makes of one vantage's test. Probes report facts; only here do they become `fail` or `abstain`. */
import { dayMs } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'

export type Verdict = 'pass' | 'slow' | 'fail' | 'abstain' | 'no_data'

export type VerdictReason =
  | 'returned'
  | 'returned_slow'
  | 'failed'
  | 'awaiting_proof'
  | 'probe_unproven'
  | 'fails_widely'
  | 'never_passed_greylisting'
  | 'sender_blocked'
  | 'not_run'
  | 'no_test_yet'
  | 'stale'

/** One reported test, as far as a judgement needs it. Times are UTC ms. */
export type TestFact = {
  id: string
  cause: 'slot' | 'retest' | 'open' | 'job'
  attempt: number
  first_test_id: string | null
  started_ms: number
  finished_ms: number
  outcome: Outcome
  /** A control trip of the probe was lost while the test ran, and no reference is to blame: then the probe was not healthy itself. */
  doubted: boolean
  /** A control trip that was sent while the test ran, or within `proofWaitMs` after it, has returned. */
  proved: boolean
  /** Mail to another mail system that was sent since then has come back. */
  proved_since: boolean
}

export type VantageContext = {
  /** Start of the newest test whose mail has passed from this sender and address to this recipient; null: none is known. */
  passed_ms: number | null
  /** Unrelated mail domains that fail for this probe while mail of another region, sent later, returns from them. */
  contradicted: number
  /** How many monitors the probe holds. */
  monitors_held: number
}

/** So long after a failing test the probe has to prove its own health; then its word does not count. */
export const proofWaitMs = 60_000

const failures: ReadonlySet<Outcome> = new Set([
  'timeout',
  'echo',
  'bounced',
  'refused',
  'deferred',
  'unreachable',
  'tls',
  'dns',
  'auth',
])
const hardFailures: ReadonlySet<Outcome> = new Set(['bounced', 'refused', 'dns', 'tls', 'auth'])

/** The outcome speaks against the customer's mail, if the probe proves to be healthy. */
export const isFailure = (outcome: Outcome): boolean => failures.has(outcome)

/** The mail came back, in time or late. */
export const isPass = (outcome: Outcome): boolean => outcome === 'ok' || outcome === 'slow'

/** The answer may be final at once (5xx, bounce, no such domain, no TLS, no login): nothing need have been waited for. */
export const isHardFailure = (outcome: Outcome): boolean => hardFailures.has(outcome)

export function verdictOf(
  test: TestFact,
  context: VantageContext,
  nowMs: number,
): { verdict: Verdict | 'waiting'; reason: VerdictReason } {
  if (test.outcome === 'ok') return { verdict: 'pass', reason: 'returned' }
  if (test.outcome === 'slow') return { verdict: 'slow', reason: 'returned_slow' }
  if (test.outcome === 'not_run') return { verdict: 'abstain', reason: 'not_run' }
  if (test.outcome === 'blocked') return { verdict: 'abstain', reason: 'sender_blocked' }
  if (test.outcome === 'deferred' && !isKnownThere(test, context))
    return { verdict: 'abstain', reason: 'never_passed_greylisting' }
  if (failsWidely(context)) return { verdict: 'abstain', reason: 'fails_widely' }
  if (isProven(test)) return { verdict: 'fail', reason: 'failed' }
  if (nowMs < test.finished_ms + proofWaitMs) return { verdict: 'waiting', reason: 'awaiting_proof' }
  return { verdict: 'abstain', reason: 'probe_unproven' }
}

/** So long a server that greylists may remember who has passed (DESIGN 3.3): after that it defers a first mail again. */
export const passMemoryMs = 30 * dayMs

const isKnownThere = ({ started_ms }: TestFact, { passed_ms }: VantageContext): boolean =>
  passed_ms !== null && passed_ms >= started_ms - passMemoryMs

/** A return that was sent after the test, and no lost control trip while it ran: a probe that has just recovered proves nothing of before. */
function isProven({ doubted, proved, proved_since }: TestFact): boolean {
  if (doubted) return false
  return proved || proved_since
}

/** A probe that holds thousands always meets a few that it alone cannot reach: how many are too many grows with them, up to a limit. */
const contradictedMin = 3
const contradictedMax = 50
const contradictedShare = 0.1

/** It fails for many unrelated monitors that are well elsewhere: what it shares with them is itself (DESIGN 3.3). */
export function failsWidely({ contradicted, monitors_held }: Pick<VantageContext, 'contradicted' | 'monitors_held'>): boolean {
  const tooMany = Math.min(contradictedMax, monitors_held * contradictedShare)
  return contradicted >= Math.max(contradictedMin, tooMany)
}

/** A standing verdict is old news after the period, the timeout and a minute (DESIGN 3.3). */
export const staleAfterMs = (monitor: { period_s: number; timeout_s: number }): number =>
  (monitor.period_s + monitor.timeout_s + 60) * 1000

/** The verdict shown for a vantage: its newest test, unless that is too old. */
export function standingVerdict(
  test: TestFact | null,
  context: VantageContext,
  monitor: { period_s: number; timeout_s: number },
  nowMs: number,
): { verdict: Verdict; reason: VerdictReason } {
  if (test === null) return { verdict: 'no_data', reason: 'no_test_yet' }
  if (nowMs > test.finished_ms + staleAfterMs(monitor)) return { verdict: 'no_data', reason: 'stale' }
  const { verdict, reason } = verdictOf(test, context, nowMs)
  return verdict === 'waiting' ? { verdict: 'fail', reason } : { verdict, reason }
}
