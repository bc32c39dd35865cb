/** Who votes, and how: one vote a vantage, by its latest test of those that were sent late enough (DESIGN 3.3). */
import type { Evidence, MonitorRules, Suspicion, VantageEvidence, VoteView } from './evidence.ts'
import { type Ballot, decide, type Quorum, type Tally, tally } from './quorum.ts'
import { isHardFailure, staleAfterMs, type TestFact, verdictOf } from './verdict.ts'

export type CastVote = VoteView & { vantage: VantageEvidence; test: TestFact | null }

/** One vantage is always judged by its double test. */
export const effectiveMode = (rules: MonitorRules): MonitorRules['mode'] => (rules.vantages === 1 ? 'seed' : rules.mode)

export const testsSince = (vantage: VantageEvidence, sinceMs: number): TestFact[] =>
  vantage.tests.filter((test) => test.started_ms >= sinceMs)

/** A vote speaks for the present no longer than a standing verdict does, and through the wait that a hard failure needs. */
const voteLastsMs = (rules: MonitorRules): number => staleAfterMs(rules) + rules.hard_confirm_s * 1000

export const isStale = (test: TestFact, rules: MonitorRules, nowMs: number): boolean =>
  nowMs > test.finished_ms + voteLastsMs(rules)

/** The vote of one vantage by its latest test sent since `sinceMs`; `suspected` is a failure that needs its re-test first. */
export function castVote(
  vantage: VantageEvidence,
  sinceMs: number,
  suspected: TestFact | null,
  rules: MonitorRules,
  nowMs: number,
): CastVote {
  const [latest] = testsSince(vantage, sinceMs)
  const base = { probe_id: vantage.probe_id, region: vantage.region, vantage }
  if (latest === undefined) return { ...base, vote: 'missing', reason: 'no_test_yet', outcome: null, test_id: null, test: null }
  const seen = { ...base, outcome: latest.outcome, test_id: latest.id, test: latest }
  if (isStale(latest, rules, nowMs)) return { ...seen, vote: 'missing', reason: 'stale' }
  const { verdict, reason } = verdictOf(latest, vantage, nowMs)
  if (verdict === 'pass' || verdict === 'slow') return { ...seen, vote: 'pass', reason }
  if (verdict === 'fail') {
    const confirmed = suspected === null || isSecondWord(latest, vantage, sinceMs, rules, nowMs)
    return confirmed ? { ...seen, vote: 'fail', reason } : { ...seen, vote: 'missing', reason: 'retest_awaited' }
  }
  return { ...seen, vote: verdict === 'waiting' ? 'missing' : 'abstain', reason }
}

/**
 * Whether the test confirms an earlier failure that counts as well: it was sent after that had ended, or it is the re-test or one of the
 * faster rhythm that only a lost re-test brings about. A slot that was under way beside it says nothing more than that did.
 */
const isSecondWord = (test: TestFact, vantage: VantageEvidence, sinceMs: number, rules: MonitorRules, nowMs: number): boolean =>
  testsSince(vantage, sinceMs).some(
    (earlier) =>
      earlier.started_ms < test.started_ms &&
      (test.cause === 'retest' || test.cause === 'open' || earlier.finished_ms <= test.started_ms) &&
      !isStale(earlier, rules, nowMs) &&
      verdictOf(earlier, vantage, nowMs).verdict === 'fail',
  )

/**
 * The votes on a suspicion: of the planned vantages and of substitutes. A lost vantage whose vote is out leaves its seat to its
 * substitute, and has it back when it is heard of again.
 */
export function suspicionVotes(
  vantages: readonly VantageEvidence[],
  suspicion: Suspicion,
  rules: MonitorRules,
  nowMs: number,
): CastVote[] {
  const substitutes = new Set(Object.values(suspicion.substitutes))
  return vantages
    .filter((vantage) => vantage.planned || substitutes.has(vantage.probe_id))
    .map((vantage) => castVote(vantage, suspicion.since_ms, suspectedTest(vantage, suspicion, rules), rules, nowMs))
    .filter((vote) => !isAbsent(vote) || suspicion.substitutes[vote.probe_id] === undefined)
}

/** Those that hold an assignment of the monitor; who stands in for a lost one is none of them. */
export const plannedOf = ({ vantages }: Pick<Evidence, 'vantages'>): VantageEvidence[] =>
  vantages.filter(({ planned }) => planned)

/** The votes of the planned vantages by what they have sent since then, each failure by itself. */
export const votesSince = (sinceMs: number, rules: MonitorRules, evidence: Evidence, nowMs: number): CastVote[] =>
  plannedOf(evidence).map((vantage) => castVote(vantage, sinceMs, null, rules, nowMs))

/** In mode `seed` the suspecting vantage speaks only after its own re-test; in the others one failure each will do. */
function suspectedTest(vantage: VantageEvidence, suspicion: Suspicion, rules: MonitorRules): TestFact | null {
  if (effectiveMode(rules) !== 'seed' || vantage.probe_id !== suspicion.first_probe_id) return null
  return vantage.tests.find((test) => test.id === suspicion.first_test_id) ?? null
}

/** The failures that a vantage's newest tests end with, newest first, and the pass before them if one is known. */
export function failingRun(vantage: VantageEvidence, nowMs: number): { failures: TestFact[]; passBefore: TestFact | null } {
  const failures: TestFact[] = []
  for (const test of vantage.tests) {
    const { verdict } = verdictOf(test, vantage, nowMs)
    if (verdict === 'pass' || verdict === 'slow') return { failures, passBefore: test }
    if (verdict !== 'abstain') failures.push(test)
  }
  return { failures, passBefore: null }
}

/** The first failure of a vantage that has begun to fail since then; null where it passes, or has failed before. */
export function beganToFail(vantage: VantageEvidence, sinceMs: number, nowMs: number): TestFact | null {
  const { failures, passBefore } = failingRun(vantage, nowMs)
  const first = failures.at(-1)
  return first !== undefined && passBefore !== null && first.started_ms >= sinceMs ? first : null
}

/** The vote is out and nobody is there to give it. */
export const isAbsent = ({ vote, vantage }: CastVote): boolean => vote === 'missing' && vantage.lost

/** A slot's failing test is followed by the probe's own re-test and faster rhythm; one that was asked for is followed by nothing. */
export const testsItself = ({ vote, test }: CastVote): boolean => vote === 'fail' && test !== null && test.cause !== 'job'

export const tallyVotes = (votes: readonly CastVote[]): Tally =>
  tally(votes.map((vote): Ballot => ({ domain: vote.vantage.domain, vote: vote.vote })))

/**
 * At the deadline lost vantages are waited for no longer, where the quorum that is there has its answer without them: nothing fails,
 * or even all of them together could not make it `down`. Otherwise the question stays open.
 */
export function decideWithoutAbsent(votes: readonly CastVote[], quorum: number): Quorum {
  const present = votes.filter((vote) => !isAbsent(vote))
  const { failing, passing } = tallyVotes(present)
  if (failing + passing < quorum) return 'open'
  const atWorst = tallyVotes(votes.map((vote) => (isAbsent(vote) ? { ...vote, vote: 'fail' } : vote)))
  if (failing > 0 && decide(atWorst, quorum) === 'down') return 'open'
  return decide(tallyVotes(present), quorum)
}

/**
 * A hard failure says so at once, and so it must also last: some vantage was still failing `hard_confirm_s` after the first failing
 * test was sent, or failed by waiting its timeout out.
 */
export function hardFailureLasted(votes: readonly CastVote[], sinceMs: number, rules: MonitorRules): boolean {
  const lasted = (test: TestFact): boolean =>
    waitedOut(test, rules) || failedUntilMs(test) >= sinceMs + rules.hard_confirm_s * 1000
  return votes.some(({ vote, test }) => vote === 'fail' && test !== null && lasted(test))
}

/** Two readings of a wall clock that is kept right by small steps. */
const roundingMs = 1000

/** A name server or a TLS handshake that failed may have been tried until the timeout, as one that hangs is. */
const waitedOut = ({ outcome, started_ms, finished_ms }: TestFact, rules: MonitorRules): boolean =>
  !isHardFailure(outcome) || (outcome !== 'bounced' && finished_ms - started_ms >= rules.timeout_s * 1000 - roundingMs)

/** A test that cannot get its mail out tries until it ends; a bounce, however late, tells of the moment when the mail was sent. */
const failedUntilMs = ({ outcome, started_ms, finished_ms }: TestFact): number =>
  outcome === 'bounced' ? started_ms : finished_ms

export const viewOf = ({ probe_id, region, vote, reason, outcome, test_id }: CastVote): VoteView => ({
  probe_id,
  region,
  vote,
  reason,
  outcome,
  test_id,
})
