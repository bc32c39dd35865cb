/** The first start of a probe, against a coordinator that the test plays. */
import { existsSync, statSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { minuteMs, secondMs } from '../../common/durations.ts'
import { publicKeyFromX } from '../../common/mail/jws.ts'
import type { ProbeFrame } from '../../common/wire/frames.ts'
import { open } from '../../common/wire/seal.ts'
import { enrol } from '../../probe/enroll.ts'
import { loadIdentity, loadProbeKey } from '../../probe/identity.ts'
import { FakeCoordinator } from '../support/fake-coordinator.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { probeId, recordingLogger, returnAddress, temporaryDirectory } from '../support/probe-parts.ts'

const home = new Installation()
const stranger = new Installation()

let runtime: FakeRuntime
let coordinator: FakeCoordinator
let directory: ReturnType<typeof temporaryDirectory>
let stop: AbortController

beforeEach(async () => {
  runtime = new FakeRuntime()
  directory = temporaryDirectory()
  coordinator = await FakeCoordinator.listen(home, runtime.wallMs)
  stop = new AbortController()
})
afterEach(async () => {
  await coordinator.close()
  directory.remove()
})

function start(coordinators = [coordinator.url]) {
  const keyPair = loadProbeKey(directory.path)
  const { logger, logged } = recordingLogger()
  const base = { runtime, coordinators, keyPair, returnAddress, dataDir: directory.path, version: 'test', logger }
  const enrolled = enrol({ ...base, token: home.enrolmentToken, signal: stop.signal })
  // Looked at later; until then a refusal is nobody's.
  enrolled.catch(() => {})
  runtime.advance(0)
  return { keyPair, logged, enrolled }
}

/** What an honest coordinator answers, but for the changes. */
function answer(x: string, changes: { installation?: Installation; ret?: string; x?: string; said?: string } = {}): void {
  const { installation = home, ret = returnAddress } = changes
  const certificate = installation.probeCertificate(probeId, changes.x ?? x, ret, runtime.wallMs())
  const rootX = changes.installation === undefined ? home.root.x : changes.installation.root.x
  coordinator.send({
    v: 1,
    type: 'enrolled',
    probe_id: probeId,
    root_x: rootX,
    return_address: changes.said ?? returnAddress,
    certificate,
  })
}

const readRequest = async (frame: Extract<ProbeFrame, { type: 'enrol' }>, kid: string) =>
  await open('enrolment', frame.enrolment, {
    trustedKey: (named) => (named === kid ? publicKeyFromX(frame.x) : undefined),
    issuer: kid,
    audience: home.name,
    nowMs: runtime.wallMs(),
    maxAgeMs: minuteMs,
  })

describe('the enrolment', () => {
  it('tells the token and the new key, proves that it holds it, and writes down who it is', async () => {
    const { keyPair, enrolled } = start()
    const request = await coordinator.take('enrol')
    const { body } = await readRequest(request, keyPair.kid)
    expect(body).toEqual({ token: home.enrolmentToken, x: keyPair.x, return_address: returnAddress })
    answer(keyPair.x)
    const identity = await enrolled
    expect(identity).toMatchObject({ probeId, returnAddress, rootX: home.root.x, installation: home.name })
    const again = loadIdentity(directory.path, loadProbeKey(directory.path))
    expect(again?.certificate()).toBe(identity.certificate())
    for (const file of ['identity.json', 'keys/probe.pem']) expect(statSync(`${directory.path}/${file}`).mode & 0o077).toBe(0)
  })

  it.each([
    ['of another root key than the token names', () => ({ installation: stranger }), 'ISSUER_UNKNOWN'],
    ['with a certificate for another key', () => ({ x: stranger.coordinator.x }), 'CERTIFICATE_INVALID'],
    ['with a certificate for another return address', () => ({ ret: 'victim@elsewhere.example' }), 'CERTIFICATE_INVALID'],
    ['that speaks of another return address', () => ({ said: 'rt@us.probe.example' }), 'CERTIFICATE_INVALID'],
  ])('refuses an answer %s, and keeps nothing of it', async (_, changes, code) => {
    const { keyPair, enrolled } = start()
    await coordinator.take('enrol')
    answer(keyPair.x, changes())
    await expect(enrolled).rejects.toMatchObject({ code })
    expect(existsSync(`${directory.path}/identity.json`)).toBe(false)
  })

  it('ends with advice when the coordinator refuses the token', async () => {
    const { enrolled } = start()
    await coordinator.take('enrol')
    coordinator.send({ v: 1, type: 'error', code: 'ENROLMENT_REFUSED', detail: 'The token has been used' })
    await expect(enrolled).rejects.toThrow(/The token has been used.*POST \/v1\/probes.*MAILSCOUT_ENROLMENT_TOKEN/)
  })

  it.each(['DOCUMENT_NOT_YET_VALID', 'DOCUMENT_EXPIRED'])('speaks of the clocks where it is refused as %s', async (code) => {
    const { enrolled } = start()
    await coordinator.take('enrol')
    coordinator.send({ v: 1, type: 'error', code, detail: 'The document is of another time' })
    await expect(enrolled).rejects.toThrow(/of another time.*by NTP.*the same token/)
  })

  it('asks again, with the same key, when the answer was lost', async () => {
    const { keyPair, enrolled, logged } = start()
    const first = await coordinator.take('enrol')
    coordinator.drop()
    await logged('trying again')
    await runtime.advanceAsync(secondMs)
    expect((await coordinator.take('enrol')).x).toBe(first.x)
    answer(keyPair.x)
    expect((await enrolled).probeId).toBe(probeId)
  })

  it('goes from one coordinator to the next until one answers', async () => {
    const other = await FakeCoordinator.listen(home, runtime.wallMs)
    await other.close()
    const { keyPair, enrolled, logged } = start([other.url, coordinator.url])
    await logged('trying again')
    await runtime.advanceAsync(secondMs)
    await coordinator.take('enrol')
    answer(keyPair.x)
    await enrolled
  })

  it('can be stopped while it waits', async () => {
    const { enrolled } = start()
    await coordinator.take('enrol')
    stop.abort(new Error('stopped'))
    await expect(enrolled).rejects.toThrow('stopped')
  })
})
