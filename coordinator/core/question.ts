/**
 * The questions of a suspicion. The first is that of the failing test which opened it. Each vantage that passed and has begun to fail
 * asks another: whether mail has stopped since then. Otherwise what passed before a new outage would speak against it for as long as an
 * older trouble of one vantage is under discussion.
 */
import { answerMs, reportGraceMs } from './asking.ts'
import type { MonitorRules, MonitorState, Suspicion, VantageEvidence } from './evidence.ts'
import { isHardFailure, type TestFact } from './verdict.ts'
import { beganToFail } from './votes.ts'

/** Vantages' tests that started up to here have been judged, and ask nothing any more. */
export const settledMs = (
  { settled, settled_all_ms }: Pick<MonitorState, 'settled' | 'settled_all_ms'>,
  { probe_id }: VantageEvidence,
): number => Math.max(settled_all_ms, settled[probe_id] ?? 0)

/** The oldest first; each with what was asked since its first failing test. */
export function otherQuestions(
  state: MonitorState,
  suspicion: Suspicion,
  vantages: readonly VantageEvidence[],
  rules: MonitorRules,
  nowMs: number,
): Suspicion[] {
  const questions = vantages.flatMap((vantage): Suspicion[] => {
    const test = beganToFail(vantage, settledMs(state, vantage) + 1, nowMs)
    if (test === null || test.id === suspicion.first_test_id) return []
    const asked = Object.entries(suspicion.asked).filter(([, askedMs]) => askedMs >= test.started_ms)
    return [
      {
        ...suspicion,
        first_test_id: test.id,
        first_probe_id: vantage.probe_id,
        since_ms: test.started_ms,
        deadline_ms: deadlineOf(test, rules, Math.min(nowMs, test.finished_ms)),
        asked: Object.fromEntries(asked),
      },
    ]
  })
  return questions.sort((a, b) => a.since_ms - b.since_ms)
}

/** How long after the first failing test was sent its question stays open: for two timeouts, with the wait between them. */
export const questionMs = (rules: MonitorRules): number => (2 * rules.timeout_s + rules.retest_wait_s) * 1000 + reportGraceMs

/**
 * When a question that was opened at `nowMs` is given up. Who hears of the failure late, as from a probe that was cut off, still gives
 * the others the time to answer.
 */
export function deadlineOf(test: TestFact, rules: MonitorRules, nowMs: number): number {
  const hardMs = isHardFailure(test.outcome) ? rules.hard_confirm_s * 1000 + answerMs(rules) : 0
  return Math.max(test.started_ms + Math.max(questionMs(rules), hardMs), nowMs + answerMs(rules))
}
