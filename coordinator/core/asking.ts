/** Who is asked for a test out of turn while a suspicion is open, and when to look at it again. */
import type { Effect, MonitorRules, Suspicion, VantageEvidence } from './evidence.ts'
import { unnoticedMs } from './probe-clock.ts'
import { proofWaitMs } from './verdict.ts'
import { beganToFail, type CastVote, effectiveMode, failingRun, testsItself } from './votes.ts'

/** A test is given this long after its timeout to be reported. */
export const reportGraceMs = 15_000
/** While a vote is out: how often to look whether its probe has been lost and must be replaced, or is back and can be asked. */
const lookAgainMs = 30_000

/** The longest that an answer to a question asked now may take. */
export const answerMs = (rules: MonitorRules): number => rules.timeout_s * 1000 + reportGraceMs

/**
 * Asks every vantage whose vote is out and that is there, unless a slot of its own that has begun since will answer: once, and anew where
 * what was asked may be forgotten; and those that passed once more when another begins to fail. In an open (unconfirmed) incident that goes
 * on in its rhythm, with those that pass among the asked while any other fails. `holdEndsMs`: when hard failures will have lasted, and those
 * that fail are asked again.
 */
export function askMissing(
  suspicion: Suspicion,
  votes: CastVote[],
  holdEndsMs: number | null,
  rules: MonitorRules,
  incidentOpen: boolean,
  nowMs: number,
) {
  const asked = { ...suspicion.asked }
  const againMs = incidentOpen ? rules.open_period_s * 1000 : Number.POSITIVE_INFINITY
  const failingMs = votes.flatMap(({ vantage }) => beganToFailMs(vantage, suspicion.since_ms, rules, nowMs) ?? [])
  const wanted = (cast: CastVote): boolean => {
    const lastMs = asked[cast.probe_id]
    if (cast.vantage.lost) return false
    if (cast.test !== null && cast.probe_id === suspicion.first_probe_id && cast.test.id === suspicion.first_test_id) {
      // The probe itself tests a failing slot again, but not what it was asked for.
      const retestMs = retestByJobMs(cast, rules)
      return retestMs !== null && nowMs >= retestMs && (lastMs ?? 0) < cast.test.finished_ms
    }
    if (holdEndsMs !== null && cast.vote === 'fail' && nowMs >= holdEndsMs) return (lastMs ?? 0) < holdEndsMs
    if (cast.vote === 'pass') return passIsAskedAgain(cast, failingMs, lastMs, againMs, rules, nowMs)
    const isOut = cast.vote === 'missing' && (cast.test === null || cast.reason === 'stale')
    const notRunMs = notRunAgainMs(cast, lastMs, rules)
    if (notRunMs !== null && nowMs >= notRunMs) return true
    const mayChange = incidentOpen && (cast.vote === 'abstain' || (cast.vote === 'fail' && !testsItself(cast)))
    if (!(isOut || mayChange) || slotAnswersMs(cast.vantage, suspicion.since_ms, rules, nowMs) !== null) return false
    return (
      lastMs === undefined ||
      nowMs >= lastMs + againMs ||
      (isOut && mayBeForgotten(cast.vantage, lastMs, suspicion.since_ms, rules, nowMs))
    )
  }
  const effects: Effect[] = []
  for (const cast of votes.filter(wanted)) {
    asked[cast.probe_id] = nowMs
    effects.push({ kind: 'ask', probe_id: cast.probe_id, cause: 'confirm' })
  }
  return { suspicion: { ...suspicion, asked }, effects }
}

/**
 * Whether a probe that has connected anew since it was asked runs what it took, nobody knows: it may have died before it began. What it
 * has told of as overdue is under way and will answer, so that one whose link comes and goes is not asked each time.
 */
function mayBeForgotten(vantage: VantageEvidence, askedMs: number, sinceMs: number, rules: MonitorRules, nowMs: number): boolean {
  if (vantage.connected_ms === null || vantage.connected_ms <= askedMs) return false
  return !vantage.overdue.some(({ started_ms }) => started_ms >= sinceMs && nowMs < started_ms + answerMs(rules))
}

/** Since when a vantage fails that passed before; in mode `hedged` a mail that is merely slow is asked about as well. */
function beganToFailMs(vantage: VantageEvidence, sinceMs: number, rules: MonitorRules, nowMs: number): number | null {
  const failing = beganToFail(vantage, sinceMs, nowMs)
  if (failing !== null) return failing.started_ms
  if (effectiveMode(rules) !== 'hedged' || failingRun(vantage, nowMs).failures.length > 0) return null
  const newestMs = vantage.tests[0]?.started_ms ?? 0
  const slow = vantage.overdue.filter(({ started_ms }) => started_ms > newestMs && nowMs < started_ms + answerMs(rules))
  return slow.length === 0 ? null : Math.max(...slow.map(({ started_ms }) => started_ms))
}

/** A pass is asked for again when another has begun to fail since it was sent; and every `againMs`. */
function passIsAskedAgain(
  { test, vantage }: CastVote,
  failingMs: readonly number[],
  askedMs: number | undefined,
  againMs: number,
  rules: MonitorRules,
  nowMs: number,
): boolean {
  if (test === null) return false
  // What is dated in the future would be asked about again and again until then.
  const newestMs = Math.max(0, ...failingMs.filter((ms) => ms <= nowMs))
  const isOutdated = test.started_ms < newestMs && (askedMs ?? 0) < newestMs
  const isOld = nowMs >= (askedMs ?? test.finished_ms) + againMs
  return (isOutdated || isOld) && slotAnswersMs(vantage, isOutdated ? newestMs : test.started_ms + 1, rules, nowMs) === null
}

/** A test that was not run is no answer: when to ask again. What has been asked for since is under way, and has its time. */
function notRunAgainMs({ reason, test }: CastVote, askedMs: number | undefined, rules: MonitorRules): number | null {
  if (reason !== 'not_run' || test === null) return null
  return askedMs === undefined || askedMs <= test.finished_ms ? test.finished_ms + lookAgainMs : askedMs + answerMs(rules)
}

/** When to ask for the re-test of a failure that came from a job; null for those that the probe tests again by itself. */
const retestByJobMs = ({ reason, test }: CastVote, rules: MonitorRules): number | null =>
  reason === 'retest_awaited' && test?.cause === 'job' ? test.finished_ms + rules.retest_wait_s * 1000 : null

/**
 * By when the vantage's own slot, begun since then, will have answered; null where none is running. Whether a probe that was not connected
 * as its slot was due has run it, nobody knows: it is not waited for.
 */
export function slotAnswersMs(vantage: VantageEvidence, sinceMs: number, rules: MonitorRules, nowMs: number): number | null {
  const startedMs = vantage.slot_started_ms
  if (startedMs === null || startedMs < sinceMs || vantage.lost) return null
  if (vantage.connected_ms !== null && vantage.connected_ms > startedMs) return null
  if (vantage.tests.some((test) => test.cause === 'slot' && test.started_ms >= startedMs - unnoticedMs)) return null
  const answersMs = startedMs + answerMs(rules)
  return nowMs < answersMs ? answersMs : null
}

export function nextWake(
  suspicion: Suspicion,
  deadlineMs: number,
  holdEndsMs: number | null,
  votes: CastVote[],
  rules: MonitorRules,
  incidentOpen: boolean,
  nowMs: number,
): number {
  const rhythmMs = rules.open_period_s * 1000
  const times = [incidentOpen ? nowMs + rhythmMs : deadlineMs]
  if (incidentOpen)
    times.push(...votes.map(({ probe_id, test }) => (suspicion.asked[probe_id] ?? test?.finished_ms ?? 0) + rhythmMs))
  times.push(holdEndsMs ?? 0)
  for (const cast of votes) {
    const { reason, test, vantage, vote } = cast
    if (reason === 'awaiting_proof' && test !== null) times.push(test.finished_ms + proofWaitMs)
    times.push(retestByJobMs(cast, rules) ?? 0, slotAnswersMs(vantage, suspicion.since_ms, rules, nowMs) ?? 0)
    if (vote === 'missing' && !incidentOpen) times.push(nowMs + lookAgainMs)
    times.push(notRunAgainMs(cast, suspicion.asked[cast.probe_id], rules) ?? 0)
  }
  return Math.min(...times.filter((time) => time > nowMs))
}
