/** Every rule about a request, and that the refusal names the field. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ask, startTestApi, type TestApi } from '../support/api.ts'

let api: TestApi
let ask: Ask
let contactId: string
let foreignContactId: string
let foreignPolicyId: string
let customerId: string

const method = { kind: 'sms', address: '+61412345678' }
const monitor = { name: 'M', kind: 'roundtrip', target: { address: 'scout@x.example' } }
const unknownId = '0192f0c1-0000-7000-8000-000000000000'

beforeAll(async () => {
  api = await startTestApi()
  const acme = await api.customer('Acme')
  const other = await api.customer('Other')
  ask = acme.ask
  customerId = acme.id
  contactId = (await ask('POST', '/v1/contacts', { name: 'Ann', methods: [method] })).body.id
  foreignContactId = (await other.ask('POST', '/v1/contacts', { name: 'Bob', methods: [method] })).body.id
  const steps = [{ after_s: 0, contact_ids: [foreignContactId] }]
  foreignPolicyId = (await other.ask('POST', '/v1/escalation-policies', { name: 'P', steps })).body.id
})
afterAll(() => api.stop())

const refusal = (status: number, ...fields: string[]) => ({
  status,
  body: { status, errors: fields.map((field) => expect.objectContaining({ field })) },
})

describe('contacts', () => {
  test.each([
    ['a number without plus', { name: 'A', methods: [{ kind: 'sms', address: '0412345678' }] }, 'methods.0.address'],
    ['a number that starts with zero', { name: 'A', methods: [{ kind: 'sms', address: '+0412345678' }] }, 'methods.0.address'],
    ['a number of 16 digits', { name: 'A', methods: [{ kind: 'sms', address: '+1234567890123456' }] }, 'methods.0.address'],
    ['a number with a line break', { name: 'A', methods: [{ kind: 'sms', address: '+61412345678\n' }] }, 'methods.0.address'],
    ['an unknown kind', { name: 'A', methods: [{ kind: 'fax', address: '+61412345678' }] }, 'methods.0.kind'],
    ['the same number twice', { name: 'A', methods: [method, method] }, 'methods.1.address'],
    ['no way to reach it', { name: 'A', methods: [] }, 'methods'],
    ['no name', { methods: [method] }, 'name'],
    ['a blank name', { name: '  ', methods: [method] }, 'name'],
    ['a name with a line break', { name: 'A\nB', methods: [method] }, 'name'],
    ['a name with a line separator of Unicode', { name: 'A\u2028B', methods: [method] }, 'name'],
    ['a name with half a character', { name: 'A\ud800B', methods: [method] }, 'name'],
    ['a name that turns the reading direction round', { name: 'A\u202eB', methods: [method] }, 'name'],
    ['a number where text belongs', { name: 7, methods: [method] }, 'name'],
    ['an unknown member', { name: 'A', methods: [method], phone: '1' }, 'phone'],
    ['an unknown member inside', { name: 'A', methods: [{ ...method, id: unknownId }] }, 'methods.0.id'],
  ])('%s is refused', async (_, body, field) => {
    expect(await ask('POST', '/v1/contacts', body)).toMatchObject(refusal(400, field))
  })
})

describe('escalation policies', () => {
  const policy = (step: object, more: object = {}) => ({ name: 'P', steps: [step], ...more })
  test.each([
    ['an unknown contact', () => policy({ after_s: 0, contact_ids: [unknownId] }), 'steps.0.contact_ids.0'],
    ["another customer's contact", () => policy({ after_s: 0, contact_ids: [foreignContactId] }), 'steps.0.contact_ids.0'],
    ['nobody to page', () => policy({ after_s: 0, contact_ids: [] }), 'steps.0.contact_ids'],
    ['a contact twice in a step', () => policy({ after_s: 0, contact_ids: [contactId, contactId] }), 'steps.0.contact_ids'],
    ['a negative wait', () => policy({ after_s: -1, contact_ids: [contactId] }), 'steps.0.after_s'],
    ['a wait beyond a day', () => policy({ after_s: 86_401, contact_ids: [contactId] }), 'steps.0.after_s'],
    ['no step', () => ({ name: 'P', steps: [] }), 'steps'],
    ['too many rounds', () => policy({ after_s: 0, contact_ids: [contactId] }, { repeat: 21 }), 'repeat'],
  ])('%s is refused', async (_, body, field) => {
    expect(await ask('POST', '/v1/escalation-policies', body())).toMatchObject(refusal(400, field))
  })
})

describe('monitors', () => {
  test.each([
    ['slow at the timeout', { timeout_s: 60, slow_s: 60 }, 'slow_s'],
    ['an open incident tested more slowly', { period_s: 300, open_period_s: 301 }, 'open_period_s'],
    ['a quorum beyond the vantages', { vantages: 2, quorum: 3 }, 'quorum'],
    ['one witness of several', { vantages: 3, quorum: 1 }, 'quorum'],
    ['an address without @', { target: { address: 'x.example' } }, 'target.address'],
    ['an address with a space', { target: { address: 'a b@x.example' } }, 'target.address'],
    ['an address with an empty label', { target: { address: 'a@x..example' } }, 'target.address'],
    ['an address with two dots in a row', { target: { address: 'a..b@x.example' } }, 'target.address'],
    ['a label that ends in a hyphen', { target: { address: 'a@x-.example' } }, 'target.address'],
    ['an unknown member of the target', { target: { address: 'a@x.example', user: 'x' } }, 'target.user'],
    ['port 0', { target: { address: 'a@x.example', port: 0 } }, 'target.port'],
    ['an unknown way with TLS', { target: { address: 'a@x.example', tls: 'maybe' } }, 'target.tls'],
    ['a kind that is not there yet', { kind: 'ftp' }, 'kind'],
    ['an unknown escalation policy', { escalation_policy_id: unknownId }, 'escalation_policy_id'],
    ['a period of nothing', { period_s: 0 }, 'period_s'],
    ['a period as text', { period_s: '300' }, 'period_s'],
    ['a fraction of a second', { period_s: 300.5 }, 'period_s'],
  ])('%s is refused', async (_, change, field) => {
    expect(await ask('POST', '/v1/monitors', { ...monitor, ...change })).toMatchObject(refusal(400, field))
  })

  test("another customer's escalation policy is refused", async () => {
    const body = { ...monitor, escalation_policy_id: foreignPolicyId }
    expect(await ask('POST', '/v1/monitors', body)).toMatchObject(refusal(400, 'escalation_policy_id'))
  })

  test.each([
    ['a shorter period', { period_s: 299 }, ['period_s']],
    ['more vantages', { vantages: 4 }, ['vantages']],
    ['a heavier mode', { mode: 'hedged' }, ['mode']],
    ['all of them', { period_s: 60, open_period_s: 60, vantages: 5, mode: 'fast' }, ['period_s', 'vantages', 'mode']],
  ])('%s than the contract grants is refused as such', async (_, change, fields) => {
    const refused = await ask('POST', '/v1/monitors', { ...monitor, ...change })
    expect(refused).toMatchObject({ ...refusal(422, ...fields), body: { code: 'SERVICE_LEVEL_EXCEEDED' } })
  })

  test('one vantage is judged by its double test only', async () => {
    const refused = await ask('POST', '/v1/monitors', { ...monitor, vantages: 1, mode: 'fast' })
    expect(refused).toMatchObject(refusal(400, 'mode'))
    expect((await ask('POST', '/v1/monitors', { ...monitor, vantages: 1 })).body).toMatchObject({ quorum: 1, mode: 'seed' })
  })

  test('a change is held to the same rules as a creation', async () => {
    const { body } = await ask('POST', '/v1/monitors', monitor)
    expect(await ask('PATCH', `/v1/monitors/${body.id}`, { slow_s: 600 })).toMatchObject(refusal(400, 'slow_s'))
    expect(await ask('PATCH', `/v1/monitors/${body.id}`, { period_s: 60, open_period_s: 60 })).toMatchObject(
      refusal(422, 'period_s'),
    )
    expect(await ask('PATCH', `/v1/monitors/${body.id}`, { generation: 7 })).toMatchObject(refusal(400, 'generation'))
    expect((await ask('GET', `/v1/monitors/${body.id}`)).body).toEqual(body)
  })

  test('all faults of a request are told at once', async () => {
    const refused = await ask('POST', '/v1/monitors', { kind: 'roundtrip', period_s: 'x', colour: 'red' })
    expect(refused.body.errors.map((fault: { field: string }) => fault.field).sort()).toEqual([
      'colour',
      'name',
      'period_s',
      'target',
    ])
  })
})

describe('what the operator makes', () => {
  const level = { name: 'x', vantages: 3, quorum: 2, period_min_s: 60, mode: 'seed', channels: ['sms'], sms_per_day: 1 }
  test.each([
    ['a customer of an unknown level', '/v1/customers', { name: 'A', service_level: 'platinum' }, 'service_level'],
    ['a contact of nobody', '/v1/contacts', { name: 'A', methods: [method] }, 'customer_id'],
    ['a contact of an unknown customer', '/v1/contacts', { customer_id: unknownId, name: 'A', methods: [method] }, 'customer_id'],
    ['a monitor of an unknown customer', '/v1/monitors', { customer_id: unknownId, ...monitor }, 'customer_id'],
    ['a key for an unknown customer', '/v1/api-keys', { customer_id: unknownId, scope: 'read' }, 'customer_id'],
    ['a key of an unknown scope', '/v1/api-keys', { scope: 'root' }, 'scope'],
    ['a level with a quorum beyond its vantages', '/v1/service-levels', { ...level, quorum: 4 }, 'quorum'],
    ['a level where one witness decides', '/v1/service-levels', { ...level, quorum: 1 }, 'quorum'],
    ['a probe in a region with a space', '/v1/probes', { name: 'p', region: 'e u' }, 'region'],
    ['a probe with ASN 0', '/v1/probes', { name: 'p', region: 'eu', asn: 0 }, 'asn'],
  ])('%s is refused', async (_, path, body, field) => {
    expect(await api.operator('POST', path, body)).toMatchObject(refusal(400, field))
  })

  test('an id that is none, and a question that is not known, are named', async () => {
    expect(await api.operator('GET', '/v1/monitors/nonsense')).toMatchObject(refusal(400, 'id'))
    expect(await api.operator('GET', '/v1/monitors?colour=red')).toMatchObject(refusal(400, 'colour'))
    expect(await api.operator('GET', `/v1/monitors?customer_id=${customerId.toUpperCase()}`)).toMatchObject(
      refusal(400, 'customer_id'),
    )
    const { body } = await ask('POST', '/v1/monitors', monitor)
    for (const since of ['yesterday', '2026-06-30T23:59:60Z', '2026-11-23'])
      expect(await ask('GET', `/v1/monitors/${body.id}/results?since=${since}`)).toMatchObject(refusal(400, 'since'))
    expect((await ask('GET', `/v1/monitors/${body.id}/results?since=0000-01-01T00:00:00Z`)).status).toBe(200)
    expect(await ask('GET', `/v1/monitors/${body.id}/responder?system=pigeon`)).toMatchObject(refusal(400, 'system'))
  })
})

test('no change takes a member that is not known', async () => {
  const { body: contact } = await ask('GET', `/v1/contacts/${contactId}`)
  const { body: monitorMade } = await ask('POST', '/v1/monitors', monitor)
  const { body: policy } = await ask('POST', '/v1/escalation-policies', {
    name: 'P',
    steps: [{ after_s: 0, contact_ids: [contactId] }],
  })
  const { body: probe } = await api.operator('POST', '/v1/probes', { name: 'strict', region: 'eu' })
  const { body: levels } = await api.operator('GET', '/v1/service-levels')
  const paths = [
    `contacts/${contact.id}`,
    `monitors/${monitorMade.id}`,
    `escalation-policies/${policy.id}`,
    `probes/${probe.id}`,
    `service-levels/${levels.data[0].id}`,
    `customers/${customerId}`,
  ]
  for (const path of paths)
    expect(await api.operator('PATCH', `/v1/${path}`, { colour: 'red' }), path).toMatchObject(refusal(400, 'colour'))
})
