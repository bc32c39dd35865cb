/** What the legs of a monitor's mails are computed from. */
import type { StampedTest } from '../core/legs.ts'
import type { Sql } from './connection.ts'
import { ofTarget } from './monitors.ts'

export type StampedTestRow = StampedTest & { probe_id: string; region: string }

/** A day of a monitor at 20 minutes from 20 vantages. */
const testsMax = 2000

/**
 * The newest tests since `sinceMs` whose mail came back from its present target with a stamp, in time or late, newest first. Read by the index
 * per probe, as the results are.
 */
export function listStampedTests(
  sql: Sql,
  monitor: { customer_id: string; id: string },
  sinceMs: number,
): Promise<StampedTestRow[]> {
  return sql<StampedTestRow[]>`
    select r.id, r.probe_id, r.region, r.started_at, r.sent_at, r.clock_offset_ms,
      (r.detail->>'clock_error_ms')::float8 as clock_error_ms,
      case when r.stamp_at is null then late.returned_at else r.returned_at end as returned_at,
      case when r.stamp_at is null then late.rtt_ms else r.rtt_ms end as rtt_ms,
      coalesce(r.stamp_at, late.stamp_at) as stamp_at
    from (
      select newest.* from probes cross join lateral (
        select * from results
        where customer_id = ${monitor.customer_id} and monitor_id = ${monitor.id} and probe_id = probes.id and started_at >= ${sinceMs}
          and ${ofTarget(sql, sql`results`, sql`(select target_generation from monitors where customer_id = ${monitor.customer_id} and id = ${monitor.id})`)}
        order by started_at desc, id desc limit ${testsMax}) newest
      order by newest.started_at desc, newest.id desc limit ${testsMax}) r
    left join late_returns late on late.customer_id = r.customer_id and late.test_id = r.id
    where r.sent_at is not null
      and ((r.stamp_at is not null and r.returned_at is not null and r.rtt_ms is not null) or late.stamp_at is not null)
    order by r.started_at desc, r.id desc`
}
