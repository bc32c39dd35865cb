/** Mutations of the core: how a failure becomes a suspicion, a suspicion an incident, and how that ends; and the bound that is promised. */
import type { Mutant } from './mutant.ts'

const bound = 'test/unit/core-detection-bound.test.ts'
const transcripts = 'test/scenarios/judgement-transcripts.test.ts'
const evidence = 'test/scenarios/judgement-evidence.test.ts'

export const suspicionMutants: Mutant[] = [
  {
    name: 'earlier-test-votes',
    file: 'coordinator/core/votes.ts',
    find: 'vantage.tests.filter((test) => test.started_ms >= sinceMs)',
    replace: 'vantage.tests.filter((test) => test.finished_ms >= sinceMs)',
    why: 'Only tests sent since the first failing test of the suspicion vote.',
    caughtBy: { file: transcripts, test: 'votes > a test that was sent before and ends after is no vote' },
  },
  {
    name: 'first-vote-stands',
    file: 'coordinator/core/votes.ts',
    find: 'const [latest] = testsSince(vantage, sinceMs)',
    replace: 'const latest = testsSince(vantage, sinceMs).at(-1)',
    why: 'Of the tests of a vantage the latest votes.',
    caughtBy: { file: transcripts, test: 'votes > the latest of a vantage counts' },
  },
  {
    name: 'running-slot-not-waited-for',
    file: 'coordinator/core/asking.ts',
    find: 'return nowMs < answersMs ? answersMs : null',
    replace: 'return null',
    why: 'A test of the timetable that is already running answers instead of one that is asked for.',
    caughtBy: { file: transcripts, test: 'suspicion > whose slot is running answers by it, the others are asked' },
  },
  {
    name: 'lost-vantage-asked',
    file: 'coordinator/core/asking.ts',
    find: 'if (cast.vantage.lost) return false',
    replace: '',
    why: 'Who is not there is not asked.',
    caughtBy: { file: transcripts, test: 'unconfirmed > the operator is paged at the deadline, and the customer never' },
  },
  {
    name: 'retest-skipped',
    file: 'coordinator/core/votes.ts',
    find: "if (effectiveMode(rules) !== 'seed' || vantage.probe_id !== suspicion.first_probe_id) return null",
    replace: 'if (rules.vantages > 0 || vantage.probe_id !== suspicion.first_probe_id) return null',
    why: 'In mode seed the suspecting vantage fails only after its re-test.',
    caughtBy: { file: transcripts, test: 'retest > nobody is woken before the re-test is lost too' },
  },
  {
    name: 'retest-not-waited-for',
    file: 'coordinator/core/suspicion.ts',
    find: "const retestOut = result === 'down' && nowMs < deadlineMs && isRetestAwaited(votes, question)",
    replace: 'const retestOut = nowMs < question.since_ms && isRetestAwaited(votes, question)',
    why: 'A quorum of the others does not stand in for the re-test of the suspecting vantage.',
    caughtBy: { file: transcripts, test: 'retest > a quorum of the others does not stand in for it' },
  },
  {
    name: 'one-vantage-not-tested-twice',
    file: 'coordinator/core/votes.ts',
    find: "(rules.vantages === 1 ? 'seed' : rules.mode)",
    replace: 'rules.mode',
    why: 'One vantage is always judged by its double test, whatever its mode.',
    caughtBy: {
      file: transcripts,
      test: 'one-vantage > in mode fast too',
    },
  },
  {
    name: 'hard-failure-not-held',
    file: 'coordinator/core/suspicion.ts',
    find: "const held = result === 'down' && !hardFailureLasted(votes, question.since_ms, rules)",
    replace: 'const held = question.since_ms > nowMs && !hardFailureLasted(votes, question.since_ms, rules)',
    why: 'A refusal that lasts less than three minutes wakes nobody.',
    caughtBy: { file: transcripts, test: 'hard-failure > a minute of it wakes nobody' },
  },
  {
    name: 'deadline-never-reached',
    file: 'coordinator/core/suspicion.ts',
    find: 'const unconfirmed = nowMs >= deadlineMs && state.incident === null',
    replace: 'const unconfirmed = nowMs === Number.POSITIVE_INFINITY && state.incident === null',
    why: 'A suspicion whose votes stay out is given up at its deadline, and the operator paged.',
    caughtBy: {
      file: transcripts,
      test: 'unconfirmed > the operator is paged at the deadline, and the customer never',
    },
  },
  {
    name: 'substitute-never-seated',
    file: 'coordinator/core/suspicion.ts',
    find: 'if (substitute === undefined) continue',
    replace: 'if (substitute?.probe_id !== null) continue',
    why: 'A lost vantage whose vote is out is replaced from the pool at once.',
    caughtBy: { file: transcripts, test: 'lost-vantage > its substitute is asked at once and votes in its place' },
  },
  {
    name: 'partial-settles-what-came-after',
    file: 'coordinator/core/suspicion.ts',
    find: 'settleUpTo(lastPass(votes), state, evidence)',
    replace: 'settleUpTo(lastPass(votes) + nowMs, state, evidence)',
    why: 'A pass speaks against no failure that was sent after it.',
    caughtBy: {
      file: transcripts,
      test: 'open-question > the answer partial settles no failing test that was sent after what passed',
    },
  },
  {
    name: 'known-failure-opens-anew',
    file: 'coordinator/core/suspicion.ts',
    find: 'failures.findLast(({ started_ms }) => started_ms > afterMs)',
    replace: 'failures.at(-1)',
    why: 'What was known when an incident was ended by hand opens no new one.',
    caughtBy: { file: transcripts, test: 'by-hand > the next failing test opens another' },
  },
  {
    name: 'silence-not-told',
    file: 'coordinator/core/judgement.ts',
    find: "{ kind: 'open_incident', incident_kind: 'unconfirmed', since_ms: nowMs, last_good_ms: null, flapping: false, votes: [] },",
    replace: '',
    why: 'That nobody has anything to say is told to the operator.',
    caughtBy: { file: transcripts, test: 'silence > silence of all is told to the operator, and ends by itself' },
  },
  {
    name: 'deadline-in-an-empty-room',
    file: 'coordinator/core/suspicion.ts',
    find: 'Math.max(suspicion.deadline_ms, evidence.observing_since_ms + answerMs(rules))',
    replace: 'suspicion.deadline_ms + 0 * evidence.observing_since_ms * answerMs(rules)',
    why: 'After a break of the coordinator the time to answer starts anew.',
    caughtBy: {
      file: transcripts,
      test: 'coordinator-away > a suspicion that was just opened is not given up before all could answer',
    },
  },
  {
    name: 'passes-not-asked-again',
    file: 'coordinator/core/asking.ts',
    find: "if (cast.vote === 'pass') return passIsAskedAgain(",
    replace: "if (cast.vote === 'pass') return cast.test === null && passIsAskedAgain(",
    why: 'Whoever passed is asked again when another begins to fail.',
    caughtBy: { file: transcripts, test: 'open-question > those that pass find it before their own slots do' },
  },
  {
    name: 'one-question-only',
    file: 'coordinator/core/suspicion.ts',
    find: 'const down = [first, ...others].find(({ isDown }) => isDown)',
    replace: 'const down = [first].find(({ isDown }) => isDown)',
    why: 'What passed before a new outage does not speak against it while an older question is open.',
    caughtBy: {
      file: 'test/scenarios/judgement-bound.test.ts',
      test: 'an outage that begins while one vantage fails alone > is found within the bound in mode fast',
    },
  },
  {
    name: 'lost-vantage-waited-for',
    file: 'coordinator/core/suspicion.ts',
    find: "inTime === 'open' && nowMs >= deadlineMs ? decideWithoutAbsent",
    replace: "inTime === 'open' && nowMs < 0 ? decideWithoutAbsent",
    why: 'At the deadline a quorum that is there and passes needs no lost vantage.',
    caughtBy: { file: transcripts, test: 'unconfirmed > a quorum that passes without a lost vantage is up' },
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
      file: transcripts,
      test: 'recovery > two passes from one region end nothing',
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
    find: "return vote === 'pass' && previous !== undefined && isPass(previous.outcome)",
    replace: "return vote === 'pass' && previous !== null",
    why: 'One vantage needs two passes in a row.',
    caughtBy: { file: transcripts, test: 'recovery > one vantage: two passes in a row' },
  },
]

export const boundMutants: Mutant[] = [
  {
    name: 'bound-gap-of-the-lost',
    file: 'coordinator/core/detection-bound.ts',
    find: "lost || verdict === 'abstain' || verdict === 'no_data' ? []",
    replace: "verdict === 'abstain' || verdict === 'no_data' ? []",
    why: 'A vantage that is lost leaves a gap between the starts of the others.',
    caughtBy: {
      file: bound,
      test: 'the detection bound while some vantages are away > one of three is lost, seed: 1660 s become 2060',
    },
  },
  {
    name: 'bound-without-quorum',
    file: 'coordinator/core/detection-bound.ts',
    find: 'if (new Set(inTurn.map(({ witness }) => witness)).size < quorum) return null',
    replace: 'if (inTurn.length < quorum) return null',
    why: 'Vantages that share their fate are one witness: nothing can be promised where those that are left make no quorum.',
    caughtBy: {
      file: bound,
      test: 'the detection bound while some vantages are away > there is none while those that watch are too few, or share their fate',
    },
  },
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
    find: "mode === 'fast' ? Math.min(quorumWaitS, timeout)",
    replace: "mode === 'fast' ? quorumWaitS",
    why: 'In mode fast no peer answers later than a test that it was asked for takes.',
    caughtBy: {
      file: bound,
      test: 'the detection bound > a larger quorum waits for later slots, but never longer than a test that was asked for takes',
    },
  },
  {
    name: 'bound-hedged',
    file: 'coordinator/core/detection-bound.ts',
    find: ': Math.min(slow, quorumWaitS, timeout)',
    replace: ': Math.min(quorumWaitS, timeout)',
    why: 'In mode hedged the peers start at the slow mark.',
    caughtBy: { file: bound, test: 'the detection bound > with 4 vantages is 25.5 min (seed), 20 (fast), 17 (hedged)' },
  },
]
