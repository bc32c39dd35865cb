/** Mode `hedged`: the peers start as soon as a mail is merely slow, so that their votes are in when it is lost. */
import { answerMs, slotAnswersMs } from './asking.ts'
import type { Effect, Evidence, MonitorRules, MonitorState, VantageEvidence } from './evidence.ts'
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
  const wake_ms = first.started_ms + answerMs(rules)
  const fresh = late.find(({ started_ms }) => state.hedge === null || started_ms > state.hedge.since_ms)
  if (fresh === undefined) return { hedge: state.hedge, effects: [], wake_ms }
  const asked: Record<string, number> = {}
  const effects: Effect[] = []
  for (const vantage of evidence.vantages) {
    if (!vantage.planned || vantage.lost || vantage === fresh.vantage) continue
    if (testsSince(vantage, fresh.started_ms).length > 0) continue
    if (slotAnswersMs(vantage, fresh.started_ms, rules, nowMs) !== null) continue
    asked[vantage.probe_id] = nowMs
    effects.push({ kind: 'ask', probe_id: vantage.probe_id, cause: 'confirm' })
  }
  return { hedge: { test_id: fresh.test_id, since_ms: nowMs, asked }, effects, wake_ms }
}

function isSlotStart(startedMs: number, { slot_started_ms }: VantageEvidence, { period_s }: MonitorRules): boolean {
  if (slot_started_ms === null) return false
  const periodMs = period_s * 1000
  return (((startedMs - slot_started_ms) % periodMs) + periodMs) % periodMs <= Math.min(slotStartSpreadMs, periodMs / 4)
}
