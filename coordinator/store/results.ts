/** Results as people read them, with the late return where one was noted. */
import type { Outcome, ResultDetail, Stage } from '../../common/wire/test.ts'
import type { TestEvidence } from '../core/diagnosis.ts'
import type { Sql } from './connection.ts'
import { ofCustomer, type Whose } from './paging.ts'

export type ResultRow = {
  id: string
  customer_id: string
  monitor_id: string
  probe_id: string
  region: string
  cause: string
  attempt: number
  slot_at: number | null
  started_at: number
  sent_at: number | null
  returned_at: number | null
  outcome: Outcome
  rtt_ms: number | null
  stages: Stage[]
  stamp_at: number | null
  clock_offset_ms: number | null
  late_returned_at: number | null
  late_rtt_ms: number | null
  detail: ResultDetail
}

const columns = (sql: Sql) => sql`
  r.id, r.customer_id, r.monitor_id, r.probe_id, r.region, r.cause, r.attempt, r.slot_at, r.started_at, r.sent_at, r.returned_at,
  r.outcome, r.rtt_ms, r.stages, r.stamp_at, r.clock_offset_ms, late.returned_at as late_returned_at, late.rtt_ms as late_rtt_ms,
  r.detail`

const joinLate = (sql: Sql) => sql`left join late_returns late on late.customer_id = r.customer_id and late.test_id = r.id`

/** Where the last page ended: results that started at the same instant are told apart by their id. */
export type ResultsBefore = { started_at: number; id: string }

/**
 * The results of one monitor, newest start first, one more than `limit`. Each probe's newest come from the index, so that the cost
 * depends on the number of probes and not on that of the results.
 */
export async function listResults(
  sql: Sql,
  monitor: { customer_id: string; id: string },
  query: { sinceMs: number | undefined; before: ResultsBefore | undefined; limit: number },
): Promise<ResultRow[]> {
  const { sinceMs, before, limit } = query
  const since = sinceMs === undefined ? sql`true` : sql`started_at >= ${sinceMs}`
  const older =
    before === undefined
      ? sql`true`
      : sql`started_at <= ${before.started_at} and (started_at, id) < (${before.started_at}::timestamptz, ${before.id}::uuid)`
  return sql<ResultRow[]>`
    select ${columns(sql)} from (
      select newest.* from probes cross join lateral (
        select * from results
        where customer_id = ${monitor.customer_id} and monitor_id = ${monitor.id} and probe_id = probes.id and ${since} and ${older}
        order by started_at desc, id desc limit ${limit + 1}) newest
      order by newest.started_at desc, newest.id desc limit ${limit + 1}) r
    ${joinLate(sql)}
    order by r.started_at desc, r.id desc`
}

export type ResultKey = { customer_id: string; id: string }

export async function findResults(sql: Sql, whose: Whose, keys: ResultKey[]): Promise<ResultRow[]> {
  return sql<ResultRow[]>`
    select ${columns(sql)}
    from unnest(${keys.map((key) => key.customer_id)}::uuid[], ${keys.map((key) => key.id)}::uuid[]) as wanted (customer_id, id)
    join results r on r.customer_id = wanted.customer_id and r.id = wanted.id
    ${joinLate(sql)}
    where ${ofCustomer(sql, whose, 'r.customer_id')}`
}

/** By test id, what a diagnosis needs; the legs of a late return are computed from more (flow/cause.ts). */
export async function readTestEvidence(sql: Sql, customerId: string, testIds: string[]): Promise<Map<string, TestEvidence>> {
  const rows = await sql<{ id: string; outcome: Outcome; detail: ResultDetail; late_rtt_ms: number | null }[]>`
    select r.id, r.outcome, r.detail, late.rtt_ms as late_rtt_ms from results r ${joinLate(sql)}
    where r.customer_id = ${customerId} and r.id = any(${testIds}::uuid[])`
  return new Map(
    rows.map(({ id, outcome, detail, late_rtt_ms }) => {
      const late = late_rtt_ms === null ? null : { rtt_ms: late_rtt_ms, legs: null }
      return [id, { outcome, detail, late }]
    }),
  )
}
