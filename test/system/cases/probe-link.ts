/** Both ends of the probe link, with somebody at the other end who may not: every refusal has its code, on the wire and in the log. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, afterEach, before, describe, test } from 'node:test'
import type { ResultBatch } from '../../../common/wire/documents.ts'
import { readEnrolmentToken, writeEnrolmentToken } from '../../../common/wire/enrolment-token.ts'
import { createKeyPair, installationName, type KeyPair } from '../../../common/wire/keys.ts'
import { type SealOptions, seal } from '../../../common/wire/seal.ts'
import type { TestResult } from '../../../common/wire/test.ts'
import type { Probe } from '../lab/api.ts'
import { useMailscout } from '../lab/current.ts'
import type { Mailscout } from '../lab/mailscout.ts'
import { ProbeLink } from '../lab/probe-link.ts'
import { until } from '../lab/until.ts'
import type { Watched } from '../lab/watched.ts'

const v = 1
const version = '0.1.0'
const returnAddress = 'rt@stray.probe.test'

describe('the probe link of the coordinator', () => {
  let mailscout: Mailscout
  /** A probe that an operator has made known, and that this test plays. */
  let stray: Probe & { enrolment_token: string }
  /** Was given to its probes before the stray one enrolled. */
  let watched: Watched
  let installation: string
  const key = createKeyPair()
  const links: ProbeLink[] = []

  before(async () => {
    mailscout = await useMailscout()
    watched = await mailscout.watch('not-yours')
    await watched.awaitUp()
    stray = await mailscout.api.post('/v1/probes', { name: 'stray', region: 'stray' })
    installation = installationName(readEnrolmentToken(stray.enrolment_token).rootKid)
  })
  afterEach(() => {
    for (const link of links.splice(0)) link.close()
  })
  after(async () => {
    await mailscout.api.delete(`/v1/probes/${stray.id}`)
    await mailscout.unwatchAll()
  })

  const open = async (): Promise<ProbeLink> => {
    const link = await ProbeLink.open(mailscout.parts.socketPath)
    links.push(link)
    return link
  }

  /** The code of the refusal, which must stand in the log too. */
  const refusedWith = async (link: ProbeLink, code: string): Promise<void> => {
    assert.equal(await link.refusal(), code)
    await until(`${code} in the log`, () => mailscout.coordinator.log().includes(`"code":"${code}"`), { withinMs: 5_000 })
  }

  const enrolment = async (by: KeyPair, token: string, changes: Partial<SealOptions> = {}) => {
    const options = { key: by, issuer: by.kid, audience: installation, issuedAtMs: Date.now(), id: randomUUID(), ...changes }
    const signed = await seal('enrolment', { token, x: by.x, return_address: returnAddress }, options)
    return { v, type: 'enrol', enrolment: signed, x: by.x, version } as const
  }

  const hello = (probe_id: string) =>
    ({ v, type: 'hello', probe_id, nonce: randomBytes(24).toString('base64url'), version, boot_id: 'a-boot' }) as const

  const proofOf = (nonce: string, changes: Partial<SealOptions> = {}) =>
    seal('probe_proof', { nonce }, { key, issuer: stray.id, audience: installation, issuedAtMs: Date.now(), ...changes })

  /** Says hello as this probe and returns the nonce that is to be proved. */
  const greet = async (link: ProbeLink, probeId: string): Promise<string> => {
    link.send(hello(probeId))
    return (await link.take<{ type: string; nonce: string }>('challenge')).nonce
  }

  const openSession = async (): Promise<ProbeLink> => {
    const link = await open()
    link.send({ v, type: 'prove', proof: await proofOf(await greet(link, stray.id)) })
    await link.take('welcome')
    return link
  }

  const words: [what: string, text: string, code: string][] = [
    ['text that is no JSON', 'hello', 'FRAME_MALFORMED'],
    ['a frame of another version', JSON.stringify({ v: 99, type: 'hello' }), 'VERSION_UNSUPPORTED'],
    ['a frame that nobody knows', JSON.stringify({ v, type: 'give_me_everything' }), 'FRAME_UNEXPECTED'],
    ['a frame with more in it than it has', JSON.stringify({ ...hello(randomUUID()), admin: true }), 'FRAME_MALFORMED'],
    ['a report before any proof', JSON.stringify({ v, type: 'job_taken', job_id: randomUUID() }), 'FRAME_UNEXPECTED'],
    ['a probe that never enrolled', JSON.stringify(hello(randomUUID())), 'PROBE_UNKNOWN'],
  ]
  for (const [what, text, code] of words) {
    test(`${what}: ${code}`, async () => {
      const link = await open()
      link.send(text)
      await refusedWith(link, code)
      assert.equal(await link.awaitClosed(), 1008)
    })
  }

  test('a frame beyond all bounds ends the connection', async () => {
    const link = await open()
    link.send(' '.repeat(1024 * 1024 + 1))
    // 1009 says why; a reset, because the rest of the frame was left unread, may overtake it.
    assert.ok([1009, 1006].includes(await link.awaitClosed()))
  })

  test('an enrolment for another installation, an old one, one with a token of nobody', async () => {
    const madeUp = writeEnrolmentToken(randomBytes(32), readEnrolmentToken(stray.enrolment_token).rootKid)
    const token = stray.enrolment_token
    const attempts = [
      { frame: await enrolment(key, token, { audience: 'mailscout:another' }), code: 'AUDIENCE_WRONG' },
      { frame: await enrolment(key, token, { issuedAtMs: Date.now() - 3_600_000 }), code: 'DOCUMENT_EXPIRED' },
      { frame: { ...(await enrolment(key, token)), x: createKeyPair().x }, code: 'ISSUER_UNKNOWN' },
      { frame: await enrolment(key, madeUp), code: 'ENROLMENT_REFUSED' },
    ]
    for (const { frame, code } of attempts) {
      const link = await open()
      link.send(frame)
      await refusedWith(link, code)
    }
    assert.equal((await mailscout.api.get<Probe>(`/v1/probes/${stray.id}`)).state, 'pending')
  })

  test('an enrolment token serves one key', async () => {
    const first = await open()
    first.send(await enrolment(key, stray.enrolment_token))
    assert.equal((await first.take<{ type: string; probe_id: string }>('enrolled')).probe_id, stray.id)
    const second = await open()
    second.send(await enrolment(createKeyPair(), stray.enrolment_token))
    await refusedWith(second, 'ENROLMENT_REFUSED')
  })

  test('a proof by the key of somebody else, for somebody else, or of another session', async () => {
    const eu = await mailscout.probeOf('eu')
    const asEu = await open()
    const nonce = await greet(asEu, eu.id)
    asEu.send({ v, type: 'prove', proof: await proofOf(nonce, { issuer: eu.id }) })
    await refusedWith(asEu, 'ISSUER_UNKNOWN')

    const elsewhere = await open()
    elsewhere.send({
      v,
      type: 'prove',
      proof: await proofOf(await greet(elsewhere, stray.id), { audience: 'mailscout:another' }),
    })
    await refusedWith(elsewhere, 'AUDIENCE_WRONG')

    const overheard = await proofOf(await greet(await open(), stray.id))
    const replaying = await open()
    await greet(replaying, stray.id)
    replaying.send({ v, type: 'prove', proof: overheard })
    await refusedWith(replaying, 'DOCUMENT_REPLAYED')
    assert.equal((await mailscout.probeOf('eu')).state, 'connected')
  })

  test('reports that are forged, foreign, old, replayed or of another kind, in a session that goes on', async () => {
    const link = await openSession()
    const id = randomUUID()
    const options = { key, issuer: stray.id, audience: installation, issuedAtMs: Date.now(), id }
    const report = (changes: Partial<SealOptions> = {}) => seal('result_batch', batchOf([]), { ...options, ...changes })
    const genuine = await report()
    const attempts = [
      { batch: await report({ key: createKeyPair() }), code: 'ISSUER_UNKNOWN' },
      { batch: await report({ key: { ...createKeyPair(), kid: key.kid } }), code: 'SIGNATURE_INVALID' },
      { batch: await report({ audience: 'mailscout:another' }), code: 'AUDIENCE_WRONG' },
      { batch: await report({ issuedAtMs: Date.now() - 3_600_000 }), code: 'DOCUMENT_EXPIRED' },
      { batch: await report({ id: randomUUID() }), code: 'DOCUMENT_REPLAYED' },
      { batch: await proofOf('a'.repeat(32)), code: 'DOCUMENT_TYPE_WRONG' },
      { batch: `${genuine.split('.')[0]}.e30.${genuine.split('.')[2]}`, code: 'SIGNATURE_INVALID' },
    ]
    for (const { batch, code } of attempts) {
      link.send({ v, type: 'batch', id, batch })
      await refusedWith(link, code)
    }
    link.send({ v, type: 'batch', id, batch: genuine })
    assert.equal((await link.take<{ type: string; batch_id: string }>('ack')).batch_id, id)
  })

  test('a result of a monitor that it was never given: refused by name, and the monitor does not know of it', async () => {
    const link = await openSession()
    const result = resultOf(watched.id)
    const id = randomUUID()
    const options = { key, issuer: stray.id, audience: installation, issuedAtMs: Date.now(), id }
    link.send({ v, type: 'batch', id, batch: await seal('result_batch', batchOf([result]), options) })
    const { refused } = await link.take<{ type: string; refused: { id: string; code: string }[] }>('ack')
    assert.deepEqual(
      refused.map((entry) => [entry.id, entry.code]),
      [[result.id, 'RESULT_FOREIGN']],
    )
    await until('it in the log', () => mailscout.coordinator.log().includes('"code":"RESULT_FOREIGN"'), { withinMs: 5_000 })
    assert.ok((await watched.results()).every((known) => known.id !== result.id))
    assert.equal((await watched.monitor()).decision, 'up')
  })
})

const batchOf = (results: TestResult[]): ResultBatch => ({
  boot_id: 'a-boot',
  health: {
    version,
    inbox_ok: true,
    inbox_detail: '',
    spool_depth: 0,
    tests_running: 0,
    clock_offset_ms: null,
    clock_error_ms: null,
  },
  results,
  overdues: [],
  lates: [],
  controls: [],
})

function resultOf(monitor_id: string): TestResult {
  const now = Date.now()
  return {
    id: randomUUID(),
    monitor_id,
    generation: 1,
    cause: 'retest',
    job_id: null,
    attempt: 2,
    first_test_id: randomUUID(),
    slot: null,
    slot_at: null,
    started_at: now - 20_000,
    sent_at: null,
    returned_at: null,
    finished_at: now - 8_000,
    outcome: 'refused',
    rtt_ms: null,
    stages: [],
    stamp_at: null,
    clock_offset_ms: null,
    boot_id: 'a-boot',
    started_uptime_ms: 1_000_000,
    finished_uptime_ms: 1_012_000,
    detail: {},
  }
}
