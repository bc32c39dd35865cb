/** Two customers and every route there is: no answer to one ever holds anything of the other. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ask, startTestApi, type TestApi } from '../support/api.ts'
import { addAssignment, addIncident, addProbe, addResult } from '../support/records.ts'

let api: TestApi
type Party = { id: string; key: string; ask: Ask; ids: Record<string, string>; marks: string[] }
let acme: Party
let other: Party

/** A customer with one of everything; `marks` are the texts that must never reach the other. */
async function populate(name: string, code: string, probe: { id: string; region: string }): Promise<Party> {
  const { id, key, ask } = await api.customer(name)
  const method = { kind: 'sms', address: '+61412345678' }
  const contact = (await ask('POST', '/v1/contacts', { name: `${name} contact`, methods: [method] })).body
  const steps = [{ after_s: 0, contact_ids: [contact.id] }]
  const policy = (await ask('POST', '/v1/escalation-policies', { name: `${name} policy`, steps })).body
  const target = { address: `scout@${name}.example` }
  const monitor = (
    await ask('POST', '/v1/monitors', { name: `${name} monitor`, kind: 'roundtrip', target, escalation_policy_id: policy.id })
  ).body
  const apiKey = (await ask('POST', '/v1/api-keys', { scope: 'read' })).body
  const weekly = { days: ['sun'], start_time: '02:00', duration_s: 3600, time_zone: 'Europe/Berlin' }
  const window = (await ask('POST', '/v1/maintenance-windows', { name: `${name} window`, weekly })).body
  await addAssignment(api.admin, monitor, probe.id)
  const result = await addResult(api.admin, monitor, probe, {
    outcome: 'ok',
    startedMs: Date.parse('2026-11-23T12:00:00Z'),
    rttMs: 900,
  })
  const incident = await addIncident(api.admin, monitor, probe.id, code)
  const ids = {
    customers: id,
    contacts: contact.id,
    'escalation-policies': policy.id,
    monitors: monitor.id,
    'api-keys': apiKey.id,
    'maintenance-windows': window.id,
    incidents: incident.id,
    pages: incident.pageId,
  }
  return { id, key, ask, ids, marks: [...Object.values(ids), result, name, code] }
}

beforeAll(async () => {
  api = await startTestApi()
  const probe = await addProbe(api.admin, 'eu')
  acme = await populate('acmemark', 'ACM2', probe)
  other = await populate('othermark', 'OTH7', probe)
})
afterAll(() => api.stop())

/** Every method and path of the reference, with the ids of `owner` put in. */
async function everyRoute(owner: Party): Promise<{ method: string; url: string; collection: string }[]> {
  const { body } = await api.as('')('GET', '/openapi.json')
  return Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) => {
    const collection = path.split('/')[2] ?? ''
    const url = path.replace('{id}', owner.ids[collection] ?? owner.ids.monitors ?? '')
    return Object.keys(methods).map((method) => ({ method: method.toUpperCase(), url, collection }))
  })
}

const reads = async () =>
  (await everyRoute(other)).filter(({ method, url }) => method === 'GET' && url.startsWith('/v1') && url !== '/v1/stream')

test('no read, by list or by id, shows a mark of the other customer', async () => {
  const routes = await reads()
  expect(routes.length).toBeGreaterThan(20)
  for (const { url } of routes) {
    const answer = await acme.ask('GET', url)
    const text = JSON.stringify(answer.body)
    for (const mark of other.marks) expect(text, `GET ${url}`).not.toContain(mark)
    if (url.includes(other.id) || /[0-9a-f]{8}-/.test(url)) expect([403, 404], `GET ${url}`).toContain(answer.status)
  }
})

test('the same reads show each customer its own', async () => {
  for (const { url, collection } of await reads()) {
    // What shows no name and no id; another customer's is refused above.
    if (['probes', 'service-levels', 'me'].includes(collection) || url.endsWith('/availability')) continue
    const answer = await other.ask('GET', url)
    expect(answer.status, `GET ${url}`).toBe(200)
    expect(
      other.marks.some((mark) => JSON.stringify(answer.body).includes(mark)),
      `GET ${url}`,
    ).toBe(true)
  }
})

test('lists cannot be turned to the other customer', async () => {
  for (const list of [
    'contacts',
    'escalation-policies',
    'monitors',
    'incidents',
    'pages',
    'maintenance-windows',
    'api-keys',
    'audit-log',
  ])
    expect(await acme.ask('GET', `/v1/${list}?customer_id=${other.id}`), list).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN' },
    })
  const narrowed = [
    `incidents?monitor_id=${other.ids.monitors}`,
    `maintenance-windows?monitor_id=${other.ids.monitors}`,
    `pages?incident_id=${other.ids.incidents}`,
  ]
  for (const list of narrowed) expect((await acme.ask('GET', `/v1/${list}`)).body.data).toEqual([])
})

test('no change reaches the other customer', async () => {
  const before = await snapshot()
  const changes = (await everyRoute(other)).filter(({ method, url }) => method !== 'GET' && /[0-9a-f]{8}-/.test(url))
  expect(changes.length).toBeGreaterThan(12)
  for (const { method, url } of changes) {
    const answer = await acme.ask(method, url, method === 'DELETE' ? undefined : {})
    expect([403, 404], `${method} ${url}`).toContain(answer.status)
  }
  for (const collection of ['contacts', 'monitors', 'escalation-policies', 'maintenance-windows', 'api-keys']) {
    const body = { customer_id: other.id, ...samples[collection] }
    expect(await acme.ask('POST', `/v1/${collection}`, body), collection).toMatchObject({ status: 403 })
  }
  expect(await snapshot()).toEqual(before)
})

const samples: Record<string, object> = {
  contacts: { name: 'x', methods: [{ kind: 'sms', address: '+61412345678' }] },
  monitors: { name: 'x', kind: 'roundtrip', target: { address: 'a@x.example' } },
  'escalation-policies': { name: 'x', steps: [{ after_s: 0, contact_ids: ['0192f0c1-0000-7000-8000-000000000000'] }] },
  'api-keys': { scope: 'read' },
  'maintenance-windows': { name: 'x', starts_at: '2026-01-01T00:00:00Z', ends_at: '2026-01-02T00:00:00Z' },
}

/** Everything that the other customer sees of itself. */
async function snapshot(): Promise<unknown> {
  const lists = [
    'contacts',
    'escalation-policies',
    'monitors',
    'incidents',
    'pages',
    'maintenance-windows',
    'api-keys',
    'audit-log',
  ]
  return Promise.all(lists.map(async (list) => withoutUse((await other.ask('GET', `/v1/${list}`)).body.data)))
}
const withoutUse = (rows: object[]) => rows.map((row) => ({ ...row, last_used_at: null }))

test('a customer is not shown the pages that went to the operator', async () => {
  const own = (await acme.ask('GET', '/v1/pages')).body.data
  expect(own.map((page: { id: string }) => page.id)).toEqual([acme.ids.pages])
  const all = (await api.operator('GET', `/v1/pages?customer_id=${acme.id}`)).body.data
  expect(all).toHaveLength(2)
})

test('even a query without a condition shows a customer nothing foreign', async () => {
  const tables = [
    'contacts',
    'contact_methods',
    'escalation_policies',
    'monitors',
    'monitor_states',
    'results',
    'incidents',
    'pages',
    'maintenance_windows',
  ]
  for (const table of tables) {
    const rows = await api.database.asCustomer(acme.id, (sql) => sql`select distinct customer_id from ${sql(table)}`)
    expect(
      rows.map((row) => row.customer_id),
      table,
    ).toEqual([acme.id])
  }
})

test('a key that may only read changes nothing, and only an operator sees probes', async () => {
  const { body } = await acme.ask('POST', '/v1/api-keys', { scope: 'read' })
  const reader = api.as(body.key)
  expect((await reader('GET', '/v1/monitors')).body.data).toHaveLength(1)
  for (const { method, url } of (await everyRoute(acme)).filter(({ method }) => method !== 'GET'))
    expect(await reader(method, url, method === 'DELETE' ? undefined : {}), `${method} ${url}`).toMatchObject({
      status: 403,
      body: { code: 'FORBIDDEN' },
    })
  expect((await acme.ask('GET', '/v1/probes')).status).toBe(403)
})
