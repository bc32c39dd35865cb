/** What the control trips beside a test say of it, on a real database: what is loaded is all that the rule needs (test/unit/core-probe-health.test.ts). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { recordProofs } from '../../coordinator/store/ingest.ts'
import { loadEvidence, lockMonitor } from '../../coordinator/store/judging.ts'
import { findMonitors } from '../../coordinator/store/monitors.ts'
import { type ControlTripCase, controlTripCases } from '../support/control-trip-cases.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { startUptimeOf } from '../support/uptime.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

/** The spool of a probe that was cut off brings results that are as old. */
const testAgoS = 8 * 3600

describe('the control trips beside a test', () => {
  /** `setS`: by how much the wall clock was set back while the test ran, and so what control trips tell of when they were sent. */
  const expectIn = async (known: ControlTripCase, setS = 0) => {
    const { trips, elsewhereAtS, toCustomerAtS, outcome = 'timeout', doubted, proved } = known
    const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
    const controls = trips.map(({ to, atS, lost }) => {
      const sent = monitor.controlTrip(testAgoS - atS)
      const trip = { ...sent, reference: `echo@${to}.example`, started_at: sent.started_at - setS * 1000 }
      if (lost === undefined) return trip
      return { ...trip, returned_at: null, outcome: lost === true ? ('timeout' as const) : lost, rtt_ms: null }
    })
    const returned = (domain: string, atS: number | undefined) => {
      if (atS === undefined) return []
      const started_at = monitor.startMs - (testAgoS - atS) * 1000
      return [{ domain, started_at, returned_at: started_at + 1000, control: false, ...startUptimeOf(started_at) }]
    }
    await recordProofs(monitor.sql, monitor.probe('eu').id, [
      ...returned('other.example', elsewhereAtS),
      ...returned('customer.example', toCustomerAtS),
    ])
    const test = { outcome, agoS: testAgoS, cause: 'retest' as const, attempt: 2, tookS: 600 }
    await monitor.report('eu', [test], { controls })
    const claimed = await lockMonitor(monitor.sql, monitor.customerId, monitor.id)
    if (claimed === null) throw new Error('the monitor is not there')
    const evidence = await loadEvidence(monitor.sql, claimed)
    expect(evidence.vantages[0]?.tests).toMatchObject([{ outcome, doubted, proved }])
    const [shown] = await findMonitors(monitor.sql, monitor.customerId, [monitor.id])
    expect(shown?.standing[0]?.test).toMatchObject({ doubted, proved })
  }

  test.each(controlTripCases)('$what', (known) => expectIn(known))

  test.each([-3600, 584])('of a clock that was set by %i s meanwhile are beside it all the same', async (setS) => {
    for (const known of controlTripCases.filter(({ trips }) => trips.length < 5)) await expectIn(known, setS)
  })
})
