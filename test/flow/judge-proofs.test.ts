/** What the control trips beside a test say of it, on a real database: what is loaded is all that the rule needs (test/unit/core-probe-health.test.ts). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordProofs } from '../../coordinator/store/ingest.ts'
import { loadEvidence, lockMonitor } from '../../coordinator/store/judging.ts'
import { findMonitors } from '../../coordinator/store/monitors.ts'
import { type ControlTripCase, controlTripCases } from '../support/control-trip-cases.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

/** The spool of a probe that was cut off brings results that are as old. */
const testAgoS = 8 * 3600

describe('the control trips beside a test', () => {
  /** `tookS`: as the probe's clock tells it. */
  const expectIn = async ({ trips, elsewhereAtS, toCustomerAtS, doubted, proved }: ControlTripCase, tookS = 600) => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
    const controls = trips.map(({ to, atS, lost }) => {
      const trip = { ...monitor.controlTrip(testAgoS - atS), reference: `echo@${to}.example` }
      return lost === undefined ? trip : { ...trip, returned_at: null, outcome: 'timeout' as const, rtt_ms: null }
    })
    await monitor.report('eu', [{ outcome: 'timeout', agoS: testAgoS, cause: 'retest', attempt: 2, tookS }], {
      controls,
    })
    const returned = (domain: string, atS: number | undefined) => {
      if (atS === undefined) return []
      const started_at = monitor.startMs - (testAgoS - atS) * 1000
      return [{ domain, started_at, returned_at: started_at + 1000, control: false }]
    }
    await recordProofs(monitor.sql, monitor.probe('eu').id, [
      ...returned('other.example', elsewhereAtS),
      ...returned('customer.example', toCustomerAtS),
    ])
    const claimed = await lockMonitor(monitor.sql, monitor.customerId, monitor.id)
    if (claimed === null) throw new Error('the monitor is not there')
    const evidence = await loadEvidence(monitor.sql, claimed)
    expect(evidence.vantages[0]?.tests).toMatchObject([{ outcome: 'timeout', doubted, proved }])
    const [shown] = await findMonitors(monitor.sql, monitor.customerId, [monitor.id])
    expect(shown?.standing[0]?.test).toMatchObject({ doubted, proved })
  }

  test.each(controlTripCases)('$what', (trips) => expectIn(trips))

  test.each(controlTripCases)('$what, and the clock was set back meanwhile', (trips) => expectIn(trips, 16))
})
