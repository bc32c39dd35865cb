/** The one open question about a monitor: opened by a failing test, answered by the votes, or given up at its deadline. */
import { answerMs, askMissing, nextWake, reportGraceMs } from './asking.ts'
import type { Effect, Evidence, Judgement, MonitorRules, MonitorState, Suspicion, VantageEvidence } from './evidence.ts'
import { shareFate } from './failure-domain.ts'
import { decide } from './quorum.ts'
import { isHardFailure, type TestFact } from './verdict.ts'
import {
  type CastVote,
  decideWithoutAbsent,
  failingSince,
  hardFailureLasted,
  isAbsent,
  isStale,
  suspicionVotes,
  tallyVotes,
  viewOf,
} from './votes.ts'

/** The suspicion that the evidence opens, or null. */
export function openSuspicion(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Suspicion | null {
  const openers = evidence.vantages.flatMap((vantage) => {
    const settledMs = Math.max(state.settled_all_ms, state.settled[vantage.probe_id] ?? 0)
    const test = firstOfFailures(vantage, settledMs, rules, nowMs)
    return test === null ? [] : [{ vantage, test }]
  })
  const first = openers.sort((a, b) => a.test.finished_ms - b.test.finished_ms)[0]
  if (first === undefined) return null
  const { vantage, test } = first
  const hardS = isHardFailure(test.outcome) ? rules.timeout_s + rules.hard_confirm_s : 0
  const longestMs = Math.max(2 * rules.timeout_s + rules.retest_wait_s, hardS) * 1000
  const hedged = state.hedge !== null && state.hedge.since_ms >= test.started_ms
  return {
    first_test_id: test.id,
    first_probe_id: vantage.probe_id,
    since_ms: test.started_ms,
    // Who hears of the failure late, as from a probe that was cut off, still gives the others the time to answer.
    deadline_ms: Math.max(test.started_ms + longestMs + reportGraceMs, nowMs + answerMs(rules)),
    asked: hedged ? (state.hedge?.asked ?? {}) : {},
    substitutes: {},
  }
}

/** The earliest of the failures that a vantage's newest tests end with, as far as they are not settled. Old news opens nothing. */
function firstOfFailures(vantage: VantageEvidence, settledMs: number, rules: MonitorRules, nowMs: number): TestFact | null {
  const [newest] = vantage.tests
  return newest === undefined || isStale(newest, rules, nowMs) ? null : failingSince(vantage, settledMs + 1, nowMs)
}

export function judgeSuspicion(
  state: MonitorState,
  suspicion: Suspicion,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Judgement {
  const deadlineMs = deadline(suspicion, rules, evidence)
  const question = nowMs < deadlineMs ? suspicion : handedOn(suspicion, rules, evidence, nowMs)
  const staffing = replaceLost(question, rules, evidence, nowMs)
  const votes = suspicionVotes(staffing.vantages, staffing.suspicion, rules, nowMs)
  const inTime = decide(tallyVotes(votes), rules.quorum)
  const result = inTime === 'open' && nowMs >= deadlineMs ? decideWithoutAbsent(votes, rules.quorum) : inTime
  const held = result === 'down' && !hardFailureLasted(votes, suspicion.since_ms, rules)
  const retestOut = result === 'down' && nowMs < deadlineMs && retestAwaited(votes, question)

  if (result === 'down' && !held && !retestOut) return declareDown(state, suspicion, evidence, votes, nowMs)
  if (result === 'up' || result === 'partial') return settle(state, evidence, votes, result, nowMs)
  const unconfirmed = nowMs >= deadlineMs && state.incident === null
  const incident = unconfirmed
    ? { kind: 'unconfirmed' as const, since_ms: suspicion.since_ms, opened_ms: nowMs, asked_ms: nowMs }
    : state.incident
  const asking = askMissing(staffing.suspicion, votes, held, rules, incident !== null, nowMs)
  const opening = unconfirmed ? [openEffect('unconfirmed', suspicion, evidence, votes)] : []
  const next = { ...state, suspicion: asking.suspicion, hedge: null, incident }
  return {
    state: turn(next, ...decisionSoFar(next, votes, held), nowMs),
    effects: [...opening, ...staffing.effects, ...asking.effects],
    wake_ms: nextWake(asking.suspicion, deadlineMs, votes, rules, incident !== null, nowMs),
    votes: votes.map(viewOf),
  }
}

/**
 * A question past its deadline whose suspecting vantage passes again is that of the vantage which fails now: otherwise, in mode `seed`, a new
 * outage would wait for the second word of a vantage that has been asked for no re-test.
 */
function handedOn(suspicion: Suspicion, rules: MonitorRules, evidence: Evidence, nowMs: number): Suspicion {
  const votes = suspicionVotes(evidence.vantages, suspicion, rules, nowMs)
  if (!votes.some(({ probe_id, vote }) => probe_id === suspicion.first_probe_id && vote === 'pass')) return suspicion
  const failing = votes.flatMap(({ vantage }) => {
    const test = failingSince(vantage, suspicion.since_ms, nowMs)
    return test === null ? [] : [{ probe_id: vantage.probe_id, test }]
  })
  const first = failing.sort((a, b) => a.test.finished_ms - b.test.finished_ms)[0]
  return first === undefined ? suspicion : { ...suspicion, first_probe_id: first.probe_id, first_test_id: first.test.id }
}

/** As long as the votes do not decide. */
function decisionSoFar(
  state: MonitorState,
  votes: CastVote[],
  held: boolean,
): [MonitorState['decision'], MonitorState['reason']] {
  if (state.incident !== null) return ['unconfirmed', state.decision === 'unconfirmed' ? state.reason : 'votes_stayed_out']
  const decision = state.decision === 'partial' ? 'partial' : 'suspected'
  if (held) return [decision, 'hard_failure_held']
  return [decision, votes.filter(({ test }) => test !== null).length > 1 ? 'votes_missing' : 'test_failed']
}

/** Results can only be waited for while somebody is there to receive them: after a break the time to answer starts anew. */
const deadline = (suspicion: Suspicion, rules: MonitorRules, evidence: Evidence): number =>
  Math.max(suspicion.deadline_ms, evidence.observing_since_ms + answerMs(rules))

/** The others agree already, but nobody is woken before the suspecting vantage has lost its re-test too (DESIGN 1, `down`). */
const retestAwaited = (votes: CastVote[], suspicion: Suspicion): boolean =>
  votes.some(
    ({ probe_id, reason, vantage }) => probe_id === suspicion.first_probe_id && reason === 'retest_awaited' && !vantage.lost,
  )

function declareDown(state: MonitorState, suspicion: Suspicion, evidence: Evidence, votes: CastVote[], nowMs: number): Judgement {
  const effect: Effect =
    state.incident === null
      ? openEffect('down', suspicion, evidence, votes)
      : { kind: 'confirm_incident', since_ms: suspicion.since_ms, votes: votes.map(viewOf) }
  const incident = { kind: 'down' as const, since_ms: suspicion.since_ms, opened_ms: nowMs, asked_ms: nowMs }
  return {
    state: turn({ ...state, suspicion: null, hedge: null, incident }, 'down', 'quorum_fails', nowMs),
    effects: [effect],
    // The incident has its own rhythm; its first look comes at once.
    wake_ms: nowMs,
    votes: votes.map(viewOf),
  }
}

function settle(state: MonitorState, evidence: Evidence, votes: CastVote[], result: 'up' | 'partial', nowMs: number): Judgement {
  const reason = result === 'up' ? 'nothing_fails' : 'some_vantages_pass'
  const effects: Effect[] = state.incident === null ? [] : [{ kind: 'resolve_incident', votes: votes.map(viewOf) }]
  return {
    state: turn({ ...settleKnown(state, evidence), suspicion: null, hedge: null, incident: null }, result, reason, nowMs),
    effects,
    wake_ms: nowMs,
    votes: votes.map(viewOf),
  }
}

/** Everything known so far has been judged: none of it opens another suspicion. */
export function settleKnown(state: MonitorState, evidence: Evidence): MonitorState {
  const newest = evidence.vantages.flatMap(({ probe_id, tests: [test] }) =>
    test === undefined ? [] : [[probe_id, test.started_ms]],
  )
  return { ...state, settled: { ...state.settled, ...Object.fromEntries(newest) } }
}

function openEffect(kind: 'down' | 'unconfirmed', suspicion: Suspicion, evidence: Evidence, votes: CastVote[]): Effect {
  const good = evidence.vantages
    .flatMap((vantage) => vantage.tests)
    .filter((test) => (test.outcome === 'ok' || test.outcome === 'slow') && test.started_ms < suspicion.since_ms)
  const last = good.length === 0 ? null : Math.max(...good.map((test) => test.started_ms))
  return {
    kind: 'open_incident',
    incident_kind: kind,
    since_ms: suspicion.since_ms,
    last_good_ms: last,
    votes: votes.map(viewOf),
  }
}

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
  proof_started_ms: null,
  doubts_ms: [],
  passed_before: false,
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
