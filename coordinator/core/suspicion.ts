/** The one open question about a monitor: opened by a failing test, answered by the votes, or given up at its deadline. */
import { answerMs, askMissing, nextWake } from './asking.ts'
import type {
  Effect,
  Evidence,
  Judgement,
  MonitorRules,
  MonitorState,
  OpenIncident,
  Suspicion,
  VantageEvidence,
} from './evidence.ts'
import { shareFate } from './failure-domain.ts'
import { isSeries } from './flapping.ts'
import { deadlineOf, otherQuestions, questionMs, settledMs } from './question.ts'
import { decide, type Quorum } from './quorum.ts'
import { isPass, type TestFact } from './verdict.ts'
import {
  type CastVote,
  decideWithoutAbsent,
  failingRun,
  hardFailureLasted,
  isAbsent,
  isStale,
  suspicionVotes,
  tallyVotes,
  viewOf,
} from './votes.ts'

/** The suspicion that the evidence opens, or null. Old news opens nothing. */
export const openSuspicion = (state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Suspicion | null =>
  suspicionBy(newsOf, state, rules, evidence, nowMs)

/** The suspicion of a moment that is past, when nobody is asked any more: every failure counts. */
export const pastSuspicion = (state: MonitorState, rules: MonitorRules, evidence: Evidence, atMs: number): Suspicion | null =>
  suspicionBy((failures) => failures, state, rules, evidence, atMs)

/**
 * That a vantage which failed before fails a test that was asked for is no news: it answers a question. If it asked another, vantages that
 * fail would ask each other, and those that pass, for as long as they fail, each time as soon as the last answer is in. An outage that
 * begins then is found by the slots, on which the bound rests. What is stale, and what a person has ended, is known no more.
 */
function newsOf(failures: TestFact[], { settled_all_ms }: MonitorState, rules: MonitorRules, nowMs: number): TestFact[] {
  const first = failures.findLast((test) => test.started_ms > settled_all_ms && !isStale(test, rules, nowMs))
  return failures.filter((test) => test.cause !== 'job' || test === first)
}

/** By the earliest of the failures that count and are not settled, of those that the vantages' newest tests end with. */
function suspicionBy(counted: typeof newsOf, state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number) {
  const openers = evidence.vantages.flatMap((vantage) => {
    const [newest] = vantage.tests
    if (newest === undefined || isStale(newest, rules, nowMs)) return []
    const failures = counted(failingRun(vantage, nowMs).failures, state, rules, nowMs)
    const test = failures.findLast(({ started_ms }) => started_ms > settledMs(state, vantage))
    return test === undefined ? [] : [{ vantage, test }]
  })
  const first = openers.sort((a, b) => a.test.finished_ms - b.test.finished_ms)[0]
  if (first === undefined) return null
  const { vantage, test } = first
  const hedged = Object.entries(state.hedge?.asked ?? {}).filter(([, askedMs]) => askedMs >= test.started_ms)
  return {
    first_test_id: test.id,
    first_probe_id: vantage.probe_id,
    since_ms: test.started_ms,
    deadline_ms: deadlineOf(test, rules, nowMs),
    asked: Object.fromEntries(hedged),
    substitutes: {},
  }
}

export function judgeSuspicion(
  state: MonitorState,
  suspicion: Suspicion,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Judgement {
  const staffing = replaceLost(suspicion, rules, evidence, nowMs)
  const answer = (question: Suspicion) => answerOf(question, staffing.vantages, rules, evidence, nowMs)
  const first = answer(staffing.suspicion)
  const others = otherQuestions(state, staffing.suspicion, staffing.vantages, rules, nowMs).map(answer)
  const down = [first, ...others].find(({ isDown }) => isDown)
  if (down !== undefined) return declareDown(state, down.question, evidence, down.votes, nowMs)
  if (isSettled(first.result)) {
    const open = others.findLast(({ result }) => !isSettled(result))
    if (open === undefined) return settle(state, evidence, first.votes, first.result, nowMs)
    // What was asked first is answered; what else has begun to fail is the question now.
    const next = judgeSuspicion(state, open.question, rules, evidence, nowMs)
    return { ...next, effects: [...staffing.effects, ...next.effects] }
  }
  const { question, votes, deadlineMs, held } = first
  const unconfirmed = nowMs >= deadlineMs && state.incident === null
  const incident = unconfirmed ? newIncident('unconfirmed', question.since_ms, nowMs) : state.incident
  // What else has begun to fail may have begun earlier, and has then lasted as soon.
  const heldSinceMs = [first, ...others].flatMap((answer) => (answer.held ? answer.question.since_ms : []))
  const holdEndsMs = held ? Math.min(...heldSinceMs) + rules.hard_confirm_s * 1000 : null
  const asking = askMissing(question, votes, holdEndsMs, rules, incident !== null, nowMs)
  const opening = unconfirmed ? [openEffect('unconfirmed', question, evidence, votes, false)] : []
  const next = { ...state, suspicion: asking.suspicion, hedge: null, incident }
  return {
    state: turn(next, ...decisionSoFar(next, votes, held), nowMs),
    effects: [...opening, ...staffing.effects, ...asking.effects],
    wake_ms: nextWake(asking.suspicion, deadlineMs, holdEndsMs, votes, rules, incident !== null, nowMs),
    votes: votes.map(viewOf),
  }
}

const isSettled = (result: Quorum): result is 'up' | 'partial' => result === 'up' || result === 'partial'

type Answer = {
  question: Suspicion
  votes: CastVote[]
  result: Quorum
  deadlineMs: number
  held: boolean
  isDown: boolean
}

function answerOf(
  question: Suspicion,
  vantages: readonly VantageEvidence[],
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Answer {
  const votes = suspicionVotes(vantages, question, rules, nowMs)
  const deadlineMs = deadline(question, rules, evidence)
  const inTime = decide(tallyVotes(votes), rules.quorum)
  const result = inTime === 'open' && nowMs >= deadlineMs ? decideWithoutAbsent(votes, rules.quorum) : inTime
  const held = result === 'down' && !hardFailureLasted(votes, question.since_ms, rules)
  const retestOut = result === 'down' && nowMs < deadlineMs && isRetestAwaited(votes, question)
  return { question, votes, result, deadlineMs, held, isDown: result === 'down' && !held && !retestOut }
}

/** As long as the votes do not decide. */
function decisionSoFar(
  state: MonitorState,
  votes: CastVote[],
  held: boolean,
): [MonitorState['decision'], MonitorState['reason']] {
  if (state.incident !== null) return ['unconfirmed', state.decision === 'unconfirmed' ? state.reason : 'votes_stayed_out']
  if (held) return [state.decision === 'partial' ? 'partial' : 'suspected', 'hard_failure_held']
  // What passes makes it partial for as long as the new question has no answer.
  if (state.decision === 'partial') return ['partial', 'some_vantages_pass']
  return ['suspected', votes.filter(({ test }) => test !== null).length > 1 ? 'votes_missing' : 'test_failed']
}

/**
 * Results can only be waited for while somebody is there to receive them: after a break the time to answer starts anew. A timeout that was
 * raised meanwhile is waited for as well.
 */
const deadline = (suspicion: Suspicion, rules: MonitorRules, evidence: Evidence): number =>
  Math.max(suspicion.deadline_ms, suspicion.since_ms + questionMs(rules), evidence.observing_since_ms + answerMs(rules))

/** The others agree already, but nobody is woken before the suspecting vantage has lost its re-test too (DESIGN 1, `down`). */
export const isRetestAwaited = (votes: CastVote[], suspicion: Suspicion): boolean =>
  votes.some(
    ({ probe_id, reason, vantage }) => probe_id === suspicion.first_probe_id && reason === 'retest_awaited' && !vantage.lost,
  )

function declareDown(state: MonitorState, suspicion: Suspicion, evidence: Evidence, votes: CastVote[], nowMs: number): Judgement {
  const flapping = isSeries(evidence, nowMs)
  const effect: Effect =
    state.incident === null
      ? openEffect('down', suspicion, evidence, votes, flapping)
      : { kind: 'confirm_incident', ...outageAsKnown(suspicion, evidence, votes, flapping) }
  const incident = { ...newIncident('down', suspicion.since_ms, nowMs), flapping }
  const down = { ...state, suspicion: null, hedge: null, incident }
  return {
    state: turn(down, 'down', flapping ? 'flapping' : 'quorum_fails', nowMs),
    effects: [effect],
    // The incident has its own rhythm; its first look comes at once.
    wake_ms: nowMs,
    votes: votes.map(viewOf),
  }
}

function settle(state: MonitorState, evidence: Evidence, votes: CastVote[], result: 'up' | 'partial', nowMs: number): Judgement {
  const reason = result === 'up' ? 'nothing_fails' : 'some_vantages_pass'
  const effects: Effect[] =
    state.incident === null ? [] : [{ kind: 'resolve_incident', well_since_ms: null, votes: votes.map(viewOf) }]
  return {
    state: turn(
      { ...settleUpTo(lastPass(votes), state, evidence), suspicion: null, hedge: null, incident: null },
      result,
      reason,
      nowMs,
    ),
    effects,
    wake_ms: nowMs,
    votes: votes.map(viewOf),
  }
}

/**
 * Everything known so far has been judged: none of it opens another suspicion. Only where none could: what of it still waited for its proof
 * would have opened one.
 */
export const settleKnown = (state: MonitorState, evidence: Evidence): MonitorState =>
  settleUpTo(Number.POSITIVE_INFINITY, state, evidence)

/** What was sent up to then has been judged. A vantage's newest pass settles its failures before it in any case. */
export function settleUpTo(untilMs: number, state: MonitorState, evidence: Evidence): MonitorState {
  const settled = evidence.vantages.flatMap((vantage) => {
    const [newest] = vantage.tests
    return newest === undefined
      ? []
      : [[vantage.probe_id, Math.max(settledMs(state, vantage), Math.min(newest.started_ms, untilMs))]]
  })
  return { ...state, settled: { ...state.settled, ...Object.fromEntries(settled) } }
}

/** A pass speaks against no failure that was sent after it: that may be the first of an outage which began in between. */
export const lastPass = (votes: readonly CastVote[]): number =>
  Math.max(...votes.map(({ vote, test }) => (vote === 'pass' && test !== null ? test.started_ms : Number.NEGATIVE_INFINITY)))

export const newIncident = (kind: OpenIncident['kind'], sinceMs: number, nowMs: number): OpenIncident => ({
  kind,
  since_ms: sinceMs,
  opened_ms: nowMs,
  asked_ms: nowMs,
  flapping: false,
  well_since_ms: null,
})

/** The start of the last good test before that moment. */
export function lastGoodMs(evidence: Evidence, beforeMs: number): number | null {
  const good = evidence.vantages
    .flatMap((vantage) => vantage.tests)
    .filter((test) => isPass(test.outcome) && test.started_ms < beforeMs)
  return good.length === 0 ? null : Math.max(...good.map((test) => test.started_ms))
}

function openEffect(
  kind: OpenIncident['kind'],
  suspicion: Suspicion,
  evidence: Evidence,
  votes: CastVote[],
  flapping: boolean,
): Effect {
  return { kind: 'open_incident', incident_kind: kind, ...outageAsKnown(suspicion, evidence, votes, flapping) }
}

const outageAsKnown = ({ since_ms }: Suspicion, evidence: Evidence, votes: CastVote[], flapping: boolean) => ({
  since_ms,
  last_good_ms: lastGoodMs(evidence, since_ms),
  flapping,
  votes: votes.map(viewOf),
})

/** Puts a probe of the pool in the place of each lost vantage whose vote is out. Its vote counts as missing from then on. */
function replaceLost(suspicion: Suspicion, rules: MonitorRules, evidence: Evidence, nowMs: number) {
  const substitutes = { ...suspicion.substitutes }
  const asked = { ...suspicion.asked }
  const effects: Effect[] = []
  const seated = evidence.pool.filter(({ probe_id }) => Object.values(substitutes).includes(probe_id))
  const newcomers = seated.map((probe) => newcomer(probe, nowMs))
  const votes = suspicionVotes([...evidence.vantages, ...newcomers], suspicion, rules, nowMs)
  for (const absent of votes.filter(isAbsent)) {
    const present = [...votes.filter((vote) => !isAbsent(vote)).map((vote) => vote.vantage), ...newcomers]
    const substitute = evidence.pool.find(({ domain }) => !present.some((other) => shareFate(other.domain, domain)))
    if (substitute === undefined) continue
    substitutes[absent.probe_id] = substitute.probe_id
    asked[substitute.probe_id] = nowMs
    effects.push({ kind: 'ask', probe_id: substitute.probe_id, cause: 'confirm' })
    newcomers.push(newcomer(substitute, nowMs))
  }
  return { suspicion: { ...suspicion, substitutes, asked }, effects, vantages: [...evidence.vantages, ...newcomers] }
}

const newcomer = ({ probe_id, domain }: Evidence['pool'][number], nowMs: number): VantageEvidence => ({
  probe_id,
  region: domain.region,
  domain,
  planned: false,
  lost: false,
  assigned_ms: nowMs,
  tests: [],
  overdue: [],
  slot_started_ms: null,
  connected_ms: null,
  passed_ms: null,
  contradicted: 0,
  monitors_held: 0,
})

/** The state with its decision; the decision's age counts from when it last changed. */
export function turn(
  state: MonitorState,
  decision: MonitorState['decision'],
  reason: MonitorState['reason'],
  nowMs: number,
): MonitorState {
  return { ...state, decision, reason, decision_since_ms: decision === state.decision ? state.decision_since_ms : nowMs }
}
