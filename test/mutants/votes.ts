/** Mutations of the core: how results become votes, and votes a decision. */
import type { Mutant } from './mutant.ts'

const quorum = 'test/unit/core-quorum.test.ts'
const verdict = 'test/unit/core-verdict.test.ts'
const health = 'test/unit/core-probe-health.test.ts'
const evidence = 'test/scenarios/judgement-evidence.test.ts'

export const quorumMutants: Mutant[] = [
  {
    name: 'quorum-one-less',
    file: 'coordinator/core/quorum.ts',
    find: 'failing >= quorum && failing > passing',
    replace: 'failing >= quorum - 1 && failing > passing',
    why: 'Nobody is woken on the word of fewer witnesses than the quorum.',
    caughtBy: { file: quorum, test: 'the decision > f _ _, quorum 2: open, because a missing vote is never a failing one' },
  },
  {
    name: 'majority-ignored',
    file: 'coordinator/core/quorum.ts',
    find: ' => failing >= quorum && failing > passing',
    replace: ' => failing >= quorum && passing >= 0',
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
    name: 'overdue-by-a-wrong-clock',
    file: 'coordinator/store/judging.ts',
    find: 'and least(o.at + ',
    replace: 'and least(o.at + 0 * ',
    why: 'How old the word of an overdue mail is, is told by a clock that is put right.',
    caughtBy: {
      file: 'test/flow/store-contract-evidence.test.ts',
      test: 'the evidence on PostgreSQL > a mail that is overdue > was sent when it was told, its clock put right',
    },
  },
  {
    name: 'unknown-clock-not-estimated',
    file: 'coordinator/core/probe-clock.ts',
    find: 'return Math.abs(seemsMs) <= wayMsMax ? null : seemsMs',
    replace: 'return Math.abs(seemsMs) >= wayMsMax ? null : seemsMs',
    why: 'A probe that does not know its clock is put right by when it sealed its batch.',
    caughtBy: {
      file: 'test/sim/probe-clocks.test.ts',
      test: 'mode fast > the clock of eu is 540 s behind: an outage (refused) is told of as if it knew',
    },
  },
  {
    name: 'future-tests-hide-new-ones',
    file: 'coordinator/store/judging.ts',
    find: 'r.started_at <= ',
    replace: 'r.started_at >= ',
    why: 'Where a clock was ahead and has been set right, the tests since are read.',
    caughtBy: {
      file: 'test/flow/judge-clocks.test.ts',
      test: 'where a clock was ahead and has been set right, the newest tests are seen among the old ones',
    },
  },
  {
    name: 'proof-of-health-not-required',
    file: 'coordinator/core/verdict.ts',
    find: 'return proved || proved_since',
    replace: 'return true',
    why: 'A failure counts only from a probe that has proved its own health.',
    caughtBy: { file: verdict, test: 'a verdict > without proof yet, it is waited for' },
  },
  {
    name: 'older-proof-taken',
    file: 'coordinator/core/probe-health.ts',
    find: 'boot_id === test.boot_id && started_uptime_ms >= test.started_uptime_ms',
    replace: 'boot_id === test.boot_id',
    why: 'The proof must have been sent after the failing test was.',
    caughtBy: { file: health, test: 'mail that has come back since > and was sent before proves nothing of it' },
  },
  {
    name: 'loss-just-before-ignored',
    file: 'coordinator/core/probe-health.ts',
    find: 'started_uptime_ms >= test.started_uptime_ms - controlTurnMs &&',
    replace: 'started_uptime_ms >= test.started_uptime_ms &&',
    why: 'A test that was sent right after a lost control trip had none of its own, and is in doubt as well.',
    caughtBy: { file: health, test: 'the control trips beside a test > one was lost just before, none with it' },
  },
  {
    name: 'another-boot-believed',
    file: 'coordinator/core/probe-health.ts',
    find: 'boot_id === test.boot_id && atMs >= span.start_ms',
    replace: 'boot_id !== test.outcome && atMs >= span.start_ms',
    why: 'Two boots count from two moments: what was done under one is not beside what was done under the other.',
    caughtBy: {
      file: health,
      test: 'the control trips beside a test > of another boot are not beside it, and a test of "another boot" has none',
    },
  },
  {
    name: 'way-back-speaks-of-way-out',
    file: 'coordinator/core/probe-health.ts',
    find: '(gotOut(outcome) && !gotOut(test.outcome))',
    replace: 'outcome === test.boot_id',
    why: 'A trip that got out and was lost says nothing of a test whose mail never got out.',
    caughtBy: {
      file: health,
      test: 'the control trips beside a test > one got out and was lost, beside a test whose mail never got out',
    },
  },
  {
    name: 'partner-clears-the-probe',
    file: 'coordinator/core/probe-health.ts',
    find: 'next.started_uptime_ms > trip.started_uptime_ms',
    replace: 'next.started_uptime_ms < trip.started_uptime_ms',
    why: 'A reference that answers the next trip was not out of order: the loss was on the side of the probe.',
    caughtBy: {
      file: health,
      test: 'the control trips beside a test > one of two returned at the edge of a gap in our own inbox: the reference of the other answers the next',
    },
  },
  {
    name: 'reference-out-of-order-blamed-on-probe',
    file: 'coordinator/core/probe-health.ts',
    find: '!(partnerReturned(trip, answered) || trip.beside',
    replace: '!(trip.beside',
    why: 'Where the mail to the other reference has come back, the reference is out of order and not the probe.',
    caughtBy: {
      file: health,
      test: 'the control trips beside a test > one of two that were sent at the same time returned: the other reference is out of order',
    },
  },
  {
    name: 'own-mail-system-proves',
    file: 'coordinator/core/probe-health.ts',
    find: 'domain !== targetDomain && boot_id === test.boot_id',
    replace: 'boot_id === test.boot_id',
    why: 'Only an unrelated mail system can prove the health of the probe.',
    caughtBy: { file: health, test: "the control trips beside a test > one returned from the customer's own domain" },
  },
  {
    name: 'doubts-ignored',
    file: 'coordinator/core/verdict.ts',
    find: 'if (doubted) return false',
    replace: 'if (doubted && !proved && !proved_since) return false',
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
    find: "if (test.outcome === 'deferred' && !isKnownThere(test, context))",
    replace: "if (test.outcome === 'deferred' && context.contradicted < 0)",
    why: 'A deferral of a sender that has never passed is a first greylisting.',
    caughtBy: { file: verdict, test: 'a verdict > a deferral of who has never passed is a first greylisting' },
  },
  {
    name: 'greylisting-memory-endless',
    file: 'coordinator/core/verdict.ts',
    find: 'passed_ms !== null && passed_ms >= started_ms - passMemoryMs',
    replace: 'passed_ms !== null && passed_ms >= started_ms - Number.POSITIVE_INFINITY',
    why: 'Who has not passed for 30 days may be greylisted anew.',
    caughtBy: { file: verdict, test: 'a verdict > of the last pass before a deferral: a millisecond earlier is forgotten' },
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
