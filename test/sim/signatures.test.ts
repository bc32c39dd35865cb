/** What the simulator retells of dates on signed documents, beside the product's own code that opens them. */
import { describe, expect, test } from 'vitest'
import { secondMs } from '../../common/durations.ts'
import { batchAgeMsMax, jobStartMsMax } from '../../common/limits.ts'
import { createKeyPair } from '../../common/wire/keys.ts'
import { open, seal } from '../../common/wire/seal.ts'
import { createCoordinatorKeys } from '../../probe/coordinator-keys.ts'
import { rootFromX } from '../../probe/identity.ts'
import { createJobs } from '../../probe/jobs.ts'
import { openStore } from '../../probe/store.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { testPlan, uuidOf } from '../support/plans.ts'
import { probeId, recordingLogger } from '../support/probe-parts.ts'
import { isHeard, jobAtProbe } from './signatures.ts'

const nowMs = Date.UTC(2026, 0, 1, 12) + 250

describe('a probe whose clock is', () => {
  const probe = createKeyPair()

  /** As the hub opens what proves a probe, and what it reports. */
  const opens = async (sealedAtMs: number): Promise<boolean> => {
    const whose = { issuer: probeId, audience: 'installation' }
    const proof = await seal('probe_proof', { nonce: 'n'.repeat(32) }, { key: probe, ...whose, issuedAtMs: sealedAtMs })
    const trusted = { trustedKey: () => probe.publicKey, ...whose, nowMs, maxAgeMs: batchAgeMsMax }
    return await open('probe_proof', proof, trusted).then(
      () => true,
      () => false,
    )
  }

  test.each([
    { aheadS: 60, heard: true },
    { aheadS: 60.74, heard: true },
    { aheadS: 60.75, heard: false },
    { aheadS: 600, heard: false },
    { aheadS: 0, heard: true },
    { aheadS: -660, heard: true },
    { aheadS: -660.25, heard: true },
    { aheadS: -660.26, heard: false },
    { aheadS: -3600, heard: false },
  ])('$aheadS s ahead is heard: $heard', async ({ aheadS, heard }) => {
    const sealedAtMs = nowMs + Math.round(aheadS * secondMs)
    expect(isHeard(sealedAtMs, nowMs)).toBe(heard)
    expect(await opens(sealedAtMs)).toBe(heard)
  })
})

describe('a job, to a probe whose clock says that it was given', () => {
  const home = new Installation()

  /** As the probe takes it, and as it looks at the time by which it had to start. */
  async function taken(agoMs: number): Promise<ReturnType<typeof jobAtProbe>> {
    const runtime = new FakeRuntime()
    const keys = createCoordinatorKeys({
      store: openStore(':memory:'),
      root: rootFromX(home.root.x),
      logger: recordingLogger().logger,
    })
    await keys.admit(await home.coordinatorCertificate(runtime.wallMs()), runtime.wallMs())
    const identity = { probeId, installation: home.name }
    const jobs = createJobs({ runtime, store: openStore(':memory:'), identity, keys })
    const jws = await home.job({ id: uuidOf(1), cause: 'confirm', plan: testPlan() }, probeId, runtime.wallMs() - agoMs)
    return await jobs.accept(jws).then(
      ({ startBeforeMs }) => (runtime.wallMs() >= startBeforeMs ? 'too_late' : 'run'),
      () => 'refused',
    )
  }

  test.each([
    { agoS: -3600, fate: 'run' },
    { agoS: 0, fate: 'run' },
    { agoS: 89, fate: 'run' },
    { agoS: 90, fate: 'too_late' },
    { agoS: 149, fate: 'too_late' },
    { agoS: 150, fate: 'refused' },
    { agoS: 3600, fate: 'refused' },
  ])('$agoS s ago: $fate', async ({ agoS, fate }) => {
    const givenMs = new FakeRuntime().wallMs()
    const wallMs = givenMs + agoS * secondMs
    expect(jobAtProbe({ givenMs, expiresMs: givenMs + jobStartMsMax }, wallMs)).toBe(fate)
    expect(await taken(agoS * secondMs)).toBe(fate)
  })
})
