import { describe, expect, it } from 'vitest'
import { minuteMs, secondMs } from '../../common/durations.ts'
import { seal } from '../../common/wire/seal.ts'
import type { Job } from '../../common/wire/test.ts'
import { createCoordinatorKeys } from '../../probe/coordinator-keys.ts'
import { rootFromX } from '../../probe/identity.ts'
import { createJobs } from '../../probe/jobs.ts'
import { openStore } from '../../probe/store.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { testPlan, uuidOf } from '../support/plans.ts'
import { probeId, recordingLogger } from '../support/probe-parts.ts'

const home = new Installation()
const stranger = new Installation()
const job: Job = { id: uuidOf(50), cause: 'confirm', plan: testPlan() }

async function openJobs() {
  const runtime = new FakeRuntime()
  const store = openStore(':memory:')
  const keys = createCoordinatorKeys({ store, root: rootFromX(home.root.x), logger: recordingLogger().logger })
  await keys.admit(await home.coordinatorCertificate(runtime.wallMs()), runtime.wallMs())
  const open = () => createJobs({ runtime, store, identity: { probeId, installation: home.name }, keys })
  return { runtime, store, open, jobs: open() }
}

describe('jobs', () => {
  it('are taken once, with the instant before which they must start', async () => {
    const { jobs, runtime } = await openJobs()
    const nowMs = runtime.wallMs()
    const jws = await home.job(job, probeId, nowMs)
    expect(await jobs.accept(jws)).toEqual({ job, startBeforeMs: nowMs + 90 * secondMs })
    await expect(jobs.accept(jws)).rejects.toMatchObject({ code: 'DOCUMENT_REPLAYED' })
  })

  it('are not taken again after a restart, nor under another signature', async () => {
    const { jobs, runtime, open } = await openJobs()
    const jws = await home.job(job, probeId, runtime.wallMs())
    await jobs.accept(jws)
    await expect(open().accept(jws)).rejects.toMatchObject({ code: 'DOCUMENT_REPLAYED' })
    const signedAgain = await home.job(job, probeId, runtime.wallMs(), { id: uuidOf(51) })
    await expect(jobs.accept(signedAgain)).rejects.toMatchObject({ code: 'DOCUMENT_REPLAYED' })
  })

  it('are taken by a probe whose clock is behind, to which they seem to come from the future', async () => {
    const { jobs, runtime } = await openJobs()
    await expect(jobs.accept(await home.job(job, probeId, runtime.wallMs() + 9 * minuteMs))).resolves.toMatchObject({ job })
  })

  it('are refused when expired, foreign, forged or without an end', async () => {
    const { jobs, runtime } = await openJobs()
    const nowMs = runtime.wallMs()
    const expired = { issuedAtMs: nowMs - 3 * minuteMs, expiresAtMs: nowMs - 90 * secondMs }
    const { privateKey } = stranger.coordinator
    const endless = { key: home.coordinator, issuer: home.name, audience: probeId, issuedAtMs: nowMs, id: job.id }
    const refused = [
      ['DOCUMENT_EXPIRED', await home.job(job, probeId, nowMs, expired)],
      ['DOCUMENT_EXPIRED', await home.job(job, probeId, nowMs - 5 * minuteMs, { expiresAtMs: nowMs + minuteMs })],
      ['AUDIENCE_WRONG', await home.job(job, uuidOf(7), nowMs)],
      ['ISSUER_UNKNOWN', await stranger.job(job, probeId, nowMs)],
      ['SIGNATURE_INVALID', await home.job(job, probeId, nowMs, { key: { privateKey, kid: home.coordinator.kid } })],
      ['DOCUMENT_TYPE_WRONG', await home.manifest({}, probeId, nowMs)],
      ['DOCUMENT_MALFORMED', await seal('job', job, endless)],
    ] as const
    for (const [code, jws] of refused) await expect(jobs.accept(jws)).rejects.toMatchObject({ code })
    expect(await jobs.accept(await home.job(job, probeId, nowMs))).toMatchObject({ job })
  })

  it('are remembered for ten minutes beyond their end and forgotten then', async () => {
    const { jobs, runtime, store } = await openJobs()
    const remembered = () => store.database.prepare('SELECT count(*) AS n FROM jobs_seen').get()?.n
    await jobs.accept(await home.job(job, probeId, runtime.wallMs()))
    runtime.advance(11 * minuteMs)
    await jobs.accept(await home.job({ ...job, id: uuidOf(60) }, probeId, runtime.wallMs()))
    expect(remembered()).toBe(4)
    runtime.advance(minuteMs)
    await jobs.accept(await home.job({ ...job, id: uuidOf(61) }, probeId, runtime.wallMs()))
    expect(remembered()).toBe(4)
  })
})
