/**
 * The tests that a failing test brings about, by the probe alone (DESIGN 1, 3.3): one re-test, and after a lost one a faster rhythm
 * until a test passes. Pure: a sequence goes in, the next one comes out.
 */
import type { TestCause, TestPlan } from '../common/wire/test.ts'
import { type Ending, type Instant, isFailing } from './round-trip.ts'

export type Sequence = {
  monitorId: string
  firstTestId: string
  /** When the failing first test was sent; null: under an earlier boot, before all that has begun since. */
  firstStartedAt: Instant | null
  /** What the next test is: the one re-test, or one of the faster rhythm. */
  cause: 'retest' | 'open'
  attempt: number
  /** When the next test is due; null while the re-test is under way. */
  due: Instant | null
  /** For how long it was put off when `due` was set; absent where an older version wrote it down. */
  waitMs?: number
}

/** A test that has ended, as far as sequences are concerned. */
export type EndedTest = { id: string; monitorId: string; cause: TestCause; attempt: number; startedAt: Instant; ending: Ending }

/** What becomes of a monitor's sequence when one of its tests has ended; undefined means that none goes on. */
export function afterTest(sequence: Sequence | undefined, test: EndedTest, plan: TestPlan): Sequence | undefined {
  // A job answers a question of the coordinator, which then decides what follows.
  if (test.cause === 'job') return sequence
  const { outcome } = test.ending
  if (sequence === undefined) return test.cause === 'slot' && isFailing(outcome) ? firstFailure(test, plan) : undefined
  // Where our address is refused by policy, a faster rhythm would be bad manners and prove nothing.
  if (outcome === 'blocked') return isSentSince(test, sequence) ? undefined : sequence
  if (sequence.cause === 'retest') return test.cause === 'retest' ? afterRetest(sequence, test, plan) : sequence
  const passes = !isFailing(outcome) && outcome !== 'not_run'
  return passes && isSentSince(test, sequence) ? undefined : sequence
}

/** The wall clock may have been set in between. */
const isSentSince = ({ startedAt }: EndedTest, { firstStartedAt }: Sequence): boolean =>
  firstStartedAt === null || startedAt.monotonicMs >= firstStartedAt.monotonicMs

/** The sequence once the test that was due has begun. The faster rhythm keeps its pace whatever becomes of that test. */
export function afterBegin(sequence: Sequence, plan: TestPlan, now: Instant): Sequence {
  if (sequence.cause === 'retest') return { ...sequence, due: null }
  return { ...sequence, attempt: sequence.attempt + 1, ...dueAfter(now, openPeriodMs(plan)) }
}

/** After a long silence of this probe the slots have taken over: an old sequence is not caught up. */
export const isStale = (sequence: Sequence, plan: TestPlan, now: Instant): boolean =>
  sequence.due !== null && now.monotonicMs - sequence.due.monotonicMs > plan.period_s * 1000

/**
 * Carries a sequence over a restart: the monotonic clock counts on within one boot, otherwise the wall clock must do. Machines have booted
 * hours behind: never longer than it was to wait at first.
 */
export function resumed(sequence: Sequence, sameBoot: boolean, now: Instant): Sequence {
  if (sameBoot) return sequence
  const { due, waitMs = Number.POSITIVE_INFINITY } = sequence
  if (due === null) return { ...sequence, firstStartedAt: null }
  const inMs = Math.min(due.wallMs - now.wallMs, waitMs)
  return { ...sequence, firstStartedAt: null, due: later(now, inMs) }
}

function firstFailure(test: EndedTest, plan: TestPlan): Sequence {
  const { finishedAt, hard } = test.ending
  // A refusal that lasts less than this is a slip of the configuration and wakes nobody.
  const confirmedMs = hard ? sinceStartMs(test, plan.hard_confirm_s * 1000) : 0
  return {
    monitorId: test.monitorId,
    firstTestId: test.id,
    firstStartedAt: test.startedAt,
    cause: 'retest',
    attempt: 2,
    ...dueAfter(finishedAt, Math.max(confirmedMs, plan.retest_wait_s * 1000)),
  }
}

function afterRetest(sequence: Sequence, test: EndedTest, plan: TestPlan): Sequence | undefined {
  const { outcome, finishedAt } = test.ending
  // A re-test that this probe could not make proves nothing: it is made again, in the faster rhythm.
  if (outcome === 'not_run') return { ...sequence, ...dueAfter(finishedAt, openPeriodMs(plan)) }
  if (!isFailing(outcome)) return undefined
  const pacedMs = sinceStartMs(test, openPeriodMs(plan))
  return { ...sequence, cause: 'open', attempt: test.attempt + 1, ...dueAfter(finishedAt, Math.max(pacedMs, 0)) }
}

/** How long after its end it is `afterStartMs` since its start. */
const sinceStartMs = ({ startedAt, ending }: EndedTest, afterStartMs: number): number =>
  startedAt.monotonicMs + afterStartMs - ending.finishedAt.monotonicMs

const dueAfter = (now: Instant, waitMs: number): Pick<Sequence, 'due' | 'waitMs'> => ({ due: later(now, waitMs), waitMs })

/** Never slower than the monitor's own period. */
const openPeriodMs = (plan: TestPlan): number => Math.min(plan.open_period_s, plan.period_s) * 1000

const later = (instant: Instant, byMs: number): Instant => ({
  wallMs: instant.wallMs + byMs,
  monotonicMs: instant.monotonicMs + byMs,
})
