/** A monitor as the API and the event stream show it. */
import { type Static, Type } from 'typebox'
import { isoTime } from '../../common/durations.ts'
import { Target } from '../../common/wire/test.ts'
import { detectionBoundS } from '../core/detection-bound.ts'
import { standingVerdict } from '../core/verdict.ts'
import type { MonitorRow, StandingTest } from '../store/monitors.ts'
import { Id, Name, Num, oneOf, orNull, Seconds, Text, Time } from './schemas.ts'

export const decisions = ['pending', 'up', 'slow', 'suspected', 'partial', 'down', 'unconfirmed'] as const
export const verdicts = ['pass', 'slow', 'fail', 'abstain', 'no_data'] as const

/** What can be set, with the bounds that hold whatever the contract grants. */
export const monitorSettings = {
  name: Name,
  kind: oneOf('roundtrip'),
  target: Target,
  period_s: Seconds(1, 86_400),
  timeout_s: Seconds(2, 6 * 3600),
  slow_s: Seconds(1, 6 * 3600),
  retest_wait_s: Seconds(1, 3600),
  hard_confirm_s: Seconds(0, 3600),
  open_period_s: Seconds(1, 86_400),
  vantages: Type.Integer({ minimum: 1, maximum: 50 }),
  quorum: Type.Integer({ minimum: 1, maximum: 50 }),
  mode: oneOf('seed', 'fast', 'hedged'),
  accept_echo: Type.Boolean(),
  escalation_policy_id: Type.Union([Id, Type.Null()]),
}

export const Verdict = Type.Object({
  probe_id: Id,
  probe_name: Text,
  region: Text,
  verdict: oneOf(...verdicts),
  at: orNull(Time),
  reason: Text,
  rtt_ms: orNull(Num),
})

export const Monitor = Type.Object({
  id: Id,
  customer_id: Id,
  ...monitorSettings,
  escalation_policy_id: orNull(Id),
  generation: Type.Integer(),
  created_at: Time,
  decision: oneOf(...decisions),
  decision_reason: Text,
  decision_since: Time,
  incident_id: orNull(Id),
  maintenance: Type.Union([Type.Object({ id: Id, ends_at: Time }), Type.Null()], { description: 'Now: nobody is paged' }),
  verdicts: Type.Array(Verdict),
  detection_bound_s: Type.Number({ description: 'From outage to SMS, at most, while enough vantages are healthy (seconds)' }),
})
export type Monitor = Static<typeof Monitor>

export function showMonitor({
  standing,
  now_ms,
  created_at,
  decision_since,
  decision,
  maintenance,
  ...row
}: MonitorRow): Monitor {
  return {
    ...row,
    maintenance: maintenance === null ? null : { id: maintenance.id, ends_at: isoTime(maintenance.ends_ms) },
    decision: decision as Monitor['decision'],
    created_at: isoTime(created_at),
    decision_since: isoTime(decision_since),
    verdicts: standing.map((vantage) => showVerdict(vantage, row, now_ms)),
    detection_bound_s: detectionBoundS(row),
  }
}

function showVerdict(
  { test, probe_id, probe_name, region, rtt_ms, ...evidence }: StandingTest,
  timing: { period_s: number; timeout_s: number },
  nowMs: number,
): Static<typeof Verdict> {
  const { verdict, reason } = standingVerdict(test, evidence, timing, nowMs)
  return { probe_id, probe_name, region, verdict, at: test === null ? null : isoTime(test.finished_ms), reason, rtt_ms }
}
