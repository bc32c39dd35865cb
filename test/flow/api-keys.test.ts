/** Keys: who may come in, how soon a revocation holds, how often a key may ask. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureOperatorKey } from '../../coordinator/api/auth.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

let api: TestApi
const runtime = new FakeRuntime()
beforeAll(async () => {
  api = await startTestApi({ runtime })
})
afterAll(() => api.stop())

const me = async (authorization: string | undefined) => {
  const headers = authorization === undefined ? {} : { authorization }
  return (await api.app.inject({ method: 'GET', url: '/v1/me', headers })).statusCode
}

test('only the whole, right key comes in', async () => {
  const key = api.operatorKey
  const other = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A')
  const cases: [string | undefined, number][] = [
    [`Bearer ${key}`, 200],
    [`bearer  ${key}`, 200],
    [`Bearer ${other}`, 401],
    [`Bearer ${key}x`, 401],
    [`Bearer ${key.slice(0, 41)}${'A'.repeat(43)}`, 401],
    [`Basic ${key}`, 401],
    [key, 401],
    ['Bearer ', 401],
    [`Bearer ${'x'.repeat(40)}`, 401],
    [`Bearer ${'x'.repeat(4000)}`, 401],
    [undefined, 401],
  ]
  for (const [authorization, status] of cases) expect(await me(authorization), authorization).toBe(status)
})

test('the secret of a key stands nowhere in the database', async () => {
  const { body } = await api.operator('POST', '/v1/api-keys', { scope: 'operator' }, { 'idempotency-key': 'secret-1' })
  const { body: probe } = await api.operator('POST', '/v1/probes', { name: 'p', region: 'eu' }, { 'idempotency-key': 'secret-2' })
  const secrets = [body.key.slice(-43), probe.enrolment_token.split('.')[1]]
  const tables = await api.admin`select tablename from pg_tables where schemaname = 'public'`
  for (const { tablename } of tables) {
    const rows = await api.admin`select to_jsonb(t)::text as text from ${api.admin(tablename)} t`
    for (const { text } of rows) for (const secret of secrets) expect(text, tablename).not.toContain(secret)
  }
})

test('a revoked key ends at once where it was revoked, and within 5 s elsewhere', async () => {
  const { body } = await api.operator('POST', '/v1/api-keys', { scope: 'operator' })
  const ask = api.as(body.key)
  expect((await ask('GET', '/v1/me')).status).toBe(200)
  await api.operator('DELETE', `/v1/api-keys/${body.id}`)
  expect(await ask('GET', '/v1/me')).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } })
  expect((await api.operator('GET', `/v1/api-keys/${body.id}`)).body.revoked_at).not.toBeNull()

  const { body: second } = await api.operator('POST', '/v1/api-keys', { scope: 'operator' })
  expect((await api.as(second.key)('GET', '/v1/me')).status).toBe(200)
  await api.admin`update api_keys set revoked_at = now() where id = ${second.id}`
  runtime.advance(5_000)
  expect((await api.as(second.key)('GET', '/v1/me')).status).toBe(401)
})

test('the last use is noted, at most once a minute', async () => {
  const { body } = await api.operator('POST', '/v1/api-keys', { scope: 'operator' })
  expect(body.last_used_at).toBeNull()
  const lastUse = async () => (await api.operator('GET', `/v1/api-keys/${body.id}`)).body.last_used_at
  await api.as(body.key)('GET', '/v1/me')
  const first = await lastUse()
  expect(first).not.toBeNull()
  runtime.advance(6_000)
  await api.as(body.key)('GET', '/v1/me')
  expect(await lastUse()).toBe(first)
})

test('a customer makes keys of its own and none of an operator', async () => {
  const acme = await api.customer('Acme')
  expect((await acme.ask('POST', '/v1/api-keys', { scope: 'customer' })).body).toMatchObject({
    scope: 'customer',
    customer_id: acme.id,
  })
  expect(await acme.ask('POST', '/v1/api-keys', { scope: 'operator' })).toMatchObject({ status: 403 })
  const mixed = { scope: 'operator', customer_id: acme.id }
  expect(await api.operator('POST', '/v1/api-keys', mixed)).toMatchObject({
    status: 400,
    body: { errors: [{ field: 'customer_id' }] },
  })
})

test('a key that asks too often is told when to come back, and others are not slowed', async () => {
  const fake = new FakeRuntime()
  const limited = await startTestApi({ runtime: fake, requestRate: { burst: 3, perSecond: 0.5 } })
  const { body } = await limited.operator('POST', '/v1/api-keys', { scope: 'operator' })
  for (let i = 0; i < 2; i++) expect((await limited.operator('GET', '/v1/me')).status).toBe(200)
  expect(await limited.operator('GET', '/v1/me')).toMatchObject({
    status: 429,
    body: { code: 'RATE_LIMITED' },
    headers: { 'retry-after': '2' },
  })
  expect((await limited.as(body.key)('GET', '/v1/me')).status).toBe(200)
  fake.advance(2_000)
  expect((await limited.operator('GET', '/v1/me')).status).toBe(200)
  await limited.stop()
})

describe("the operator's key", () => {
  test('is made once', async () => {
    expect(await ensureOperatorKey({ database: api.database, runtime }, undefined)).toEqual({ created: undefined })
  })

  test('may be set to any long text, and a new text replaces the old', async () => {
    const [first, second] = ['first-operator-key-of-32-characters!!', 'second-operator-key-of-32-characters!']
    expect(await ensureOperatorKey({ database: api.database, runtime }, first)).toEqual({ created: undefined })
    expect(await me(`Bearer ${first}`)).toBe(200)
    await ensureOperatorKey({ database: api.database, runtime }, second)
    runtime.advance(5_000)
    expect(await me(`Bearer ${first}`)).toBe(401)
    expect(await me(`Bearer ${second}`)).toBe(200)
    expect(await me(`Bearer ${api.operatorKey}`)).toBe(200)
  })

  test.each(['short', 'x'.repeat(31), `with a space ${'x'.repeat(40)}`, 'x'.repeat(513)])(
    'is refused where it is weak: %s',
    async (text) => {
      await expect(ensureOperatorKey({ database: api.database, runtime }, text)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    },
  )
})
