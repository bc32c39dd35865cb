/** Mutations of what looks beyond one outage: how often a customer is told, what is told of when it is over, and the fleet as a whole. */
import type { Mutant } from './mutant.ts'

const flapping = 'test/scenarios/flapping.test.ts'
const transcripts = 'test/scenarios/judgement-transcripts.test.ts'
const guard = 'test/unit/core-fleet-guard.test.ts'
const verdict = 'test/unit/core-verdict.test.ts'
const fleet = 'test/flow/judge-fleet.test.ts'

export const noticeMutants: Mutant[] = [
  {
    name: 'flapping-never-noticed',
    file: 'coordinator/core/flapping.ts',
    find: '.length >= noticesOfSeries',
    replace: '.length > 1000',
    why: 'Mail that comes and goes is one unstable incident, not a storm of notices.',
    caughtBy: { file: flapping, test: 'mail that comes and goes > says so in its reason while it lasts' },
  },
  {
    name: 'unstable-ends-at-first-return',
    file: 'coordinator/core/flapping.ts',
    find: 'wellSinceMs + (incident.flapping ? steadyMs : 0)',
    replace: 'wellSinceMs',
    why: 'The incident of an unstable monitor ends when mail has returned steadily.',
    caughtBy: {
      file: flapping,
      test: 'mail that comes and goes > is told of as down, up, and down once more; then the incident stays open until it has been steady for half an hour',
    },
  },
  {
    name: 'cancelled-page-is-a-notice',
    file: 'coordinator/store/judging.ts',
    find: "p.state not in ('cancelled', 'failed')",
    replace: 'true',
    why: 'What nobody was told of makes no outage one of a series, and holds no all-clear.',
    caughtBy: {
      file: 'test/flow/store-contract-pages.test.ts',
      test: 'the store on PostgreSQL > a page > is a notice to the customer, one for all steps and recipients, unless nobody gets it',
    },
  },
  {
    name: 'past-outages-storm',
    file: 'coordinator/core/past-outage.ts',
    find: 'withheld: isSeries(evidence, nowMs)',
    replace: 'withheld: false',
    why: 'What was over before we heard of it wakes nobody more often than the hour allows.',
    caughtBy: {
      file: 'test/flow/judge-past.test.ts',
      test: 'what was over before we heard of it, told a result at a time beside a region that was there > and was many outages wakes nobody more than twice an hour; the log has the others',
    },
  },
  {
    name: 'past-outage-told-in-pieces',
    file: 'coordinator/core/past-outage.ts',
    find: 'nowMs >= givenUpMs || !isBeingTold(past, rules, evidence, nowMs)',
    replace: 'true',
    why: 'One outage that is told in several batches is one.',
    caughtBy: {
      file: 'test/flow/judge-past.test.ts',
      test: 'what was over before we heard of it, told a result at a time beside a region that was there > is one outage with one notice where one vantage is the quorum',
    },
  },
  {
    name: 'past-outage-ends-at-any-pass',
    file: 'coordinator/core/past-outage.ts',
    find: '.failing >= rules.quorum) wellSinceMs = null',
    replace: '.failing >= 1000) wellSinceMs = null',
    why: 'That one region gets through ends no outage of a quorum.',
    caughtBy: {
      file: 'test/flow/judge-past.test.ts',
      test: 'what was over before we heard of it, told a result at a time beside a region that was there > is one outage with one notice: in mode seed',
    },
  },
  {
    name: 'past-outage-not-told',
    file: 'coordinator/core/past-outage.ts',
    find: 'finishedMs < nowMs - lateNewsMs',
    replace: 'finishedMs < nowMs - 1000 * 24 * 3600 * lateNewsMs',
    why: 'An outage that was over before we heard of it is told of.',
    caughtBy: { file: transcripts, test: 'past-outage > while no coordinator was there' },
  },
  {
    name: 'past-outage-told-twice',
    file: 'coordinator/core/past-outage.ts',
    find: 'told.state = withTold(told.state, span)',
    replace: 'return told',
    why: 'What comes later of an outage that was told of as over is the same outage.',
    caughtBy: { file: transcripts, test: 'past-outage > whose other witnesses are heard an hour later is told of once' },
  },
  {
    name: 'past-outage-first-alone',
    file: 'coordinator/core/past-outage.ts',
    find: 'if (!isMore && !isToTell(past, effect.ended_ms)) return told',
    replace: 'if (told.effects.length > 0 || (!isMore && !isToTell(past, effect.ended_ms))) return told',
    why: 'Each of several outages in one absence is told of.',
    caughtBy: { file: transcripts, test: 'past-outage > of two outages while no coordinator was there' },
  },
  {
    name: 'past-outage-settles-all-until-now',
    file: 'coordinator/core/past-outage.ts',
    find: 'ended_ms: Math.max(effect.ended_ms, past.decided_ms) }',
    replace: 'ended_ms: nowMs }',
    why: 'What failed after the end of a past outage is another one.',
    caughtBy: { file: 'test/sim/past-duty.test.ts', test: 'an outage that is played > twice in one absence is told of twice' },
  },
  {
    name: 'past-outage-settles-earlier-ones',
    file: 'coordinator/core/past-outage.ts',
    find: 'state.late?.settled_all_ms ?? state.settled_all_ms',
    replace: 'state.settled_all_ms',
    why: 'What was told of settles its own failures, and no earlier ones that are heard of later.',
    caughtBy: { file: transcripts, test: 'past-outage > whose witnesses are heard after a later one was told of' },
  },
  {
    name: 'past-outage-settled-by-an-answer',
    file: 'coordinator/core/past-outage.ts',
    find: 'state.late?.settled ?? state.settled',
    replace: 'state.settled',
    why: 'A question about the present settles no past outage of which more may be out.',
    caughtBy: {
      file: transcripts,
      test: 'past-outage > whose last witness is heard after a question about the present was answered',
    },
  },
  {
    name: 'past-outage-begins-before-what-passed',
    file: 'coordinator/core/past-outage.ts',
    find: "if (['up', 'partial'].includes(decide(counted, rules.quorum))) asked = settleUpTo(lastPass(votes), asked, past)",
    replace: '',
    why: 'A failure that others answered with passes is no beginning of what failed later.',
    caughtBy: { file: transcripts, test: 'rare-steps > partial, and one region fails still' },
  },
  {
    name: 'past-outage-ends-in-the-next',
    file: 'coordinator/core/past-outage.ts',
    find: 'sentBefore(nextSinceMs, evidence))',
    replace: 'evidence)',
    why: 'An outage that goes on is no reason to leave out the one before it.',
    caughtBy: { file: transcripts, test: 'past-outage > that one vantage saw, with one pass before another that goes on' },
  },
  {
    name: 'past-outage-swallowed',
    file: 'coordinator/core/judgement.ts',
    find: 'judgeLateNews({ ...before, incident }, rules, evidence, nowMs)',
    replace: 'judgeLateNews({ ...before, incident, late: null }, rules, evidence, nowMs)',
    why: 'What was over before an outage that goes on is told of before it.',
    caughtBy: { file: transcripts, test: 'past-outage > that was followed by another, which goes on' },
  },
  {
    name: 'past-outage-in-maintenance-by-its-start',
    file: 'coordinator/core/maintenance.ts',
    find: 'found !== null && end_ms <= found.ends_ms ? found : null',
    replace: 'found !== null && start_ms <= end_ms ? found : null',
    why: 'Maintenance keeps an outage from the customer only where all of it lay in it.',
    caughtBy: {
      file: 'test/flow/maintenance.test.ts',
      test: 'an outage that is heard of when it is over > and outlasted a weekly window is told of',
    },
  },
]

export const fleetMutants: Mutant[] = [
  {
    name: 'guard-never-ends',
    file: 'coordinator/core/fleet-guard.ts',
    find: 'holdUntilMs: nowMs < untilMs ? untilMs : null,',
    replace: 'holdUntilMs: nowMs + holdMs,',
    why: 'The fleet guard holds pages for three minutes and ends by itself.',
    caughtBy: { file: guard, test: 'a mass failure > that goes on holds no further page, however long it goes on' },
  },
  {
    name: 'guard-begins-again',
    file: 'coordinator/core/fleet-guard.ts',
    find: 'nowMs > guard.seen_ms + apartMs',
    replace: 'nowMs > guard.since_ms + holdMs',
    why: 'A mass failure that goes on is guarded once.',
    caughtBy: { file: guard, test: 'a mass failure > that goes on holds no further page, however long it goes on' },
  },
  {
    name: 'monitors-counted-for-domains',
    file: 'coordinator/store/fleet.ts',
    find: `select count(distinct \${targetDomain(sql)})::int as failing`,
    replace: 'select count(*)::int as failing',
    why: 'Many monitors of one mail system are one mail system.',
    caughtBy: { file: fleet, test: 'a mass failure > of many monitors of one mail domain is one domain' },
  },
  {
    name: 'confirmation-not-counted',
    file: 'coordinator/store/incident-log.ts',
    find: ' down_at = now(),',
    replace: '',
    why: 'What nobody could confirm counts for the fleet guard from when it is confirmed.',
    caughtBy: {
      file: fleet,
      test: 'a mass failure > that nobody could confirm while the probes were cut off is at once when it is confirmed',
    },
  },
  {
    name: 'blindness-told-monitor-by-monitor',
    file: 'coordinator/core/blind-spell.ts',
    find: 'if (unjudged <= fewMax) return',
    replace: 'if (unjudged <= fewMax * 1000) return',
    why: 'One fault of ours is one page to the operator, not one a monitor.',
    caughtBy: {
      file: 'test/unit/core-blind-spell.test.ts',
      test: 'monitors that cannot be judged > are told of as one from the fifth on, whose code the page bears',
    },
  },
  {
    name: 'blind-spell-hides-what-joins',
    file: 'coordinator/core/blind-spell.ts',
    find: 'if (nowMs < spell.told_ms + tellAgainMs) return',
    replace: 'if (nowMs < spell.told_ms + 1000 * tellAgainMs) return',
    why: 'What joins a spell that lasts is told of, once an hour at most.',
    caughtBy: {
      file: 'test/scenarios/paging-transcripts.test.ts',
      test: 'blind-spell > what joins a spell that lasts is told of again, once an hour at most',
    },
  },
  {
    name: 'past-outage-not-guarded',
    file: 'coordinator/flow/escalate.ts',
    find: '(await guardedUntil(context, tx, incident, nowMs)) ?? nowMs',
    replace: 'nowMs',
    why: 'Of many outages that were over before we heard of them customers are told after the hold, as of others.',
    caughtBy: {
      file: fleet,
      test: 'an outage that was over before we heard of it > for many mail systems at once is told to the operator at once, to customers after the hold, and to each of them',
    },
  },
  {
    name: 'earlier-return-contradicts',
    file: 'coordinator/core/contradiction.ts',
    find: ' && other.started_ms >= started_ms',
    replace: '',
    why: 'Mail that came back elsewhere before an outage began speaks against no probe that sees it first.',
    caughtBy: {
      file: 'test/unit/core-contradiction.test.ts',
      test: 'mail that fails for one probe > and returned from elsewhere before is not: the outage may have begun since',
    },
  },
  {
    name: 'wide-failure-votes',
    file: 'coordinator/core/verdict.ts',
    find: 'return contradicted >= Math.max(contradictedMin, tooMany)',
    replace: 'return contradicted > contradictedMax + Math.max(contradictedMin, tooMany)',
    why: 'A probe that fails for many monitors that are well elsewhere abstains.',
    caughtBy: { file: verdict, test: 'a probe fails widely > with 3 mail systems of 10 monitors' },
  },
]
