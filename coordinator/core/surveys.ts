/** When the routes of a monitor's target are surveyed, and by whom: every hour, by one vantage after the other, and never in trouble. */
import { createHash } from 'node:crypto'
import { hourMs, minuteMs } from '../../common/durations.ts'
import type { Decision } from './evidence.ts'

export type SurveyCase = {
  due_ms: number
  decision: Decision
  /** A question is open, whatever the decision still says. */
  suspected: boolean
  has_incident: boolean
  /** Those that the monitor is planned for. */
  vantages: { probe_id: string; lost: boolean }[]
  /** Who made the last one. */
  last_probe_id: string | null
}

export type SurveyPlan = { probe_id: string; reason: 'due' } | { probe_id: null; reason: 'missed' | 'in_question' | 'no_vantage' }

const periodMs = hourMs
/** Surveys that nobody could order in time are not caught up: after a night without a coordinator all would be due at once. */
const lateMsMax = 10 * minuteMs
const settled: readonly Decision[] = ['up', 'slow', 'partial']

/** Whose turn it is: the next one after the last, so that no probe says the same thing twice where there are several. */
export function planSurvey(monitor: SurveyCase, nowMs: number): SurveyPlan {
  const { due_ms, decision, suspected, has_incident, vantages, last_probe_id } = monitor
  if (nowMs - due_ms > lateMsMax) return { probe_id: null, reason: 'missed' }
  // Before the first return nobody has proved that we may mail there, and in trouble every mail is one that counts.
  if (!settled.includes(decision) || suspected || has_incident) return { probe_id: null, reason: 'in_question' }
  const ids = vantages.filter(({ lost }) => !lost).map(({ probe_id }) => probe_id)
  const inTurn = ids.toSorted()
  const next = inTurn.find((id) => last_probe_id !== null && id > last_probe_id) ?? inTurn[0]
  return next === undefined ? { probe_id: null, reason: 'no_vantage' } : { probe_id: next, reason: 'due' }
}

/** The monitor's own minute of the hour: drawn from its id, so that all of them are spread evenly and each stays where it is. */
export function nextSurveyMs(monitorId: string, nowMs: number): number {
  const draw = createHash('sha256').update(`survey ${monitorId}`).digest().readUInt32BE()
  const phaseMs = Math.floor((draw / 2 ** 32) * periodMs)
  return (Math.floor((nowMs - phaseMs) / periodMs) + 1) * periodMs + phaseMs
}
