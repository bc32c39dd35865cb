/** Both ends of the probe link with a clock each: the hub's handlers on a real database, and a probe whose clock is ahead or behind. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { secondMs } from '../../common/durations.ts'
import { systemRuntime } from '../../common/runtime.ts'
import type { CoordinatorFrame, ProbeFrame } from '../../common/wire/frames.ts'
import { createKeyPair, type KeyPair } from '../../common/wire/keys.ts'
import { seal } from '../../common/wire/seal.ts'
import { createConnection } from '../../coordinator/hub/session.ts'
import { type CoordinatorKeys, loadCoordinatorKeys } from '../../coordinator/keys.ts'
import { saveEnrolment } from '../../coordinator/store/probe-link.ts'
import { findProbe, insertProbe } from '../../coordinator/store/probes.ts'
import { adoptIdentity, type Identity } from '../../probe/identity.ts'
import { greet, type SessionState, step } from '../../probe/session.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { healthy, recordingLogger, temporaryDirectory } from '../support/probe-parts.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
let keys: CoordinatorKeys
let flows: WatchedMonitor['context']
const directory = temporaryDirectory()
const { logger, lines } = recordingLogger()
beforeAll(async () => {
  own = await freshDatabase()
  flows = (await WatchedMonitor.create(own)).context
  keys = loadCoordinatorKeys(directory.path, systemRuntime)
})
afterAll(async () => {
  await own?.drop()
  directory.remove()
})

const returnAddress = 'rt@eu.probe.example'

async function enrolled(): Promise<Identity> {
  const keyPair: KeyPair = createKeyPair()
  const id = newId()
  await insertProbe(own.database.system, { id, name: `probe ${id}`, region: 'eu', asn: null, provider: null })
  await saveEnrolment(own.database.system, { id, x: keyPair.x, kid: keyPair.kid, returnAddress, version: 'test' })
  const { certificate } = keys.certifyProbe({ id, x: keyPair.x, returnAddress }) ?? { certificate: '' }
  return adoptIdentity(temporaryDirectory().path, keyPair, { probeId: id, rootX: keys.rootX, returnAddress, certificate })
}

/** Greets with a clock that is so far ahead; the coordinator's frames, and a way to say more in the session. */
async function meet(identity: Identity, aheadMs: () => number) {
  const heard: CoordinatorFrame[] = []
  const context = { ...flows, database: own.database, runtime: systemRuntime, logger, keys, references: [] }
  const connection = createConnection(
    context,
    (frame) => heard.push(frame),
    () => {},
  )
  const wallMs = (): number => systemRuntime.wallMs() + aheadMs()
  const hello = greet(identity, 'n'.repeat(32), 'test', 'boot-1')
  await connection.receive(hello.send as ProbeFrame)
  const proved = await step(hello.state as SessionState, heard.splice(0)[0] as CoordinatorFrame, identity, wallMs())
  return {
    heard,
    prove: () => connection.receive(proved.send as ProbeFrame),
    report: async () => {
      const id = newId()
      const body = { boot_id: 'boot-1', health: healthy, results: [], overdues: [], lates: [], controls: [] }
      const options = { key: identity.keyPair, issuer: identity.probeId, audience: identity.installation, id }
      const batch = await seal('result_batch', body, { ...options, issuedAtMs: wallMs() })
      await connection.receive({ v: 1, type: 'batch', id, batch })
    },
  }
}

const lackOf = async ({ probeId }: Identity) => (await findProbe(own.database.system, probeId))?.clock_offset_ms ?? null

describe('a probe whose clock is', () => {
  test.each([90, 540, 86_400])('%i s ahead is cut off: log and list of the probes say why', async (aheadS) => {
    const probe = await enrolled()
    const { prove } = await meet(probe, () => aheadS * secondMs)
    await expect(prove()).rejects.toMatchObject({
      code: 'DOCUMENT_NOT_YET_VALID',
      message: expect.stringMatching(/s in the future/),
    })
    expect(Number(await lackOf(probe)) / secondMs).toBeCloseTo(-aheadS, -1)
    expect(lines.findLast(({ level }) => level === 50)).toMatchObject({
      probe: probe.probeId,
      msg: expect.stringContaining('NTP'),
    })
  })

  test.each([700, 86_400])('%i s behind is cut off: log and list of the probes say why', async (behindS) => {
    const probe = await enrolled()
    const { prove } = await meet(probe, () => -behindS * secondMs)
    await expect(prove()).rejects.toMatchObject({
      code: 'DOCUMENT_EXPIRED',
      message: expect.stringMatching(/s in the past/),
    })
    expect(Number(await lackOf(probe)) / secondMs).toBeCloseTo(behindS, -1)
    expect(lines.findLast(({ level }) => level === 50)).toMatchObject({
      probe: probe.probeId,
      // The date of the proof is in whole seconds.
      behind_s: expect.toSatisfy((seconds: number) => Math.abs(seconds - behindS) <= 2),
      msg: expect.stringContaining('NTP'),
    })
  })

  test.each([-540, -90, 0, 50])('%i s ahead is heard, and may report', async (aheadS) => {
    const { prove, report, heard } = await meet(await enrolled(), () => aheadS * secondMs)
    await prove()
    await report()
    expect(heard.map(({ type }) => type)).toContain('ack')
  })

  test('set ahead while a session is open reports no more', async () => {
    const probe = await enrolled()
    let aheadMs = 0
    const { prove, report } = await meet(probe, () => aheadMs)
    await prove()
    await report()
    aheadMs = 90 * secondMs
    await expect(report()).rejects.toMatchObject({ code: 'DOCUMENT_NOT_YET_VALID' })
  })
})
