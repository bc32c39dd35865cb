/** The resources of the HTTP surface as the dashboard reads them. Times are UTC in ISO 8601, `_s` seconds, `_ms` milliseconds. */

import type { Outcome } from '../../../common/wire/test.ts'
import type { Place } from '../../core/diagnosis.ts'
import type { Decision } from '../../core/evidence.ts'
import type { Interval, LegsState } from '../../core/legs.ts'
import type { WeeklySchedule } from '../../core/maintenance.ts'
import type { Verdict as VerdictWord } from '../../core/verdict.ts'

export type { Decision, Interval, Outcome, Place, VerdictWord }

export type Me = { scope: 'operator' | 'customer' | 'read'; customer_id: string | null; version: string }

export type Customer = { id: string; name: string }

export type Verdict = {
  probe_id: string
  probe_name: string
  region: string
  verdict: VerdictWord
  at: string | null
  reason: string | null
  rtt_ms: number | null
}

/** No outage: something that somebody should see to. */
export type MonitorNotice = { kind: string; probe_id: string; region: string; since: string; text: string }

/** One way to the target: a mail server by an address family. */
export type MonitorRoute = {
  mx: string
  family: 'ipv4' | 'ipv6'
  standing: 'ok' | 'failing' | 'unknown'
  failing_since: string | null
  tested_at: string
  passed_at: string | null
  outcome: Outcome | null
  words: string | null
}

export type Monitor = {
  id: string
  customer_id: string
  name: string
  kind: 'roundtrip' | 'smtp' | 'imap' | 'pop3'
  target: { address: string; host?: string | null; port?: number | null; tls?: unknown }
  period_s: number
  timeout_s: number
  slow_s: number
  retest_wait_s: number
  hard_confirm_s: number
  open_period_s: number
  vantages: number
  quorum: number
  mode: 'seed' | 'fast' | 'hedged'
  accept_echo: boolean
  created_at: string
  decision: Decision
  decision_reason: string | null
  decision_since: string | null
  incident_id: string | null
  maintenance: { id: string; ends_at: string } | null
  verdicts: Verdict[]
  notices: MonitorNotice[]
  /** Where there are several. */
  routes: MonitorRoute[]
  detection_bound_s: number
  /** null: nothing can be promised at this moment. */
  detection_bound_now_s: number | null
}

export type Stage = { name: string; ms: number }

export type ResultDetail = {
  server_words?: string | null
  stage?: string | null
  mx?: string | null
  address?: string | null
  dsn_status?: string | null
  dsn_words?: string | null
  reason?: string | null
}

export type Result = {
  id: string
  monitor_id: string
  probe_id: string
  region: string
  cause: string | null
  attempt: number
  slot_at: string | null
  started_at: string
  sent_at: string | null
  returned_at: string | null
  outcome: Outcome
  rtt_ms: number | null
  stages: Stage[] | null
  stamp_at: string | null
  clock_offset_ms: number | null
  late_returned_at: string | null
  place: Place | null
  detail: ResultDetail | null
}

export type IncidentVantage = { probe_id: string; region: string; verdict: VerdictWord; outcome: Outcome | null }

/** It began and ended between two tests each; null: not known, or not yet. */
export type Outage = {
  earliest_start_at: string | null
  latest_start_at: string
  earliest_end_at: string | null
  latest_end_at: string | null
}

export type Incident = {
  id: string
  customer_id: string
  monitor_id: string
  monitor_name: string
  code: string
  kind: 'down' | 'unconfirmed'
  since_at: string
  outage: Outage | null
  opened_at: string
  flapping: boolean
  acknowledged_at: string | null
  acknowledged_by: string | null
  resolved_at: string | null
  cause: { outcome: Outcome | null; place: Place | null; text: string } | null
  vantages: IncidentVantage[]
}

export type IncidentEvent = { id: string; at: string; type: string; detail: unknown }

export type Page = {
  id: string
  customer_id: string | null
  incident_id: string | null
  kind: string
  step: number | null
  round: number | null
  address: string
  text: string
  state: 'pending' | 'sending' | 'accepted' | 'failed' | 'cancelled'
  due_at: string
  accepted_at: string | null
  gateway: string | null
  attempts: number
  last_error: string | null
}

export type Probe = {
  id: string
  name: string
  region: string
  asn: number | null
  provider: string | null
  return_address: string | null
  state: 'pending' | 'connected' | 'lost' | 'retired'
  health: Record<string, unknown> | null
  clock_offset_ms: number | null
  fails_widely: boolean
  last_seen_at: string | null
  version: string | null
}

export type LegsOfTest = {
  result_id: string
  probe_id: string
  region: string
  sent_at: string
  outbound_ms: Interval | null
  return_ms: Interval | null
}

export type LegsReading = {
  monitor_id: string
  state: LegsState
  offset_ms: number | null
  error_ms: number | null
  error_assumed: boolean
  since: string | null
  step_ms: number | null
  runs: number
  notice: string | null
  data: LegsOfTest[]
}

export type MaintenanceWindow = {
  id: string
  name: string
  monitor_ids: string[] | null
  starts_at: string | null
  ends_at: string | null
  weekly: WeeklySchedule | null
  /** Its present or next stretch; null where none comes any more. */
  next: { starts_at: string; ends_at: string } | null
}

export type Availability = {
  from: string
  to: string
  availability_min: number | null
  availability_max: number | null
  outages: number
  observed_s: number
  pending_s: number
  maintenance_s: number
  unconfirmed_s: number
}

export type ResponderGuide = {
  system: string
  config: unknown
  files: { path: string; mode: string; content: string }[]
  steps: string[]
}

export type List<T> = { data: T[]; next_cursor: string | null }
