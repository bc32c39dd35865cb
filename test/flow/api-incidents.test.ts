/** What people see of a monitor and do about an incident. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recordProofs } from '../../coordinator/store/ingest.ts'
import { type Ask, startTestApi, type TestApi } from '../support/api.ts'
import { addAssignment, addIncident, addProbe, addResult, type RecordedMonitor } from '../support/records.ts'
import { startUptimeOf } from '../support/uptime.ts'

let api: TestApi
let ask: Ask
let probes: { id: string; region: string }[]
const minuteMs = 60_000

beforeAll(async () => {
  api = await startTestApi()
  ask = (await api.customer('Acme')).ask
  probes = [await addProbe(api.admin, 'ap'), await addProbe(api.admin, 'eu'), await addProbe(api.admin, 'us')]
})
afterAll(() => api.stop())

async function newMonitor(assigned: { id: string }[] = probes): Promise<RecordedMonitor> {
  const { body } = await ask('POST', '/v1/monitors', { name: 'Mail', kind: 'roundtrip', target: { address: 'scout@x.example' } })
  for (const probe of assigned) await addAssignment(api.admin, body, probe.id)
  return body
}

const prove = (probeId: string, domain: string, startedMs: number) =>
  recordProofs(api.admin, probeId, [
    { domain, started_at: startedMs, returned_at: startedMs + 900, control: true, ...startUptimeOf(startedMs) },
  ])

test('a monitor shows the newest verdict of each of its vantages', async () => {
  const monitor = await newMonitor()
  const nowMs = await api.database.nowMs()
  const [ap, eu, us] = probes as [(typeof probes)[0], (typeof probes)[0], (typeof probes)[0]]
  await addResult(api.admin, monitor, ap, { outcome: 'timeout', startedMs: nowMs - 40 * minuteMs })
  await addResult(api.admin, monitor, ap, { outcome: 'ok', startedMs: nowMs - 5 * minuteMs, rttMs: 850.5 })
  await addResult(api.admin, monitor, eu, { outcome: 'timeout', startedMs: nowMs - 12 * minuteMs })
  await prove(eu.id, 'reference.example', nowMs - 6 * minuteMs)
  const { body } = await ask('GET', `/v1/monitors/${monitor.id}`)
  expect(body.verdicts).toEqual([
    {
      probe_id: ap.id,
      probe_name: 'probe-ap',
      region: 'ap',
      verdict: 'pass',
      at: expect.any(String),
      reason: 'returned',
      rtt_ms: 850.5,
    },
    {
      probe_id: eu.id,
      probe_name: 'probe-eu',
      region: 'eu',
      verdict: 'fail',
      at: expect.any(String),
      reason: 'failed',
      rtt_ms: null,
    },
    { probe_id: us.id, probe_name: 'probe-us', region: 'us', verdict: 'no_data', at: null, reason: 'no_test_yet', rtt_ms: null },
  ])
})

test('a proof from the same mail system is no proof, and an old verdict is none', async () => {
  const probe = await addProbe(api.admin, 'na')
  const monitor = await newMonitor([probe])
  const nowMs = await api.database.nowMs()
  await addResult(api.admin, monitor, probe, { outcome: 'timeout', startedMs: nowMs - 12 * minuteMs })
  await prove(probe.id, 'x.example', nowMs - minuteMs)
  const verdict = async () => (await ask('GET', `/v1/monitors/${monitor.id}`)).body.verdicts[0]
  expect(await verdict()).toMatchObject({ verdict: 'abstain', reason: 'probe_unproven' })
  await api.admin`update results set finished_at = now() - interval '2 hours' where monitor_id = ${monitor.id}`
  expect(await verdict()).toMatchObject({ verdict: 'no_data', reason: 'stale' })
})

test('a monitor shows within what time an outage is told of: by its contract, and with the vantages that are well now', async () => {
  const monitor = await newMonitor([])
  const nowMs = await api.database.nowMs()
  const seats = [await addProbe(api.admin, 'ca'), await addProbe(api.admin, 'in'), await addProbe(api.admin, 'sa')]
  const [ca, india, sa] = seats as [(typeof seats)[0], (typeof seats)[0], (typeof seats)[0]]
  for (const [index, probe] of seats.entries()) {
    await addAssignment(api.admin, monitor, probe.id, index * 400_000)
    await addResult(api.admin, monitor, probe, { outcome: 'ok', startedMs: nowMs - 5 * minuteMs, rttMs: 900 })
  }
  const bounds = async () => {
    const { detection_bound_s, detection_bound_now_s } = (await ask('GET', `/v1/monitors/${monitor.id}`)).body
    return [detection_bound_s, detection_bound_now_s]
  }
  // Nothing is told of before the coordinator has seen the first return.
  expect(await bounds()).toEqual([1660, null])
  await api.admin`update monitor_states set decision = 'up' where monitor_id = ${monitor.id}`
  expect(await bounds()).toEqual([1660, 1660])
  // Its clock is a minute behind: so much later do its slots start.
  await api.admin`update probes set clock_offset_ms = 60000 where id = ${sa.id}`
  expect(await bounds()).toEqual([1660, 1720])
  await api.admin`update probes set clock_offset_ms = 12.5 where id = ${sa.id}`
  expect(await bounds()).toEqual([1660, 1660])
  await api.admin`update probes set last_seen_at = now() - interval '61 seconds' where id = ${ca.id}`
  expect(await bounds()).toEqual([1660, 2060])
  await api.admin`update probes set retired_at = now() where id = ${india.id}`
  expect(await bounds()).toEqual([1660, null])
})

test('a first greylisting does not speak against the monitor, a later deferral does', async () => {
  const probe = await addProbe(api.admin, 'oc')
  const monitor = await newMonitor([probe])
  const nowMs = await api.database.nowMs()
  await prove(probe.id, 'reference.example', nowMs)
  await addResult(api.admin, monitor, probe, { outcome: 'deferred', startedMs: nowMs - 11 * minuteMs })
  const verdict = async () => (await ask('GET', `/v1/monitors/${monitor.id}`)).body.verdicts[0]
  expect(await verdict()).toMatchObject({ verdict: 'abstain', reason: 'never_passed_greylisting' })
  await addResult(api.admin, monitor, probe, { outcome: 'ok', startedMs: nowMs - 40 * minuteMs, rttMs: 900 })
  expect(await verdict()).toMatchObject({ verdict: 'fail', reason: 'failed' })
})

test('results come newest first over all vantages, in pages, with the late return where there is one', async () => {
  const monitor = await newMonitor()
  const startMs = Date.parse('2026-11-23T10:00:00.000Z')
  const ids: string[] = []
  for (let i = 0; i < 7; i++) {
    const probe = probes[i % 3]
    // Two start at the same instant.
    const startedMs = startMs + Math.floor(i / 2) * minuteMs
    if (probe !== undefined) ids.push(await addResult(api.admin, monitor, probe, { outcome: 'ok', startedMs, rttMs: 900 }))
  }
  await api.admin`
    insert into late_returns (customer_id, test_id, monitor_id, probe_id, returned_at, rtt_ms)
    select customer_id, id, monitor_id, probe_id, ${startMs + 3_600_000}, 3600000 from results where id = ${ids[6] ?? ''}`
  const seen: { id: string; started_at: string }[] = []
  let cursor = ''
  do {
    const { body } = await ask('GET', `/v1/monitors/${monitor.id}/results?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    seen.push(...body.data)
    cursor = body.next_cursor
  } while (cursor !== null)
  expect(new Set(seen.map((result) => result.id))).toEqual(new Set(ids))
  expect(seen).toHaveLength(7)
  expect(seen.map((result) => result.started_at)).toEqual(
    seen
      .map((result) => result.started_at)
      .toSorted()
      .reverse(),
  )
  expect(seen[0]).toMatchObject({
    id: ids[6],
    outcome: 'ok',
    rtt_ms: 900,
    stages: [{ name: 'connect', ms: 12.5 }],
    stamp_at: '2026-11-23T10:03:00.300Z',
    late_returned_at: '2026-11-23T11:00:00.000Z',
    detail: { mx: 'mx.x.example', server_words: '250 ok' },
  })
  const since = await ask('GET', `/v1/monitors/${monitor.id}/results?since=2026-11-23T10:02:00Z`)
  expect(since.body.data).toHaveLength(3)
})

test('test now orders one job from every vantage, and not endlessly', async () => {
  const monitor = await newMonitor()
  const { status, body } = await ask('POST', `/v1/monitors/${monitor.id}/test`)
  expect(status).toBe(202)
  expect(new Set(body.jobs.map((job: { probe_id: string }) => job.probe_id))).toEqual(new Set(probes.map((probe) => probe.id)))
  const rows =
    await api.admin`select id, cause, extract(epoch from expires_at - created_at)::int as seconds from jobs where monitor_id = ${monitor.id}`
  expect(rows.map(({ cause, seconds }) => ({ cause, seconds }))).toEqual(Array(3).fill({ cause: 'test_now', seconds: 90 }))
  for (let i = 0; i < 4; i++) await ask('POST', `/v1/monitors/${monitor.id}/test`, {})
  expect(await ask('POST', `/v1/monitors/${monitor.id}/test`, {})).toMatchObject({
    status: 429,
    headers: { 'retry-after': expect.any(String) },
  })
  const unassigned = await newMonitor([])
  expect(await ask('POST', `/v1/monitors/${unassigned.id}/test`, {})).toMatchObject({ status: 409 })
})

test('an incident is read with its story and its pages', async () => {
  const monitor = await newMonitor()
  const incident = await addIncident(api.admin, monitor, probes[1]?.id ?? '', 'K7QX')
  const { body } = await ask('GET', `/v1/incidents/${incident.id}`)
  expect(body).toMatchObject({
    id: incident.id,
    monitor_id: monitor.id,
    monitor_name: 'Mail',
    code: 'K7QX',
    kind: 'down',
    acknowledged_at: null,
    resolved_at: null,
    cause: { outcome: 'timeout', place: 'accepted_then_lost', text: 'mail accepted, not back in 10 min' },
    vantages: [{ probe_id: probes[1]?.id, region: 'eu', verdict: 'fail', outcome: 'timeout' }],
  })
  expect((await ask('GET', `/v1/incidents?monitor_id=${monitor.id}&open=true`)).body.data).toEqual([body])
  expect((await ask('GET', `/v1/incidents?monitor_id=${monitor.id}&open=false`)).body.data).toEqual([])
  const events = (await ask('GET', `/v1/incidents/${incident.id}/events`)).body.data
  expect(events).toMatchObject([{ type: 'opened', detail: { code: 'K7QX' } }])
  const pages = (await ask('GET', `/v1/pages?incident_id=${incident.id}`)).body.data
  expect(pages).toMatchObject([{ id: incident.pageId, kind: 'down', state: 'pending', address: '+61412345678', attempts: 0 }])
  expect((await ask('GET', `/v1/pages/${incident.pageId}`)).body).toEqual(pages[0])
  expect((await ask('GET', `/v1/pages/${incident.operatorPageId}`)).status).toBe(404)
})

test('an acknowledgement stops the escalation, once', async () => {
  const monitor = await newMonitor()
  const incident = await addIncident(api.admin, monitor, probes[1]?.id ?? '', 'ACK2')
  const first = await ask('POST', `/v1/incidents/${incident.id}/acknowledge`, {})
  expect(first).toMatchObject({
    status: 200,
    body: { acknowledged_by: expect.stringMatching(/^customer key /), resolved_at: null },
  })
  const again = await api.operator('POST', `/v1/incidents/${incident.id}/acknowledge`)
  expect(again.body).toEqual(first.body)
  const [row] = await api.admin`select next_step, next_round, next_step_at from incidents where id = ${incident.id}`
  expect(row).toEqual({ next_step: null, next_round: null, next_step_at: null })
  const { data } = (await ask('GET', `/v1/incidents/${incident.id}/events`)).body
  expect(data.map((event: { type: string }) => event.type)).toEqual(['opened', 'acknowledged'])
})

test('an incident is resolved by hand, once, and its waiting pages are dropped', async () => {
  const monitor = await newMonitor()
  const incident = await addIncident(api.admin, monitor, probes[1]?.id ?? '', 'RES2')
  const first = await ask('POST', `/v1/incidents/${incident.id}/resolve`, {})
  expect(first.body.resolved_at).not.toBeNull()
  expect((await ask('POST', `/v1/incidents/${incident.id}/resolve`, {})).body).toEqual(first.body)
  const { data } = (await ask('GET', `/v1/incidents/${incident.id}/events`)).body
  expect(data.filter((event: { type: string }) => event.type === 'resolved_by_hand')).toHaveLength(1)
  expect((await ask('GET', `/v1/pages/${incident.pageId}`)).body.state).toBe('cancelled')
  expect((await ask('GET', `/v1/monitors/${monitor.id}`)).body).toMatchObject({
    incident_id: null,
    decision: 'up',
    decision_reason: 'resolved_by_hand',
  })
  const late = await ask('POST', `/v1/incidents/${incident.id}/acknowledge`, {})
  expect(late).toMatchObject({ status: 200, body: { acknowledged_at: null } })
})

test('deleting a monitor ends also the incident that opens at the very moment', async () => {
  const monitor = await newMonitor()
  const deletion = Promise.withResolvers<{ status: number }>()
  // As a judgement does: the state is locked from its first read to the commit.
  const incident = await api.admin.begin(async (sql) => {
    await sql`select from monitor_states where monitor_id = ${monitor.id} for update`
    ask('DELETE', `/v1/monitors/${monitor.id}`).then(deletion.resolve, deletion.reject)
    await expect.poll(async () => (await api.admin`select from pg_locks where not granted`).length).toBeGreaterThan(0)
    return addIncident(sql, monitor, probes[1]?.id ?? '', 'DEL3')
  })
  expect((await deletion.promise).status).toBe(204)
  expect((await ask('GET', `/v1/incidents/${incident.id}`)).body.resolved_at).not.toBeNull()
  expect(await api.admin`select from pages where incident_id = ${incident.id} and state = 'pending'`).toHaveLength(0)
})

test('deleting a monitor ends its incident', async () => {
  const monitor = await newMonitor()
  const incident = await addIncident(api.admin, monitor, probes[1]?.id ?? '', 'DEL2')
  expect((await ask('DELETE', `/v1/monitors/${monitor.id}`)).status).toBe(204)
  expect((await ask('GET', `/v1/incidents/${incident.id}`)).body.resolved_at).not.toBeNull()
  expect((await ask('GET', `/v1/pages/${incident.pageId}`)).body.state).toBe('cancelled')
  const { data } = (await ask('GET', `/v1/incidents/${incident.id}/events`)).body
  expect(data.at(-1).type).toBe('monitor_deleted')
})
