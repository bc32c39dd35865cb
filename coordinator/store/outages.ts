/** When outages began and ended, as far as tests can tell, and since when a monitor is watched. */
import { dayMs } from '../../common/durations.ts'
import { resultAgeMsMax } from '../../common/limits.ts'
import type { Incident } from '../core/availability.ts'
import type { Sql } from './connection.ts'

/**
 * Notes between which tests of an incident that has just ended mail came back: the last failing one and the first passing one
 * after it, of the vantages that pass again, or of those that saw it begin where nobody passes yet (it was ended by hand). The
 * tests' starts are put right by what each probe knows of its clock, as the votes were.
 */
export async function recordOutageEnd(sql: Sql, customerId: string, incidentId: string, passing: string[]): Promise<void> {
  const rightStart = sql`(r.started_at + coalesce(r.clock_offset_ms, 0) * interval '1 millisecond')`
  const ofVantage = sql`r.customer_id = ${customerId} and r.monitor_id = o.monitor_id and r.probe_id = v.probe_id`
  // The index knows the uncorrected start: a margin for clocks, within which the corrected one decides.
  const margin = sql`interval '5 minutes'`
  await sql`
    with outage as (
      select monitor_id, since_at, case when cardinality(${passing}::uuid[]) > 0 then ${passing}::uuid[] else array(
          select distinct (vote->>'probe_id')::uuid from jsonb_array_elements(vantages) as vote) end as probe_ids
      from incidents where customer_id = ${customerId} and id = ${incidentId} and kind = 'down'),
    last_fail as (
      select coalesce(max(t.at), min(o.since_at)) as at
      from outage o left join lateral unnest(o.probe_ids) as v (probe_id) on true left join lateral (
        select ${rightStart} as at from results r
        where ${ofVantage} and r.started_at >= o.since_at - ${margin} and ${rightStart} >= o.since_at
          and r.outcome not in ('ok', 'slow', 'blocked', 'not_run')
        order by r.started_at desc limit 1) t on true),
    first_pass as (
      select min(t.at) as at
      from outage o cross join last_fail cross join lateral unnest(o.probe_ids) as v (probe_id) cross join lateral (
        select ${rightStart} as at from results r
        where ${ofVantage} and r.started_at >= last_fail.at - ${margin} and ${rightStart} > last_fail.at and r.outcome in ('ok', 'slow')
        order by r.started_at limit 1) t)
    update incidents i set last_fail_at = last_fail.at, first_pass_at = first_pass.at
    from last_fail, first_pass
    where i.customer_id = ${customerId} and i.id = ${incidentId} and i.kind = 'down'`
}

/** Incidents of one monitor beyond this number are too many for one answer. */
export const incidentsMax = 5_000

/** An outage is opened so long after its end at the latest: results are taken until they are as old, and then it is judged. */
const openedAfterMs = resultAgeMsMax + dayMs

/**
 * Oldest first, the newest `incidentsMax` of those that touch the period. One that was heard of after the period may have been within
 * it, and also while an older one goes on.
 */
export async function incidentsBetween(
  sql: Sql,
  customerId: string,
  monitorId: string,
  fromMs: number,
  toMs: number,
): Promise<Incident[]> {
  const ofMonitor = sql`customer_id = ${customerId} and monitor_id = ${monitorId}`
  const rows = await sql<Incident[]>`
    select kind, last_good_at as last_good_ms, since_at as since_ms, opened_at as opened_ms, last_fail_at as last_fail_ms,
      first_pass_at as first_pass_ms, resolved_at as resolved_ms
    from incidents
    where ${ofMonitor} and opened_at <= ${toMs + openedAfterMs} and (resolved_at is null or resolved_at >= ${fromMs})
    order by opened_at desc limit ${incidentsMax}`
  return rows.toReversed()
}

/** The first verified return, UTC ms; null while the monitor is pending. */
export async function watchedSince(sql: Sql, customerId: string, monitorId: string): Promise<number | null> {
  const [row] = await sql<{ watched_since: number | null }[]>`
    select watched_since from monitor_states where customer_id = ${customerId} and monitor_id = ${monitorId}`
  return row?.watched_since ?? null
}
