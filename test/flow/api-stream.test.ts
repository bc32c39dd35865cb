/** The event stream over a real connection: what has changed, to those who may see it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { announce } from '../../coordinator/store/announce.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { addAssignment, addIncident, addProbe, addResult } from '../support/records.ts'

let api: TestApi
let base: string
beforeAll(async () => {
  api = await startTestApi()
  base = await api.app.listen({ port: 0, host: '127.0.0.1' })
})
afterAll(() => api.stop())

type Event = { event: string; data: { id: string } & Record<string, unknown> }

/** Reads events as they come; `until` resolves with the first that fits. */
async function openStream(key: string) {
  const abort = new AbortController()
  const response = await fetch(`${base}/v1/stream`, { headers: { authorization: `Bearer ${key}` }, signal: abort.signal })
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const seen: Event[] = []
  let text = ''
  const next = async (): Promise<boolean> => {
    const { done, value } = await reader.read()
    if (done) return false
    text += Buffer.from(value).toString()
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const [, event, data] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? []
      if (event !== undefined && data !== undefined) seen.push({ event, data: JSON.parse(data) })
    }
    return true
  }
  return {
    response,
    seen,
    async until(event: string, id: string): Promise<Event> {
      for (;;) {
        const found = seen.find((one) => one.event === event && one.data.id === id)
        if (found !== undefined) return found
        if (!(await next())) throw new Error('the stream has ended')
      }
    },
    /** Resolves when the server has ended it. */
    async ended(): Promise<void> {
      while (await next().catch(() => false));
    },
    close: () => abort.abort(),
  }
}

test('changes are told as the resource is given elsewhere, each to those who may see it', async () => {
  const acme = await api.customer('Acme')
  const other = await api.customer('Other')
  const probe = await addProbe(api.admin, 'eu')
  const [operators, acmes, others] = await Promise.all([openStream(api.operatorKey), openStream(acme.key), openStream(other.key)])
  expect(acmes.response.headers.get('content-type')).toBe('text/event-stream')
  expect(acmes.response.headers.get('x-content-type-options')).toBe('nosniff')

  const { body: monitor } = await acme.ask('POST', '/v1/monitors', {
    name: 'M',
    kind: 'roundtrip',
    target: { address: 'a@x.example' },
  })
  expect((await acmes.until('monitor', monitor.id)).data).toEqual(monitor)
  await addAssignment(api.admin, monitor, probe.id)
  const resultId = await addResult(api.admin, monitor, probe, {
    outcome: 'ok',
    startedMs: Date.parse('2026-11-23T12:00:00Z'),
    rttMs: 900,
  })
  const incident = await addIncident(api.admin, monitor, probe.id, 'LIV2')
  const customer_id = acme.id
  await announce(api.admin, 'live', { kind: 'result', customer_id, id: resultId, monitor_id: monitor.id })
  await announce(api.admin, 'live', { kind: 'incident', customer_id, id: incident.id })
  await announce(api.admin, 'live', { kind: 'page', customer_id, id: incident.operatorPageId })
  await announce(api.admin, 'live', { kind: 'page', customer_id, id: incident.pageId })
  await announce(api.admin, 'live', { kind: 'probe', customer_id: null, id: probe.id })
  expect((await acmes.until('result', resultId)).data).toMatchObject({ outcome: 'ok', monitor_id: monitor.id })
  expect((await acmes.until('incident', incident.id)).data).toEqual((await acme.ask('GET', `/v1/incidents/${incident.id}`)).body)
  expect((await acmes.until('page', incident.pageId)).data).toMatchObject({ state: 'pending' })
  await operators.until('page', incident.operatorPageId)
  expect((await operators.until('probe', probe.id)).data).toMatchObject({ state: 'connected' })

  const { body: theirs } = await other.ask('POST', '/v1/monitors', {
    name: 'T',
    kind: 'roundtrip',
    target: { address: 'a@y.example' },
  })
  await others.until('monitor', theirs.id)
  await operators.until('monitor', theirs.id)
  expect(others.seen.every(({ data }) => data.customer_id === other.id)).toBe(true)
  expect(acmes.seen.every(({ data }) => data.id !== incident.operatorPageId && data.id !== probe.id)).toBe(true)
  for (const stream of [operators, acmes, others]) stream.close()
})

test('a burst about one monitor is told once', async () => {
  const acme = await api.customer('Busy')
  const stream = await openStream(acme.key)
  const { body: monitor } = await acme.ask('POST', '/v1/monitors', {
    name: 'M',
    kind: 'roundtrip',
    target: { address: 'a@x.example' },
  })
  await stream.until('monitor', monitor.id)
  const before = stream.seen.length
  await api.admin.begin(async (sql) => {
    for (let i = 0; i < 20; i++)
      await announce(sql, 'live', { kind: 'monitor', customer_id: acme.id, id: monitor.id, monitor_id: `${i}` })
  })
  const { body: last } = await acme.ask('POST', '/v1/monitors', {
    name: 'L',
    kind: 'roundtrip',
    target: { address: 'b@x.example' },
  })
  await stream.until('monitor', last.id)
  expect(stream.seen.length - before).toBeLessThanOrEqual(3)
  stream.close()
})

test('without a key there is no stream', async () => {
  const { status } = await fetch(`${base}/v1/stream`)
  expect(status).toBe(401)
})

test('after a lost connection to the database the streams end, so that nobody misses what was said meanwhile', async () => {
  const stream = await openStream(api.operatorKey)
  await api.admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`
  await stream.ended()
})

test('when the server stops, the streams end', async () => {
  const stopping = await startTestApi()
  const address = await stopping.app.listen({ port: 0, host: '127.0.0.1' })
  const response = await fetch(`${address}/v1/stream`, { headers: { authorization: `Bearer ${stopping.operatorKey}` } })
  const reading = response.text().catch(() => 'cut off')
  await stopping.stop()
  await reading
})
