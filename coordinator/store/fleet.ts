/** The fleet as a whole: probes that fail where others pass, and how many mail systems fail at once. */
import type { BlindSpell } from '../core/blind-spell.ts'
import type { ProbeFailure } from '../core/contradiction.ts'
import type { Fleet, FleetGuard } from '../core/fleet-guard.ts'
import type { Sql } from './connection.ts'
import { ofTarget, targetDomain } from './monitors.ts'

/**
 * Locks the guard until the transaction ends, so that outages that are decided side by side are counted one after the other. One that was
 * over before we heard of it, which ends as it is opened, is news as well.
 */
export async function lockFleet(sql: Sql, windowMs: number): Promise<{ guard: FleetGuard; fleet: Fleet }> {
  const [row] = await sql<(FleetGuard & { watched: number })[]>`
    select since_at as since_ms, seen_at as seen_ms, watched from fleet for update`
  const [count] = await sql<{ failing: number }[]>`
    select count(distinct ${targetDomain(sql)})::int as failing
    from incidents i join monitors m on m.customer_id = i.customer_id and m.id = i.monitor_id
    where i.down_at > now() - ${windowMs} * interval '1 millisecond' and (i.resolved_at is null or i.resolved_at = i.opened_at)`
  const { since_ms = null, seen_ms = null, watched = 0 } = row ?? {}
  return { guard: { since_ms, seen_ms }, fleet: { failing: count?.failing ?? 0, watched } }
}

export async function saveFleetGuard(sql: Sql, { since_ms, seen_ms }: FleetGuard): Promise<void> {
  await sql`update fleet set since_at = ${since_ms}, seen_at = ${seen_ms}`
}

/** More monitors than this that cannot be judged are as many as this. */
const unjudgedMax = 1000

/**
 * Locks the spell until the transaction ends, as the guard is, and counts the unconfirmed incidents that are open and that maintenance
 * does not hold.
 */
export async function lockBlindSpell(sql: Sql): Promise<{ spell: BlindSpell | null; unjudged: number }> {
  const [row] = await sql<{ blind_spell: BlindSpell | null }[]>`select blind_spell from fleet for update`
  const [count] = await sql<{ unjudged: number }[]>`
    select count(*)::int as unjudged from (
      select from incidents where kind = 'unconfirmed' and resolved_at is null and not held limit ${unjudgedMax}) i`
  return { spell: row?.blind_spell ?? null, unjudged: count?.unjudged ?? 0 }
}

export async function saveBlindSpell(sql: Sql, spell: BlindSpell | null): Promise<void> {
  await sql`update fleet set blind_spell = ${spell === null ? null : sql.json(spell)}`
}

/** Counts the watched mail domains anew, at most once in ten minutes. */
export async function countWatchedDomains(sql: Sql): Promise<void> {
  await sql`
    update fleet set counted_at = now(), watched = (
      select count(distinct ${targetDomain(sql)})
      from monitors m join monitor_states s on s.customer_id = m.customer_id and s.monitor_id = m.id
      where m.deleted_at is null and s.watched_since is not null)
    where counted_at is null or counted_at < now() - interval '10 minutes'`
}

/** So many of a probe's newest failures are looked at; more tell nothing new (core/verdict.ts, failsWidely). */
const failuresMax = 100

/** What each probe's newest failures within the window are, and what the vantages of those monitors have said last. */
export async function loadFailures(sql: Sql, windowMs: number): Promise<ProbeFailure[]> {
  const rightStart = (test: string, probe: string) =>
    sql`${sql(test)}.started_at + coalesce(${sql(probe)}.clock_offset_ms, 0) * interval '1 millisecond'`
  return await sql<ProbeFailure[]>`
    select q.id as probe_id, q.region, f.domain, ${rightStart('f', 'q')} as started_ms,
      exists (
        select from results r where r.customer_id = f.customer_id and r.monitor_id = f.monitor_id and r.probe_id = q.id
          and r.started_at > f.started_at and r.outcome in ('ok', 'slow')) as returned_since,
      coalesce((
        select jsonb_agg(jsonb_build_object('region', o.region, 'outcome', n.outcome,
          'started_ms', (extract(epoch from ${rightStart('n', 'o')}) * 1000)::float8))
        from assignments a join probes o on o.id = a.probe_id
        cross join lateral (
          select r.started_at, r.outcome from results r
          where r.customer_id = f.customer_id and r.monitor_id = f.monitor_id and r.probe_id = a.probe_id
          order by r.started_at desc limit 1) n
        where a.customer_id = f.customer_id and a.monitor_id = f.monitor_id and a.withdrawn_at is null), '[]') as others
    from probes q cross join lateral (
      select * from probe_failures where probe_id = q.id and started_at > now() - ${windowMs} * interval '1 millisecond'
      order by started_at desc limit ${failuresMax}) f
    where q.retired_at is null`
}

/** Notes for every probe how many mail domains fail for it alone, and of how many monitors. Returns the probes whose count changed. */
export function saveContradictions(
  sql: Sql,
  contradicted: ReadonlyMap<string, number>,
): Promise<{ id: string; name: string; contradicted: number; monitors_held: number }[]> {
  return sql`
    with counted as (
      select q.id, coalesce(told.contradicted, 0) as contradicted
      from probes q left join unnest(${[...contradicted.keys()]}::uuid[], ${[...contradicted.values()]}::int[]) as told (id, contradicted)
        on told.id = q.id
      where q.retired_at is null
    ), held as (
      select c.id, c.contradicted, case when c.contradicted = 0 then 0 else (
        select count(*)::int from assignments a where a.probe_id = c.id and a.withdrawn_at is null and a.last_slot is null) end as monitors_held
      from counted c
    )
    update probes p set contradicted = h.contradicted, monitors_held = h.monitors_held from held h
    where h.id = p.id and (p.contradicted, p.monitors_held) is distinct from (h.contradicted, h.monitors_held)
    returning p.id, p.name, p.contradicted, p.monitors_held`
}

/** Notes the newest failing test of each monitor that the probe tells of, of those that speak of its present target. */
export async function recordFailures(
  sql: Sql,
  probeId: string,
  failures: readonly {
    customer_id: string
    monitor_id: string
    target_domain: string | null
    generation: number | null
    started_at: number
  }[],
): Promise<void> {
  const newest = new Map(failures.toSorted((a, b) => a.started_at - b.started_at).map((failure) => [failure.monitor_id, failure]))
  if (newest.size === 0) return
  const rows = [...newest.values()]
  await sql`
    insert into probe_failures (probe_id, customer_id, monitor_id, domain, started_at)
    select ${probeId}, told.customer_id, told.monitor_id, told.domain, to_timestamp(told.started_at / 1000)
    from unnest(${rows.map((row) => row.customer_id)}::uuid[], ${rows.map((row) => row.monitor_id)}::uuid[],
      ${rows.map((row) => row.target_domain)}::text[], ${rows.map((row) => row.started_at)}::float8[], ${rows.map((row) => row.generation)}::int[])
      as told (customer_id, monitor_id, domain, started_at, generation)
    join monitors m on m.customer_id = told.customer_id and m.id = told.monitor_id
    where told.domain is not null and ${ofTarget(sql, sql`told`, sql`m.target_generation`)}
    order by told.monitor_id
    on conflict (probe_id, monitor_id) do update set started_at = excluded.started_at, domain = excluded.domain
    where probe_failures.started_at < excluded.started_at`
}
