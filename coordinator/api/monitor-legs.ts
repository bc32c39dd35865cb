/** The legs of a monitor's mails of the last day, computed when somebody asks. */
import { type LegsReading, legRunOf, readLegs, windowMs } from '../core/legs.ts'
import { databaseNowMs } from '../store/clock.ts'
import type { Sql } from '../store/connection.ts'
import { listStampedTests, type StampedTestRow } from '../store/legs.ts'

export type MonitorLegs = { tests: StampedTestRow[]; reading: LegsReading; nowMs: number }

export async function loadLegs(sql: Sql, monitor: { customer_id: string; id: string }): Promise<MonitorLegs> {
  const nowMs = await databaseNowMs(sql)
  const tests = await listStampedTests(sql, monitor, nowMs - windowMs)
  return { tests, reading: readLegs(tests.map(legRunOf), nowMs), nowMs }
}
