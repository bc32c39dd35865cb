/** What is wrong with the mail, from everything that is known of the tests behind an incident. */
import { type Cause, describeCause, leadingFailures } from '../core/cause.ts'
import type { TestEvidence } from '../core/diagnosis.ts'
import type { VoteView } from '../core/evidence.ts'
import { legRunOf, readLegs, windowMs } from '../core/legs.ts'
import type { ClaimedMonitor } from '../store/judging.ts'
import type { Transaction } from './store.ts'

/** The failure that most vantages report, in words, with what the mail server said to one of them. */
export async function findCause(tx: Transaction, monitor: ClaimedMonitor, votes: VoteView[]): Promise<Cause> {
  const failures = leadingFailures(votes)
  const passing = votes.flatMap(({ vote, region }) => (vote === 'pass' ? [region] : []))
  return describeCause(failures, await readEvidence(tx, monitor, failures), monitor.rules.timeout_s, [...new Set(passing)])
}

/** By test id. The legs are computed only where a mail came back late: nothing else depends on them. */
export async function readEvidence(
  tx: Transaction,
  { customer_id, monitor_id, now_ms }: ClaimedMonitor,
  votes: readonly VoteView[],
): Promise<Map<string, TestEvidence>> {
  const found = await tx.readTestEvidence(
    customer_id,
    votes.flatMap(({ test_id }) => test_id ?? []),
  )
  if (![...found.values()].some(({ late }) => late !== null)) return found
  const tests = await tx.listStampedTests({ customer_id, id: monitor_id }, now_ms - windowMs)
  const { legs } = readLegs(tests.map(legRunOf), now_ms)
  const withLegs = [...found].map(([id, { late, ...test }]): [string, TestEvidence] => [
    id,
    { ...test, late: late === null ? null : { ...late, legs: legs.get(id) ?? null } },
  ])
  return new Map(withLegs)
}
