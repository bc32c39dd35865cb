/** Wrong clocks of probes: what is known of them, and what a test's times are taken for. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TestFact } from '../../coordinator/core/verdict.ts'
import { loadEvidence, lockMonitor } from '../../coordinator/store/judging.ts'
import { listStampedTests } from '../../coordinator/store/legs.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

async function testsOf(monitor: WatchedMonitor): Promise<TestFact[]> {
  const claimed = await lockMonitor(monitor.sql, monitor.customerId, monitor.id)
  if (claimed === null) throw new Error('the monitor is not there')
  const { vantages } = await loadEvidence(monitor.sql, claimed)
  return vantages.flatMap(({ tests }) => tests)
}

/** How many seconds ago, by true time, the newest test is taken to have begun. */
async function newestAgoS(monitor: WatchedMonitor): Promise<number> {
  const [newest] = await testsOf(monitor)
  return (monitor.startMs - (newest?.started_ms ?? 0)) / 1000
}

test.each([200, 540])(
  'a probe whose clock is %i s behind, and does not know it, is put right by when it sealed its batch',
  async (behindS) => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
    const sealedAtMs = Date.now() - behindS * 1000
    await monitor.report('eu', [{ outcome: 'refused', agoS: 60 + behindS, tookS: 1, cause: 'open' }], { sealedAtMs })
    expect(Math.abs((await newestAgoS(monitor)) - 60)).toBeLessThan(3)
  },
)

test('the clock of such a probe is estimated for its slots and nothing that needs a bound', async () => {
  const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
  const agoS = 60 + 300
  // The probe knows its clock now, and not what it was in the boot in which the mail was sent.
  const stamped = { stamp_at: monitor.startMs - 58_000, detail: { clock_error_ms: 8 } }
  await monitor.report('eu', [{ outcome: 'ok', agoS, cause: 'open', ...stamped }], { sealedAtMs: Date.now() - 300_000 })
  const [leg] = await listStampedTests(monitor.sql, { customer_id: monitor.customerId, id: monitor.id }, 0)
  expect(leg?.clock_error_ms).toBeNull()
  expect(Math.abs((leg?.clock_offset_ms ?? 0) - 300_000)).toBeLessThan(3000)
})

test('what NTP says of the clock is not estimated', async () => {
  const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
  const late = { sealedAtMs: Date.now() - 30_000 }
  await monitor.report('eu', [{ outcome: 'timeout', agoS: 700, cause: 'open', clock_offset_ms: 12 }], late)
  expect(Math.abs((await newestAgoS(monitor)) - 700)).toBeLessThan(1)
})

test('a test that a job asked for was not sent before the job was given', async () => {
  const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
  await monitor.report('eu', [{ outcome: 'timeout', agoS: 1230 }])
  await monitor.judge()
  const job = await monitor.job('us')
  await monitor.sql`update jobs set created_at = now() - interval '10 seconds' where id = ${job.job_id}`
  // By its clock, which is behind by no more than a batch may well be on its way.
  await monitor.report('us', [{ outcome: 'ok', agoS: 14, tookS: 1, ...job }])
  const answer = (await testsOf(monitor)).find(({ cause }) => cause === 'job')
  expect((monitor.startMs - (answer?.started_ms ?? 0)) / 1000).toBeLessThanOrEqual(10)
})

test('where a clock was ahead and has been set right, the newest tests are seen among the old ones', async () => {
  const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
  const old = [400, 340, 280, 220, 160].map((agoS) => ({
    outcome: 'ok' as const,
    agoS: agoS - 540,
    cause: 'open' as const,
    clock_offset_ms: -540_000,
  }))
  await monitor.report('eu', old)
  await monitor.report('eu', [
    { outcome: 'timeout', agoS: 100, cause: 'open', tookS: 45, clock_offset_ms: 0 },
    { outcome: 'timeout', agoS: 50, cause: 'retest', attempt: 2, tookS: 45, clock_offset_ms: 0 },
  ])
  const outcomes = (await testsOf(monitor)).slice(0, 3).map(({ outcome }) => outcome)
  expect(outcomes).toEqual(['timeout', 'timeout', 'ok'])
})
