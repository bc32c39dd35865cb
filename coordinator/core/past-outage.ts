/**
 * An outage that was over before we heard of it: no coordinator was there, or the probes were cut off, and what they spooled tells of a
 * quorum that failed then and of mail that returns now. It is opened and resolved in one commit, with one notice (DESIGN 3.3).
 */
import { answerMs } from './asking.ts'
import type { Effect, Evidence, MonitorRules, MonitorState, VantageEvidence } from './evidence.ts'
import { settledMs } from './question.ts'
import { quorumFails } from './quorum.ts'
import { isRetestAwaited, lastGoodMs, openSuspicion, settleKnown } from './suspicion.ts'
import { isFailure, isPass, type TestFact } from './verdict.ts'
import { type CastVote, castVote, hardFailureLasted, suspicionVotes, tallyVotes, viewOf } from './votes.ts'

/** A result that is told of so long after its test ended tells of the past. */
const lateNewsMs = 60_000

export const isLateNews = (finishedMs: number, nowMs: number): boolean => finishedMs < nowMs - lateNewsMs

export type PastOutage = { since_ms: number; decided_ms: number; votes: CastVote[] }

const unsettledFailures = (state: MonitorState, vantage: VantageEvidence): TestFact[] => {
  const afterMs = settledMs(state, vantage)
  return vantage.tests.filter(({ outcome, started_ms }) => isFailure(outcome) && started_ms > afterMs)
}

/** Failures were told of late, and some are not settled. */
export const hasLateNews = (state: MonitorState, { vantages, late_since_ms }: Evidence): boolean =>
  late_since_ms !== null && vantages.some((vantage) => unsettledFailures(state, vantage).length > 0)

/** The first moment at which what is known now would have been a quorum, of the failures that are not settled; null: at none. */
export function findPastOutage(state: MonitorState, rules: MonitorRules, evidence: Evidence): PastOutage | null {
  if (!hasLateNews(state, evidence)) return null
  const failing = evidence.vantages.map((vantage) => unsettledFailures(state, vantage)).filter(({ length }) => length > 0)
  if (failing.length < rules.quorum) return null
  const moments = failing.flatMap((tests) => tests.map(({ finished_ms }) => finished_ms)).toSorted((a, b) => a - b)
  for (const atMs of moments) {
    const past = asOf(evidence, atMs)
    const suspicion = openSuspicion(state, rules, past, atMs)
    if (suspicion === null) continue
    const votes = suspicionVotes(past.vantages, suspicion, rules, atMs)
    const believed = hardFailureLasted(votes, suspicion.since_ms, rules) && !isRetestAwaited(votes, suspicion)
    if (believed && quorumFails(tallyVotes(votes), rules.quorum)) return { since_ms: suspicion.since_ms, decided_ms: atMs, votes }
  }
  return null
}

/**
 * What was known at that moment, of who was not cut off then. A probe that was ill itself proves its health as soon as it is well again:
 * only the control trips beside its tests tell of then.
 */
function asOf(evidence: Evidence, atMs: number): Evidence {
  const known = (vantage: VantageEvidence): VantageEvidence => ({
    ...vantage,
    lost: false,
    tests: vantage.tests.flatMap((test) => (test.finished_ms <= atMs ? { ...test, proved_since: false } : [])),
    overdue: [],
    slot_started_ms: null,
    connected_ms: null,
  })
  return { ...evidence, vantages: evidence.vantages.map(known), pool: [] }
}

/** Opened and resolved at once. */
export function tellPastOutage(
  state: MonitorState,
  past: PastOutage,
  evidence: Evidence,
  nowMs: number,
): { state: MonitorState; effects: Effect[] } {
  const { since_ms, decided_ms, votes } = past
  const passes = evidence.vantages.flatMap(({ tests }) =>
    tests.filter(({ outcome, started_ms }) => isPass(outcome) && started_ms >= decided_ms),
  )
  const ended_ms = Math.min(nowMs, ...passes.map(({ started_ms }) => started_ms))
  const last_good_ms = lastGoodMs(evidence, since_ms)
  return {
    state: {
      ...state,
      late: null,
      // What is still to come of it, from vantages that are heard later, is the same outage.
      settled_all_ms: Math.max(state.settled_all_ms, ended_ms),
    },
    effects: [{ kind: 'past_incident', since_ms, last_good_ms, ended_ms, votes: votes.map(viewOf) }],
  }
}

/**
 * Nothing is suspected now, and failures were told of late. They are kept until mail is seen to return and no news can be out any more:
 * every vantage is there, and has had the time to answer.
 */
export function judgeLateNews(
  state: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): { state: MonitorState; effects: Effect[]; wake_ms: number | null } {
  const { late } = state
  if (late === null) return { state, effects: [], wake_ms: null }
  const past = findPastOutage(state, rules, evidence)
  if (past !== null && isOver(past, rules, evidence, nowMs)) {
    const told = tellPastOutage(state, past, evidence, nowMs)
    return { state: settleKnown(told.state, evidence), effects: told.effects, wake_ms: null }
  }
  const givenUpMs = late.seen_ms + answerMs(rules)
  const newsIsOut = evidence.vantages.some(({ planned, lost }) => planned && lost)
  if (past === null && !newsIsOut && nowMs >= givenUpMs)
    return { state: settleKnown({ ...state, late: null }, evidence), effects: [], wake_ms: null }
  return { state, effects: [], wake_ms: Math.max(givenUpMs, nowMs + lookAgainMs) }
}

const lookAgainMs = 30_000

/** Mail returns: to somebody since then, and it fails for no quorum. */
function isOver(past: PastOutage, rules: MonitorRules, evidence: Evidence, nowMs: number): boolean {
  const votes = evidence.vantages
    .filter(({ planned }) => planned)
    .map((vantage) => castVote(vantage, past.decided_ms, null, rules, nowMs))
  const { failing, passing } = tallyVotes(votes)
  return passing > 0 && failing < rules.quorum
}
