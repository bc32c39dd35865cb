/** A probe whose coordinator is played by the test: what it is ordered to do, by whom, for whom and when, it checks before it acts. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { systemRuntime, uuidv7 } from '../../../common/runtime.ts'
import type { Assignment, Job } from '../../../common/wire/test.ts'
import { FakeCoordinator } from '../../support/fake-coordinator.ts'
import { Installation } from '../../support/installation.ts'
import { assignmentOf, testPlan } from '../../support/plans.ts'
import { useLab } from '../lab/current.ts'
import type { Program } from '../lab/processes.ts'
import { until } from '../lab/until.ts'

const lab = useLab()
const v = 1
const probeId = uuidv7(systemRuntime)
const returnAddress = 'rt@guest.probe.test'
const port = 9090

describe('a probe and its orders', { timeout: 120_000 }, () => {
  const home = new Installation()
  const stranger = new Installation()
  let coordinator: FakeCoordinator
  let probe: Program
  /** Where every order that must not be followed would send a mail to. */
  let victim = ''
  let ordered = ''

  before(async () => {
    victim = lab.customer.addUser('victim')
    ordered = lab.customer.addUser('ordered')
    coordinator = await FakeCoordinator.listen(home, Date.now)
    await bridgeTo(coordinator)
    probe = lab.programs.start({
      name: 'probe-guest',
      at: lab.host('infra'),
      cwd: resolve(import.meta.dirname, '../../..'),
      command: [process.execPath, 'probe/main.ts'],
      env: {
        DATA_DIR: join(lab.directory, 'probe-guest'),
        MAILSCOUT_COORDINATORS: `ws://127.0.0.1:${port}/probe`,
        MAILSCOUT_ENROLMENT_TOKEN: home.enrolmentToken,
        MAILSCOUT_RETURN_ADDRESS: returnAddress,
        MAILSCOUT_INBOX: 'smtp://0.0.0.0:2525',
        MAILSCOUT_ALLOW_TARGETS: '10.77.0.0/16',
        MAILSCOUT_NTP: 'off',
      },
    })
    const { x } = await coordinator.take('enrol')
    const certificate = home.probeCertificate(probeId, x, returnAddress, Date.now())
    coordinator.certificate = certificate
    coordinator.send({ v, type: 'enrolled', probe_id: probeId, root_x: home.root.x, return_address: returnAddress, certificate })
    await probe.awaitLog(/probe ready/)
    await coordinator.take('prove')
  })
  after(async () => {
    await probe.stop()
    await coordinator.close()
    assert.deepEqual(lab.customer.mails('victim'), [], 'no order that was refused has sent a mail')
    assert.ok(!lab.customer.log().includes(victim), 'nor tried to')
  })

  /** The code of the refusal, which must stand in the log of the probe too. */
  const refusedWith = async (code: string): Promise<void> => {
    assert.equal((await coordinator.take('error')).code, code)
    await until(`${code} in the log`, () => probe.log().includes(`"code":"${code}"`), { withinMs: 5_000 })
  }

  /** An assignment whose next slot is now. */
  const assignment = (): Assignment =>
    assignmentOf({ id: uuidv7(systemRuntime), epoch_ms: Date.now() }, { target: { address: victim }, period_s: 1 })
  const job = (address: string): Job => ({ id: uuidv7(systemRuntime), cause: 'confirm', plan: testPlan({ target: { address } }) })

  test('assignments that are forged, foreign, ended, outdated or exchanged are not followed', async () => {
    const now = Date.now()
    coordinator.send({ v, type: 'manifest', manifest: await home.manifest({ version: 5 }, probeId, now) })
    assert.equal((await coordinator.take('applied')).manifest_version, 5)

    const { hash, jws } = await home.page([assignment()], probeId)
    const body = { version: 6, page_hashes: [hash] }
    const manifests = [
      { manifest: await stranger.manifest(body, probeId, now), code: 'ISSUER_UNKNOWN' },
      {
        manifest: await home.manifest(body, probeId, now, { key: { ...stranger.coordinator, kid: home.coordinator.kid } }),
        code: 'SIGNATURE_INVALID',
      },
      { manifest: await home.manifest(body, uuidv7(systemRuntime), now), code: 'AUDIENCE_WRONG' },
      { manifest: await home.manifest({ ...body, valid_until: now - 3_600_000 }, probeId, now), code: 'DOCUMENT_EXPIRED' },
      { manifest: await home.manifest({ ...body, version: 4 }, probeId, now), code: 'DOCUMENT_OUTDATED' },
      { manifest: jws, code: 'DOCUMENT_TYPE_WRONG' },
    ]
    for (const { manifest, code } of manifests) {
      coordinator.send({ v, type: 'manifest', manifest })
      await refusedWith(code)
    }
    const empty = await home.page([], probeId)
    coordinator.send({ v, type: 'manifest', manifest: await home.manifest({ ...body, page_hashes: [empty.hash] }, probeId, now) })
    await coordinator.take('want_pages')
    coordinator.send({ v, type: 'page', hash: empty.hash, page: jws })
    await refusedWith('SIGNATURE_INVALID')
  })

  test('jobs that are forged, foreign, late or repeated are not done', async () => {
    const now = Date.now()
    const genuine = await home.job(job(ordered), probeId, now)
    coordinator.send({ v, type: 'job', job: genuine })
    await coordinator.take('job_taken')
    const jobs = [
      { job: genuine, code: 'DOCUMENT_REPLAYED' },
      { job: await stranger.job(job(victim), probeId, now), code: 'ISSUER_UNKNOWN' },
      { job: await home.job(job(victim), uuidv7(systemRuntime), now), code: 'AUDIENCE_WRONG' },
      { job: await home.job(job(victim), probeId, now - 3_600_000), code: 'DOCUMENT_EXPIRED' },
      { job: `${genuine.slice(0, -8)}AAAAAAAA`, code: 'SIGNATURE_INVALID' },
    ]
    for (const { job, code } of jobs) {
      coordinator.send({ v, type: 'job', job })
      await refusedWith(code)
    }
    await until('the mail of the genuine job', () => lab.customer.mails('ordered').length > 0, { withinMs: 20_000 })
    assert.equal(lab.customer.mails('ordered').length, 1)
  })
})

/** The probe dials a port of its own host, and reaches the coordinator in this process. */
async function bridgeTo(coordinator: FakeCoordinator): Promise<void> {
  const path = join(lab.directory, 'played-coordinator.sock')
  const target = new URL(coordinator.url)
  const bridge = createServer((near) => {
    const far = connect(Number(target.port), target.hostname)
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
  bridge.listen(path).unref()
  await once(bridge, 'listening')
  const script = resolve(import.meta.dirname, '../lab/inside/relay.ts')
  const relay = lab.programs.start({
    name: 'relay-guest',
    at: lab.host('infra'),
    command: [process.execPath, script, String(port), path],
  })
  await relay.awaitLog(/relaying to/)
}
