/** Who tests what, now and before. */
import type { Assignment, TestPlan } from '../../common/wire/test.ts'
import type { FailureDomain } from '../core/failure-domain.ts'
import { type Due, earliestDue } from './clock.ts'
import type { Sql } from './connection.ts'

export type MonitorToAssign = {
  customer_id: string
  id: string
  generation: number
  target_generation: number
  epoch_ms: number
  vantages: number
  deleted: boolean
  plan: TestPlan
  now_ms: number
}

/** Locks the monitor whose assignments have been out of date the longest. */
export async function claimMonitorToAssign(sql: Sql): Promise<MonitorToAssign | null> {
  const [row] = await sql<(Omit<MonitorToAssign, 'plan'> & Omit<TestPlan, 'monitor_id'>)[]>`
    select customer_id, id, generation, target_generation, (extract(epoch from epoch_at) * 1000)::int8 as epoch_ms, vantages, deleted_at is not null as deleted, kind, target,
      period_s, timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, accept_echo, clock_timestamp() as now_ms
    from monitors where assign_at <= now() order by assign_at limit 1 for update skip locked`
  if (row === undefined) return null
  const { customer_id, id, generation, target_generation, epoch_ms, vantages, deleted, now_ms, ...plan } = row
  return {
    customer_id,
    id,
    generation,
    target_generation,
    epoch_ms,
    vantages,
    deleted,
    now_ms,
    plan: { monitor_id: id, ...plan },
  }
}

export async function setAssigned(sql: Sql, monitor: { customer_id: string; id: string }): Promise<void> {
  await sql`update monitors set assign_at = null where customer_id = ${monitor.customer_id} and id = ${monitor.id}`
}

export const nextAssignmentDue = (sql: Sql): Promise<Due | null> =>
  earliestDue(sql, sql`assign_at`, sql`monitors where assign_at is not null`)

export type ProbeCandidate = { probe_id: string; healthy: boolean } & FailureDomain

/** Every probe that has enrolled and is not retired; healthy means connected within the last minute. */
export function readCandidates(sql: Sql): Promise<ProbeCandidate[]> {
  return sql<ProbeCandidate[]>`
    select id as probe_id, region, asn, split_part(return_address, '@', 2) as return_domain,
      coalesce(last_seen_at > now() - interval '60 seconds', false) as healthy
    from probes where enrolled_at is not null and retired_at is null order by id`
}

export type StandingAssignment = {
  id: string
  probe_id: string
  generation: number
  phase_ms: number
  epoch_ms: number
  period_s: number
}

/** The assignments without an end. */
export function readStanding(sql: Sql, customerId: string, monitorId: string): Promise<StandingAssignment[]> {
  return sql<StandingAssignment[]>`
    select id, probe_id, generation, phase_ms, epoch_ms, (plan->>'period_s')::int as period_s from assignments
    where customer_id = ${customerId} and monitor_id = ${monitorId} and last_slot is null and withdrawn_at is null
    order by phase_ms, id`
}

export async function endAssignment(sql: Sql, customerId: string, id: string, lastSlot: number): Promise<void> {
  await sql`update assignments set last_slot = greatest(${lastSlot}, first_slot - 1) where customer_id = ${customerId} and id = ${id}`
}

export async function insertAssignment(sql: Sql, customerId: string, probeId: string, assignment: Assignment): Promise<void> {
  const { id, generation, epoch_ms, phase_ms, first_slot, last_slot, plan } = assignment
  await sql`
    insert into assignments (customer_id, id, monitor_id, probe_id, generation, phase_ms, first_slot, last_slot, epoch_ms, plan)
    values (${customerId}, ${id}, ${plan.monitor_id}, ${probeId}, ${generation}, ${phase_ms}, ${first_slot}, ${last_slot}, ${epoch_ms}, ${sql.json(plan)})`
}

/** Takes assignments whose last slot is an hour past out of the manifests; returns the probes concerned. */
export async function withdrawEnded(sql: Sql): Promise<string[]> {
  const rows = await sql<{ probe_id: string }[]>`
    update assignments set withdrawn_at = now()
    where withdrawn_at is null and last_slot is not null
      and to_timestamp((epoch_ms + phase_ms + last_slot * (plan->>'period_s')::int * 1000) / 1000.0) < now() - interval '1 hour'
    returning probe_id`
  return [...new Set(rows.map((row) => row.probe_id))]
}

/** The standing orders of a probe, in a stable order. */
export async function readOrders(sql: Sql, probeId: string): Promise<Assignment[]> {
  return await sql<Assignment[]>`
    select id, generation, epoch_ms, phase_ms, first_slot, last_slot, plan from assignments
    where probe_id = ${probeId} and withdrawn_at is null order by id`
}

/** The number and content hash of the last manifest; the row is locked. */
export async function lockManifest(sql: Sql, probeId: string): Promise<{ version: number; hash: string | null }> {
  const [row] = await sql<{ version: number; hash: string | null }[]>`
    select manifest_version as version, manifest_hash as hash from probes where id = ${probeId} for no key update`
  return row ?? { version: 0, hash: null }
}

export async function saveManifest(sql: Sql, probeId: string, manifest: { version: number; hash: string }): Promise<void> {
  await sql`update probes set manifest_version = ${manifest.version}, manifest_hash = ${manifest.hash} where id = ${probeId}`
}

/** Monitors that want more vantages than they have, where there is a probe that could be one more. */
export async function reassignUnderstaffed(sql: Sql): Promise<number> {
  const { count } = await sql`
    with there as (
      select id from probes where enrolled_at is not null and retired_at is null and last_seen_at > now() - interval '60 seconds'
    ), held as (
      select customer_id, monitor_id, count(*) as count, count(*) filter (where probe_id in (select id from there)) as by_those
      from assignments where last_slot is null and withdrawn_at is null group by 1, 2
    )
    update monitors m set assign_at = now()
    from monitors w left join held h on h.customer_id = w.customer_id and h.monitor_id = w.id
    where m.customer_id = w.customer_id and m.id = w.id and w.deleted_at is null and w.assign_at is null
      and w.vantages > coalesce(h.count, 0) and (select count(*) from there) > coalesce(h.by_those, 0)`
  return count
}

/** Monitors with a vantage that has been lost for a minute, or retired, where a probe that is there could take its place. */
export async function reassignLost(sql: Sql): Promise<number> {
  const { count } = await sql`
    with lost as (
      select distinct a.customer_id, a.monitor_id from probes p join assignments a on a.probe_id = p.id
      where (p.retired_at is not null or p.last_seen_at < now() - interval '60 seconds') and a.last_slot is null and a.withdrawn_at is null
    )
    update monitors m set assign_at = now() from lost
    where m.customer_id = lost.customer_id and m.id = lost.monitor_id and m.deleted_at is null and m.assign_at is null and exists (
      select 1 from probes p where p.enrolled_at is not null and p.retired_at is null and p.last_seen_at > now() - interval '45 seconds'
        and not exists (select 1 from assignments a where a.customer_id = m.customer_id and a.monitor_id = m.id and a.probe_id = p.id
          and a.last_slot is null and a.withdrawn_at is null))`
  return count
}
