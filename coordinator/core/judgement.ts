/**
 * The judgement of one monitor: (state, evidence, now) → state, effects, reason. Pure, and repeated it changes nothing.
 *
 *   pending ─ first verified return ─► up ─ failing test ─► suspected ─► up | partial | down | unconfirmed
 *                                       ▲                                             │
 *                                       └──────────────── passes return ◄─────────────┘
 */
import { findBlocked } from './blocked.ts'
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
import { witnesses } from './failure-domain.ts'
import { withNotices } from './flapping.ts'
import { hedge } from './hedge.ts'
import { judgeIncident } from './incident.ts'
import { judgeLateNews, type PastOutage, tellPastOutages, withLateNews } from './past-outage.ts'
import { judgeSuspicion, lastGoodMs, newIncident, openSuspicion, turn } from './suspicion.ts'
import { isPass, staleAfterMs, standingVerdict, type Verdict, verdictOf } from './verdict.ts'
import { castVote, viewOf } from './votes.ts'

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
  const aware = withLateNews(state, evidence, nowMs)
  if (aware.incident?.kind === 'down') return judgeLasting(aware, aware.incident, rules, evidence, nowMs)
  const suspicion = state.suspicion ?? openSuspicion(state, rules, evidence, nowMs)
  if (suspicion === null) return judgeStanding(aware, rules, evidence, nowMs)
  const judgement = judgeSuspicion(aware, suspicion, rules, evidence, nowMs)
  const { incident } = judgement.state
  if (incident?.kind === 'down') return declared(judgement, incident, aware, suspicion, rules, evidence, nowMs)
  const isSettled = judgement.state.suspicion === null && incident === null
  return isSettled ? withPastOutages(judgement, state, rules, evidence, nowMs) : judgement
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
  const reason = told.effects.length > 0 && before.incident?.kind !== 'down' ? 'over_before_heard' : judgement.state.reason
  return {
    ...judgement,
    state: { ...judgement.state, settled_all_ms, reason, late: null },
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
  const ended = { ...state, incident: null, suspicion: null, hedge: null, settled_all_ms: nowMs }
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

/** No suspicion: what the standing verdicts say, and whether there are enough of them. */
function judgeStanding(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  const hedging = hedge(state, rules, evidence, nowMs)
  const next = { ...state, hedge: hedging.hedge }
  const standing = standingWitnesses(rules, evidence, nowMs)
  const staleMs = quorumIsFreshUntil(standing, rules, evidence)
  if (nowMs > staleMs) return judgeSilence(next, rules, evidence, standing.length, hedging.effects, nowMs)

  const news = judgeLateNews(next, rules, evidence, nowMs)
  // The reason tells why the decision was taken: as long as that stands, so does the reason.
  const reasonOf = (decision: MonitorState['decision'], reason: MonitorState['reason']) =>
    news.effects.length > 0 ? 'over_before_heard' : decision === state.decision ? state.reason : reason
  const decided = (decision: MonitorState['decision'], reason: MonitorState['reason']): Judgement => ({
    state: turn({ ...news.state, incident: null }, decision, reasonOf(decision, reason), nowMs),
    effects: [
      ...hedging.effects,
      ...(state.incident === null ? [] : [{ kind: 'resolve_incident' as const, well_since_ms: null, votes: [] }]),
      ...news.effects,
    ],
    wake_ms: Math.min(staleMs + 1000, ...[hedging.wake_ms, news.wake_ms].filter((atMs) => atMs !== null)),
    votes: [],
  })
  const count = (...verdicts: Verdict[]) =>
    standing.filter((witness) => verdicts.some((verdict) => witness.verdicts.has(verdict))).length
  // After an incident was ended by hand all may still fail: the next failing test says more.
  if (count('fail') > 0 && count('pass', 'slow') > 0) return decided('partial', 'some_vantages_pass')
  if (count('slow') >= rules.quorum) return decided('slow', 'mail_is_slow')
  return decided('up', 'all_well')
}

type Witness = { verdicts: Set<Verdict>; freshUntilMs: number }

/**
 * With the witnesses gone quiet one after the other, until the last that the quorum needs is stale. Where there are fewer than that, as
 * where a probe was retired and there is no other, nobody could confirm an outage: who comes to fill the places has as long from the last
 * assignment, and the bar is not lowered.
 */
function quorumIsFreshUntil(standing: readonly Witness[], rules: MonitorRules, evidence: Evidence): number {
  const assigned = evidence.vantages.filter(({ planned }) => planned).map(({ assigned_ms }) => assigned_ms)
  const filledUntilMs = Math.max(evidence.observing_since_ms, ...assigned) + staleAfterMs(rules)
  const vacant = Array.from({ length: Math.max(0, rules.quorum - standing.length) }, () => filledUntilMs)
  const untilMs = [...standing.map(({ freshUntilMs }) => freshUntilMs), ...vacant].toSorted((a, b) => b - a)
  return untilMs[rules.quorum - 1] ?? filledUntilMs
}

/** The planned vantages by witness: what they last said, and until when that is not old news. */
function standingWitnesses(rules: MonitorRules, evidence: Evidence, nowMs: number): Witness[] {
  const planned = evidence.vantages.filter((vantage) => vantage.planned)
  const group = witnesses(planned.map((vantage) => vantage.domain))
  const members = Map.groupBy(planned, (vantage) => group[planned.indexOf(vantage)])
  return Array.from(members.values(), (vantages) => ({
    verdicts: new Set(vantages.map((vantage) => standingVerdict(vantage.tests[0] ?? null, vantage, rules, nowMs).verdict)),
    freshUntilMs: Math.max(
      ...vantages.map(
        (vantage) =>
          Math.max(lastWordMs(vantage, rules, nowMs), vantage.assigned_ms, evidence.observing_since_ms) + staleAfterMs(rules),
      ),
    ),
  }))
}

/**
 * When the vantage last said anything about the customer's mail. A test that abstains (our address is refused, the test was not run, the
 * probe is not proven) says nothing: from the last mail that passed such a vantage has one period more, as a single one is no silence.
 */
function lastWordMs(vantage: VantageEvidence, rules: MonitorRules, nowMs: number): number {
  const [newest] = vantage.tests
  if (newest === undefined) return 0
  return saysNothing(vantage, nowMs) ? (vantage.passed_ms ?? 0) + rules.period_s * 1000 : newest.finished_ms
}

const saysNothing = (vantage: VantageEvidence, nowMs: number): boolean =>
  vantage.tests[0] !== undefined && verdictOf(vantage.tests[0], vantage, nowMs).verdict === 'abstain'

/** Too few vantages have anything to say: silence about the customer's mail is the operator's affair. */
function judgeSilence(
  state: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  witnessCount: number,
  asking: Effect[],
  nowMs: number,
): Judgement {
  const planned = evidence.vantages.filter((vantage) => vantage.planned)
  const abstaining = planned.filter((vantage) => saysNothing(vantage, nowMs))
  const votes = abstaining.map((vantage) => viewOf(castVote(vantage, 0, null, rules, nowMs)))
  const wake_ms = nowMs + rules.open_period_s * 1000
  const speechless = votes.length > 0 ? 'tests_say_nothing' : 'no_fresh_results'
  const silent = turn(state, 'unconfirmed', witnessCount < rules.quorum ? 'too_few_witnesses' : speechless, nowMs)
  if (state.incident !== null) return { state: silent, effects: asking, wake_ms, votes }
  // What was decided before rests on words of its own.
  const since_ms = Math.max(silentSinceMs(planned, rules, nowMs), state.decision_since_ms)
  const known = { since_ms, last_good_ms: lastGoodMs(evidence, since_ms), flapping: false, votes }
  return {
    state: { ...silent, incident: newIncident('unconfirmed', since_ms, nowMs) },
    effects: [...asking, { kind: 'open_incident', incident_kind: 'unconfirmed', ...known }],
    wake_ms,
    votes,
  }
}

/**
 * Since when fewer witnesses than the quorum have said anything: the last word of the last that it needs. Who has said nothing yet is silent
 * since it was assigned.
 */
function silentSinceMs(planned: readonly VantageEvidence[], rules: MonitorRules, nowMs: number): number {
  const heardMs = (vantage: VantageEvidence): number =>
    (saysNothing(vantage, nowMs) ? vantage.passed_ms : vantage.tests[0]?.finished_ms) ?? vantage.assigned_ms
  const group = witnesses(planned.map((vantage) => vantage.domain))
  const members = Map.groupBy(planned, (vantage) => group[planned.indexOf(vantage)])
  const heard = Array.from(members.values(), (vantages) => Math.max(...vantages.map(heardMs))).toSorted((a, b) => b - a)
  return Math.min(heard[rules.quorum - 1] ?? nowMs, nowMs)
}
