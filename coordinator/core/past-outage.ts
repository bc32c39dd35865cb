/**
 * An outage that was over before we heard of it: no coordinator was there, or the probes were cut off, and what they spooled tells of a
 * quorum that failed then and of mail that returns now. It is opened and resolved in one commit, with one notice (DESIGN 3.3).
 */
import { answerMs } from './asking.ts'
import type { Effect, Evidence, LateNews, MonitorRules, MonitorState, VantageEvidence } from './evidence.ts'
import { isSeries, withNotices } from './flapping.ts'
import { recovered } from './incident.ts'
import { settledMs } from './question.ts'
import { decide, quorumFails } from './quorum.ts'
import { isRetestAwaited, lastGoodMs, lastPass, pastSuspicion, settleKnown, settleUpTo } from './suspicion.ts'
import { isFailure, isPass, type TestFact, verdictOf } from './verdict.ts'
import { type CastVote, hardFailureLasted, isStale, plannedOf, suspicionVotes, tallyVotes, viewOf, votesSince } from './votes.ts'

/** A result that is told of so long after its test ended tells of the past. */
const lateNewsMs = 60_000

export const isLateNews = (finishedMs: number, nowMs: number): boolean => finishedMs < nowMs - lateNewsMs

export type PastOutage = { since_ms: number; decided_ms: number; votes: CastVote[] }

const unsettledFailures = (state: MonitorState, vantage: VantageEvidence): TestFact[] => {
  const afterMs = settledMs(asBeforeNews(state), vantage)
  return vantage.tests.filter((test) => isFailure(test.outcome) && test.started_ms > afterMs && !isTold(state, test))
}

const asBeforeNews = (state: MonitorState): MonitorState => ({
  ...state,
  settled: state.late?.settled ?? state.settled,
  settled_all_ms: state.late?.settled_all_ms ?? state.settled_all_ms,
})

const withoutTold = (state: MonitorState, vantage: VantageEvidence): VantageEvidence => ({
  ...vantage,
  tests: vantage.tests.filter((test) => !(isFailure(test.outcome) && isTold(state, test))),
})

const isTold = ({ late }: MonitorState, { started_ms }: TestFact): boolean =>
  late?.told.some(({ since_ms, ended_ms }) => started_ms >= since_ms && started_ms <= ended_ms) ?? false

/** Failures were told of late, and some that were sent before that moment are not settled. */
const hasLateNews = (state: MonitorState, { vantages, late_since_ms }: Evidence, beforeMs = Number.POSITIVE_INFINITY): boolean =>
  late_since_ms !== null &&
  vantages.some((vantage) => unsettledFailures(state, vantage).some(({ started_ms }) => started_ms < beforeMs))

/** The state with what is known of late news, and since when. While an outage lasts, only what came before it can be another one. */
export function withLateNews(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): MonitorState {
  const { settled, settled_all_ms, late } = state
  if (hasLateNews(state, evidence, lastingSinceMs(state)))
    return { ...state, late: late ?? { seen_ms: nowMs, settled, settled_all_ms, told: [] } }
  return moreMayBeTold(state, rules, evidence, nowMs) ? state : { ...state, late: null }
}

const lastingSinceMs = ({ incident }: MonitorState): number =>
  incident?.kind === 'down' ? incident.since_ms : Number.POSITIVE_INFINITY

/** Who is away, or back and has said nothing of the present yet, may have met what is known of, and what nobody else did. */
export const moreMayBeTold = ({ late }: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): boolean =>
  late !== null &&
  (newsIsOut(evidence) ||
    plannedOf(evidence).some(({ tests: [newest] }) => newest !== undefined && isStale(newest, rules, nowMs)))

const newsIsOut = ({ vantages }: Evidence): boolean => vantages.some(({ planned, lost }) => planned && lost)

/** The first moment at which what is known now would have been a quorum, of the failures that are not settled; null: at none. */
export function findPastOutage(state: MonitorState, rules: MonitorRules, evidence: Evidence): PastOutage | null {
  if (!hasLateNews(state, evidence)) return null
  let asked = asBeforeNews(state)
  const untold = asThen({ ...evidence, vantages: evidence.vantages.map((vantage) => withoutTold(state, vantage)) })
  const failing = evidence.vantages.map((vantage) => unsettledFailures(state, vantage)).filter(({ length }) => length > 0)
  if (failing.length < rules.quorum) return null
  const sinceMs = Math.min(...failing.flatMap((tests) => tests.map(({ started_ms }) => started_ms)))
  for (const atMs of momentsSince(sinceMs, untold)) {
    const past = knownBy(atMs, untold)
    const suspicion = pastSuspicion(asked, rules, past, atMs)
    if (suspicion === null) continue
    const votes = suspicionVotes(past.vantages, suspicion, rules, atMs)
    const counted = tallyVotes(votes)
    const believed = hardFailureLasted(votes, suspicion.since_ms, rules) && !isRetestAwaited(votes, suspicion)
    if (believed && quorumFails(counted, rules.quorum)) return { since_ms: suspicion.since_ms, decided_ms: atMs, votes }
    // As it would have been settled then: what came after the pass is another question.
    if (['up', 'partial'].includes(decide(counted, rules.quorum))) asked = settleUpTo(lastPass(votes), asked, past)
  }
  return null
}

/** When something new was known, in order. */
const momentsSince = (sinceMs: number, { vantages }: Evidence): number[] =>
  vantages
    .flatMap(({ tests }) => tests.flatMap(({ started_ms, finished_ms }) => (started_ms >= sinceMs ? [finished_ms] : [])))
    .toSorted((a, b) => a - b)

/**
 * As it would have been seen then, by who was not cut off. A probe that was ill itself proves its health as soon as it is well again: only
 * the control trips beside its tests tell of then.
 */
const asThen = (evidence: Evidence): Evidence => ({
  ...evidence,
  vantages: evidence.vantages.map((vantage) => ({
    ...vantage,
    lost: false,
    tests: vantage.tests.map((test) => ({ ...test, proved_since: false })),
    overdue: [],
    slot_started_ms: null,
    connected_ms: null,
  })),
  pool: [],
})

/** What was known of it at that moment. */
const knownBy = (atMs: number, evidence: Evidence): Evidence => ({
  ...evidence,
  vantages: evidence.vantages.map((vantage) => ({
    ...vantage,
    tests: vantage.tests.filter(({ finished_ms }) => finished_ms <= atMs),
  })),
})

/**
 * Those that were over, in order, each opened and resolved at once. `isToTell`: in what is known it has ended, and nothing of it is out
 * any more. Each takes its failures with it, so that they become fewer with each.
 */
export function tellPastOutages(
  state: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
  isToTell: (past: PastOutage, endedMs: number) => boolean,
): { state: MonitorState; effects: Effect[] } {
  const told = { state, effects: [] as Effect[] }
  for (;;) {
    const past = findPastOutage(told.state, rules, evidence)
    if (past === null) return told
    const known = withNotices(evidence, told.effects, nowMs)
    const effect = pastIncident(past, lastingSinceMs(told.state), rules, known, nowMs)
    const span = { since_ms: past.since_ms, ended_ms: Math.max(effect.ended_ms, past.decided_ms) }
    // What is still to come of one that was told of, from vantages that are heard later, is the same outage.
    const isMore = told.state.late?.told.some((other) => span.since_ms <= other.ended_ms && span.ended_ms >= other.since_ms)
    if (!isMore && !isToTell(past, effect.ended_ms)) return told
    if (!isMore) told.effects.push(effect)
    told.state = withTold(told.state, span)
  }
}

/** Nothing that was sent until its end is suspected any more; an earlier outage may still be found in it. */
const withTold = (state: MonitorState, span: LateNews['told'][number]): MonitorState => ({
  ...state,
  settled_all_ms: Math.max(state.settled_all_ms, span.ended_ms),
  late: state.late === null ? null : { ...state.late, told: [...state.late.told, span] },
})

function pastIncident(
  { since_ms, decided_ms, votes }: PastOutage,
  nextSinceMs: number,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): Extract<Effect, { kind: 'past_incident' }> {
  const first_pass_ms = firstPassMs(decided_ms, rules, sentBefore(nextSinceMs, evidence))
  const ended_ms = Math.min(nowMs, first_pass_ms ?? nowMs)
  const last_good_ms = lastGoodMs(evidence, since_ms)
  const last_fail_ms = lastFailMs(since_ms, ended_ms, evidence, nowMs)
  return {
    ...{ kind: 'past_incident', since_ms, last_good_ms, last_fail_ms, first_pass_ms, ended_ms },
    withheld: isSeries(evidence, nowMs),
    votes: votes.map(viewOf),
  }
}

/**
 * What the outage that goes on has lost is its own: the mail that came back before it ends this one, also where an incident would have
 * waited for more of them.
 */
const sentBefore = (beforeMs: number, evidence: Evidence): Evidence => ({
  ...evidence,
  vantages: evidence.vantages.map((vantage) => ({
    ...vantage,
    tests: vantage.tests.filter(({ started_ms }) => started_ms < beforeMs),
  })),
})

/**
 * The start of the first pass after which no quorum lost what was sent later, until an incident would have ended; null: there is none
 * yet. That one vantage passes all the time ends none while a quorum fails.
 */
function firstPassMs(decidedMs: number, rules: MonitorRules, evidence: Evidence): number | null {
  const tests = plannedOf(evidence)
    .flatMap((vantage) => vantage.tests)
    .filter(({ started_ms }) => started_ms >= decidedMs)
    .toSorted((a, b) => a.finished_ms - b.finished_ms)
  const then = asThen(evidence)
  let wellSinceMs: number | null = null
  for (const { outcome, started_ms, finished_ms } of tests) {
    const known = knownBy(finished_ms, then)
    if (isPass(outcome)) wellSinceMs = Math.min(wellSinceMs ?? started_ms, started_ms)
    if (wellSinceMs === null) continue
    if (tallyVotes(votesSince(wellSinceMs, rules, known, finished_ms)).failing >= rules.quorum) wellSinceMs = null
    else if (recovered(votesSince(decidedMs, rules, known, finished_ms), decidedMs, rules)) break
  }
  return wellSinceMs
}

/** The start of the last mail before its end that was lost to who passes again: what one region goes on losing is no part of it. */
function lastFailMs(sinceMs: number, endedMs: number, { vantages }: Evidence, nowMs: number): number {
  const passAgain = vantages.filter(({ tests }) => tests.some((test) => test.started_ms >= endedMs && isPass(test.outcome)))
  const starts = (passAgain.length > 0 ? passAgain : vantages).flatMap((vantage) =>
    vantage.tests.flatMap((test) =>
      test.started_ms < endedMs && verdictOf(test, vantage, nowMs).verdict === 'fail' ? [test.started_ms] : [],
    ),
  )
  return Math.max(sinceMs, ...starts)
}

/**
 * Failures were told of late, and nothing is suspected now, or an outage lasts that began after them. They are kept until what they tell
 * of is over and no news can be out any more: every vantage is there, and has had the time to answer.
 */
export function judgeLateNews(
  state: MonitorState,
  rules: MonitorRules,
  evidence: Evidence,
  nowMs: number,
): { state: MonitorState; effects: Effect[]; wake_ms: number | null } {
  const { late, incident } = state
  if (late === null) return { state, effects: [], wake_ms: null }
  const givenUpMs = late.seen_ms + answerMs(rules)
  const lasting = incident?.kind === 'down' ? incident : null
  const isPast = (past: PastOutage, endedMs: number): boolean =>
    lasting === null ? isOver(past, rules, evidence, nowMs) : endedMs < lasting.since_ms
  const { state: told, effects } = tellPastOutages(
    state,
    rules,
    evidence,
    nowMs,
    (past, endedMs) => isPast(past, endedMs) && (nowMs >= givenUpMs || !isBeingTold(past, rules, evidence, nowMs)),
  )
  const next = withLateNews(told, rules, evidence, nowMs)
  if (next.late === null) return { state: next, effects, wake_ms: null }
  const isAwaited = lasting === null && findPastOutage(next, rules, evidence) !== null
  if (isAwaited || newsIsOut(evidence) || nowMs < givenUpMs)
    return { state: next, effects, wake_ms: Math.max(givenUpMs, nowMs + lookAgainMs) }
  const settled = lasting === null ? settleKnown(next, evidence) : settleUpTo(lasting.since_ms - 1, next, evidence)
  return { state: { ...settled, late: null }, effects, wake_ms: null }
}

const lookAgainMs = 30_000

/** Mail returns: to somebody since then, and it fails for no quorum. */
function isOver(past: PastOutage, rules: MonitorRules, evidence: Evidence, nowMs: number): boolean {
  const { failing, passing } = tallyVotes(votesSince(past.decided_ms, rules, evidence, nowMs))
  return passing > 0 && failing < rules.quorum
}

/** Who failed then is there, and has said nothing of the present yet: what it has spooled comes in batches, and the outage may go on in the next. */
function isBeingTold(past: PastOutage | null, rules: MonitorRules, { vantages }: Evidence, nowMs: number): boolean {
  const failed = new Set(past?.votes.flatMap(({ vote, probe_id }) => (vote === 'fail' ? [probe_id] : [])))
  return vantages.some(
    ({ probe_id, lost, tests: [newest] }) =>
      failed.has(probe_id) && !lost && newest !== undefined && isStale(newest, rules, nowMs),
  )
}
