/** Which surveys of routes are due. */
import type { Decision } from '../core/evidence.ts'
import { nextSurveyMs, type SurveyCase } from '../core/surveys.ts'
import { type Due, earliestDue } from './clock.ts'
import type { Sql } from './connection.ts'
import { isLost } from './probes.ts'

type Named = { customer_id: string; monitor_id: string }
export type DueSurvey = Named & SurveyCase & { now_ms: number }

/** So many are ordered in one transaction. */
const claimedMax = 50

/** Locks those that have been due the longest, skipping what another coordinator orders now. */
export async function claimDueSurveys(sql: Sql): Promise<DueSurvey[]> {
  type Row = Omit<DueSurvey, 'vantages'> & { vantages: { probe_id: string; lost: boolean }[] | null; decision: Decision }
  const rows = await sql<Row[]>`
    with due as (
      select customer_id, monitor_id, due_at, probe_id from route_surveys where due_at <= now()
      order by due_at limit ${claimedMax} for update skip locked
    )
    select due.customer_id, due.monitor_id, due.due_at as due_ms, due.probe_id as last_probe_id, s.decision,
      jsonb_typeof(s.state->'suspicion') = 'object' as suspected, s.incident_id is not null as has_incident,
      clock_timestamp() as now_ms, (
        select jsonb_agg(jsonb_build_object('probe_id', p.id, 'lost', ${isLost(sql)}))
        from assignments a join probes p on p.id = a.probe_id
        where a.customer_id = due.customer_id and a.monitor_id = due.monitor_id and a.last_slot is null and a.withdrawn_at is null
          and p.retired_at is null
      ) as vantages
    from due join monitor_states s on s.customer_id = due.customer_id and s.monitor_id = due.monitor_id`
  return rows.map(({ vantages, ...row }) => ({ ...row, vantages: vantages ?? [] }))
}

/** `probeId`: who makes the one that was due; null: nobody. */
export async function setNextSurvey(sql: Sql, survey: Named, dueMs: number, probeId: string | null): Promise<void> {
  await sql`
    update route_surveys set due_at = ${dueMs}, probe_id = coalesce(${probeId}, probe_id)
    where customer_id = ${survey.customer_id} and monitor_id = ${survey.monitor_id}`
}

export const nextSurveyDue = (sql: Sql): Promise<Due | null> => earliestDue(sql, sql`due_at`, sql`route_surveys`)

export async function insertSurvey(sql: Sql, { customer_id, monitor_id }: Named, nowMs: number): Promise<void> {
  await sql`
    insert into route_surveys (customer_id, monitor_id, due_at) values (${customer_id}, ${monitor_id}, ${nextSurveyMs(monitor_id, nowMs)})`
}

export async function deleteSurvey(sql: Sql, { customer_id, monitor_id }: Named): Promise<void> {
  await sql`delete from route_surveys where customer_id = ${customer_id} and monitor_id = ${monitor_id}`
}
