/** Mutations of the core: how results become votes, votes a decision, and a decision an incident and its end. */
import type { Mutant } from './mutant.ts'

const quorum = 'test/unit/core-quorum.test.ts'
const verdict = 'test/unit/core-verdict.test.ts'
const bound = 'test/unit/core-detection-bound.test.ts'
const outages = 'test/scenarios/judgement-outages.test.ts'
const absences = 'test/scenarios/judgement-absences.test.ts'
const evidence = 'test/scenarios/judgement-evidence.test.ts'

export const quorumMutants: Mutant[] = [
  {
    name: 'quorum-one-less',
    file: 'coordinator/core/quorum.ts',
    find: 'if (failing >= quorum && failing > passing)',
    replace: 'if (failing >= quorum - 1 && failing > passing)',
    why: 'Nobody is woken on the word of fewer witnesses than the quorum.',
    caughtBy: { file: quorum, test: 'the decision > f _ _, quorum 2: open, because a missing vote is never a failing one' },
  },
  {
    name: 'majority-ignored',
    file: 'coordinator/core/quorum.ts',
    find: ' && failing > passing)',
    replace: ')',
    why: 'Down needs more failing than passing witnesses.',
    caughtBy: { file: quorum, test: 'the decision > f f p p, quorum 2: partial, because as many pass as fail' },
  },
  {
    name: 'missing-vote-fails',
    file: 'coordinator/core/quorum.ts',
    find: "failing: groupsWith('fail').difference(passing).size",
    replace: "failing: groupsWith('fail').union(groupsWith('missing')).difference(passing).size",
    why: 'A missing vote is never a failing vote.',
    caughtBy: { file: quorum, test: 'the decision > f _ _, quorum 2: open, because a missing vote is never a failing one' },
  },
  {
    name: 'missing-vote-not-waited-for',
    file: 'coordinator/core/quorum.ts',
    find: "if (missing > 0 || passing === 0) return 'open'",
    replace: "if (passing === 0) return 'open'",
    why: 'Partial and up are decided with all votes in.',
    caughtBy: { file: quorum, test: 'the decision > p p _, quorum 2: open, because up needs all votes in' },
  },
  {
    name: 'abstention-fails',
    file: 'coordinator/core/quorum.ts',
    find: "failing: groupsWith('fail').difference(passing).size",
    replace: "failing: groupsWith('fail').union(groupsWith('abstain')).difference(passing).size",
    why: 'A vantage that abstains says nothing about the mail of the customer.',
    caughtBy: {
      file: quorum,
      test: 'the decision > f a a, quorum 2: open, because an abstention neither: too few healthy vantages',
    },
  },
  {
    name: 'failure-domains-ignored',
    file: 'coordinator/core/failure-domain.ts',
    find: 'if (shareFate(a, b)) group',
    replace: 'if (a === b) group',
    why: 'Two vantages that share a region, a network or a return domain are one witness.',
    caughtBy: { file: quorum, test: 'the decision > ff _, quorum 2: open, because and no quorum of two' },
  },
]

export const verdictMutants: Mutant[] = [
  {
    name: 'proof-of-health-not-required',
    file: 'coordinator/core/verdict.ts',
    find: 'if (proof_started_ms === null || proof_started_ms < test.started_ms) return false',
    replace: 'if (proof_started_ms !== null && proof_started_ms < test.started_ms) return false',
    why: 'A failure counts only from a probe that has proved its own health.',
    caughtBy: { file: verdict, test: 'a verdict > without proof yet, it is waited for' },
  },
  {
    name: 'older-proof-taken',
    file: 'coordinator/core/verdict.ts',
    find: 'if (proof_started_ms === null || proof_started_ms < test.started_ms) return false',
    replace: 'if (proof_started_ms === null) return false',
    why: 'The proof must have been sent after the failing test was.',
    caughtBy: { file: verdict, test: 'a verdict > a proof from before the test was sent proves nothing about it' },
  },
  {
    name: 'doubts-ignored',
    file: 'coordinator/core/verdict.ts',
    find: 'return !doubts_ms.some((doubtMs) => doubtMs >= test.started_ms && doubtMs <= test.finished_ms)',
    replace: 'return doubts_ms.every((doubtMs) => doubtMs >= 0)',
    why: 'A probe that lost its control trip during the test was ill itself, however well it is now.',
    caughtBy: {
      file: verdict,
      test: 'a verdict > a probe whose control trip was lost meanwhile has not proved itself by recovering',
    },
  },
  {
    name: 'proof-waited-for-without-end',
    file: 'coordinator/core/verdict.ts',
    find: 'if (nowMs < test.finished_ms + proofWaitMs)',
    replace: 'if (nowMs < Number.POSITIVE_INFINITY)',
    why: 'A probe that cannot prove itself within a minute abstains, so that the others can decide.',
    caughtBy: { file: verdict, test: 'a verdict > after a minute without proof the word does not count' },
  },
  {
    name: 'greylisting-fails',
    file: 'coordinator/core/verdict.ts',
    find: "if (test.outcome === 'deferred' && !context.passed_before)",
    replace: "if (test.outcome === 'deferred' && context.passed_before === null)",
    why: 'A deferral of a sender that has never passed is a first greylisting.',
    caughtBy: { file: verdict, test: 'a verdict > a deferral of who has never passed is a first greylisting' },
  },
  {
    name: 'blocked-address-fails',
    file: 'coordinator/core/verdict.ts',
    find: "if (test.outcome === 'blocked') return { verdict: 'abstain', reason: 'sender_blocked' }",
    replace: "if (test.outcome === 'blocked') return { verdict: 'fail', reason: 'failed' }",
    why: 'That our address is refused by policy says nothing about the mail of others.',
    caughtBy: { file: verdict, test: 'a verdict > blocked of a probe that has proved its health: abstain sender_blocked' },
  },
  {
    name: 'standing-verdict-never-stale',
    file: 'coordinator/core/verdict.ts',
    find: 'if (nowMs > test.finished_ms + staleAfterMs(monitor))',
    replace: 'if (nowMs > test.finished_ms + Number.POSITIVE_INFINITY)',
    why: 'A standing verdict becomes no_data after period, timeout and a minute.',
    caughtBy: { file: verdict, test: 'a standing verdict > becomes no_data after period, timeout and a minute' },
  },
  {
    name: 'stale-votes-counted',
    file: 'coordinator/core/votes.ts',
    find: "if (isStale(latest, rules, nowMs)) return { ...seen, vote: 'missing', reason: 'stale' }",
    replace: '',
    why: 'A vote speaks for the present: an old one is missing.',
    caughtBy: { file: evidence, test: 'a suspicion > counts no vote from a test that is older than a standing verdict may be' },
  },
]

export const suspicionMutants: Mutant[] = [
  {
    name: 'retest-skipped',
    file: 'coordinator/core/votes.ts',
    find: "if (effectiveMode(rules) !== 'seed' || vantage.probe_id !== suspicion.first_probe_id) return null",
    replace: 'if (rules.vantages > 0 || vantage.probe_id !== suspicion.first_probe_id) return null',
    why: 'In mode seed the suspecting vantage fails only after its re-test.',
    caughtBy: { file: outages, test: 'an outage > is down once, when the re-test of the suspecting vantage is lost too' },
  },
  {
    name: 'retest-not-waited-for',
    file: 'coordinator/core/suspicion.ts',
    find: "const retestOut = result === 'down' && nowMs < deadlineMs && retestAwaited(votes, question)",
    replace: 'const retestOut = nowMs < question.since_ms && retestAwaited(votes, question)',
    why: 'A quorum of the others does not stand in for the re-test of the suspecting vantage.',
    caughtBy: { file: outages, test: 'an outage > others that agree early do not stand in for that re-test' },
  },
  {
    name: 'one-vantage-not-tested-twice',
    file: 'coordinator/core/votes.ts',
    find: "(rules.vantages === 1 ? 'seed' : rules.mode)",
    replace: 'rules.mode',
    why: 'One vantage is always judged by its double test, whatever its mode.',
    caughtBy: {
      file: 'test/scenarios/judgement-bound.test.ts',
      test: 'the detection bound > 1 vantages, quorum 1, fast: is met, and reached',
    },
  },
  {
    name: 'hard-failure-not-held',
    file: 'coordinator/core/suspicion.ts',
    find: "const held = result === 'down' && !hardFailureLasted(votes, question.since_ms, rules)",
    replace: 'const held = question.since_ms > nowMs && !hardFailureLasted(votes, question.since_ms, rules)',
    why: 'A refusal that lasts less than three minutes wakes nobody.',
    caughtBy: { file: outages, test: 'a hard failure > of a minute wakes nobody' },
  },
  {
    name: 'deadline-never-reached',
    file: 'coordinator/core/suspicion.ts',
    find: 'const unconfirmed = nowMs >= deadlineMs && state.incident === null',
    replace: 'const unconfirmed = nowMs === Number.POSITIVE_INFINITY && state.incident === null',
    why: 'A suspicion whose votes stay out is given up at its deadline, and the operator paged.',
    caughtBy: {
      file: absences,
      test: 'too few healthy vantages > are unconfirmed at the deadline: the operator is paged, nobody else',
    },
  },
  {
    name: 'substitute-never-seated',
    file: 'coordinator/core/suspicion.ts',
    find: 'if (substitute === undefined) continue',
    replace: 'if (substitute?.probe_id !== null) continue',
    why: 'A lost vantage whose vote is out is replaced from the pool at once.',
    caughtBy: { file: absences, test: 'a lost vantage > is replaced from the pool at once; its substitute votes in its place' },
  },
  {
    name: 'old-news-suspects',
    file: 'coordinator/core/suspicion.ts',
    find: 'if (newest === undefined || isStale(newest, rules, nowMs)) return null',
    replace: 'if (newest === undefined) return null',
    why: 'A failure of hours ago opens no suspicion.',
    caughtBy: { file: evidence, test: 'a suspicion > is not opened by old news' },
  },
  {
    name: 'pending-monitor-judged',
    file: 'coordinator/core/judgement.ts',
    find: 'if (!state.watched) return judgePending(state, evidence, nowMs)',
    replace: '',
    why: 'A monitor that has never returned pages nobody.',
    caughtBy: {
      file: 'test/scenarios/judgement-properties.test.ts',
      test: 'whatever the evidence > a monitor that has never returned pages nobody',
    },
  },
]

export const incidentMutants: Mutant[] = [
  {
    name: 'recovery-with-one-witness',
    file: 'coordinator/core/incident.ts',
    find: 'if (witnessCount(votes) > 1) return passing >= 2',
    replace: 'if (witnessCount(votes) > 1) return passing >= 1',
    why: 'Where there are several witnesses, an incident ends when two of them pass.',
    caughtBy: {
      file: evidence,
      test: 'an open incident > is not resolved by two passes from one region, but by two from two',
    },
  },
  {
    name: 'recovery-by-an-earlier-test',
    file: 'coordinator/core/incident.ts',
    find: 'castVote(vantage, incident.opened_ms, null, rules, nowMs)',
    replace: 'castVote(vantage, incident.since_ms, null, rules, nowMs)',
    why: 'Only tests sent after the incident opened can end it.',
    caughtBy: { file: evidence, test: 'an open incident > is not resolved by tests sent before it was opened' },
  },
  {
    name: 'one-pass-of-one-vantage-ends',
    file: 'coordinator/core/incident.ts',
    find: "return vote === 'pass' && (previous?.outcome === 'ok' || previous?.outcome === 'slow')",
    replace: "return vote === 'pass' && previous !== null",
    why: 'One vantage needs two passes in a row.',
    caughtBy: { file: outages, test: 'recovery > one vantage: two passes in a row' },
  },
]

export const boundMutants: Mutant[] = [
  {
    name: 'bound-seed',
    file: 'coordinator/core/detection-bound.ts',
    find: "if (mode === 'seed') return wait + timeout",
    replace: "if (mode === 'seed') return timeout",
    why: 'Mode seed adds the wait before the re-test and the re-test.',
    caughtBy: { file: bound, test: 'the detection bound > with 4 vantages is 25.5 min (seed), 20 (fast), 17 (hedged)' },
  },
  {
    name: 'bound-fast',
    file: 'coordinator/core/detection-bound.ts',
    find: "mode === 'fast' ? Math.min(peersBySlot, timeout)",
    replace: "mode === 'fast' ? peersBySlot",
    why: 'In mode fast no peer answers later than a test that it was asked for takes.',
    caughtBy: {
      file: bound,
      test: 'the detection bound > a larger quorum waits for later slots, but never longer than a test that was asked for takes',
    },
  },
  {
    name: 'bound-hedged',
    file: 'coordinator/core/detection-bound.ts',
    find: ': Math.min(slow, peersBySlot, timeout)',
    replace: ': Math.min(peersBySlot, timeout)',
    why: 'In mode hedged the peers start at the slow mark.',
    caughtBy: { file: bound, test: 'the detection bound > with 4 vantages is 25.5 min (seed), 20 (fast), 17 (hedged)' },
  },
]
