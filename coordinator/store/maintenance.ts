/**
 * Maintenance windows. A row is one version of a window: changing or deleting it ends the version and keeps it, so that what was
 * maintenance is known for ever and nothing becomes it afterwards.
 */
import type { MaintenanceWindow, Schedule } from '../core/maintenance.ts'
import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, type Paging, type Whose } from './paging.ts'

export type MaintenanceWindowSettings = {
  name: string
  /** Null: all monitors of the customer. */
  monitor_ids: string[] | null
  schedule: Schedule
}

export type MaintenanceWindowRow = MaintenanceWindowSettings & {
  id: string
  customer_id: string
  created_at: number
  valid_from_ms: number
  valid_until_ms: null
  /** The database's clock when the row was read. */
  now_ms: number
}

const columns = (sql: Sql) => sql`
  id, customer_id, name, monitor_ids, schedule, created_at, valid_from as valid_from_ms, valid_until as valid_until_ms,
  clock_timestamp() as now_ms`

/** `monitorId`: those that hold for this monitor. */
export async function listMaintenanceWindows(
  sql: Sql,
  whose: Whose,
  monitorId: string | undefined,
  paging: Paging,
): Promise<MaintenanceWindowRow[]> {
  const ofMonitor =
    monitorId === undefined
      ? sql`true`
      : sql`(monitor_ids is null or ${monitorId} = any(monitor_ids))
          and customer_id = (select customer_id from monitors where id = ${monitorId})`
  return sql<MaintenanceWindowRow[]>`
    select ${columns(sql)} from maintenance_windows
    where ${ofCustomer(sql, whose)} and valid_until is null and ${ofMonitor} and ${olderThan(sql, paging)}
    order by id desc limit ${paging.limit + 1}`
}

export async function findMaintenanceWindow(sql: Sql, whose: Whose, id: string): Promise<MaintenanceWindowRow | undefined> {
  const [row] = await sql<MaintenanceWindowRow[]>`
    select ${columns(sql)} from maintenance_windows where id = ${id} and ${ofCustomer(sql, whose)} and valid_until is null`
  return row
}

export async function insertMaintenanceWindow(
  sql: Sql,
  window: MaintenanceWindowSettings & { id: string; customer_id: string },
): Promise<void> {
  await sql`
    insert into maintenance_windows (customer_id, id, name, monitor_ids, schedule)
    values (${window.customer_id}, ${window.id}, ${window.name}, ${window.monitor_ids}::uuid[], ${sql.json(window.schedule)})`
}

/** Changes of one window come one after the other, and no incident is held by it meanwhile. */
export async function lockMaintenanceWindow(sql: Sql, customerId: string, id: string): Promise<void> {
  await sql`select from maintenance_windows where customer_id = ${customerId} and id = ${id} and valid_until is null for update`
}

export async function replaceMaintenanceWindow(
  sql: Sql,
  window: MaintenanceWindowSettings & { id: string; customer_id: string },
): Promise<void> {
  await sql`
    with before as (
      update maintenance_windows set valid_until = now()
      where customer_id = ${window.customer_id} and id = ${window.id} and valid_until is null returning version, created_at)
    insert into maintenance_windows (customer_id, id, version, name, monitor_ids, schedule, created_at)
    select ${window.customer_id}, ${window.id}, version + 1, ${window.name}, ${window.monitor_ids}::uuid[], ${sql.json(window.schedule)}, created_at
    from before`
}

export async function endMaintenanceWindow(sql: Sql, customerId: string, id: string): Promise<void> {
  await sql`
    update maintenance_windows set valid_until = now() where customer_id = ${customerId} and id = ${id} and valid_until is null`
}

/** Of windows for once only those that are not over: they become many with the years. */
const notOver = (sql: Sql) =>
  sql`valid_until is null and (schedule->>'kind' <> 'once' or (schedule->>'ends_ms')::float8 > extract(epoch from now()) * 1000)`

/** How many windows of the customer are in force or to come. */
export async function countMaintenanceWindows(sql: Sql, customerId: string): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*) as count from maintenance_windows where customer_id = ${customerId} and ${notOver(sql)}`
  return row?.count ?? 0
}

/**
 * The windows in force for a monitor, locked against change until the transaction ends: who changes one afterwards sees the incident
 * that was held by it.
 */
export async function holdWindowsOfMonitor(sql: Sql, customerId: string, monitorId: string): Promise<MaintenanceWindow[]> {
  return sql<MaintenanceWindow[]>`
    select id, schedule, valid_from as valid_from_ms, valid_until as valid_until_ms from maintenance_windows
    where customer_id = ${customerId} and ${notOver(sql)} and (monitor_ids is null or ${monitorId} = any(monitor_ids)) for share`
}

/** The windows in force for many monitors at once, by monitor. */
export async function windowsOfMonitors(
  sql: Sql,
  monitors: readonly { id: string; customer_id: string }[],
): Promise<Map<string, MaintenanceWindow[]>> {
  if (monitors.length === 0) return new Map()
  const customers = [...new Set(monitors.map((monitor) => monitor.customer_id))]
  const windows = await sql<(MaintenanceWindow & { customer_id: string; monitor_ids: string[] | null })[]>`
    select customer_id, id, monitor_ids, schedule, valid_from as valid_from_ms, valid_until as valid_until_ms from maintenance_windows
    where customer_id = any(${customers}::uuid[]) and ${notOver(sql)}`
  return new Map(
    monitors.map(({ id, customer_id }) => [
      id,
      windows.filter((window) => window.customer_id === customer_id && (window.monitor_ids?.includes(id) ?? true)),
    ]),
  )
}

/** All versions that held for the monitor at some time in between. */
export async function windowHistory(
  sql: Sql,
  customerId: string,
  monitorId: string,
  fromMs: number,
  toMs: number,
): Promise<MaintenanceWindow[]> {
  return sql<MaintenanceWindow[]>`
    select id, schedule, valid_from as valid_from_ms, valid_until as valid_until_ms from maintenance_windows
    where customer_id = ${customerId} and (monitor_ids is null or ${monitorId} = any(monitor_ids))
      and valid_from < ${toMs} and (valid_until is null or valid_until > ${fromMs})
      and (schedule->>'kind' <> 'once' or (schedule->>'ends_ms')::float8 > ${fromMs}::float8)`
}

/** Wakes what waits for the end of the customer's maintenance: it is looked at anew, and held again where maintenance goes on. */
export async function reviewHeldIncidents(sql: Sql, customerId: string): Promise<void> {
  await sql`
    update incidents set next_step_at = now()
    where customer_id = ${customerId} and resolved_at is null and held and next_step_at is not null`
}

/** The ids of those of the customer's monitors that a window is for. */
export async function monitorsUnder(sql: Sql, customerId: string, monitorIds: string[] | null): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from monitors where customer_id = ${customerId} and deleted_at is null
      and ${monitorIds === null ? sql`true` : sql`id = any(${monitorIds}::uuid[])`}
    order by id limit 1000`
  return rows.map((row) => row.id)
}
