/** The probe's half of the link against a coordinator that the test plays, over a real WebSocket. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { minuteMs, secondMs } from '../../common/durations.ts'
import type { CoordinatorFrame, ProbeFrame } from '../../common/wire/frames.ts'
import { open } from '../../common/wire/seal.ts'
import type { Job } from '../../common/wire/test.ts'
import { type Coordination, createCoordination } from '../../probe/coordination.ts'
import { loadIdentity, loadProbeKey } from '../../probe/identity.ts'
import { openStore, type Store } from '../../probe/store.ts'
import { FakeCoordinator } from '../support/fake-coordinator.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { assignmentOf, testPlan, uuidOf } from '../support/plans.ts'
import {
  enrolledIdentity,
  healthy,
  probeId,
  recordingLogger,
  resultOf,
  returnAddress,
  temporaryDirectory,
} from '../support/probe-parts.ts'

type Frame<T extends ProbeFrame['type']> = Extract<ProbeFrame, { type: T }>

const home = new Installation()
const stranger = new Installation()
const jobOf = (n: number): Job => ({ id: uuidOf(n), cause: 'confirm', plan: testPlan() })

let runtime: FakeRuntime
let coordinator: FakeCoordinator
let directory: ReturnType<typeof temporaryDirectory>
let opened: { coordination: Coordination; store: Store }[]

beforeEach(async () => {
  runtime = new FakeRuntime()
  directory = temporaryDirectory()
  coordinator = await FakeCoordinator.listen(home, runtime.wallMs)
  opened = []
})
afterEach(async () => {
  for (const { coordination, store } of opened) {
    coordination.stop()
    if (store.database.isOpen) store.close()
  }
  await coordinator.close()
  directory.remove()
})

/** The coordination of a probe that was enrolled before; a second call starts it again on the same disk. */
async function startProbe(coordinators = [coordinator.url]) {
  const recording = recordingLogger()
  const keyPair = loadProbeKey(directory.path)
  const identity = loadIdentity(directory.path, keyPair) ?? enrolledIdentity(home, directory.path, runtime.wallMs())
  coordinator.certificate = identity.certificate()
  const store = openStore(`${directory.path}/probe.sqlite`)
  const { logger } = recording
  const coordination = await createCoordination({ runtime, coordinators, identity, store, version: 'test', logger })
  opened.push({ coordination, store })
  const jobs: Job[] = []
  coordination.start({ health: () => healthy, onJob: (job) => jobs.push(job) })
  runtime.advance(0)
  const put = (n: number): void => {
    coordination.spool.put({ kind: 'result', id: uuidOf(n), body: resultOf(n) })
    coordination.wake()
    runtime.advance(20)
  }
  return { ...recording, identity, store, coordination, jobs, put }
}

async function readBatch(frame: Frame<'batch'>, keyPair = loadProbeKey(directory.path)): Promise<string[]> {
  const { body } = await open('result_batch', frame.batch, {
    trustedKey: (kid) => (kid === keyPair.kid ? keyPair.publicKey : undefined),
    issuer: probeId,
    audience: home.name,
    nowMs: runtime.wallMs(),
  })
  return body.results.map(({ id }) => id)
}
const acknowledge = (batch: Frame<'batch'>): void => coordinator.send({ v: 1, type: 'ack', batch_id: batch.id, refused: [] })

/** A session is open, and its first batch, which only tells the probe's health, is acknowledged. */
async function startOpenProbe(coordinators = [coordinator.url]) {
  const probe = await startProbe(coordinators)
  acknowledge(await coordinator.take('batch'))
  // Frames are dealt with in order: once this one is in the log, the acknowledgement is too.
  coordinator.send({ v: 1, type: 'error', code: 'INTERNAL', detail: 'only a mark' })
  await probe.logged('only a mark')
  return probe
}

async function sendOrders(version: number, assignmentIds: number[]): Promise<void> {
  const page = await home.page(
    assignmentIds.map((n) => assignmentOf({ id: uuidOf(n) })),
    probeId,
  )
  const manifest = await home.manifest({ version, page_hashes: [page.hash] }, probeId, runtime.wallMs())
  coordinator.send({ v: 1, type: 'manifest', manifest })
  const wanted = await coordinator.take('want_pages')
  expect(wanted.hashes).toEqual([page.hash])
  coordinator.send({ v: 1, type: 'page', hash: page.hash, page: page.jws })
  expect((await coordinator.take('applied')).manifest_version).toBe(version)
}
const ids = ({ orders }: Coordination): string[] => orders.current().assignments.map(({ id }) => id)

describe('a session', () => {
  it('opens once both sides have proved themselves, and the first word is how the probe is', async () => {
    const { coordination } = await startProbe()
    const hello = await coordinator.take('hello')
    expect(hello).toMatchObject({ probe_id: probeId, version: 'test', boot_id: 'boot-1' })
    expect(await readBatch(await coordinator.take('batch'))).toEqual([])
    expect(coordination.isConnected()).toBe(true)
  })

  it.each([
    [
      'of another installation',
      async (hello: { nonce: string }) => ({
        coordinator_certificate: await stranger.coordinatorCertificate(runtime.wallMs()),
        proof: await stranger.proof(hello.nonce, probeId, runtime.wallMs()),
      }),
      'ISSUER_UNKNOWN',
    ],
    [
      'that shows a certificate whose key it does not hold',
      async (hello: { nonce: string }) => ({
        proof: await home.proof(hello.nonce, probeId, runtime.wallMs(), {
          key: { ...stranger.coordinator, kid: home.coordinator.kid },
        }),
      }),
      'SIGNATURE_INVALID',
    ],
    [
      'that repeats the proof of another session',
      async () => ({
        proof: await home.proof('o'.repeat(32), probeId, runtime.wallMs()),
      }),
      'DOCUMENT_REPLAYED',
    ],
  ])('is refused to a coordinator %s, and it is left alone for ten minutes', async (_, lie, code) => {
    coordinator.greeting = async (hello) =>
      ({ ...(await coordinator.challenge(hello)), ...(await lie(hello)) }) as CoordinatorFrame
    const { coordination, logged, lines } = await startProbe()
    expect((await coordinator.take('error')).code).toBe(code)
    await logged('no session with this coordinator')
    expect(lines.filter((line) => line.code === code).map(({ level }) => level)).toEqual([40, 50])
    expect(coordination.isConnected()).toBe(false)
    await runtime.advanceAsync(10 * minuteMs - secondMs)
    expect(coordinator.connections).toBe(1)
    await runtime.advanceAsync(secondMs)
    await coordinator.take('hello')
  })

  it('goes to the next coordinator when the first cannot be reached', async () => {
    const other = await FakeCoordinator.listen(home, runtime.wallMs)
    await other.close()
    const { logged } = await startProbe([other.url, coordinator.url])
    await logged('dialling again')
    await runtime.advanceAsync(secondMs)
    await coordinator.take('batch')
  })

  it('leaves a coordinator that does not know this probe alone, and says what to do', async () => {
    coordinator.greeting = async () => ({ v: 1, type: 'error', code: 'PROBE_UNKNOWN', detail: 'No probe has this id' })
    const { logged } = await startProbe()
    expect((await logged('PROBE_UNKNOWN')).msg).toMatch(/No probe has this id.*enrol it again/)
    await runtime.advanceAsync(9 * minuteMs)
    expect(coordinator.connections).toBe(1)
  })

  it('refused because of its clock says what to do, in its log and on its state page, and asks again soon', async () => {
    const detail = 'The document is dated 90 s in the future'
    coordinator.greeting = async () => ({ v: 1, type: 'error', code: 'DOCUMENT_NOT_YET_VALID', detail })
    const { coordination, logged } = await startProbe()
    expect(await logged('no session')).toMatchObject({ level: 50, msg: expect.stringMatching(/90 s in the future.*by NTP/) })
    expect(coordination.trouble()).toMatch(/90 s in the future.*by NTP/)
    coordinator.greeting = (hello) => coordinator.challenge(hello)
    await runtime.advanceAsync(2 * secondMs)
    await coordinator.take('batch')
    expect(coordination.trouble()).toBeUndefined()
  })

  it('survives frames that nobody can read: they are answered with a code', async () => {
    const { coordination, jobs } = await startOpenProbe()
    const nonsense = [
      ['nonsense', 'FRAME_MALFORMED'],
      ['{"v":2,"type":"job"}', 'VERSION_UNSUPPORTED'],
      ['{"v":1,"type":"shutdown"}', 'FRAME_UNEXPECTED'],
      ['{"v":1,"type":"job","job":"x"}', 'FRAME_MALFORMED'],
      ['{"v":1,"type":"challenge"}', 'FRAME_MALFORMED'],
    ] as const
    for (const [text, code] of nonsense) {
      coordinator.sendText(text)
      expect((await coordinator.take('error')).code).toBe(code)
    }
    coordinator.send({ v: 1, type: 'job', job: await home.job(jobOf(50), probeId, runtime.wallMs()) })
    await coordinator.take('job_taken')
    expect(jobs).toHaveLength(1)
    expect(coordination.isConnected()).toBe(true)
  })

  it('ends when nothing has been heard for 45 s, and a new one begins', async () => {
    const { logged } = await startOpenProbe()
    runtime.advance(45 * secondMs)
    await logged('nothing heard for 45 s')
    await coordinator.take('hello')
    await runtime.advanceAsync(secondMs)
    await coordinator.take('hello')
    expect(coordinator.connections).toBe(2)
  })

  it('that another process with the same identity took over is not taken back at once', async () => {
    const { logged } = await startOpenProbe()
    coordinator.closeSession(4001, 'a newer session has taken over')
    expect((await logged('dialling again')).code).toBe('SESSION_SUPERSEDED')
    await runtime.advanceAsync(59 * secondMs)
    expect(coordinator.connections).toBe(1)
    await runtime.advanceAsync(secondMs)
    await coordinator.take('batch')
  })

  it('brings a renewed certificate, which is kept on disk; one for another key is refused', async () => {
    const { identity, logged } = await startOpenProbe()
    const [x, later] = [identity.keyPair.x, runtime.wallMs() + 7 * 24 * 60 * minuteMs]
    const renewed = home.probeCertificate(probeId, x, returnAddress, later)
    coordinator.send({ v: 1, type: 'certificate', certificate: renewed })
    await logged('probe certificate renewed')
    expect(loadIdentity(directory.path, identity.keyPair)?.certificate()).toBe(renewed)
    const foreign = [
      home.probeCertificate(probeId, stranger.coordinator.x, returnAddress, later * 2),
      home.probeCertificate(probeId, x, 'victim@elsewhere.example', later),
    ]
    for (const certificate of foreign) {
      coordinator.send({ v: 1, type: 'certificate', certificate })
      expect((await coordinator.take('error')).code).toBe('CERTIFICATE_INVALID')
    }
    coordinator.send({ v: 1, type: 'certificate', certificate: stranger.probeCertificate(probeId, x, returnAddress, later) })
    expect((await coordinator.take('error')).code).toBe('ISSUER_UNKNOWN')
    expect(identity.certificate()).toBe(renewed)
  })
})

describe('orders over the link', () => {
  it('are followed, and after a restart without any coordinator followed still', async () => {
    const { coordination, store } = await startOpenProbe()
    await sendOrders(1, [101, 102])
    expect(ids(coordination)).toEqual([uuidOf(101), uuidOf(102)])
    coordination.stop()
    store.close()
    await coordinator.close()
    const again = await startProbe()
    expect(ids(again.coordination)).toEqual([uuidOf(101), uuidOf(102)])
  })

  it('are refused with a code when outdated, foreign or with a page of the wrong hash, and the old ones stay', async () => {
    const { coordination, lines } = await startOpenProbe()
    await sendOrders(5, [101])
    const nowMs = runtime.wallMs()
    const refused = async (manifest: string, code: string) => {
      coordinator.send({ v: 1, type: 'manifest', manifest })
      expect((await coordinator.take('error')).code).toBe(code)
    }
    await refused(await home.manifest({ version: 4 }, probeId, nowMs), 'DOCUMENT_OUTDATED')
    await refused(await home.manifest({ version: 6 }, uuidOf(7), nowMs), 'AUDIENCE_WRONG')
    await refused(await stranger.manifest({ version: 6 }, probeId, nowMs), 'ISSUER_UNKNOWN')
    const [named, sent] = [await home.page([], probeId), await home.page([assignmentOf()], probeId)]
    coordinator.send({
      v: 1,
      type: 'manifest',
      manifest: await home.manifest({ version: 6, page_hashes: [named.hash] }, probeId, nowMs),
    })
    await coordinator.take('want_pages')
    coordinator.send({ v: 1, type: 'page', hash: named.hash, page: sent.jws })
    expect((await coordinator.take('error')).code).toBe('SIGNATURE_INVALID')
    expect(ids(coordination)).toEqual([uuidOf(101)])
    expect(lines.filter(({ msg }) => msg.startsWith('a frame of the coordinator is refused'))).toHaveLength(4)
  })

  it('that ask for a job again, late or of somebody else are refused with a code', async () => {
    const { jobs } = await startOpenProbe()
    const nowMs = runtime.wallMs()
    const good = await home.job(jobOf(50), probeId, nowMs)
    coordinator.send({ v: 1, type: 'job', job: good })
    expect((await coordinator.take('job_taken')).job_id).toBe(uuidOf(50))
    const refused = [
      [good, 'DOCUMENT_REPLAYED'],
      [await home.job(jobOf(51), probeId, nowMs - 4 * minuteMs), 'DOCUMENT_EXPIRED'],
      [await home.job(jobOf(52), uuidOf(7), nowMs), 'AUDIENCE_WRONG'],
      [await stranger.job(jobOf(53), probeId, nowMs), 'ISSUER_UNKNOWN'],
    ] as const
    for (const [job, code] of refused) {
      coordinator.send({ v: 1, type: 'job', job })
      expect((await coordinator.take('error')).code).toBe(code)
    }
    expect(jobs).toEqual([jobOf(50)])
  })

  it('refuse a job that was taken before the restart', async () => {
    const first = await startOpenProbe()
    const job = await home.job(jobOf(50), probeId, runtime.wallMs())
    coordinator.send({ v: 1, type: 'job', job })
    await coordinator.take('job_taken')
    first.coordination.stop()
    first.store.close()
    const again = await startOpenProbe()
    coordinator.send({ v: 1, type: 'job', job })
    expect((await coordinator.take('error')).code).toBe('DOCUMENT_REPLAYED')
    expect(again.jobs).toEqual([])
  })
})

describe('results over the link', () => {
  it('whose acknowledgement was lost are sent again in the next session, each once', async () => {
    const { put, coordination, logged } = await startOpenProbe()
    put(1)
    expect(await readBatch(await coordinator.take('batch'))).toEqual([uuidOf(1)])
    coordinator.drop()
    await logged('dialling again')
    put(2)
    await runtime.advanceAsync(secondMs)
    const again = await coordinator.take('batch')
    expect(await readBatch(again)).toEqual([uuidOf(1), uuidOf(2)])
    acknowledge(again)
    put(3)
    const next = await coordinator.take('batch')
    expect(await readBatch(next)).toEqual([uuidOf(3)])
    acknowledge(next)
    await coordination.drained()
    expect(coordination.spool.depth()).toBe(0)
  })

  it('survive the probe: what was not acknowledged is told after its restart', async () => {
    const first = await startOpenProbe()
    first.put(1)
    await coordinator.take('batch')
    first.coordination.stop()
    first.store.close()
    await startProbe()
    expect(await readBatch(await coordinator.take('batch'))).toEqual([uuidOf(1)])
  })
})
