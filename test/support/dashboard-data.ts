/** Deterministic resources for the dashboard: the same instant gives the same pictures. */
import type {
  Availability,
  Customer,
  Decision,
  Incident,
  IncidentEvent,
  LegsReading,
  MaintenanceWindow,
  Me,
  Monitor,
  Outcome,
  Page,
  Probe,
  Result,
  Verdict,
  VerdictWord,
} from '../../coordinator/web/api/resources.ts'

export type DashboardScene = 'well' | 'incident' | 'maintenance' | 'empty' | 'crowd'

export type DashboardData = {
  me: Me
  customers: Customer[]
  monitors: Monitor[]
  incidents: Incident[]
  events: Record<string, IncidentEvent[]>
  pages: Page[]
  probes: Probe[]
  results: Record<string, Result[]>
  windows: MaintenanceWindow[]
  availability: Availability
  legs: Record<string, LegsReading>
}

/** 23 Nov 2026, 03:26:14 UTC: somebody has just been woken. */
export const sceneStartMs = Date.UTC(2026, 10, 23, 3, 26, 14)

const secondMs = 1000
const minuteMs = 60 * secondMs
const iso = (timeMs: number): string => new Date(timeMs).toISOString()
export const fixtureId = (kind: number, index: number): string =>
  `01936a00-000${kind}-7000-8000-${String(index).padStart(12, '0')}`

/** Always the same noise in 0 … 1 for the same numbers (a common integer hash). */
function noise(a: number, b: number): number {
  let mixed = Math.imul(a + 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x165667b1, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}

const regions = ['ap', 'eu', 'us', 'sa', 'af', 'me', 'oc', 'ca']
const regionDelayMs = [1900, 640, 1150, 1500, 2300, 1700, 2100, 1200]
const probeId = (place: number) => fixtureId(1, place + 1)

export function sceneData(scene: DashboardScene, nowMs: number): DashboardData {
  const base: DashboardData = {
    me: { scope: 'operator', customer_id: null, version: '0.1.0' },
    customers: [{ id: fixtureId(9, 1), name: 'Example Pty Ltd' }],
    monitors: [],
    incidents: [],
    events: {},
    pages: [],
    probes: [],
    results: {},
    windows: windows(nowMs),
    availability: availability(nowMs),
    legs: {},
  }
  if (scene === 'empty') return base
  if (scene === 'crowd') return crowd(base, nowMs)
  const outage =
    scene === 'incident' || scene === 'maintenance'
      ? { fromMs: nowMs - 24 * minuteMs - 9_000, toMs: Number.POSITIVE_INFINITY }
      : null
  const specs = [
    monitor({ index: 1, name: 'Head office mail', address: 'scout@example.com', decision: outage === null ? 'up' : 'down' }),
    monitor({ index: 2, name: 'Branch Sydney', address: 'scout@sydney.example.com', decision: 'up' }),
    monitor({ index: 3, name: 'Newsletter relay', address: 'rt@lists.example.net', decision: outage === null ? 'up' : 'slow' }),
  ]
  const data = { ...base, probes: probes(3, nowMs) }
  for (const [index, spec] of specs.entries()) {
    data.results[spec.id] = results(spec, 3, nowMs, index === 0 ? outage : null, index === 2 && outage !== null ? 95_000 : 0)
    data.legs[spec.id] = legs(spec, data.results[spec.id] ?? [], index === 1 ? 94_000 : 0)
    data.monitors.push({ ...spec, verdicts: verdictsFrom(data.results[spec.id] ?? [], 3, spec.decision) })
  }
  addPastIncident(data, nowMs)
  if (outage !== null) addOpenIncident(data, outage.fromMs, nowMs)
  if (scene === 'maintenance') putInMaintenance(data, nowMs)
  return data
}

/** The same outage in an announced window: it is open, and nobody has been told. */
function putInMaintenance(data: DashboardData, nowMs: number): void {
  const [monitor] = data.monitors
  const [incident] = data.incidents
  const [window] = data.windows
  if (monitor === undefined || incident === undefined || window === undefined) return
  const ends_at = iso(nowMs + 34 * minuteMs - 14 * secondMs)
  monitor.maintenance = { id: window.id, ends_at }
  data.pages = data.pages.filter((page) => page.incident_id !== incident.id)
  const [opened] = (data.events[incident.id] ?? []).toReversed()
  const held = { id: fixtureId(6, 9), at: opened?.at ?? iso(nowMs), type: 'page_suppressed_by_maintenance' }
  data.events[incident.id] = [
    ...(opened === undefined ? [] : [opened]),
    { ...held, detail: { window_id: window.id, until: ends_at } },
  ]
}

function windows(nowMs: number): MaintenanceWindow[] {
  const span = (fromMs: number, minutes: number) => ({ starts_at: iso(fromMs), ends_at: iso(fromMs + minutes * minuteMs) })
  const move = span(nowMs - 26 * minuteMs - 14 * secondMs, 60)
  const weekly = { days: ['sat' as const, 'sun' as const], start_time: '22:00', duration_s: 7200, time_zone: 'Australia/Sydney' }
  return [
    { id: fixtureId(7, 1), name: 'Mail server move', monitor_ids: [fixtureId(2, 1)], ...move, weekly: null, next: move },
    {
      id: fixtureId(7, 2),
      name: 'Patches',
      monitor_ids: null,
      ...{ starts_at: null, ends_at: null, weekly },
      next: span(Date.UTC(2026, 10, 28, 11), 120),
    },
  ]
}

const availability = (nowMs: number): Availability => ({
  from: iso(nowMs - 30 * 24 * 60 * minuteMs),
  to: iso(nowMs),
  availability_min: 0.99871,
  availability_max: 0.99926,
  outages: 2,
  observed_s: 30 * 86_400 - 7200,
  pending_s: 0,
  maintenance_s: 7200,
  unconfirmed_s: 0,
})

type MonitorSpec = { index: number; name: string; address: string; decision: Decision; customer?: number }

function monitor({ index, name, address, decision, customer = 1 }: MonitorSpec): Monitor {
  const reasons: Record<Decision, string> = {
    up: 'all_well',
    slow: 'mail_is_slow',
    down: 'quorum_fails',
    partial: 'some_vantages_pass',
    pending: 'no_return_yet',
    suspected: 'test_failed',
    unconfirmed: 'votes_stayed_out',
  }
  return {
    id: fixtureId(2, index),
    customer_id: fixtureId(9, customer),
    name,
    kind: 'roundtrip',
    target: { address },
    period_s: 300,
    timeout_s: 600,
    slow_s: 120,
    retest_wait_s: 30,
    hard_confirm_s: 180,
    open_period_s: 300,
    vantages: 3,
    quorum: 2,
    mode: 'seed',
    accept_echo: false,
    created_at: iso(sceneStartMs - 40 * 24 * 60 * minuteMs),
    decision,
    decision_reason: reasons[decision],
    decision_since: iso(sceneStartMs - 14 * minuteMs),
    incident_id: decision === 'down' ? fixtureId(3, 1) : null,
    maintenance: null,
    verdicts: [],
    notices: [],
    routes: [],
    detection_bound_s: 1660,
    detection_bound_now_s: decision === 'pending' ? null : 1660,
  }
}

/** A clock that is known within 0.6 s; mails that were held have legs, the quickest have none. */
function legs(spec: Monitor, all: readonly Result[], aheadMs: number): LegsReading {
  const stamped = all.filter((result) => result.stamp_at !== null)
  const data = stamped
    .slice(-12)
    .reverse()
    .map((result, index) => {
      const wayMs = result.rtt_ms ?? 0
      const outMs = wayMs * (0.3 + 0.5 * noise(index, 5))
      const known = wayMs > 1200
      const span = (ms: number) => ({ min: Math.max(0, ms - 300), max: Math.min(wayMs, ms + 300) })
      const { id: result_id, probe_id, region } = result
      const sent_at = result.sent_at ?? result.started_at
      const shown = { outbound_ms: known ? span(outMs) : null, return_ms: known ? span(wayMs - outMs) : null }
      return { result_id, probe_id, region, sent_at, ...shown }
    })
  return {
    monitor_id: spec.id,
    state: 'known',
    offset_ms: aheadMs + 12.4,
    error_ms: 612.4,
    error_assumed: false,
    since: stamped[0]?.sent_at ?? null,
    step_ms: null,
    runs: stamped.length,
    notice: aheadMs > 30_000 ? `your server's clock is ${aheadMs / 1000} s ahead` : null,
    data,
  }
}

type Outage = { fromMs: number; toMs: number }

/** A day of tests, oldest first: every vantage at its phase, timeouts in the outage, a slow one here and there. */
function results(spec: Monitor, vantages: number, nowMs: number, outage: Outage | null, extraMs: number): Result[] {
  const periodMs = spec.period_s * secondMs
  const made: Result[] = []
  for (let slot = -288; slot <= 0; slot += 1) {
    for (let place = 0; place < vantages; place += 1) {
      const startedMs = Math.floor(nowMs / periodMs) * periodMs + slot * periodMs + (place * periodMs) / vantages
      const down = outage !== null && startedMs >= outage.fromMs - 20_000 && startedMs < outage.toMs
      const rttMs = Math.round((regionDelayMs[place] ?? 1000) * (0.75 + 0.7 * noise(slot, place)) + spike(slot, place) + extraMs)
      const endMs = startedMs + (down ? spec.timeout_s * secondMs : rttMs)
      if (endMs > nowMs) continue
      made.push(down ? lostResult(spec, slot, place, startedMs) : returnedResult(spec, slot, place, startedMs, rttMs))
    }
  }
  return made.sort((a, b) => (a.started_at < b.started_at ? -1 : 1))
}

const spike = (slot: number, place: number): number => (noise(slot * 7, place + 31) > 0.985 ? 38_000 : 0)

function returnedResult(spec: Monitor, slot: number, place: number, startedMs: number, rttMs: number): Result {
  const sentMs = startedMs + 120
  return {
    ...resultBase(spec, slot, place, startedMs),
    sent_at: iso(sentMs),
    returned_at: iso(sentMs + rttMs),
    outcome: rttMs > spec.slow_s * secondMs ? 'slow' : 'ok',
    rtt_ms: rttMs,
    stages: [
      { name: 'route', ms: 3 + Math.round(9 * noise(slot, 71)) },
      { name: 'connect', ms: 18 + place * 61 },
      { name: 'banner', ms: 22 },
      { name: 'tls', ms: 41 + place * 40 },
      { name: 'data', ms: 38 },
      { name: 'return', ms: rttMs },
    ],
    stamp_at: iso(sentMs + rttMs / 2),
  }
}

function lostResult(spec: Monitor, slot: number, place: number, startedMs: number): Result {
  const refused = place === 2
  const late = slot === -5 && place === 1
  return {
    ...resultBase(spec, slot, place, startedMs),
    sent_at: refused ? null : iso(startedMs + 120),
    outcome: refused ? 'refused' : 'timeout',
    detail: refused
      ? { server_words: '550 5.7.1 <scout@example.com>: Recipient address rejected', stage: 'rcpt', mx: 'mx1.example.com' }
      : { reason: 'Accepted by mx1.example.com and not seen again' },
    late_returned_at: late ? iso(startedMs + 14 * minuteMs) : null,
    place: refused ? 'refused' : late ? 'return_leg' : 'accepted_then_lost',
  }
}

function resultBase(spec: Monitor, slot: number, place: number, startedMs: number): Result {
  const serial = (slot + 400) * 10 + place
  return {
    id: fixtureId(5, Number(spec.id.slice(-4)) * 1_000_000 + serial),
    monitor_id: spec.id,
    probe_id: probeId(place),
    region: regions[place] ?? 'eu',
    cause: 'slot',
    attempt: 1,
    slot_at: iso(startedMs),
    started_at: iso(startedMs),
    sent_at: null,
    returned_at: null,
    outcome: 'ok',
    rtt_ms: null,
    stages: [{ name: 'route', ms: 4 }],
    stamp_at: null,
    clock_offset_ms: 2,
    late_returned_at: null,
    place: null,
    detail: {},
  }
}

const verdictOf = (outcome: Outcome): VerdictWord => (outcome === 'ok' ? 'pass' : outcome === 'slow' ? 'slow' : 'fail')

function verdictsFrom(all: readonly Result[], vantages: number, decision: Decision): Verdict[] {
  return Array.from({ length: vantages }, (_, place): Verdict => {
    const last = all.findLast((result) => result.probe_id === probeId(place))
    const verdict = last === undefined || decision === 'pending' ? 'no_data' : verdictOf(last.outcome)
    return {
      probe_id: probeId(place),
      probe_name: `${regions[place]}-1`,
      region: regions[place] ?? 'eu',
      verdict,
      at: verdict === 'no_data' ? null : (last?.returned_at ?? iso(Date.parse(last?.started_at ?? '') + 600_000)),
      reason: verdict === 'no_data' ? 'no_test_yet' : verdict === 'fail' ? 'failed' : 'returned',
      rtt_ms: verdict === 'no_data' ? null : (last?.rtt_ms ?? null),
    }
  })
}

function probes(count: number, nowMs: number): Probe[] {
  return Array.from({ length: count }, (_, place) => ({
    id: probeId(place),
    name: `${regions[place]}-1`,
    region: regions[place] ?? 'eu',
    asn: 64_500 + place,
    provider: 'Example Cloud',
    return_address: `rt@${regions[place]}.probe.example`,
    state: place === 6 ? ('lost' as const) : ('connected' as const),
    health: {
      version: '0.1.0',
      inbox_ok: place !== 5,
      inbox_detail: place === 5 ? 'IMAP login refused' : '',
      spool_depth: place === 7 ? 212 : 0,
      tests_running: place % 3,
      clock_offset_ms: 2,
      clock_error_ms: 8,
    },
    clock_offset_ms: [2.4, -11, 0.2, 37, -1840, 5, null, 12][place] ?? null,
    fails_widely: false,
    last_seen_at: iso(nowMs - (place === 6 ? 41 * minuteMs : (4 + place * 3) * secondMs)),
    version: '0.1.0',
  }))
}

const downText = 'DOWN Head office mail since 03:02 UTC 23 Nov: mail accepted, not back in 10 min. Agreed: ap, eu. Code K7QX'

function addOpenIncident(data: DashboardData, sinceMs: number, nowMs: number): void {
  const openedMs = sinceMs + 13 * minuteMs
  const vantages = [
    { probe_id: probeId(0), region: 'ap', verdict: 'fail' as const, outcome: 'timeout' as const },
    { probe_id: probeId(1), region: 'eu', verdict: 'fail' as const, outcome: 'timeout' as const },
    { probe_id: probeId(2), region: 'us', verdict: 'fail' as const, outcome: 'refused' as const },
  ]
  const incident: Incident = {
    id: fixtureId(3, 1),
    customer_id: fixtureId(9, 1),
    monitor_id: fixtureId(2, 1),
    monitor_name: 'Head office mail',
    code: 'K7QX',
    kind: 'down',
    since_at: iso(sinceMs),
    outage: {
      earliest_start_at: iso(sinceMs - 98_000),
      latest_start_at: iso(sinceMs),
      earliest_end_at: null,
      latest_end_at: null,
    },
    opened_at: iso(openedMs),
    flapping: false,
    acknowledged_at: null,
    acknowledged_by: null,
    resolved_at: null,
    cause: { outcome: 'timeout', place: 'accepted_then_lost', text: 'mail accepted, not back in 10 min' },
    vantages,
  }
  const votes = vantages.map(({ verdict, ...vote }) => ({ ...vote, vote: verdict, reason: 'failed', test_id: null }))
  const log: [number, string, unknown][] = [
    [openedMs, 'opened', { kind: 'down', code: 'K7QX', cause: incident.cause, votes }],
    [openedMs + 4, 'paged', { step: 0, round: 0, to: ['Robin Meyer'] }],
    [openedMs + 1240, 'page_accepted', { kind: 'down', to: '+61 491 570 156', gateway: 'kannel', attempts: [] }],
    [nowMs - 2 * minuteMs, 'paged', { step: 1, round: 0, to: ['Sam Okafor', 'operator'] }],
  ]
  data.incidents.unshift(incident)
  data.events[incident.id] = log
    .map(([atMs, type, detail], index) => ({ id: fixtureId(6, index + 1), at: iso(atMs), type, detail }))
    .reverse()
  data.pages.unshift(
    page({ index: 3, step: 1, dueMs: nowMs - 2 * minuteMs, text: downText, address: '+61 491 570 157', accepted: false }),
    page({ index: 2, step: 0, dueMs: openedMs, text: downText, address: '+61 491 570 156', accepted: true }),
  )
}

type PageSpec = { index: number; step: number; dueMs: number; text: string; address: string; accepted: boolean; kind?: string }

const page = ({ index, step, dueMs, text, address, accepted, kind = 'down' }: PageSpec): Page => ({
  id: fixtureId(4, index),
  customer_id: fixtureId(9, 1),
  incident_id: fixtureId(3, kind === 'resolved' ? 2 : 1),
  kind,
  step,
  round: 0,
  address,
  text,
  state: accepted ? 'accepted' : 'sending',
  due_at: iso(dueMs),
  accepted_at: accepted ? iso(dueMs + 1240) : null,
  gateway: accepted ? 'kannel' : null,
  attempts: accepted ? 1 : 2,
  last_error: accepted ? null : 'kannel: 503 Service Unavailable',
})

function addPastIncident(data: DashboardData, nowMs: number): void {
  const sinceMs = nowMs - 3 * 24 * 60 * minuteMs
  const resolvedMs = sinceMs + 47 * minuteMs
  data.incidents.push({
    id: fixtureId(3, 2),
    customer_id: fixtureId(9, 1),
    monitor_id: fixtureId(2, 1),
    monitor_name: 'Head office mail',
    code: 'M3RT',
    kind: 'down',
    since_at: iso(sinceMs),
    outage: {
      earliest_start_at: iso(sinceMs - 100_000),
      latest_start_at: iso(sinceMs),
      earliest_end_at: iso(resolvedMs - 160_000),
      latest_end_at: iso(resolvedMs - 60_000),
    },
    opened_at: iso(sinceMs + 4 * minuteMs),
    flapping: false,
    acknowledged_at: iso(sinceMs + 9 * minuteMs),
    acknowledged_by: 'key “Robin’s phone”',
    resolved_at: iso(resolvedMs),
    cause: { outcome: 'unreachable', place: 'connection', text: 'no connection to mx1.example.com' },
    vantages: [
      { probe_id: probeId(0), region: 'ap', verdict: 'fail', outcome: 'unreachable' },
      { probe_id: probeId(1), region: 'eu', verdict: 'fail', outcome: 'unreachable' },
      { probe_id: probeId(2), region: 'us', verdict: 'abstain', outcome: 'unreachable' },
    ],
  })
  const text = 'UP Head office mail since 04:13 UTC 20 Nov, after 47 min. Mail returns to: ap, eu, us. Code M3RT'
  data.pages.push(
    page({ index: 1, step: 0, dueMs: resolvedMs, text, address: '+61 491 570 156', accepted: true, kind: 'resolved' }),
  )
}

/** Every decision, long names, many vantages, two customers: what a layout must bear. */
function crowd(base: DashboardData, nowMs: number): DashboardData {
  const names = [
    'Universitätsklinikum Musterstadt, Zentrale Postfächer der Verwaltung und Forschung (Exchange on-premises, DAG 2)',
    'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft',
    'Branch Perth',
    'Hosting cluster 7',
    'Law firm Oak & Partners',
    'City library',
    'School district west',
    'Harbour authority',
    'Clinic north',
    'Printing house',
  ]
  const decisions: Decision[] = ['unconfirmed', 'partial', 'suspected', 'pending', 'slow', 'up', 'up', 'up', 'up', 'up']
  const data: DashboardData = { ...base, probes: probes(8, nowMs) }
  data.customers.push({ id: fixtureId(9, 2), name: 'Hosting Mustermann GmbH & Co. KG' })
  for (const [index, name] of names.entries()) {
    const vantages = index === 0 ? 8 : 3
    const address =
      index === 0 ? `probe+${'very-long-local-part-'.repeat(2)}scout@mail.zentrale.klinikum.example` : `scout@c${index}.example`
    const spec = {
      ...monitor({ index: index + 10, name, address, decision: decisions[index] ?? 'up', customer: 1 + (index % 2) }),
      vantages,
    }
    const made = spec.decision === 'pending' ? [] : results(spec, vantages, nowMs, null, 0)
    data.results[spec.id] = made
    const verdicts = verdictsFrom(made, vantages, spec.decision)
    const second = verdicts[1]
    if (spec.decision === 'partial' && second !== undefined) {
      verdicts[1] = { ...second, verdict: 'fail', reason: 'failed', rtt_ms: null }
    }
    if (index === 0)
      for (const place of [2, 5])
        verdicts[place] = {
          ...(verdicts[place] ?? verdicts[0]),
          verdict: 'abstain',
          reason: 'probe_unproven',
          rtt_ms: null,
        } as Verdict
    data.monitors.push({ ...spec, verdicts })
  }
  return data
}
