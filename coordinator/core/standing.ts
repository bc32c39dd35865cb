/**
 * Nothing is under discussion: what the standing verdicts say, and whether enough witnesses say anything. Silence about the customer's mail
 * is no good news (DESIGN 1: never silence, never a lowered bar).
 */
import type { Effect, Evidence, Judgement, MonitorRules, MonitorState, VantageEvidence } from './evidence.ts'
import { witnesses } from './failure-domain.ts'
import { hedge } from './hedge.ts'
import { judgeLateNews } from './past-outage.ts'
import { lastGoodMs, newIncident, turn } from './suspicion.ts'
import { staleAfterMs, standingVerdict, type Verdict, verdictOf } from './verdict.ts'
import { castVote, plannedOf, viewOf } from './votes.ts'

/** No suspicion: what the standing verdicts say, and whether there are enough of them. */
export function judgeStanding(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Judgement {
  const hedging = hedge(state, rules, evidence, nowMs)
  const next = { ...state, hedge: hedging.hedge }
  // Who has just come has time to speak before silence is told of. Silence that has been told of ends with words, and with nothing else.
  const graceFromMs = state.incident === null ? evidence.observing_since_ms : null
  const standing = standingWitnesses(rules, evidence, graceFromMs, nowMs)
  const staleMs = quorumIsFreshUntil(standing, rules, evidence, graceFromMs)
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
function quorumIsFreshUntil(
  standing: readonly Witness[],
  rules: MonitorRules,
  evidence: Evidence,
  graceFromMs: number | null,
): number {
  const assigned = plannedOf(evidence).map(({ assigned_ms }) => assigned_ms)
  const filledUntilMs = graceFromMs === null ? 0 : Math.max(graceFromMs, ...assigned) + staleAfterMs(rules)
  const vacant = Array.from({ length: Math.max(0, rules.quorum - standing.length) }, () => filledUntilMs)
  const untilMs = [...standing.map(({ freshUntilMs }) => freshUntilMs), ...vacant].toSorted((a, b) => b - a)
  return untilMs[rules.quorum - 1] ?? filledUntilMs
}

function byWitness(planned: readonly VantageEvidence[]): VantageEvidence[][] {
  const group = witnesses(planned.map((vantage) => vantage.domain))
  return [...Map.groupBy(planned, (vantage) => group[planned.indexOf(vantage)]).values()]
}

/** The planned vantages by witness: what they last said, and until when that is not old news. */
function standingWitnesses(rules: MonitorRules, evidence: Evidence, graceFromMs: number | null, nowMs: number): Witness[] {
  const heardMs = (vantage: VantageEvidence): number => {
    const spokeMs = lastWordMs(vantage, rules, nowMs)
    return graceFromMs === null ? spokeMs : Math.max(spokeMs, vantage.assigned_ms, graceFromMs)
  }
  return byWitness(plannedOf(evidence)).map((vantages) => ({
    verdicts: new Set(vantages.map((vantage) => standingVerdict(vantage.tests[0] ?? null, vantage, rules, nowMs).verdict)),
    freshUntilMs: Math.max(...vantages.map(heardMs)) + staleAfterMs(rules),
  }))
}

/**
 * When the vantage last said anything about the customer's mail. A test that abstains (our address is refused, the test was not run, the
 * probe is not proven) says nothing: from the last mail that passed such a vantage has one period more, as a single one is no silence.
 */
const lastWordMs = (vantage: VantageEvidence, rules: MonitorRules, nowMs: number): number =>
  (toldMs(vantage, nowMs) ?? 0) + (saysNothing(vantage, nowMs) ? rules.period_s * 1000 : 0)

/** When its last telling test ended, or where it says nothing, when the last mail that passed was sent; null: none is known. */
const toldMs = (vantage: VantageEvidence, nowMs: number): number | null =>
  (saysNothing(vantage, nowMs) ? vantage.passed_ms : vantage.tests[0]?.finished_ms) ?? null

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
  const planned = plannedOf(evidence)
  const tooFew = witnessCount < rules.quorum
  // What abstains tells the operator why; of too few witnesses, who is left.
  const telling = planned.filter((vantage) => tooFew || saysNothing(vantage, nowMs))
  const votes = telling.map((vantage) => viewOf(castVote(vantage, 0, null, rules, nowMs)))
  const wake_ms = nowMs + rules.open_period_s * 1000
  const speechless = votes.length > 0 ? 'tests_say_nothing' : 'no_fresh_results'
  const silent = turn(state, 'unconfirmed', tooFew ? 'too_few_witnesses' : speechless, nowMs)
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
  const heardMs = (vantage: VantageEvidence): number => toldMs(vantage, nowMs) ?? vantage.assigned_ms
  const heard = byWitness(planned)
    .map((vantages) => Math.max(...vantages.map(heardMs)))
    .toSorted((a, b) => b - a)
  return Math.min(heard[rules.quorum - 1] ?? nowMs, nowMs)
}
