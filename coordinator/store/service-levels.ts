/** What contracts grant. */
import type { Mode } from '../core/judgement.ts'
import type { Sql } from './connection.ts'
import { olderThan, only, type Paging } from './paging.ts'

export type ServiceLevel = {
  name: string
  vantages: number
  quorum: number
  period_min_s: number
  mode: Mode
  channels: string[]
  sms_per_day: number
}
export type ServiceLevelRow = ServiceLevel & { id: string; created_at: number }

const columns = (sql: Sql) => sql`id, name, vantages, quorum, period_min_s, mode, channels, sms_per_day, created_at`

export async function listServiceLevels(sql: Sql, paging: Paging, onlyId?: string): Promise<ServiceLevelRow[]> {
  return sql<ServiceLevelRow[]>`
    select ${columns(sql)} from service_levels
    where ${olderThan(sql, paging)} and ${onlyId === undefined ? sql`true` : sql`id = ${onlyId}`}
    order by id desc limit ${paging.limit + 1}`
}

export async function findServiceLevel(sql: Sql, id: string): Promise<ServiceLevelRow | undefined> {
  const [row] = await sql<ServiceLevelRow[]>`select ${columns(sql)} from service_levels where id = ${id}`
  return row
}

/** Shared lock: the level cannot be deleted or changed under the contract that is being written. */
export async function findServiceLevelByName(sql: Sql, name: string): Promise<ServiceLevelRow | undefined> {
  const [row] = await sql<ServiceLevelRow[]>`select ${columns(sql)} from service_levels where name = ${name} for share`
  return row
}

/** The level that the customer's contract grants; undefined where there is no such customer. */
export async function findLevelOfCustomer(sql: Sql, customerId: string): Promise<ServiceLevelRow | undefined> {
  const [row] = await sql<ServiceLevelRow[]>`
    select ${columns(sql)} from service_levels where id = (select service_level_id from customers where id = ${customerId})`
  return row
}

export async function insertServiceLevel(sql: Sql, level: ServiceLevel & { id: string }): Promise<ServiceLevelRow> {
  const rows = await sql<ServiceLevelRow[]>`
    insert into service_levels ${sql({ ...level })} returning ${columns(sql)}`
  return only(rows)
}

/** Adds those whose names are new; an operator's changes to the others stay. */
export async function addMissingServiceLevels(sql: Sql, levels: (ServiceLevel & { id: string })[]): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    insert into service_levels ${sql(levels.map((level) => ({ ...level })))} on conflict (name) do nothing returning name`
  return rows.map((row) => row.name)
}

/** Locked until the transaction ends, so that no contract is made of it meanwhile. */
export async function lockServiceLevel(sql: Sql, id: string): Promise<ServiceLevelRow | undefined> {
  const [row] = await sql<ServiceLevelRow[]>`select ${columns(sql)} from service_levels where id = ${id} for update`
  return row
}

export async function replaceServiceLevel(sql: Sql, { id, created_at: _, ...level }: ServiceLevelRow): Promise<void> {
  await sql`update service_levels set ${sql({ ...level })} where id = ${id}`
}

export async function customersHaveLevel(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql`select from customers where service_level_id = ${id} limit 1`
  return rows.length > 0
}

export async function deleteServiceLevel(sql: Sql, id: string): Promise<void> {
  await sql`delete from service_levels where id = ${id}`
}
