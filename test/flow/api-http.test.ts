/** The shape of the HTTP surface: problems, headers, methods, limits, reference, dashboard. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApi, type TestApi } from '../support/api.ts'

let api: TestApi
let webRoot: string
beforeAll(async () => {
  webRoot = await mkdtemp(join(tmpdir(), 'mailscout-web-'))
  await mkdir(join(webRoot, 'assets'))
  await writeFile(join(webRoot, 'index.html'), '<!doctype html><title>Mailscout</title>')
  await writeFile(join(webRoot, 'assets', 'index-abc123.js'), '0')
  api = await startTestApi({ webRoot })
})
afterAll(async () => {
  await api.stop()
  await rm(webRoot, { recursive: true, force: true })
})

test('every refusal is a problem with a stable code', async () => {
  const json = { 'content-type': 'application/json' }
  const cases = [
    [404, 'NOT_FOUND', await api.operator('GET', '/v1/nothing')],
    [404, 'NOT_FOUND', await api.operator('GET', '/nothing')],
    [404, 'NOT_FOUND', await api.operator('GET', '/v1/monitors/0192f0c1-0000-7000-8000-000000000000')],
    [405, 'METHOD_NOT_ALLOWED', await api.operator('DELETE', '/v1/monitors')],
    [413, 'BODY_TOO_LARGE', await api.operator('POST', '/v1/customers', { name: 'x'.repeat(300_000) })],
    [415, 'MEDIA_TYPE_UNSUPPORTED', await api.operator('POST', '/v1/customers', '<x/>', { 'content-type': 'text/xml' })],
    [415, 'MEDIA_TYPE_UNSUPPORTED', await api.operator('POST', '/v1/customers', 'x', { 'content-type': 'text/plain' })],
    [400, 'REQUEST_INVALID', await api.operator('POST', '/v1/customers', '{"name":', json)],
    [400, 'REQUEST_INVALID', await api.operator('POST', '/v1/customers', '', json)],
    [400, 'REQUEST_INVALID', await api.operator('POST', '/v1/customers', '{"__proto__":{"x":1}}', json)],
    [400, 'REQUEST_INVALID', await api.operator('POST', '/v1/customers', '[]', json)],
    [400, 'REQUEST_INVALID', await api.operator('GET', '/v1/monitors/%zz')],
    [401, 'UNAUTHENTICATED', await api.as('')('GET', '/v1/me')],
  ] as const
  for (const [status, code, answer] of cases) {
    expect(answer).toMatchObject({
      status,
      body: { status, code, type: `urn:mailscout:problem:${code}`, title: expect.any(String), detail: expect.any(String) },
    })
    expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/)
  }
})

test('a wrong method is told the right ones', async () => {
  const { headers } = await api.operator('DELETE', '/v1/monitors')
  expect(headers.allow).toBe('GET, HEAD, POST')
})

test('a client that announces JSON and sends none is understood', async () => {
  const json = { 'content-type': 'application/json' }
  const unknown = '/v1/contacts/0192f0c1-0000-7000-8000-000000000000'
  expect((await api.operator('DELETE', unknown, '', json)).status).toBe(404)
  expect(await api.operator('POST', '/v1/customers', '', json)).toMatchObject({
    body: { errors: [{ field: 'name', message: 'is missing' }, { field: 'service_level' }] },
  })
})

test('a crash tells the caller nothing but the id to look for', async () => {
  const broken = await startTestApi()
  await broken.admin`drop table audit_log`
  const answer = await broken.operator('GET', '/v1/audit-log', undefined, { 'x-request-id': 'look-for-me' })
  expect(answer).toMatchObject({ status: 500, body: { code: 'INTERNAL', detail: expect.stringContaining('look-for-me') } })
  expect(JSON.stringify(answer.body)).not.toMatch(/audit_log|select|relation/)
  await broken.stop()
})

test('every answer has a request id and the headers that keep it safe', async () => {
  for (const url of ['/', '/v1/me', '/v1/nothing', '/healthz', '/docs/static/index.html', '/openapi.json']) {
    const { headers } = await api.operator('GET', url)
    expect(headers).toMatchObject({
      'x-request-id': expect.any(String),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    expect(headers['content-security-policy']).toMatch(/^default-src 'self';.*frame-ancestors 'none'/)
  }
  expect((await api.operator('GET', '/v1/me')).headers['cache-control']).toBe('no-store')
  expect((await api.operator('GET', '/v1/me', undefined, { 'x-request-id': 'mine-7' })).headers['x-request-id']).toBe('mine-7')
  const forged = await api.operator('GET', '/v1/me', undefined, { 'x-request-id': 'a b {"x":1}' })
  expect(forged.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
})

test('it tells that it lives, that it can work, and how much it does', async () => {
  expect((await api.as('')('GET', '/healthz')).body).toEqual({ status: 'ok' })
  expect((await api.as('')('GET', '/readyz')).body).toEqual({ status: 'ready' })
  expect((await api.as('')('GET', '/metrics')).body).toContain('mailscout_http_request_seconds')
})

test('without a database it lives and is not ready', async () => {
  const alone = await startTestApi()
  await alone.database.close()
  expect((await alone.as('')('GET', '/healthz')).status).toBe(200)
  expect(await alone.as('')('GET', '/readyz')).toMatchObject({ status: 503, body: { code: 'NOT_READY' } })
  expect(await alone.operator('GET', '/v1/me')).toMatchObject({
    status: 503,
    body: { code: 'DATABASE_UNAVAILABLE' },
    headers: { 'retry-after': '2' },
  })
  await alone.app.close().catch(() => undefined)
  await alone.drop().catch(() => undefined)
})

test('the dashboard is served: hashed files for good, the page itself fresh', async () => {
  const page = await api.as('')('GET', '/')
  expect(page).toMatchObject({ status: 200, headers: { 'cache-control': 'no-cache' } })
  const asset = await api.as('')('GET', '/assets/index-abc123.js')
  expect(asset.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  expect((await api.as('')('GET', '/../package.json')).status).toBe(404)
  expect((await api.as('')('GET', '/%2e%2e/package.json')).status).toBeGreaterThanOrEqual(400)
})

test('a dashboard that is not built says what to do', async () => {
  const bare = await startTestApi()
  expect(await bare.as('')('GET', '/')).toMatchObject({ status: 503, body: expect.stringContaining('npm run build') })
  await bare.stop()
})

test('the reference is OpenAPI 3.1 and has every route', async () => {
  const { body } = await api.as('')('GET', '/openapi.json')
  expect(body.openapi).toBe('3.1.0')
  const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  expect(documented.sort()).toEqual(
    [
      'GET /healthz',
      'GET /metrics',
      'GET /readyz',
      'GET /v1/api-keys',
      'GET /v1/api-keys/{id}',
      'GET /v1/audit-log',
      'GET /v1/contacts',
      'GET /v1/contacts/{id}',
      'GET /v1/customers',
      'GET /v1/customers/{id}',
      'GET /v1/escalation-policies',
      'GET /v1/escalation-policies/{id}',
      'GET /v1/incidents',
      'GET /v1/incidents/{id}',
      'GET /v1/incidents/{id}/events',
      'GET /v1/maintenance-windows',
      'GET /v1/maintenance-windows/{id}',
      'GET /v1/me',
      'GET /v1/monitors',
      'GET /v1/monitors/{id}',
      'GET /v1/monitors/{id}/availability',
      'GET /v1/monitors/{id}/legs',
      'GET /v1/monitors/{id}/responder',
      'GET /v1/monitors/{id}/results',
      'GET /v1/pages',
      'GET /v1/pages/{id}',
      'GET /v1/probes',
      'GET /v1/probes/{id}',
      'GET /v1/service-levels',
      'GET /v1/service-levels/{id}',
      'GET /v1/stream',
      'DELETE /v1/api-keys/{id}',
      'DELETE /v1/contacts/{id}',
      'DELETE /v1/escalation-policies/{id}',
      'DELETE /v1/maintenance-windows/{id}',
      'DELETE /v1/monitors/{id}',
      'DELETE /v1/probes/{id}',
      'DELETE /v1/service-levels/{id}',
      'PATCH /v1/contacts/{id}',
      'PATCH /v1/customers/{id}',
      'PATCH /v1/escalation-policies/{id}',
      'PATCH /v1/maintenance-windows/{id}',
      'PATCH /v1/monitors/{id}',
      'PATCH /v1/probes/{id}',
      'PATCH /v1/service-levels/{id}',
      'POST /v1/api-keys',
      'POST /v1/contacts',
      'POST /v1/customers',
      'POST /v1/escalation-policies',
      'POST /v1/incidents/{id}/acknowledge',
      'POST /v1/incidents/{id}/resolve',
      'POST /v1/maintenance-windows',
      'POST /v1/monitors',
      'POST /v1/monitors/{id}/test',
      'POST /v1/probes',
      'POST /v1/probes/{id}/enrolment-token',
      'POST /v1/service-levels',
    ].sort(),
  )
  expect((await api.as('')('GET', '/docs')).status).toBeLessThan(400)
})

test('bytes that are no HTTP get a problem and are cut off', async () => {
  await api.app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = api.app.server.address() as { port: number }
  const answer = await new Promise<string>((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write('EHLO x\r\n\r\n'))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('close', () => resolve(text))
  })
  expect(answer).toMatch(/^HTTP\/1.1 400 .*application\/problem\+json/s)
})
