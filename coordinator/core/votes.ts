/** Who votes, and how: one vote a vantage, by its latest test of those that were sent late enough (DESIGN 3.3). */
import type { MonitorRules, Suspicion, VantageEvidence, VoteView } from './evidence.ts'
import { type Ballot, type Tally, tally } from './quorum.ts'
import { isHardFailure, type TestFact, verdictOf } from './verdict.ts'

export type CastVote = VoteView & { vantage: VantageEvidence; test: TestFact | null }

/** One vantage is always judged by its double test. */
export const effectiveMode = (rules: MonitorRules): MonitorRules['mode'] => (rules.vantages === 1 ? 'seed' : rules.mode)

/** The vantages that vote on a suspicion: those planned, with a substitute in place of a lost one that has not voted. */
export function voters(vantages: readonly VantageEvidence[], suspicion: Suspicion): VantageEvidence[] {
  const substitutes = new Set(Object.values(suspicion.substitutes))
  return vantages.filter((vantage) => {
    if (!vantage.planned) return substitutes.has(vantage.probe_id)
    const replaced = suspicion.substitutes[vantage.probe_id] !== undefined
    return !replaced || testsSince(vantage, suspicion.since_ms).length > 0
  })
}

export const testsSince = (vantage: VantageEvidence, sinceMs: number): TestFact[] =>
  vantage.tests.filter((test) => test.started_ms >= sinceMs)

/** The vote of one vantage by its latest test sent since `sinceMs`; `firstTestId` is a failure that needs its re-test first. */
export function castVote(vantage: VantageEvidence, sinceMs: number, firstTestId: string | null, nowMs: number): CastVote {
  const [latest] = testsSince(vantage, sinceMs)
  const base = { probe_id: vantage.probe_id, region: vantage.region, vantage }
  if (latest === undefined) return { ...base, vote: 'missing', reason: 'no_test_yet', outcome: null, test_id: null, test: null }
  const seen = { ...base, outcome: latest.outcome, test_id: latest.id, test: latest }
  const { verdict, reason } = verdictOf(latest, vantage, nowMs)
  if (verdict === 'pass' || verdict === 'slow') return { ...seen, vote: 'pass', reason }
  if (verdict === 'fail') {
    return latest.id === firstTestId ? { ...seen, vote: 'missing', reason: 'retest_awaited' } : { ...seen, vote: 'fail', reason }
  }
  return { ...seen, vote: verdict === 'waiting' ? 'missing' : 'abstain', reason }
}

export function suspicionVotes(
  vantages: readonly VantageEvidence[],
  suspicion: Suspicion,
  rules: MonitorRules,
  nowMs: number,
): CastVote[] {
  // In mode `seed` the suspecting vantage speaks only after its own re-test; in the others one failure each will do.
  const needsRetest = effectiveMode(rules) === 'seed' ? suspicion.first_test_id : null
  return voters(vantages, suspicion).map((vantage) => castVote(vantage, suspicion.since_ms, needsRetest, nowMs))
}

export const tallyVotes = (votes: readonly CastVote[]): Tally =>
  tally(votes.map((vote): Ballot => ({ domain: vote.vantage.domain, vote: vote.vote })))

/**
 * A hard failure says so at once, and so it must also last: some failing test was sent `hard_confirm_s` after the first, or some
 * vantage failed by waiting its timeout out.
 */
export function hardFailureLasted(votes: readonly CastVote[], sinceMs: number, rules: MonitorRules): boolean {
  return votes.some(
    ({ vote, test }) =>
      vote === 'fail' &&
      test !== null &&
      (!isHardFailure(test.outcome) || test.started_ms >= sinceMs + rules.hard_confirm_s * 1000),
  )
}

export const viewOf = ({ probe_id, region, vote, reason, outcome, test_id }: CastVote): VoteView => ({
  probe_id,
  region,
  vote,
  reason,
  outcome,
  test_id,
})
