/**
 * The judgement of one monitor: (state, evidence, now) → state, effects, reason. Pure, and repeated it changes nothing.
 *
 *   pending ─ first verified return ─► up ─ failing test ─► suspected ─► up | partial | down | unconfirmed
 *                                       ▲                                             │
 *                                       └──────────────── passes return ◄─────────────┘
 */
import type { Evidence, Judgement, MonitorRules, MonitorState } from './evidence.ts'
import { witnesses } from './failure-domain.ts'
import { judgeIncident } from './incident.ts'
import { hedge, judgeSuspicion, openSuspicion, turn } from './suspicion.ts'
import { staleAfterMs, standingVerdict, type Verdict } from './verdict.ts'

export type { Decision, Effect, Evidence, Judgement, Mode, MonitorRules, MonitorState } from './evidence.ts'

export const initialMonitorState = (nowMs: number): MonitorState => ({
  decision: 'pending',
  reason: 'no_return_yet',
  decision_since_ms: nowMs,
  watched: false,
  suspicion: null,
  incident: null,
  hedge: null,
  settled: {},
  settled_all_ms: 0,
})

/** Nothing is suspected and all is well: another good result needs no judgement. */
export const isQuiet = (state: MonitorState): boolean =>
  state.decision === 'up' && state.suspicion === null && state.incident === null && state.hedge === null

/** A judgement may lead straight to the next one (down → the incident's first round); more turns than this cannot be. */
const turnsMax = 5

/** Judges until nothing changes any more at this moment; the effects of all turns are in order. */
export function judge(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  let judgement = judgeOnce(state, rules, evidence, nowMs)
  const effects = [...judgement.effects]
  for (let turns = 1; judgement.wake_ms !== null && judgement.wake_ms <= nowMs && turns < turnsMax; turns++) {
    const next = judgeOnce(judgement.state, rules, evidence, nowMs)
    effects.push(...next.effects)
    judgement = next.votes.length > 0 ? next : { ...next, votes: judgement.votes }
  }
  return { ...judgement, effects }
}

function judgeOnce(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  if (!state.watched) return judgePending(state, evidence, nowMs)
  if (state.incident?.kind === 'down') return judgeIncident(state, state.incident, rules, evidence, nowMs)
  const suspicion = state.suspicion ?? openSuspicion(state, rules, evidence, nowMs)
  if (suspicion !== null) return judgeSuspicion(state, suspicion, rules, evidence, nowMs)
  return judgeStanding(state, rules, evidence, nowMs)
}

/** Somebody ended the incident by hand: what was known of it opens no new one. */
export function resolveByHand(state: MonitorState, nowMs: number): MonitorState {
  return turn({ ...state, incident: null, suspicion: null, hedge: null, settled_all_ms: nowMs }, 'up', 'resolved_by_hand', nowMs)
}

/** Before the first verified return nobody is paged: it is also the proof that we may mail there. */
function judgePending(state: MonitorState, evidence: Evidence, nowMs: number): Judgement {
  const returned = evidence.vantages.some(({ tests }) => tests.some(({ outcome }) => outcome === 'ok' || outcome === 'slow'))
  if (!returned) return { state, effects: [], wake_ms: null, votes: [] }
  // What failed before the first return is not held against the monitor.
  const settled = Object.fromEntries(evidence.vantages.map(({ probe_id, tests }) => [probe_id, tests[0]?.started_ms ?? nowMs]))
  return {
    state: turn({ ...state, watched: true, settled }, 'up', 'first_return', nowMs),
    effects: [],
    wake_ms: nowMs,
    votes: [],
  }
}

/** No suspicion: what the standing verdicts say, and whether there are enough of them. */
function judgeStanding(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  const hedging = hedge(state, rules, evidence, nowMs)
  const planned = evidence.vantages.filter((vantage) => vantage.planned)
  const verdicts = planned.map((vantage) => standingVerdict(vantage.tests[0] ?? null, vantage, rules, nowMs).verdict)
  const witnessesWith = (test: (verdict: Verdict, index: number) => boolean) => {
    const groups = witnesses(planned.map((vantage) => vantage.domain))
    return new Set(groups.filter((_, index) => test(verdicts[index] ?? 'no_data', index))).size
  }
  const freshUntil = planned.map(
    (vantage) =>
      Math.max(vantage.tests[0]?.finished_ms ?? 0, vantage.assigned_ms, evidence.observing_since_ms) + staleAfterMs(rules),
  )
  const needed = Math.min(
    rules.quorum,
    witnessesWith(() => true),
  )
  const fresh = witnessesWith((_, index) => nowMs <= (freshUntil[index] ?? 0))
  const next = { ...state, hedge: hedging.hedge }
  if (planned.length > 0 && fresh < needed) return judgeSilence(next, rules, nowMs)

  const resolved = state.incident === null ? [] : [{ kind: 'resolve_incident' as const, votes: [] }]
  const settledState = { ...next, incident: null }
  const effects = [...hedging.effects, ...resolved]
  // With every witness gone quiet one after the other, the bar is missed when the last that is needed becomes stale.
  const staleMs = freshUntil.toSorted((a, b) => b - a)[Math.max(0, needed - 1)] ?? null
  const wake_ms = staleMs === null ? null : staleMs + 1000
  const decided = (decision: MonitorState['decision'], reason: MonitorState['reason']) => ({
    state: turn(settledState, decision, reason, nowMs),
    effects,
    wake_ms,
    votes: [],
  })
  if (verdicts.includes('fail')) return decided('partial', 'some_vantages_pass')
  if (witnessesWith((verdict) => verdict === 'slow') >= needed && needed > 0) return decided('slow', 'mail_is_slow')
  return decided('up', 'all_well')
}

/** Too few vantages have anything to say: silence about the customer's mail is the operator's affair. */
function judgeSilence(state: MonitorState, rules: MonitorRules, nowMs: number): Judgement {
  const wake_ms = nowMs + rules.open_period_s * 1000
  const silent = turn(state, 'unconfirmed', 'no_fresh_results', nowMs)
  if (state.incident !== null) return { state: silent, effects: [], wake_ms, votes: [] }
  const incident = { kind: 'unconfirmed' as const, since_ms: nowMs, opened_ms: nowMs, asked_ms: nowMs }
  return {
    state: { ...silent, incident },
    effects: [{ kind: 'open_incident', incident_kind: 'unconfirmed', since_ms: nowMs, last_good_ms: null, votes: [] }],
    wake_ms,
    votes: [],
  }
}
