/** An open incident: who is tested out of turn, and when it is over (DESIGN 3.3). */
import type { Effect, Evidence, Judgement, MonitorRules, MonitorState, OpenIncident } from './evidence.ts'
import { witnesses } from './failure-domain.ts'
import { allClearMs, isSeriesOver } from './flapping.ts'
import { lastPass, settleUpTo, turn } from './suspicion.ts'
import { isPass, staleAfterMs } from './verdict.ts'
import { type CastVote, isAbsent, tallyVotes, testsItself, testsSince, viewOf, votesSince } from './votes.ts'

/** After the first sign of recovery the others are asked at once, but not more often than this. */
const recoveryAskMs = 10_000

export function judgeIncident(
  state: MonitorState,
  incident: OpenIncident,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Judgement {
  const votes = votesSince(incident.opened_ms, rules, evidence, nowMs)
  const views = votes.map(viewOf)
  const heard = votes.filter((vote) => !staysAway(vote, rules, evidence, nowMs))
  const well_since_ms = recovered(heard, incident.opened_ms, rules) ? (incident.well_since_ms ?? nowMs) : null
  const endsMs = well_since_ms === null ? null : allClearMs(incident, evidence, well_since_ms)
  if (endsMs !== null && nowMs >= endsMs) {
    const ended = { ...settleUpTo(lastPass(votes), state, evidence), incident: null, suspicion: null, hedge: null }
    return {
      state: turn(ended, 'up', 'recovered', nowMs),
      effects: [{ kind: 'resolve_incident', well_since_ms, votes: views }],
      wake_ms: nowMs,
      votes: views,
    }
  }
  const seriesOver = isSeriesOver(incident, evidence, nowMs)
  const asking = ask(
    votes,
    witnessCount(heard),
    { ...incident, well_since_ms, flapping: incident.flapping && !seriesOver },
    rules,
    nowMs,
  )
  const reason = endsMs !== null ? 'flapping' : seriesOver ? 'quorum_fails' : state.reason
  return {
    state: turn({ ...state, incident: asking.incident }, 'down', reason, nowMs),
    effects: [...(seriesOver ? [{ kind: 'series_over' as const }] : []), ...asking.effects],
    wake_ms: Math.min(asking.wakeMs, endsMs ?? asking.wakeMs),
    votes: views,
  }
}

/**
 * Nobody waits for a word that may never come: a vantage that was lost so long ago that its last word is stale, and one that the target
 * itself lets say nothing. Otherwise an incident with one vantage left would stay open for ever.
 */
function staysAway(vote: CastVote, rules: MonitorRules, { observing_since_ms }: Evidence, nowMs: number): boolean {
  if (vote.reason === 'sender_blocked' || vote.reason === 'never_passed_greylisting') return true
  const { tests, assigned_ms } = vote.vantage
  const heardMs = Math.max(tests[0]?.finished_ms ?? 0, assigned_ms, observing_since_ms)
  return isAbsent(vote) && nowMs > heardMs + staleAfterMs(rules)
}

/** The latest votes, all sent after the incident opened, pass in two witnesses (where there is one: twice in a row), and no quorum fails. */
export function recovered(votes: CastVote[], openedMs: number, rules: MonitorRules): boolean {
  const { failing, passing } = tallyVotes(votes)
  if (passing === 0 || failing >= rules.quorum) return false
  if (witnessCount(votes) > 1) return passing >= 2
  return votes.some(({ vantage, vote }) => {
    const previous = testsSince(vantage, openedMs)[1]
    return vote === 'pass' && previous !== undefined && isPass(previous.outcome)
  })
}

const witnessCount = (votes: CastVote[]): number => new Set(witnesses(votes.map((vote) => vote.vantage.domain))).size

/** When mail last began to return somewhere: a vantage that passes again and again tells nothing new. */
function newestTurnMs(votes: CastVote[], openedMs: number): number {
  const turned = votes.flatMap(({ vantage, vote, test }) => {
    const previous = testsSince(vantage, openedMs)[1]
    return vote === 'pass' && test !== null && (previous === undefined || !isPass(previous.outcome)) ? [test.finished_ms] : []
  })
  return Math.max(0, ...turned)
}

/**
 * Vantages whose slot fails test by themselves every `open_period_s`; the others are asked in the same rhythm. Mail that begins to return
 * is a sign of recovery: everybody who has not passed since is asked at once, so that the all-clear waits for no timetable; but not who is
 * refused by policy, which the recovery of others does not change.
 */
function ask(votes: CastVote[], witnessCount: number, incident: OpenIncident, rules: MonitorRules, nowMs: number) {
  const rhythmMs = incident.asked_ms + rules.open_period_s * 1000
  const mayRecover = newestTurnMs(votes, incident.opened_ms) > incident.asked_ms && incident.well_since_ms === null
  const recoveryMs = mayRecover ? incident.asked_ms + recoveryAskMs : Number.POSITIVE_INFINITY
  const nextMs = Math.min(rhythmMs, recoveryMs)
  if (nowMs < nextMs) return { incident, effects: [], wakeMs: nextMs }
  const signOfRecovery = nowMs >= recoveryMs
  const asked = votes.filter((vote) => {
    if (vote.vantage.lost) return false
    if (!signOfRecovery) return !testsItself(vote)
    return vote.reason !== 'sender_blocked' && (vote.vote !== 'pass' || witnessCount === 1)
  })
  const effects = asked.map((vote): Effect => ({ kind: 'ask', probe_id: vote.probe_id, cause: 'open' }))
  return {
    incident: { ...incident, asked_ms: nowMs },
    effects,
    wakeMs: nowMs + Math.min(rules.open_period_s * 1000, recoveryAskMs),
  }
}
