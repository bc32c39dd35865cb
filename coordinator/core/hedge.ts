/** Mode `hedged`: the peers start as soon as a mail is merely slow, so that their votes are in when it is lost. */
import { answerMs, slotAnswersMs } from './asking.ts'
import type { Effect, Evidence, MonitorRules, MonitorState, VantageEvidence } from './evidence.ts'
import { unnoticedMs } from './probe-clock.ts'
import { effectiveMode, testsSince } from './votes.ts'

/** A slot starts with up to 3 s of jitter, and up to 30 s late where the probe was away (probe/timetable.ts). */
const slotStartSpreadMs = 33_000

type Hedging = { hedge: MonitorState['hedge']; effects: Effect[]; wake_ms: number | null }
const noHedge: Hedging = { hedge: null, effects: [], wake_ms: null }

/** In mode `hedged` the peers start as soon as a mail is merely slow. */
export function hedge(state: MonitorState, rules: MonitorRules, evidence: Evidence, nowMs: number): Hedging {
  if (effectiveMode(rules) !== 'hedged') return noHedge
  const late = evidence.vantages
    .flatMap((vantage) => vantage.overdue.map((overdue) => ({ ...overdue, vantage })))
    // Only a slot's mail starts others: what was started because of one would start them again, for as long as mail is slow.
    .filter(({ started_ms, vantage }) => isSlotStart(started_ms, vantage, rules))
    .filter(({ test_id, vantage }) => !vantage.tests.some((test) => test.id === test_id))
    .filter(({ started_ms }) => nowMs < started_ms + answerMs(rules))
    .sort((a, b) => a.started_ms - b.started_ms)
  const [first] = late
  if (first === undefined) return noHedge
  const asked = { ...state.hedge?.asked }
  const effects: Effect[] = []
  for (const { started_ms, vantage } of late) {
    for (const other of evidence.vantages) {
      const isThere = other.planned && !other.lost && other !== vantage
      if (!isThere || (asked[other.probe_id] ?? 0) >= started_ms || hasRunSince(other, started_ms)) continue
      if (slotAnswersMs(other, started_ms, rules, nowMs) !== null) continue
      asked[other.probe_id] = nowMs
      effects.push({ kind: 'ask', probe_id: other.probe_id, cause: 'confirm' })
    }
  }
  return { hedge: { asked }, effects, wake_ms: first.started_ms + answerMs(rules) }
}

const hasRunSince = (vantage: VantageEvidence, sinceMs: number): boolean =>
  testsSince(vantage, sinceMs).some(({ outcome }) => outcome !== 'not_run')

function isSlotStart(startedMs: number, { slot_started_ms }: VantageEvidence, { period_s }: MonitorRules): boolean {
  if (slot_started_ms === null) return false
  const periodMs = period_s * 1000
  const earlyMs = Math.min(unnoticedMs, periodMs / 4)
  const lateMs = Math.min(slotStartSpreadMs, periodMs / 4)
  return (((startedMs - slot_started_ms + earlyMs) % periodMs) + periodMs) % periodMs <= earlyMs + lateMs
}
