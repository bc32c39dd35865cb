/** Incidents as people read and acknowledge them. Opening and ending them is in incident-log.ts. */
import type { Cause } from '../core/cause.ts'
import type { VoteView } from '../core/evidence.ts'
import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, type Paging, type Whose } from './paging.ts'

export type ReadIncident = {
  id: string
  customer_id: string
  monitor_id: string
  monitor_name: string
  code: string
  kind: 'down' | 'unconfirmed'
  since_at: number
  last_good_at: number | null
  last_fail_at: number | null
  first_pass_at: number | null
  opened_at: number
  flapping: boolean
  acknowledged_at: number | null
  acknowledged_by: string | null
  resolved_at: number | null
  cause: Cause
  vantages: VoteView[]
}

export type IncidentEventRow = { id: string; at: number; type: string; detail: Record<string, unknown> }

const columns = (sql: Sql) => sql`
  i.id, i.customer_id, i.monitor_id, m.name as monitor_name, i.code, i.kind, i.since_at, i.last_good_at, i.last_fail_at,
  i.first_pass_at, i.opened_at, i.flapping, i.acknowledged_at, i.acknowledged_by, i.resolved_at, i.cause, i.vantages`

const joinMonitor = (sql: Sql) => sql`join monitors m on m.customer_id = i.customer_id and m.id = i.monitor_id`

export async function listIncidents(
  sql: Sql,
  whose: Whose,
  filter: { monitorId: string | undefined; open: boolean | undefined },
  paging: Paging,
): Promise<ReadIncident[]> {
  // The index begins with the customer, whom an operator's question leaves out.
  const ofMonitor =
    filter.monitorId === undefined
      ? sql`true`
      : sql`monitor_id = ${filter.monitorId} and customer_id = (select customer_id from monitors where id = ${filter.monitorId})`
  const open = filter.open === undefined ? sql`true` : filter.open ? sql`resolved_at is null` : sql`resolved_at is not null`
  // Cut to the page before joining: the limit lets the primary key be read from its end.
  return sql<ReadIncident[]>`
    select ${columns(sql)} from (
      select * from incidents
      where ${ofCustomer(sql, whose)} and ${ofMonitor} and ${open} and ${olderThan(sql, paging)}
      order by id desc limit ${paging.limit + 1}) i
    ${joinMonitor(sql)} order by i.id desc`
}

export async function findIncidents(sql: Sql, whose: Whose, ids: string[]): Promise<ReadIncident[]> {
  return sql<ReadIncident[]>`
    select ${columns(sql)} from incidents i ${joinMonitor(sql)}
    where i.id = any(${ids}::uuid[]) and ${ofCustomer(sql, whose, 'i.customer_id')}`
}

export async function findIncident(sql: Sql, whose: Whose, id: string): Promise<ReadIncident | undefined> {
  return (await findIncidents(sql, whose, [id]))[0]
}

/** Oldest first: the log of an incident is read as a story. */
export async function listIncidentEvents(
  sql: Sql,
  incident: { customer_id: string; id: string },
  after: string | undefined,
  limit: number,
): Promise<IncidentEventRow[]> {
  return sql<IncidentEventRow[]>`
    select id, at, type, detail from incident_events
    where customer_id = ${incident.customer_id} and incident_id = ${incident.id}
      and ${after === undefined ? sql`true` : sql`id > ${after}`}
    order by id limit ${limit + 1}`
}

/** Stops the escalation of an open incident; false where somebody had acknowledged it, or it was over. */
export async function acknowledgeIncident(sql: Sql, incident: { customer_id: string; id: string }, by: string): Promise<boolean> {
  const { count } = await sql`
    update incidents set acknowledged_at = now(), acknowledged_by = ${by}, next_step = null, next_round = null, next_step_at = null
    where customer_id = ${incident.customer_id} and id = ${incident.id} and acknowledged_at is null and resolved_at is null`
  return count > 0
}
