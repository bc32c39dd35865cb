import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, only, type Paging, type Whose } from './paging.ts'

/** `service_level` is the name of the level. */
export type CustomerRow = { id: string; name: string; service_level: string; created_at: number }

const columns = (sql: Sql) => sql`
  customers.id, customers.name, customers.created_at,
  (select name from service_levels where service_levels.id = customers.service_level_id) as service_level`

export async function listCustomers(sql: Sql, whose: Whose, paging: Paging): Promise<CustomerRow[]> {
  return sql<CustomerRow[]>`
    select ${columns(sql)} from customers
    where ${ofCustomer(sql, whose, 'id')} and ${olderThan(sql, paging)}
    order by id desc limit ${paging.limit + 1}`
}

export async function findCustomer(sql: Sql, whose: Whose, id: string): Promise<CustomerRow | undefined> {
  const [row] = await sql<CustomerRow[]>`
    select ${columns(sql)} from customers where id = ${id} and ${ofCustomer(sql, whose, 'id')}`
  return row
}

export async function insertCustomer(
  sql: Sql,
  customer: { id: string; name: string; service_level_id: string },
): Promise<CustomerRow> {
  return only(await sql<CustomerRow[]>`insert into customers ${sql({ ...customer })} returning ${columns(sql)}`)
}

export async function updateCustomer(
  sql: Sql,
  id: string,
  change: { name?: string; service_level_id?: string },
): Promise<CustomerRow | undefined> {
  if (Object.keys(change).length === 0) return findCustomer(sql, null, id)
  const [row] = await sql<CustomerRow[]>`
    update customers set ${sql({ ...change })} where id = ${id} returning ${columns(sql)}`
  return row
}
