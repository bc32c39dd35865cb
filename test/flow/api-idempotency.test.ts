/** A POST that is sent again does nothing again. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { purgeIdempotencyKeys } from '../../coordinator/store/idempotency.ts'
import { startTestApi, type TestApi } from '../support/api.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const contact = (name: string) => ({ name, methods: [{ kind: 'sms', address: '+61412345678' }] })

test('a repetition gets the first answer and makes nothing', async () => {
  const acme = await api.customer('Acme')
  const once = { 'idempotency-key': 'a-1' }
  const first = await acme.ask('POST', '/v1/contacts', contact('Ann'), once)
  const again = await acme.ask('POST', '/v1/contacts', contact('Ann'), once)
  expect(again).toMatchObject({ status: 201, body: first.body, headers: { 'idempotency-replayed': 'true' } })
  expect(first.headers['idempotency-replayed']).toBeUndefined()
  expect((await acme.ask('GET', '/v1/contacts')).body.data).toHaveLength(1)
})

test('many at once make one', async () => {
  const acme = await api.customer('Hasty')
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => acme.ask('POST', '/v1/contacts', contact('Ann'), { 'idempotency-key': 'same' })),
  )
  expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201, 201])
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1)
  expect((await acme.ask('GET', '/v1/contacts')).body.data).toHaveLength(1)
})

test('the same key with another body, or for another resource, is a conflict', async () => {
  const acme = await api.customer('Confused')
  const once = { 'idempotency-key': 'b-1' }
  await acme.ask('POST', '/v1/contacts', contact('Ann'), once)
  const conflict = { status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } }
  expect(await acme.ask('POST', '/v1/contacts', contact('Bob'), once)).toMatchObject(conflict)
  expect(await acme.ask('POST', '/v1/api-keys', { scope: 'read' }, once)).toMatchObject(conflict)
})

test('each API key has keys of its own', async () => {
  const acme = await api.customer('One')
  const other = await api.customer('Two')
  const once = { 'idempotency-key': 'c-1' }
  expect((await acme.ask('POST', '/v1/contacts', contact('Ann'), once)).status).toBe(201)
  const { status, headers } = await other.ask('POST', '/v1/contacts', contact('Ann'), once)
  expect({ status, replayed: headers['idempotency-replayed'] }).toEqual({ status: 201, replayed: undefined })
})

test('a refused request may be sent again, repaired, under the same key', async () => {
  const acme = await api.customer('Learning')
  const once = { 'idempotency-key': 'd-1' }
  const steps = [{ after_s: 0, contact_ids: ['0192f0c1-0000-7000-8000-000000000000'] }]
  expect((await acme.ask('POST', '/v1/escalation-policies', { name: 'P', steps }, once)).status).toBe(400)
  expect((await acme.ask('POST', '/v1/contacts', contact('Ann'), once)).status).toBe(201)
})

test('a repetition does not show a secret again, and says so by null', async () => {
  const once = { 'idempotency-key': 'e-1' }
  const first = await api.operator('POST', '/v1/probes', { name: 'eu-1', region: 'eu' }, once)
  const again = await api.operator('POST', '/v1/probes', { name: 'eu-1', region: 'eu' }, once)
  expect(first.body.enrolment_token).toMatch(/^mse1\./)
  expect(again).toMatchObject({ status: 201, body: { ...first.body, enrolment_token: null } })
})

test('after 24 h the key is free again, and what was kept can be purged', async () => {
  const acme = await api.customer('Late')
  const once = { 'idempotency-key': 'f-1' }
  await acme.ask('POST', '/v1/contacts', contact('Ann'), once)
  await api.admin`update idempotency_keys set created_at = now() - interval '25 hours'`
  expect((await acme.ask('POST', '/v1/contacts', contact('Bob'), once)).body.name).toBe('Bob')
  await api.admin`update idempotency_keys set created_at = now() - interval '25 hours' where key = 'f-1'`
  expect(await purgeIdempotencyKeys(api.database.system)).toBeGreaterThan(0)
  expect(await api.admin`select from idempotency_keys where key = 'f-1'`).toHaveLength(0)
})

test('a key that cannot be read is named', async () => {
  for (const key of ['a b', 'ü', 'x'.repeat(256)])
    expect(await api.operator('POST', '/v1/probes', { name: 'q', region: 'eu' }, { 'idempotency-key': key })).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'Idempotency-Key' }] },
    })
})
