/** What the flows would have written: probes that have enrolled, assignments, results, incidents, pages. For tests of who reads them. */
import { isoTime } from '../../common/durations.ts'
import { systemRuntime, uuidv7 } from '../../common/runtime.ts'
import { createKeyPair } from '../../common/wire/keys.ts'
import type { Outcome, TestPlan } from '../../common/wire/test.ts'
import { initialMonitorState } from '../../coordinator/core/judgement.ts'
import { newIncident } from '../../coordinator/core/suspicion.ts'
import { insertAssignment } from '../../coordinator/store/assignments.ts'
import type { Sql } from '../../coordinator/store/connection.ts'
import { insertIncident, insertIncidentEvent } from '../../coordinator/store/incident-log.ts'
import { insertResults } from '../../coordinator/store/ingest.ts'
import { insertPage } from '../../coordinator/store/outbox.ts'
import { openSession, saveEnrolment } from '../../coordinator/store/probe-link.ts'
import { insertProbe } from '../../coordinator/store/probes.ts'
import { uptimeOf } from './uptime.ts'

const newId = () => uuidv7(systemRuntime)

export type RecordedMonitor = { id: string; customer_id: string }

/** A probe that has enrolled and is connected. */
export async function addProbe(sql: Sql, region: string, name = `probe-${region}`): Promise<{ id: string; region: string }> {
  const id = newId()
  const { x, kid } = createKeyPair()
  await insertProbe(sql, { id, name, region, asn: null, provider: null })
  await saveEnrolment(sql, { id, x, kid, returnAddress: `rt@${region}.probe.example`, version: '1.0.0' })
  await openSession(sql, id, { id: newId(), coordinatorId: newId(), version: '1.0.0' })
  return { id, region }
}

export async function addAssignment(sql: Sql, monitor: RecordedMonitor, probeId: string, phase_ms = 0): Promise<void> {
  const plan: TestPlan = {
    monitor_id: monitor.id,
    kind: 'roundtrip',
    target: { address: 'scout@x.example' },
    period_s: 1200,
    timeout_s: 600,
    slow_s: 120,
    retest_wait_s: 30,
    hard_confirm_s: 180,
    open_period_s: 300,
    accept_echo: false,
  }
  const rate = { generation: 1, epoch_ms: systemRuntime.wallMs(), phase_ms, first_slot: 0, last_slot: null }
  await insertAssignment(sql, monitor.customer_id, probeId, { id: newId(), ...rate, plan })
}

export async function addResult(
  sql: Sql,
  monitor: RecordedMonitor,
  probe: { id: string; region: string },
  result: { outcome: Outcome; startedMs: number; rttMs?: number },
): Promise<string> {
  const id = newId()
  const { outcome, startedMs, rttMs = null } = result
  await insertResults(sql, probe, [
    {
      id,
      customer_id: monitor.customer_id,
      monitor_id: monitor.id,
      generation: 1,
      cause: 'slot',
      job_id: null,
      attempt: 1,
      first_test_id: null,
      slot: 0,
      slot_at: startedMs,
      started_at: startedMs,
      sent_at: startedMs + 200,
      returned_at: rttMs === null ? null : startedMs + rttMs,
      finished_at: startedMs + (rttMs ?? 600_000),
      outcome,
      rtt_ms: rttMs,
      stages: [{ name: 'connect', ms: 12.5 }],
      stamp_at: rttMs === null ? null : startedMs + 300,
      clock_offset_ms: 1.25,
      ...uptimeOf(startedMs, startedMs + (rttMs ?? 600_000)),
      detail: { mx: 'mx.x.example', server_words: '250 ok' },
    },
  ])
  return id
}

/** An open incident with one event, one page to the customer's contact and one to the operator; its monitor is down. */
export async function addIncident(
  sql: Sql,
  monitor: RecordedMonitor,
  probeId: string,
  code: string,
): Promise<{ id: string; pageId: string; operatorPageId: string }> {
  const { customer_id, id: monitor_id } = monitor
  const nowMs = systemRuntime.wallMs()
  const incident = { customer_id, id: newId() }
  const vote = { probe_id: probeId, region: 'eu', vote: 'fail', reason: 'failed', outcome: 'timeout', test_id: null } as const
  const cause = { outcome: 'timeout', place: 'accepted_then_lost', text: 'mail accepted, not back in 10 min' } as const
  await insertIncident(sql, {
    ...incident,
    monitor_id,
    code,
    kind: 'down',
    since_at: nowMs - 700_000,
    last_good_at: nowMs - 1_900_000,
    opened_at: nowMs,
    flapping: false,
    cause,
    vantages: [vote],
  })
  await sql`update incidents set next_step = 1, next_round = 0, next_step_at = ${nowMs + 600_000} where id = ${incident.id}`
  await insertIncidentEvent(sql, {
    ...incident,
    incident_id: incident.id,
    id: newId(),
    at_ms: nowMs,
    type: 'opened',
    detail: { code },
  })
  const page = { customer_id, incident_id: incident.id, kind: 'down' as const, step: 0, round: 0, contact_method_id: null }
  const shown = { address: '+61412345678', text: `DOWN ${code} since ${isoTime(nowMs)}`, due_at: nowMs }
  const pageId = newId()
  const operatorPageId = newId()
  await insertPage(sql, { ...page, ...shown, id: pageId, recipient: newId() })
  await insertPage(sql, { ...page, ...shown, id: operatorPageId, recipient: 'operator', kind: 'unconfirmed' })
  const state = {
    ...initialMonitorState(nowMs),
    watched: true,
    decision: 'down',
    incident: newIncident('down', nowMs - 700_000, nowMs),
  }
  await sql`
    update monitor_states set state = ${sql.json(state as never)}, decision = 'down', incident_id = ${incident.id}
    where monitor_id = ${monitor_id}`
  return { id: incident.id, pageId, operatorPageId }
}
