import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, type Paging, type Whose } from './paging.ts'

export type ContactMethod = { kind: 'sms'; address: string }
export type ContactRow = { id: string; customer_id: string; name: string; methods: (ContactMethod & { id: string })[] }

const selection = (sql: Sql) => sql`
  select contacts.id, contacts.customer_id, contacts.name, coalesce((
    select jsonb_agg(jsonb_build_object('id', method.id, 'kind', method.kind, 'address', method.address) order by method.id)
    from contact_methods as method where method.customer_id = contacts.customer_id and method.contact_id = contacts.id
  ), '[]') as methods
  from contacts`

export async function listContacts(sql: Sql, whose: Whose, paging: Paging): Promise<ContactRow[]> {
  return sql<ContactRow[]>`
    ${selection(sql)} where ${ofCustomer(sql, whose)} and ${olderThan(sql, paging)}
    order by id desc limit ${paging.limit + 1}`
}

export async function findContact(sql: Sql, whose: Whose, id: string): Promise<ContactRow | undefined> {
  const [row] = await sql<ContactRow[]>`${selection(sql)} where id = ${id} and ${ofCustomer(sql, whose)}`
  return row
}

export async function insertContact(sql: Sql, contact: ContactRow): Promise<void> {
  const { id, customer_id, name, methods } = contact
  await sql`insert into contacts ${sql({ id, customer_id, name })}`
  await insertMethods(sql, contact, methods)
}

/** Changes name and methods; a method that stays keeps its id, which pages refer to. */
export async function replaceContact(sql: Sql, contact: ContactRow): Promise<void> {
  const { id, customer_id, name, methods } = contact
  await sql`update contacts set name = ${name} where customer_id = ${customer_id} and id = ${id}`
  const kept = methods.map((method) => method.id)
  await sql`
    delete from contact_methods
    where customer_id = ${customer_id} and contact_id = ${id} and id <> all(${kept}::uuid[])`
  await insertMethods(sql, contact, methods)
}

async function insertMethods(sql: Sql, contact: ContactRow, methods: ContactRow['methods']): Promise<void> {
  const rows = methods.map((method) => ({ ...method, customer_id: contact.customer_id, contact_id: contact.id }))
  await sql`insert into contact_methods ${sql(rows)} on conflict do nothing`
}

/** Those of the ids that are contacts of this customer, locked against deletion until the transaction ends. */
export async function lockContacts(sql: Sql, customerId: string, ids: string[]): Promise<Set<string>> {
  const rows = await sql<{ id: string }[]>`
    select id from contacts
    where customer_id = ${customerId} and id = any(${ids}::uuid[])
      and exists (select from contact_methods where customer_id = ${customerId} and contact_id = contacts.id)
    order by id for share of contacts`
  return new Set(rows.map((row) => row.id))
}

export async function lockContactForChange(sql: Sql, customerId: string, id: string): Promise<void> {
  await sql`select from contacts where customer_id = ${customerId} and id = ${id} for update`
}

export async function deleteContact(sql: Sql, customerId: string, id: string): Promise<void> {
  await sql`delete from contacts where customer_id = ${customerId} and id = ${id}`
}
