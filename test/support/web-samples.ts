/** Resources of the HTTP surface for tests of the dashboard's pure parts, with what a test does not care about filled in. */
import type { Incident, Monitor, Page, Probe, Result } from '../../coordinator/web/api/resources.ts'

export const nightMs = Date.UTC(2026, 10, 23, 3, 26, 14)
export const at = (secondsAgo: number): string => new Date(nightMs - secondsAgo * 1000).toISOString()

export const sampleMonitor = (given: Partial<Monitor> = {}): Monitor => ({
  id: 'm1',
  customer_id: 'c1',
  name: 'Head office mail',
  kind: 'roundtrip',
  target: { address: 'scout@example.com' },
  period_s: 1200,
  timeout_s: 600,
  slow_s: 120,
  retest_wait_s: 30,
  hard_confirm_s: 180,
  open_period_s: 300,
  vantages: 3,
  quorum: 2,
  mode: 'seed',
  accept_echo: false,
  created_at: at(86_400),
  decision: 'up',
  decision_reason: 'all_well',
  decision_since: at(840),
  incident_id: null,
  maintenance: null,
  verdicts: [
    { probe_id: 'p1', probe_name: 'eu-1', region: 'eu', verdict: 'pass', at: at(60), reason: 'returned', rtt_ms: 900 },
    { probe_id: 'p2', probe_name: 'us-1', region: 'us', verdict: 'pass', at: at(90), reason: 'returned', rtt_ms: 1300 },
  ],
  notices: [],
  routes: [],
  detection_bound_s: 1660,
  detection_bound_now_s: 1660,
  ...given,
})

export const sampleResult = (given: Partial<Result> = {}): Result => ({
  id: 'r1',
  monitor_id: 'm1',
  probe_id: 'p1',
  region: 'eu',
  cause: 'slot',
  attempt: 1,
  slot_at: at(10),
  started_at: at(10),
  sent_at: at(10),
  returned_at: at(9),
  outcome: 'ok',
  rtt_ms: 1000,
  stages: [],
  stamp_at: null,
  clock_offset_ms: null,
  late_returned_at: null,
  place: null,
  detail: {},
  ...given,
})

export const lost = (given: Partial<Result> = {}): Result =>
  sampleResult({ outcome: 'timeout', place: 'accepted_then_lost', returned_at: null, rtt_ms: null, ...given })

export const sampleIncident = (given: Partial<Incident> = {}): Incident => ({
  id: 'i1',
  customer_id: 'c1',
  monitor_id: 'm1',
  monitor_name: 'Head office mail',
  code: 'K7QX',
  kind: 'down',
  since_at: at(854),
  outage: null,
  opened_at: at(100),
  flapping: false,
  acknowledged_at: null,
  acknowledged_by: null,
  resolved_at: null,
  cause: { outcome: 'timeout', place: 'accepted_then_lost', text: 'mail accepted, not back in 10 min' },
  vantages: [],
  ...given,
})

export const samplePage = (given: Partial<Page> = {}): Page => ({
  id: 's1',
  customer_id: 'c1',
  incident_id: 'i1',
  kind: 'down',
  step: 0,
  round: 0,
  address: '+61 491 570 156',
  text: 'DOWN Head office mail',
  state: 'accepted',
  due_at: at(50),
  accepted_at: at(49),
  gateway: 'kannel',
  attempts: 1,
  last_error: null,
  ...given,
})

export const sampleProbe = (given: Partial<Probe> = {}): Probe => ({
  id: 'p1',
  name: 'eu-1',
  region: 'eu',
  asn: null,
  provider: null,
  return_address: 'rt@eu.probe.example',
  state: 'connected',
  health: null,
  clock_offset_ms: 2,
  fails_widely: false,
  last_seen_at: at(4),
  version: '0.1.0',
  ...given,
})
