/** The one open question about a monitor: opened by a failing test, answered by the votes, or given up at its deadline. */
import type { Effect, Evidence, Judgement, MonitorRules, MonitorState, Suspicion, VantageEvidence } from './evidence.ts'
import { shareFate } from './failure-domain.ts'
import { decide } from './quorum.ts'
import { proofWaitMs, type TestFact, verdictOf } from './verdict.ts'
import { type CastVote, effectiveMode, hardFailureLasted, suspicionVotes, tallyVotes, testsSince, viewOf } from './votes.ts'

/** A test is given this long after its timeout to be reported before it is asked for again. */
const reportGraceMs = 15_000

/** The suspicion that the evidence opens, or null. */
export function openSuspicion(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Suspicion | null {
  const openers = evidence.vantages.flatMap((vantage) => {
    const settledMs = Math.max(state.settled_all_ms, state.settled[vantage.probe_id] ?? 0)
    const test = firstOfFailures(vantage, settledMs, nowMs)
    return test === null ? [] : [{ vantage, test }]
  })
  const first = openers.sort((a, b) => a.test.finished_ms - b.test.finished_ms)[0]
  if (first === undefined) return null
  const { vantage, test } = first
  const longestMs = Math.max(2 * rules.timeout_s + rules.retest_wait_s, rules.timeout_s + rules.hard_confirm_s) * 1000
  const hedged = state.hedge !== null && state.hedge.since_ms >= test.started_ms
  return {
    first_test_id: test.id,
    first_probe_id: vantage.probe_id,
    since_ms: test.started_ms,
    deadline_ms: test.started_ms + longestMs + reportGraceMs,
    asked: hedged ? (state.hedge?.asked ?? {}) : {},
    substitutes: {},
  }
}

/** The earliest of the failures that a vantage's newest tests end with, as far as they are not settled. */
function firstOfFailures(vantage: VantageEvidence, settledMs: number, nowMs: number): TestFact | null {
  let first: TestFact | null = null
  for (const test of vantage.tests) {
    if (test.started_ms <= settledMs) break
    const { verdict } = verdictOf(test, vantage, nowMs)
    if (verdict === 'pass' || verdict === 'slow') break
    if (verdict !== 'abstain') first = test
  }
  return first
}

export function judgeSuspicion(
  state: MonitorState,
  suspicion: Suspicion,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Judgement {
  const { suspicion: staffed, effects: replacements } = replaceLost(suspicion, evidence, nowMs)
  const votes = suspicionVotes(evidence.vantages, staffed, rules, nowMs)
  const result = decide(tallyVotes(votes), rules.quorum)
  const views = votes.map(viewOf)
  const held = result === 'down' && !hardFailureLasted(votes, staffed.since_ms, rules)

  if (result === 'down' && !held) return declareDown(state, staffed, evidence, votes, nowMs)
  if (result === 'up' || result === 'partial') return settle(state, votes, result, nowMs)
  if (nowMs >= staffed.deadline_ms && state.incident === null) {
    const incident = { kind: 'unconfirmed' as const, since_ms: staffed.since_ms, opened_ms: nowMs, asked_ms: nowMs }
    return {
      state: turn({ ...state, suspicion: staffed, incident }, 'unconfirmed', 'votes_stayed_out', nowMs),
      effects: [openEffect('unconfirmed', staffed, evidence, votes)],
      wake_ms: nowMs + rules.open_period_s * 1000,
      votes: views,
    }
  }
  const asking = askMissing(staffed, votes, held, rules, state.incident !== null, nowMs)
  const decision = state.incident === null ? (state.decision === 'partial' ? 'partial' : 'suspected') : state.decision
  const reason = held ? 'hard_failure_held' : state.suspicion === null ? 'test_failed' : 'votes_missing'
  return {
    state: turn({ ...state, suspicion: asking.suspicion, hedge: null }, decision, reason, nowMs),
    effects: [...replacements, ...asking.effects],
    wake_ms: nextWake(asking.suspicion, votes, rules, state.incident !== null, nowMs),
    votes: views,
  }
}

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

function settle(state: MonitorState, votes: CastVote[], result: 'up' | 'partial', nowMs: number): Judgement {
  const settled = { ...state.settled }
  for (const { probe_id, test } of votes) if (test !== null) settled[probe_id] = test.started_ms
  const reason = result === 'up' ? 'nothing_fails' : 'some_vantages_pass'
  const effects: Effect[] = state.incident === null ? [] : [{ kind: 'resolve_incident', votes: votes.map(viewOf) }]
  return {
    state: turn({ ...state, settled, suspicion: null, hedge: null, incident: null }, result, reason, nowMs),
    effects,
    wake_ms: nowMs,
    votes: votes.map(viewOf),
  }
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

/**
 * Asks every vantage whose vote is out, unless a slot of its own that has begun since will answer: once, and in an open
 * (unconfirmed) incident again and again.
 */
function askMissing(
  suspicion: Suspicion,
  votes: CastVote[],
  held: boolean,
  rules: MonitorRules,
  incidentOpen: boolean,
  nowMs: number,
) {
  const asked = { ...suspicion.asked }
  const againMs = incidentOpen ? rules.open_period_s * 1000 : Number.POSITIVE_INFINITY
  const effects: Effect[] = []
  const holdEndsMs = suspicion.since_ms + rules.hard_confirm_s * 1000
  for (const { probe_id, vote, test, vantage } of votes) {
    const confirmsHard = held && vote === 'fail' && nowMs >= holdEndsMs && (asked[probe_id] ?? 0) < holdEndsMs
    const mayAsk = asked[probe_id] === undefined || nowMs >= asked[probe_id] + againMs
    const isOut = vote === 'missing' && test === null && mayAsk && probe_id !== suspicion.first_probe_id
    if (!confirmsHard && !(isOut && slotAnswersMs(vantage, suspicion, rules, nowMs) === null)) continue
    asked[probe_id] = nowMs
    effects.push({ kind: 'ask', probe_id, cause: 'confirm' })
  }
  return { suspicion: { ...suspicion, asked }, effects }
}

/** By when the vantage's own slot, begun since the suspicion, will have answered; null where none is running. */
function slotAnswersMs(vantage: VantageEvidence, suspicion: Suspicion, rules: MonitorRules, nowMs: number): number | null {
  const startedMs = vantage.slot_started_ms
  if (startedMs === null || startedMs < suspicion.since_ms || vantage.lost) return null
  const answersMs = startedMs + rules.timeout_s * 1000 + reportGraceMs
  return nowMs < answersMs ? answersMs : null
}

/** Puts a probe of the pool in the place of each lost vantage that has not voted. */
function replaceLost(suspicion: Suspicion, evidence: Evidence, nowMs: number): { suspicion: Suspicion; effects: Effect[] } {
  const substitutes = { ...suspicion.substitutes }
  const asked = { ...suspicion.asked }
  const effects: Effect[] = []
  for (const vantage of evidence.vantages) {
    const open = vantage.planned && vantage.lost && substitutes[vantage.probe_id] === undefined
    if (!open || testsSince(vantage, suspicion.since_ms).length > 0) continue
    const taken = new Set(Object.values(substitutes))
    const others = evidence.vantages.filter((other) => other !== vantage && other.planned)
    const substitute = evidence.pool.find(
      ({ probe_id, domain }) => !taken.has(probe_id) && !others.some((other) => shareFate(other.domain, domain)),
    )
    if (substitute === undefined) continue
    substitutes[vantage.probe_id] = substitute.probe_id
    asked[substitute.probe_id] = nowMs
    effects.push({ kind: 'ask', probe_id: substitute.probe_id, cause: 'confirm' })
  }
  return { suspicion: { ...suspicion, substitutes, asked }, effects }
}

function nextWake(suspicion: Suspicion, votes: CastVote[], rules: MonitorRules, incidentOpen: boolean, nowMs: number): number {
  const times = [incidentOpen ? nowMs + rules.open_period_s * 1000 : suspicion.deadline_ms]
  times.push(suspicion.since_ms + rules.hard_confirm_s * 1000)
  for (const { reason, test, vantage } of votes) {
    if (reason === 'awaiting_proof' && test !== null) times.push(test.finished_ms + proofWaitMs)
    const slotMs = slotAnswersMs(vantage, suspicion, rules, nowMs)
    if (slotMs !== null) times.push(slotMs)
  }
  return Math.min(...times.filter((time) => time > nowMs))
}

/** In mode `hedged` the peers start as soon as a mail is merely slow. */
export function hedge(
  state: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): { hedge: MonitorState['hedge']; effects: Effect[] } {
  if (effectiveMode(rules) !== 'hedged') return { hedge: null, effects: [] }
  const late = evidence.vantages
    .flatMap((vantage) => vantage.overdue.map((overdue) => ({ ...overdue, vantage })))
    .filter(({ test_id, vantage }) => !vantage.tests.some((test) => test.id === test_id))
    .filter(({ started_ms }) => nowMs < started_ms + rules.timeout_s * 1000 + reportGraceMs)
    .sort((a, b) => a.started_ms - b.started_ms)[0]
  if (late === undefined) return { hedge: null, effects: [] }
  if (state.hedge !== null && state.hedge.since_ms >= late.started_ms) return { hedge: state.hedge, effects: [] }
  const asked: Record<string, number> = {}
  const effects: Effect[] = []
  for (const vantage of evidence.vantages) {
    if (!vantage.planned || vantage.lost || vantage === late.vantage || testsSince(vantage, late.started_ms).length > 0) continue
    asked[vantage.probe_id] = nowMs
    effects.push({ kind: 'ask', probe_id: vantage.probe_id, cause: 'confirm' })
  }
  return { hedge: { test_id: late.test_id, since_ms: nowMs, asked }, effects }
}

/** The state with its decision; the decision's age counts from when it last changed. */
export function turn(
  state: MonitorState,
  decision: MonitorState['decision'],
  reason: MonitorState['reason'],
  nowMs: number,
): MonitorState {
  return { ...state, decision, reason, decision_since_ms: decision === state.decision ? state.decision_since_ms : nowMs }
}
