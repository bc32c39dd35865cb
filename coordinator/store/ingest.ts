/** Writing what probes report: in bulk, each record once, and marking the monitors that need judging in the same transaction. */
import type { ControlTrip, LateReturn, Overdue, TestResult } from '../../common/wire/test.ts'
import type { GivenJob, Holding } from '../core/admission.ts'
import { sameMomentMs } from '../core/probe-health.ts'
import { isPass } from '../core/verdict.ts'
import type { Sql } from './connection.ts'
import { ofTarget, targetDomain } from './monitors.ts'

export type AdmittedResult = TestResult & { customer_id: string }

/** Every assignment that the probe holds or held of these monitors. */
export function findHoldings(sql: Sql, probeId: string, monitorIds: string[]): Promise<Holding[]> {
  return sql<Holding[]>`
    select customer_id, monitor_id, lower(split_part(plan->'target'->>'address', '@', 2)) as target_domain, generation, epoch_ms,
      (plan->>'period_s')::int as period_s, phase_ms, first_slot, last_slot
    from assignments where probe_id = ${probeId} and monitor_id = any(${monitorIds}::uuid[])`
}

export async function findGivenJobs(sql: Sql, probeId: string, jobIds: string[]): Promise<Map<string, GivenJob>> {
  if (jobIds.length === 0) return new Map()
  const rows = await sql<GivenJob[]>`
    select j.id, j.customer_id, j.monitor_id, j.cause, j.generation,
      case when ${ofTarget(sql, sql`j`, sql`m.target_generation`)} then ${targetDomain(sql)} end as target_domain
    from jobs j join monitors m on m.customer_id = j.customer_id and m.id = j.monitor_id
    where j.id = any(${jobIds}::uuid[]) and j.probe_id = ${probeId}`
  return new Map(rows.map((job) => [job.id, job]))
}

/** Which monitors belong to whom, of those that this probe has ever tested. */
export async function findMonitorOwners(sql: Sql, probeId: string, monitorIds: string[]): Promise<Map<string, string>> {
  if (monitorIds.length === 0) return new Map()
  const rows = await sql<{ monitor_id: string; customer_id: string }[]>`
    select distinct monitor_id, customer_id from (
      select monitor_id, customer_id from assignments where probe_id = ${probeId} and monitor_id = any(${monitorIds}::uuid[])
      union all select monitor_id, customer_id from jobs where probe_id = ${probeId} and monitor_id = any(${monitorIds}::uuid[])
    ) as told`
  return new Map(rows.map((row) => [row.monitor_id, row.customer_id]))
}

/** Inserts the results that are new; returns the monitors that have one. */
export async function insertResults(
  sql: Sql,
  probe: { id: string; region: string },
  results: AdmittedResult[],
): Promise<{ customer_id: string; monitor_id: string }[]> {
  if (results.length === 0) return []
  // Arrays as PostgreSQL writes them: validated ids, numbers and words of our own need no quotes, for which the driver would look.
  const column = (name: Exclude<keyof AdmittedResult, 'stages' | 'detail'>) =>
    `{${results.map((result) => result[name] ?? 'null').join(',')}}`
  return await sql<{ customer_id: string; monitor_id: string }[]>`
    insert into results (customer_id, id, monitor_id, probe_id, region, generation, cause, job_id, attempt, first_test_id, slot_at, started_at,
      sent_at, returned_at, finished_at, outcome, rtt_ms, stages, stamp_at, clock_offset_ms, boot_id, started_uptime_ms, finished_uptime_ms,
      detail)
    select customer_id, id, monitor_id, ${probe.id}, ${probe.region}, generation, cause, job_id, attempt, first_test_id,
      to_timestamp(slot_at / 1000), to_timestamp(started_at / 1000), to_timestamp(sent_at / 1000), to_timestamp(returned_at / 1000),
      to_timestamp(finished_at / 1000), outcome, rtt_ms, stages::jsonb, to_timestamp(stamp_at / 1000), clock_offset_ms,
      boot_id, started_uptime_ms, finished_uptime_ms, detail::jsonb
    from unnest(
      ${column('customer_id')}::uuid[], ${column('id')}::uuid[], ${column('monitor_id')}::uuid[], ${column('generation')}::int[],
      ${column('cause')}::text[], ${column('job_id')}::uuid[], ${column('attempt')}::int[], ${column('first_test_id')}::uuid[],
      ${column('slot_at')}::float8[], ${column('started_at')}::float8[], ${column('sent_at')}::float8[],
      ${column('returned_at')}::float8[], ${column('finished_at')}::float8[], ${column('outcome')}::text[],
      ${column('rtt_ms')}::float8[], ${results.map((result) => JSON.stringify(result.stages))}::text[],
      ${column('stamp_at')}::float8[], ${column('clock_offset_ms')}::float8[], ${column('boot_id')}::text[],
      ${column('started_uptime_ms')}::float8[], ${column('finished_uptime_ms')}::float8[],
      ${results.map((result) => JSON.stringify(result.detail))}::text[]
    ) as told (customer_id, id, monitor_id, generation, cause, job_id, attempt, first_test_id, slot_at, started_at, sent_at, returned_at,
      finished_at, outcome, rtt_ms, stages, stamp_at, clock_offset_ms, boot_id, started_uptime_ms, finished_uptime_ms, detail)
    on conflict do nothing
    returning customer_id, monitor_id`
}

/** Returns those that are new. */
export async function insertLateReturns<T extends LateReturn & { customer_id: string }>(
  sql: Sql,
  probeId: string,
  lates: T[],
): Promise<T[]> {
  const isNew: T[] = []
  for (const late of lates) {
    const { count } = await sql`
      insert into late_returns (customer_id, test_id, monitor_id, probe_id, returned_at, rtt_ms, stamp_at)
      values (${late.customer_id}, ${late.test_id}, ${late.monitor_id}, ${probeId}, ${late.returned_at}, ${late.rtt_ms}, ${late.stamp_at})
      on conflict do nothing`
    if (count > 0) isNew.push(late)
  }
  return isNew
}

export async function insertOverdues(sql: Sql, probeId: string, overdues: (Overdue & { customer_id: string })[]): Promise<void> {
  for (const overdue of overdues) {
    await sql`
      insert into overdues (customer_id, test_id, monitor_id, probe_id, started_at, at)
      values (${overdue.customer_id}, ${overdue.test_id}, ${overdue.monitor_id}, ${probeId}, ${overdue.started_at}, ${overdue.at})
      on conflict do nothing`
  }
}

/** Of a trip that was lost it is noted what else was sent at the same moment and has come back. */
export async function insertControlTrips(sql: Sql, probeId: string, trips: ControlTrip[]): Promise<void> {
  for (const trip of trips) {
    const { id, reference, started_at, returned_at, outcome, rtt_ms, boot_id, started_uptime_ms } = trip
    const beside = isPass(outcome)
      ? sql`'{}'`
      : sql`array(
          select domain from probe_proofs where probe_id = ${probeId} and not control and boot_id = ${boot_id}
            and started_uptime_ms between ${started_uptime_ms - sameMomentMs} and ${started_uptime_ms + sameMomentMs} limit 2)`
    await sql`
      insert into control_trips (probe_id, id, reference, started_at, returned_at, outcome, rtt_ms, boot_id, started_uptime_ms, beside)
      values (${probeId}, ${id}, ${reference}, ${started_at}, ${returned_at}, ${outcome}, ${rtt_ms}, ${boot_id}, ${started_uptime_ms}, ${beside})
      on conflict do nothing`
  }
}

export type Proof = {
  domain: string
  started_at: number
  returned_at: number
  control: boolean
  boot_id: string
  started_uptime_ms: number
}

/** Keeps the newest verified return per mail domain. Boots are told of in their order. */
export async function recordProofs(sql: Sql, probeId: string, proofs: Proof[]): Promise<void> {
  for (const { domain, started_at, returned_at, control, boot_id, started_uptime_ms } of proofs) {
    await sql`
      insert into probe_proofs (probe_id, domain, started_at, returned_at, control, boot_id, started_uptime_ms)
      values (${probeId}, ${domain}, ${started_at}, ${returned_at}, ${control}, ${boot_id}, ${started_uptime_ms})
      on conflict (probe_id, domain) do update
      set started_at = excluded.started_at, returned_at = excluded.returned_at, control = excluded.control, boot_id = excluded.boot_id,
        started_uptime_ms = excluded.started_uptime_ms
      where probe_proofs.boot_id is distinct from excluded.boot_id or probe_proofs.started_uptime_ms < excluded.started_uptime_ms`
  }
}

export type News = {
  probeId: string
  /** Something new is known of these, good or bad. */
  told: readonly { customer_id: string; monitor_id: string }[]
  /** What is new of these is not plain good. */
  troubled: readonly { customer_id: string; monitor_id: string }[]
  /** Mails of these have come back late. */
  returned: readonly { customer_id: string; monitor_id: string }[]
  /** The failures among the troubled that are told of late (core/past-outage.ts), their starts put right. */
  late: readonly { monitor_id: string; started_at: number }[]
  /** The probe has proved its health: what waited for that can be judged. */
  proved: boolean
}

/**
 * Marks for judging: a monitor that is not quiet by anything that is new, a quiet one only by news that is not plain good. Returns
 * how many were marked. Also those that are due already are written, and so locked: their judgement waits for what is about to be
 * committed. The order of the locks is the same for all, so that batches do not wait for each other in a ring.
 */
export async function markForJudging(sql: Sql, { probeId, told, troubled, returned, late, proved }: News): Promise<number> {
  const concerned = [...told, ...troubled, ...returned]
  const monitorIds = concerned.map((monitor) => monitor.monitor_id)
  const customerIds = [...new Set(concerned.map((monitor) => monitor.customer_id))]
  const troubledIds = troubled.map((monitor) => monitor.monitor_id)
  const { count } = await sql`
    with concerned as (
      select customer_id, monitor_id from monitor_states
      where customer_id = any(${customerIds}::uuid[]) and monitor_id = any(${monitorIds}::uuid[])
        and (not quiet or monitor_id = any(${troubledIds}::uuid[]))
      union
      select customer_id, monitor_id from monitor_states
      where ${proved} and awaiting_proof @> array[${probeId}]::uuid[] and awaiting_proof <> '{}'
    ), locked as (
      select s.customer_id, s.monitor_id from monitor_states s join concerned c on c.customer_id = s.customer_id and c.monitor_id = s.monitor_id
      order by s.customer_id, s.monitor_id for update of s
    )
    update monitor_states s set judge_at = least(s.judge_at, now()),
      returned_late = s.returned_late or s.monitor_id = any(${returned.map((monitor) => monitor.monitor_id)}::uuid[]),
      late_since = least(s.late_since, (
        select to_timestamp(min(told.started_at) / 1000)
        from unnest(${late.map((failure) => failure.monitor_id)}::uuid[], ${late.map((failure) => failure.started_at)}::float8[])
          as told (monitor_id, started_at) where told.monitor_id = s.monitor_id))
    from locked l where s.customer_id = l.customer_id and s.monitor_id = l.monitor_id`
  return count
}
