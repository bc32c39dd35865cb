/** The legs of a monitor's mails over HTTP, from results and late returns as probes hand them in. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isoTime } from '../../common/durations.ts'
import { systemRuntime, uuidv7 } from '../../common/runtime.ts'
import type { TestResult } from '../../common/wire/test.ts'
import { insertLateReturns, insertResults } from '../../coordinator/store/ingest.ts'
import { type Ask, startTestApi, type TestApi } from '../support/api.ts'
import { addProbe } from '../support/records.ts'
import { uptimeOf } from '../support/uptime.ts'

let api: TestApi
let ask: Ask
let probe: { id: string; region: string }
const nowMs = systemRuntime.wallMs()

beforeAll(async () => {
  api = await startTestApi()
  ask = (await api.customer('acme')).ask
  probe = await addProbe(api.admin, 'eu')
})
afterAll(() => api.stop())

async function newMonitor(): Promise<{ id: string; customer_id: string }> {
  const { body } = await ask('POST', '/v1/monitors', {
    name: 'Mail',
    kind: 'roundtrip',
    target: { address: 'scout@acme.example' },
  })
  return body
}

/** A mail that was `outMs` on its way out and `returnMs` back, stamped by a clock that is `aheadMs` ahead. */
async function addRun(
  monitor: { id: string; customer_id: string },
  run: { minutesAgo: number; outMs: number; returnMs: number; aheadMs?: number; late?: boolean; changes?: Partial<TestResult> },
): Promise<string> {
  const id = uuidv7(systemRuntime)
  const { outMs, returnMs, aheadMs = 0, late = false, changes = {} } = run
  const started_at = Math.round(nowMs - run.minutesAgo * 60_000)
  const sent_at = started_at + 100
  const returned_at = sent_at + outMs + returnMs
  const stamp_at = sent_at + outMs + aheadMs
  const rtt_ms = 100 + outMs + returnMs
  const base = { id, customer_id: monitor.customer_id, monitor_id: monitor.id }
  await insertResults(api.admin, probe, [
    {
      ...base,
      generation: 1,
      cause: 'slot',
      job_id: null,
      attempt: 1,
      first_test_id: null,
      slot: 0,
      slot_at: started_at,
      started_at,
      sent_at,
      returned_at: late ? null : returned_at,
      finished_at: late ? started_at + 600_000 : returned_at,
      outcome: late ? 'timeout' : 'ok',
      rtt_ms: late ? null : rtt_ms,
      stages: [],
      stamp_at: late ? null : stamp_at,
      clock_offset_ms: 0,
      ...uptimeOf(started_at, returned_at),
      detail: { clock_error_ms: 8 },
      ...changes,
    },
  ])
  if (late)
    await insertLateReturns(api.admin, probe.id, [
      { test_id: id, monitor_id: monitor.id, customer_id: monitor.customer_id, returned_at, rtt_ms, stamp_at },
    ])
  return id
}

test('the offset with its bound, the legs of the mails that were held, and a notice', async () => {
  const monitor = await newMonitor()
  await addRun(monitor, { minutesAgo: 90, outMs: 400, returnMs: 600, aheadMs: 94_000 })
  const out = await addRun(monitor, { minutesAgo: 60, outMs: 90_000, returnMs: 700, aheadMs: 94_000 })
  const back = await addRun(monitor, { minutesAgo: 30, outMs: 500, returnMs: 820_000, aheadMs: 94_000, late: true })
  const { status, body } = await ask('GET', `/v1/monitors/${monitor.id}/legs`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    state: 'known',
    runs: 3,
    error_assumed: false,
    step_ms: null,
    notice: "your server's clock is 94 s ahead",
  })
  expect(Math.abs(body.offset_ms - 94_000)).toBeLessThanOrEqual(body.error_ms)
  expect(body.error_ms).toBeLessThan(800)
  expect(body.data.map((run: { result_id: string }) => run.result_id).slice(0, 2)).toEqual([back, out])
  expect(body.data[0].outbound_ms.max).toBeLessThan(1500)
  expect(body.data[0].return_ms.min).toBeGreaterThan(819_000)
  expect(body.data[1].outbound_ms.min).toBeGreaterThan(89_000)
  expect(body.data[2]).toMatchObject({ outbound_ms: null, return_ms: null, region: 'eu', probe_id: probe.id })

  const results = (await ask('GET', `/v1/monitors/${monitor.id}/results`)).body.data
  expect(results.map(({ place }: { place: string | null }) => place)).toEqual(['return_leg', null, null])

  const since = isoTime(nowMs - 45 * 60_000)
  const recent = (await ask('GET', `/v1/monitors/${monitor.id}/legs?since=${since}`)).body
  expect(recent.data).toHaveLength(1)
  expect(recent.runs).toBe(3)
  expect((await ask('GET', `/v1/monitors/${monitor.id}/legs?limit=2`)).body.data).toHaveLength(2)
})

test('a clock that was set: its step, and only what came after', async () => {
  const monitor = await newMonitor()
  await addRun(monitor, { minutesAgo: 90, outMs: 400, returnMs: 600 })
  await addRun(monitor, { minutesAgo: 60, outMs: 400, returnMs: 600, aheadMs: -20_000 })
  const { body } = await ask('GET', `/v1/monitors/${monitor.id}/legs`)
  expect(body.runs).toBe(1)
  expect(body.since).toBe(isoTime(Math.round(nowMs - 60 * 60_000) + 100))
  expect(body.step_ms).toBeLessThan(-18_000)
  expect(body.step_ms).toBeGreaterThanOrEqual(-20_000)
  expect(body.notice).toBeNull()
})

test('a probe that knows nothing of its own clock is said to be assumed right', async () => {
  const monitor = await newMonitor()
  await addRun(monitor, { minutesAgo: 5, outMs: 400, returnMs: 600, changes: { clock_offset_ms: null, detail: {} } })
  const { body } = await ask('GET', `/v1/monitors/${monitor.id}/legs`)
  expect(body).toMatchObject({ state: 'unknown', runs: 1, error_assumed: true })
})

test('nothing stamped in a day says nothing', async () => {
  const monitor = await newMonitor()
  await addRun(monitor, { minutesAgo: 25 * 60, outMs: 400, returnMs: 600 })
  await addRun(monitor, { minutesAgo: 5, outMs: 400, returnMs: 600, changes: { stamp_at: null, outcome: 'echo' } })
  const { body } = await ask('GET', `/v1/monitors/${monitor.id}/legs`)
  expect(body).toEqual({
    monitor_id: monitor.id,
    state: 'unknown',
    offset_ms: null,
    error_ms: null,
    error_assumed: false,
    since: null,
    step_ms: null,
    runs: 0,
    notice: null,
    data: [],
  })
})

test('another customer, a monitor that is none, and a time that is none', async () => {
  const monitor = await newMonitor()
  const other = await api.customer('other')
  expect((await other.ask('GET', `/v1/monitors/${monitor.id}/legs`)).status).toBe(404)
  expect((await api.operator('GET', `/v1/monitors/${monitor.id}/legs`)).status).toBe(200)
  expect(await ask('GET', `/v1/monitors/${monitor.id}/legs?since=yesterday`)).toMatchObject({ status: 400 })
  expect(await ask('GET', `/v1/monitors/${monitor.id}/legs?from=1`)).toMatchObject({ status: 400 })
})
