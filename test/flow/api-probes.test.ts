/** Probes and their enrolment, and what a mail administrator is told to install. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readEnrolmentToken } from '../../common/wire/enrolment-token.ts'
import { sha256 } from '../../common/wire/keys.ts'
import { findCertificate, findEnrolment, saveCertificate } from '../../coordinator/store/probe-link.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { addAssignment, addProbe } from '../support/records.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

const enrolment = (token: string) => findEnrolment(api.database.system, sha256(token))

test('a new probe is pending and gets a token that names our root key', async () => {
  const { status, body } = await api.operator('POST', '/v1/probes', {
    name: 'eu-1',
    region: 'eu',
    asn: 64_500,
    provider: 'Example',
  })
  expect({ status, body }).toMatchObject({
    status: 201,
    body: {
      name: 'eu-1',
      region: 'eu',
      asn: 64_500,
      provider: 'Example',
      state: 'pending',
      return_address: null,
      last_seen_at: null,
    },
  })
  expect(readEnrolmentToken(body.enrolment_token)).toEqual({ rootKid: api.installation.root.kid })
  expect(await enrolment(body.enrolment_token)).toMatchObject({ id: body.id, expired: false })
  expect((await api.operator('GET', `/v1/probes/${body.id}`)).body).not.toHaveProperty('enrolment_token')
  expect(await api.operator('POST', '/v1/probes', { name: 'eu-1', region: 'us' })).toMatchObject({
    status: 409,
    body: { errors: [{ field: 'name' }] },
  })
})

test('a lost token is replaced, and the old one ends', async () => {
  const { body } = await api.operator('POST', '/v1/probes', { name: 'us-1', region: 'us' })
  const { status, body: renewed } = await api.operator('POST', `/v1/probes/${body.id}/enrolment-token`)
  expect(status).toBe(201)
  expect(await enrolment(body.enrolment_token)).toBeNull()
  expect(await enrolment(renewed.enrolment_token)).toMatchObject({ id: body.id })
})

test('an enrolled probe keeps its key, unless it is taken away on purpose', async () => {
  const { id } = await addProbe(api.admin, 'ap')
  expect((await api.operator('GET', `/v1/probes/${id}`)).body).toMatchObject({
    state: 'connected',
    return_address: 'rt@ap.probe.example',
  })
  expect(await api.operator('POST', `/v1/probes/${id}/enrolment-token`, {})).toMatchObject({
    status: 409,
    body: { code: 'CONFLICT' },
  })
  const nowMs = Date.now()
  const held = { certificate: 'for the old key', notBeforeMs: nowMs - 1000, notAfterMs: nowMs + 86_400_000 }
  await saveCertificate(api.database.system, id, held)
  const { body } = await api.operator('POST', `/v1/probes/${id}/enrolment-token`, { reset: true })
  expect(body.state).toBe('pending')
  expect(await findCertificate(api.database.system, id)).toBeNull()
  expect(await enrolment(body.enrolment_token)).toMatchObject({ id, public_key: null })
})

test('a probe that is not heard of is lost', async () => {
  const { id } = await addProbe(api.admin, 'sa')
  await api.admin`update probes set last_seen_at = now() - interval '46 seconds' where id = ${id}`
  expect((await api.operator('GET', `/v1/probes/${id}`)).body.state).toBe('lost')
})

test('a retired probe is out for good, and its monitors look for another', async () => {
  const { id } = await addProbe(api.admin, 'af')
  const acme = await api.customer('Acme')
  const { body: monitor } = await acme.ask('POST', '/v1/monitors', {
    name: 'M',
    kind: 'roundtrip',
    target: { address: 'a@x.example' },
  })
  await addAssignment(api.admin, monitor, id)
  await api.admin`update monitors set assign_at = null`
  expect((await api.operator('DELETE', `/v1/probes/${id}`)).body.state).toBe('retired')
  expect((await api.operator('POST', `/v1/probes/${id}/enrolment-token`, { reset: true })).status).toBe(409)
  const [row] = await api.admin`select assign_at is not null as waiting from monitors where id = ${monitor.id}`
  expect(row?.waiting).toBe(true)
})

test('a renamed or moved probe keeps what it is', async () => {
  const { body } = await api.operator('POST', '/v1/probes', { name: 'moving', region: 'eu' })
  const moved = await api.operator('PATCH', `/v1/probes/${body.id}`, { region: 'us', provider: 'New' })
  expect(moved.body).toMatchObject({ id: body.id, name: 'moving', region: 'us', provider: 'New' })
  expect(await api.operator('PATCH', `/v1/probes/${body.id}`, { name: 'eu-1' })).toMatchObject({ status: 409 })
})

test.each(['postfix', 'exim', 'sendmail', 'sink'])(
  'the guide for %s pins the root key and the return domains',
  async (system) => {
    const { id } = await addProbe(api.admin, `guide-${system}`)
    const acme = await api.customer(`Guide ${system}`)
    const { body: monitor } = await acme.ask('POST', '/v1/monitors', {
      name: 'M',
      kind: 'roundtrip',
      target: { address: 'scout@x.example' },
    })
    const { status, body } = await acme.ask('GET', `/v1/monitors/${monitor.id}/responder?system=${system}`)
    expect(status).toBe(200)
    expect(body).toMatchObject({ system, config: { root_keys: [api.installation.root.x], addresses: ['scout@x.example'] } })
    expect(body.config.return_domains).toContain(`guide-${system}.probe.example`)
    expect(JSON.parse(body.files[0].content)).toEqual(body.config)
    expect(body.files[0].path).toBe('/etc/mailscout/responder.json')
    expect(body.steps.length).toBeGreaterThan(4)
    await api.operator('DELETE', `/v1/probes/${id}`)
    const after = await acme.ask('GET', `/v1/monitors/${monitor.id}/responder`)
    expect(after.body.config?.return_domains ?? []).not.toContain(`guide-${system}.probe.example`)
  },
)
