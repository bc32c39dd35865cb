/**
 * The judgement of one monitor: (state, evidence, now) → state, effects, reason. Pure, and repeated it changes nothing.
 *
 *   pending ─ first verified return ─► up ─ failing test ─► suspected ─► up | partial | down | unconfirmed
 *                                       ▲                                             │
 *                                       └──────────────── passes return ◄─────────────┘
 */
import { findBlocked } from './blocked.ts'
import type { Evidence, Judgement, MonitorRules, MonitorState, OpenIncident, Suspicion } from './evidence.ts'
import { withNotices } from './flapping.ts'
import { judgeIncident } from './incident.ts'
import { judgeLateNews, moreMayBeTold, type PastOutage, tellPastOutages, withLateNews } from './past-outage.ts'
import { judgeStanding } from './standing.ts'
import { judgeSuspicion, openSuspicion, turn } from './suspicion.ts'
import { isPass } from './verdict.ts'

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
  blocked: {},
  late: null,
})

/** Nothing is suspected and all is well: another good result needs no judgement. */
export const isQuiet = ({ decision, suspicion, incident, hedge, late, blocked }: MonitorState): boolean =>
  decision === 'up' &&
  suspicion === null &&
  incident === null &&
  hedge === null &&
  late === null &&
  Object.keys(blocked).length === 0

/** A judgement may lead straight to the next one (down → the incident's first round); more turns than this cannot be. */
const turnsMax = 5

/** Judges until nothing changes any more at this moment; the effects of all turns are in order. */
export function judge(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  const [first, ...others] = judgeInTurns(state, rules, evidence, nowMs)
  const judgement = others.reduce(
    (before, next) => ({
      ...next,
      effects: [...before.effects, ...next.effects],
      votes: next.votes.length > 0 ? next.votes : before.votes,
    }),
    first,
  )
  const { blocked, effects } = findBlocked(state.blocked, evidence)
  return { ...judgement, state: { ...judgement.state, blocked }, effects: [...judgement.effects, ...effects] }
}

/** One after the other, each on the state that the one before has left. */
export function judgeInTurns(
  state: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): [Judgement, ...Judgement[]] {
  const turns: [Judgement, ...Judgement[]] = [judgeOnce(state, rules, evidence, nowMs)]
  let known = evidence
  for (let last = turns[0]; last.wake_ms !== null && last.wake_ms <= nowMs && turns.length < turnsMax; ) {
    known = withNotices(known, last.effects, nowMs)
    last = judgeOnce(last.state, rules, known, nowMs)
    turns.push(last)
  }
  return turns
}

function judgeOnce(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  if (!state.watched) return judgePending(state, evidence, nowMs)
  const aware = withLateNews(state, rules, evidence, nowMs)
  if (aware.incident?.kind === 'down') return judgeLasting(aware, aware.incident, rules, evidence, nowMs)
  const suspicion = state.suspicion ?? openSuspicion(state, rules, evidence, nowMs)
  if (suspicion === null) return judgeStanding(aware, rules, evidence, nowMs)
  const judgement = judgeSuspicion(aware, suspicion, rules, evidence, nowMs)
  const { incident } = judgement.state
  if (incident?.kind === 'down') return declared(judgement, incident, aware, suspicion, rules, evidence, nowMs)
  const isSettled = judgement.state.suspicion === null && incident === null
  return isSettled ? withPastOutages(judgement, aware, rules, evidence, nowMs) : judgement
}

/** The question is answered: mail returns. What was told of late may show that it did not, before. */
function withPastOutages(
  judgement: Judgement,
  before: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
  isToTell = (_: PastOutage, _endedMs: number): boolean => true,
): Judgement {
  const known = withNotices(evidence, judgement.effects, nowMs)
  const told = tellPastOutages(before, rules, known, nowMs, isToTell)
  const settled_all_ms = Math.max(judgement.state.settled_all_ms, told.state.settled_all_ms)
  // Who is away may have met one that is not known yet; after an incident nothing is waited for any more.
  const late = before.incident?.kind !== 'down' && moreMayBeTold(told.state, rules, evidence, nowMs) ? told.state.late : null
  const reason = told.effects.length > 0 && before.incident?.kind !== 'down' ? 'over_before_heard' : judgement.state.reason
  return {
    ...judgement,
    state: { ...judgement.state, settled_all_ms, reason, late },
    effects: [...judgement.effects, ...told.effects],
  }
}

/** Mail is gone. What was gone before that, and is known to the end, is told first, so that it counts as a notice. */
function declared(
  judgement: Judgement,
  incident: OpenIncident,
  before: MonitorState,
  suspicion: Suspicion,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Judgement {
  const earlier = judgeLateNews({ ...before, incident }, rules, evidence, nowMs)
  const { settled, settled_all_ms, late } = earlier.state
  const asked = { ...before, settled, settled_all_ms }
  const known = withNotices(evidence, earlier.effects, nowMs)
  const next = earlier.effects.length === 0 ? judgement : judgeSuspicion(asked, suspicion, rules, known, nowMs)
  return {
    ...next,
    state: { ...next.state, settled, settled_all_ms, late },
    effects: [...earlier.effects, ...next.effects],
  }
}

/** An incident is open. Of what came before it, some may be told of only now; when it ends, nothing is waited for any more. */
function judgeLasting(
  state: MonitorState,
  incident: OpenIncident,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Judgement {
  const earlier = judgeLateNews(state, rules, evidence, nowMs)
  const known = withNotices(evidence, earlier.effects, nowMs)
  const judgement = judgeIncident(earlier.state, incident, rules, known, nowMs)
  const isBefore = (_: PastOutage, endedMs: number) => endedMs < incident.since_ms
  const last =
    judgement.state.incident === null
      ? withPastOutages(judgement, earlier.state, rules, known, nowMs, isBefore)
      : { ...judgement, wake_ms: earliest(judgement.wake_ms, earlier.wake_ms) }
  return { ...last, effects: [...earlier.effects, ...last.effects] }
}

const earliest = (...times: (number | null)[]): number | null => {
  const known = times.filter((atMs) => atMs !== null)
  return known.length === 0 ? null : Math.min(...known)
}

/** Somebody ended the incident by hand: what was known of it opens no new one. */
export function resolveByHand(state: MonitorState, nowMs: number): MonitorState {
  const ended = { ...state, incident: null, suspicion: null, hedge: null, late: null, settled_all_ms: nowMs }
  return turn(ended, 'up', 'resolved_by_hand', nowMs)
}

/** Before the first verified return nobody is paged: it is also the proof that we may mail there. */
function judgePending(state: MonitorState, evidence: Evidence, nowMs: number): Judgement {
  const passes = evidence.vantages.flatMap(({ tests }) => tests.filter(({ outcome }) => isPass(outcome)))
  if (passes.length === 0) return { state, effects: [], wake_ms: null, votes: [] }
  const passMs = Math.max(...passes.map(({ started_ms }) => started_ms))
  // What failed before is not held against the monitor. What was sent after the mail that came back may be the first of an outage.
  const settled = Object.fromEntries(
    evidence.vantages.map(({ probe_id, tests }) => [probe_id, Math.min(tests[0]?.started_ms ?? passMs, passMs)]),
  )
  return {
    state: turn({ ...state, watched: true, settled }, 'up', 'first_return', nowMs),
    effects: [],
    wake_ms: nowMs,
    votes: [],
  }
}
