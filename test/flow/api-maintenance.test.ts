/** Maintenance windows by API: what is refused, what holds, and what stays; and availability as the API tells it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { dayMs, hourMs, isoTime } from '../../common/durations.ts'
import { insertIncident } from '../../coordinator/store/incident-log.ts'
import { type Ask, type Json, startTestApi, type TestApi } from '../support/api.ts'
import { addIncident, addProbe } from '../support/records.ts'
import { newId } from '../support/watched-monitor.ts'

let api: TestApi
let ask: Ask
let customerId: string
let monitor: Json

beforeAll(async () => {
  api = await startTestApi()
  const customer = await api.customer('acme')
  ask = customer.ask
  customerId = customer.id
  monitor = await addMonitor('mail')
})
afterAll(() => api.stop())

const addMonitor = async (name: string) =>
  (await ask('POST', '/v1/monitors', { name, kind: 'roundtrip', target: { address: `${name}@acme.example` } })).body

const fromNow = (ms: number) => isoTime(Date.now() + ms)
const weekly = { days: ['sat', 'sun'], start_time: '22:00', duration_s: 7200, time_zone: 'Australia/Sydney' }
const now = () => ({ starts_at: fromNow(-hourMs), ends_at: fromNow(hourMs) })
const shownMonitor = async () => (await ask('GET', `/v1/monitors/${monitor.id}`)).body

describe('a window', () => {
  test('is made, shown, changed and deleted, each with its line in the audit log', async () => {
    const made = await ask('POST', '/v1/maintenance-windows', { name: 'Patches', weekly })
    expect(made).toMatchObject({
      status: 201,
      body: {
        name: 'Patches',
        monitor_ids: null,
        starts_at: null,
        ends_at: null,
        weekly,
        next: { starts_at: expect.any(String) },
      },
    })
    const url = `/v1/maintenance-windows/${made.body.id}`
    expect((await ask('GET', url)).body).toMatchObject({ id: made.body.id, customer_id: customerId })
    const once = now()
    const changed = await ask('PATCH', url, { ...once, monitor_ids: [monitor.id] })
    expect(changed).toMatchObject({
      status: 200,
      body: { name: 'Patches', ...once, weekly: null, monitor_ids: [monitor.id], active: true },
    })
    expect((await ask('GET', '/v1/maintenance-windows')).body.data).toHaveLength(1)
    expect((await ask('DELETE', url)).status).toBe(204)
    expect((await ask('GET', url)).status).toBe(404)
    expect((await ask('GET', '/v1/maintenance-windows')).body.data).toEqual([])
    const actions = (await ask('GET', '/v1/audit-log')).body.data.map(({ action }: Json) => action)
    expect(actions).toEqual(expect.arrayContaining(['create', 'change', 'delete'].map((what) => `maintenance_window.${what}`)))
    const versions =
      await api.admin`select version, valid_until is null as current from maintenance_windows where id = ${made.body.id}`
    expect([...versions]).toEqual([
      { version: 1, current: false },
      { version: 2, current: false },
    ])
  })

  test('is shown with the monitors that it is for, and with no others', async () => {
    const other = await addMonitor('other')
    const { body: window } = await ask('POST', '/v1/maintenance-windows', { name: 'Move', ...now(), monitor_ids: [monitor.id] })
    expect((await shownMonitor()).maintenance).toEqual({ id: window.id, ends_at: window.ends_at })
    expect((await ask('GET', `/v1/monitors/${other.id}`)).body.maintenance).toBeNull()
    expect((await ask('GET', `/v1/maintenance-windows?monitor_id=${monitor.id}`)).body.data).toHaveLength(1)
    expect((await ask('GET', `/v1/maintenance-windows?monitor_id=${other.id}`)).body.data).toEqual([])
    await ask('DELETE', `/v1/maintenance-windows/${window.id}`)
    expect((await shownMonitor()).maintenance).toBeNull()
  })

  const late = { starts_at: '2020-01-01T00:00:00Z', ends_at: '2020-01-02T00:00:00Z' }
  test.each<[string, () => object, string[]]>([
    ['without a time', () => ({}), ['starts_at', 'ends_at']],
    ['without an end', () => ({ starts_at: fromNow(0) }), ['ends_at']],
    ['that ends before it begins', () => ({ starts_at: fromNow(2 * hourMs), ends_at: fromNow(hourMs) }), ['ends_at']],
    ['that is over', () => late, ['ends_at']],
    ['of more than 31 days', () => ({ starts_at: fromNow(0), ends_at: fromNow(40 * dayMs) }), ['ends_at']],
    ['once and weekly', () => ({ ...now(), weekly }), ['weekly']],
    ['in no time zone', () => ({ weekly: { ...weekly, time_zone: 'Europe/Atlantis' } }), ['weekly.time_zone']],
    ['on no day', () => ({ weekly: { ...weekly, days: [] } }), ['weekly.days']],
    ['at 25 o’clock', () => ({ weekly: { ...weekly, start_time: '25:00' } }), ['weekly.start_time']],
    ['of a week and more', () => ({ weekly: { ...weekly, duration_s: 700_000 } }), ['weekly.duration_s']],
    ['for a monitor of somebody else', () => ({ ...now(), monitor_ids: [monitor.id, newId()] }), ['monitor_ids.1']],
    ['with a member that is not known', () => ({ ...now(), every: 'week' }), ['every']],
  ])('%s is refused by the name of its field', async (_, body, fields) => {
    const answer = await ask('POST', '/v1/maintenance-windows', { name: 'x', ...body() })
    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } })
    expect(answer.body.errors.map(({ field }: Json) => field)).toEqual(fields)
  })

  test('that is over can still be renamed, and cannot be moved in the past', async () => {
    const { body: window } = await ask('POST', '/v1/maintenance-windows', { name: 'Old', ...now() })
    await api.admin`
      update maintenance_windows set schedule = jsonb_set(schedule, '{ends_ms}', to_jsonb(${Date.now() - 1000}::int8)) where id = ${window.id}`
    const url = `/v1/maintenance-windows/${window.id}`
    expect(await ask('PATCH', url, { name: 'Older' })).toMatchObject({
      status: 200,
      body: { name: 'Older', next: null, active: false },
    })
    expect((await ask('PATCH', url, { starts_at: '2020-01-01T00:00:00Z' })).body.errors).toMatchObject([{ field: 'ends_at' }])
    await ask('DELETE', url)
  })

  test('that is deleted wakes the incident that it held', async () => {
    const probe = await addProbe(api.admin, 'eu')
    const held = await addMonitor('held')
    const { body: window } = await ask('POST', '/v1/maintenance-windows', { name: 'Move', ...now(), monitor_ids: [held.id] })
    const incident = await addIncident(api.admin, held, probe.id, 'HELD')
    await api.admin`update incidents set held = true where id = ${incident.id}`
    const due = async () =>
      (await api.admin`select next_step_at <= now() as due from incidents where id = ${incident.id}`)[0]?.due
    expect(await due()).toBe(false)
    await ask('DELETE', `/v1/maintenance-windows/${window.id}`)
    expect(await due()).toBe(true)
  })
})

describe('availability', () => {
  const at = (hours: number) => Date.parse('2026-11-01T00:00:00Z') + hours * hourMs
  const period = `from=${isoTime(at(0))}&to=${isoTime(at(240))}`
  let watched: Json
  const ask10Days = async (query = period) => ask('GET', `/v1/monitors/${watched.id}/availability?${query}`)

  /** Hours; `heard`: where it was over before it was heard of. */
  const add = async (code: string, good: number, since: number, fail: number, pass: number, heard?: number) => {
    const names = { id: newId(), customer_id: customerId, monitor_id: watched.id, code, kind: 'down' as const }
    const times = { since_at: at(since), last_good_at: at(good), opened_at: at(heard ?? since + 0.3) }
    const end = { last_fail_at: at(fail), first_pass_at: at(pass), resolved_at: at(heard ?? pass) }
    const cause = { outcome: 'timeout' as const, text: 'mail accepted, not back in 10 min', place: null }
    await insertIncident(api.admin, { ...names, ...times, flapping: false, cause, vantages: [], end })
  }

  beforeAll(async () => {
    watched = await addMonitor('watched')
    await api.admin`update monitor_states set watched_since = ${at(40)} where monitor_id = ${watched.id}`
    await add('OLD1', 10, 11, 12, 13)
    await add('OUT2', 100, 101, 103, 104)
    await add('OUT3', 200, 201, 202, 204)
  })

  test('is an interval, with what is left out', async () => {
    expect((await ask10Days()).body).toEqual({
      from: isoTime(at(0)),
      to: isoTime(at(240)),
      availability_min: 1 - 8 / 200,
      availability_max: 1 - 3 / 200,
      outages: 2,
      observed_s: 200 * 3600,
      pending_s: 40 * 3600,
      maintenance_s: 0,
      unconfirmed_s: 0,
      down_min_s: 3 * 3600,
      down_max_s: 8 * 3600,
    })
  })

  test('counts an outage that began before the period, and leaves maintenance out, also that of a window since deleted', async () => {
    await api.admin`
      insert into maintenance_windows (customer_id, id, name, schedule, valid_from, valid_until)
      values (${customerId}, ${newId()}, 'gone', ${api.admin.json({ kind: 'once', starts_ms: at(110), ends_ms: at(160) })}, ${at(50)}, ${at(120)})`
    expect((await ask10Days(`from=${isoTime(at(102))}&to=${isoTime(at(152))}`)).body).toMatchObject({
      observed_s: 40 * 3600,
      maintenance_s: 10 * 3600,
      down_min_s: 3600,
      down_max_s: 2 * 3600,
      outages: 1,
    })
  })

  test('counts what was heard of days after the period, and what was open as something older was heard of', async () => {
    await add('LONG', 300, 301, 340, 341)
    await add('PAST', 149, 150, 160, 161, 310)
    expect((await ask10Days(`from=${isoTime(at(155))}&to=${isoTime(at(170))}`)).body).toMatchObject({
      down_min_s: 5 * 3600,
      outages: 1,
    })
    expect((await ask10Days(`from=${isoTime(at(320))}&to=${isoTime(at(350))}`)).body).toMatchObject({
      down_min_s: 20 * 3600,
      outages: 1,
    })
  })

  test('of the last 30 days, where nothing else is asked for', async () => {
    const { from, to } = (await ask10Days('')).body
    expect(Date.parse(to) - Date.parse(from)).toBe(30 * dayMs)
  })

  test.each([
    ['a period that ends before it begins', `from=${isoTime(at(10))}&to=${isoTime(at(9))}`],
    ['a period in the future', `from=${isoTime(Date.now() + hourMs)}`],
    ['more than a year', 'from=2020-01-01T00:00:00Z'],
  ])('%s is refused', async (_, query) => {
    expect((await ask10Days(query)).body).toMatchObject({ code: 'REQUEST_INVALID', errors: [{ field: 'from' }] })
  })

  test('an incident tells between which tests its outage began and ended', async () => {
    const { data } = (await ask('GET', `/v1/incidents?monitor_id=${watched.id}`)).body
    expect(data.find(({ code }: Json) => code === 'OUT2').outage).toEqual({
      earliest_start_at: isoTime(at(100)),
      latest_start_at: isoTime(at(101)),
      earliest_end_at: isoTime(at(103)),
      latest_end_at: isoTime(at(104)),
    })
  })
})
