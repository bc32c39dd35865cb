/** The happy path of every resource, as an operator onboards a customer. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

test('a key learns what it may do', async () => {
  const acme = await api.customer('Me Inc')
  const installation = { version: '0.0.0-test', root_key: expect.stringMatching(/^[\w-]{43}$/) }
  expect((await api.operator('GET', '/v1/me')).body).toEqual({ scope: 'operator', customer_id: null, ...installation })
  expect((await acme.ask('GET', '/v1/me')).body).toEqual({ scope: 'customer', customer_id: acme.id, ...installation })
})

test('a customer is onboarded from service level to monitor', async () => {
  const acme = await api.customer('Acme')
  const contact = await acme.ask('POST', '/v1/contacts', { name: 'Ann', methods: [{ kind: 'sms', address: '+61412345678' }] })
  expect(contact).toMatchObject({ status: 201, body: { name: 'Ann', customer_id: acme.id } })
  const policy = await acme.ask('POST', '/v1/escalation-policies', {
    name: 'Night',
    steps: [{ after_s: 0, contact_ids: [contact.body.id] }],
  })
  expect(policy).toMatchObject({ status: 201, body: { repeat: 0 } })
  const monitor = await acme.ask('POST', '/v1/monitors', {
    name: 'Mail',
    kind: 'roundtrip',
    target: { address: 'scout@acme.example' },
    escalation_policy_id: policy.body.id,
  })
  expect(monitor).toMatchObject({
    status: 201,
    body: {
      customer_id: acme.id,
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
      generation: 1,
      decision: 'pending',
      decision_reason: 'no_return_yet',
      incident_id: null,
      verdicts: [],
      detection_bound_s: 400 + 600 + 630 + 30,
    },
  })
  const { id } = monitor.body
  expect((await acme.ask('GET', `/v1/monitors/${id}`)).body).toEqual(monitor.body)
  expect((await acme.ask('GET', '/v1/monitors')).body).toEqual({ data: [monitor.body], next_cursor: null })
  expect((await api.operator('GET', `/v1/monitors?customer_id=${acme.id}`)).body.data).toEqual([monitor.body])
})

test('a change that probes must know makes a new generation, and one that they need not does not', async () => {
  const acme = await api.customer('Changing')
  const { body } = await acme.ask('POST', '/v1/monitors', {
    name: 'M',
    kind: 'roundtrip',
    target: { host: 'mx.x.example', address: 'a@x.example' },
  })
  expect((await acme.ask('PATCH', `/v1/monitors/${body.id}`, { name: 'N' })).body).toMatchObject({ name: 'N', generation: 1 })
  const same = { target: { address: 'a@x.example', host: 'mx.x.example' } }
  expect((await acme.ask('PATCH', `/v1/monitors/${body.id}`, same)).body.generation).toBe(1)
  expect((await acme.ask('PATCH', `/v1/monitors/${body.id}`, { timeout_s: 300 })).body).toMatchObject({
    generation: 2,
    timeout_s: 300,
  })
  const [row] = await api.admin`select assign_at is not null as waiting from monitors where id = ${body.id}`
  expect(row?.waiting).toBe(true)
})

test('a deleted monitor is gone, and nothing judges it any more', async () => {
  const acme = await api.customer('Leaving')
  const { body } = await acme.ask('POST', '/v1/monitors', { name: 'M', kind: 'roundtrip', target: { address: 'a@x.example' } })
  expect((await acme.ask('DELETE', `/v1/monitors/${body.id}`)).status).toBe(204)
  expect((await acme.ask('GET', `/v1/monitors/${body.id}`)).status).toBe(404)
  expect((await acme.ask('DELETE', `/v1/monitors/${body.id}`)).status).toBe(404)
  expect((await acme.ask('GET', '/v1/monitors')).body.data).toEqual([])
  expect(await api.admin`select from monitor_states where monitor_id = ${body.id}`).toHaveLength(0)
})

test('contacts and policies are changed, and deleted only when nobody needs them', async () => {
  const acme = await api.customer('Careful')
  const method = { kind: 'sms', address: '+61412345678' }
  const { body: contact } = await acme.ask('POST', '/v1/contacts', { name: 'Ann', methods: [method] })
  const changed = await acme.ask('PATCH', `/v1/contacts/${contact.id}`, {
    methods: [{ kind: 'sms', address: '+61400000001' }, method],
  })
  expect(changed.status).toBe(200)
  expect(changed.body.methods.find((kept: { address: string }) => kept.address === method.address).id).toBe(contact.methods[0].id)
  expect((await acme.ask('GET', `/v1/contacts/${contact.id}`)).body.methods).toHaveLength(2)

  const steps = [{ after_s: 60, contact_ids: [contact.id] }]
  const { body: policy } = await acme.ask('POST', '/v1/escalation-policies', { name: 'P', steps, repeat: 2 })
  const patched = await acme.ask('PATCH', `/v1/escalation-policies/${policy.id}`, { repeat: 3 })
  expect(patched.body).toEqual({ ...policy, repeat: 3 })
  const { body: monitor } = await acme.ask('POST', '/v1/monitors', {
    name: 'M',
    kind: 'roundtrip',
    target: { address: 'a@x.example' },
    escalation_policy_id: policy.id,
  })
  expect(await acme.ask('DELETE', `/v1/contacts/${contact.id}`)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
  expect(await acme.ask('DELETE', `/v1/escalation-policies/${policy.id}`)).toMatchObject({ status: 409 })
  await acme.ask('DELETE', `/v1/monitors/${monitor.id}`)
  expect((await acme.ask('DELETE', `/v1/escalation-policies/${policy.id}`)).status).toBe(204)
  expect((await acme.ask('DELETE', `/v1/contacts/${contact.id}`)).status).toBe(204)
})

test('an operator adds, changes and removes service levels', async () => {
  const level = { name: 'gold', vantages: 4, quorum: 2, period_min_s: 30, mode: 'fast', channels: ['sms'], sms_per_day: 10 }
  const { status, body } = await api.operator('POST', '/v1/service-levels', level)
  expect({ status, body }).toMatchObject({ status: 201, body: level })
  expect(await api.operator('POST', '/v1/service-levels', level)).toMatchObject({
    status: 409,
    body: { errors: [{ field: 'name' }] },
  })
  expect((await api.operator('PATCH', `/v1/service-levels/${body.id}`, { quorum: 3 })).body).toEqual({ ...body, quorum: 3 })
  expect((await api.operator('GET', `/v1/service-levels/${body.id}`)).body.quorum).toBe(3)
  await api.customer('Golden', 'gold')
  expect((await api.operator('DELETE', `/v1/service-levels/${body.id}`)).status).toBe(409)
  const { body: unused } = await api.operator('POST', '/v1/service-levels', { ...level, name: 'unused' })
  expect((await api.operator('DELETE', `/v1/service-levels/${unused.id}`)).status).toBe(204)
  const names = (await api.operator('GET', '/v1/service-levels')).body.data.map((shown: { name: string }) => shown.name)
  expect(names).toEqual(expect.arrayContaining(['single', 'standard', 'premium', 'gold']))
})

test('a customer moves to a lower service level only when its monitors fit', async () => {
  const acme = await api.customer('Saving', 'premium')
  const { body } = await acme.ask('POST', '/v1/monitors', {
    name: 'Fast',
    kind: 'roundtrip',
    target: { address: 'a@x.example' },
    period_s: 60,
  })
  const refused = await api.operator('PATCH', `/v1/customers/${acme.id}`, { service_level: 'standard' })
  expect(refused).toMatchObject({ status: 422, body: { code: 'SERVICE_LEVEL_EXCEEDED', errors: [{ field: 'service_level' }] } })
  await acme.ask('PATCH', `/v1/monitors/${body.id}`, { period_s: 600, vantages: 3, mode: 'seed' })
  const moved = await api.operator('PATCH', `/v1/customers/${acme.id}`, { service_level: 'standard', name: 'Saved' })
  expect(moved.body).toMatchObject({ name: 'Saved', service_level: 'standard' })
  expect((await acme.ask('GET', `/v1/customers/${acme.id}`)).body).toEqual(moved.body)
})

test('every change leaves a line in the audit log', async () => {
  const acme = await api.customer('Watched')
  await acme.ask('POST', '/v1/contacts', { name: 'Ann', methods: [{ kind: 'sms', address: '+61412345678' }] })
  const { body } = await acme.ask('GET', '/v1/audit-log')
  expect(body.data.map((line: { action: string }) => line.action)).toEqual([
    'contact.create',
    'api_key.create',
    'customer.create',
  ])
  expect(body.data[0]).toMatchObject({ actor: expect.stringMatching(/^customer key /), detail: { name: 'Ann' } })
  expect(JSON.stringify(body)).not.toContain(acme.key.slice(-20))
})

test('lists come in pages, newest first, and a cursor that was made up is refused', async () => {
  const acme = await api.customer('Many')
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await acme.ask('POST', '/v1/contacts', { name, methods: [{ kind: 'sms', address: '+61412345678' }] })
  const names: string[] = []
  let cursor = ''
  do {
    const { body } = await acme.ask('GET', `/v1/contacts?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)
    expect(body.data.length).toBeLessThanOrEqual(2)
    names.push(...body.data.map((contact: { name: string }) => contact.name))
    cursor = body.next_cursor
  } while (cursor !== null)
  expect(names).toEqual(['e', 'd', 'c', 'b', 'a'])
  for (const made of ['x', 'aSBub3QtYW4taWQ', encodeURIComponent("' or 1=1")])
    expect(await acme.ask('GET', `/v1/contacts?cursor=${made}`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'cursor' }] },
    })
  for (const limit of ['0', '501', 'ten'])
    expect(await acme.ask('GET', `/v1/contacts?limit=${limit}`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'limit' }] },
    })
})
