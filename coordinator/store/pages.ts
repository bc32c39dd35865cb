/** Pages as people see them; sending them is the outbox's part. */
import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, type Paging, type Whose } from './paging.ts'

export type PageRow = {
  id: string
  customer_id: string
  incident_id: string
  kind: string
  step: number
  round: number
  recipient: string
  contact_method_id: string | null
  address: string
  text: string
  state: 'pending' | 'sending' | 'accepted' | 'failed' | 'cancelled'
  due_at: number
  accepted_at: number | null
  gateway: string | null
  provider_id: string | null
  attempts: number
  last_error: string | null
}

const columns = (sql: Sql) => sql`
  id, customer_id, incident_id, kind, step, round, recipient, contact_method_id, address, text, state, due_at, accepted_at, gateway,
  provider_id, attempts, last_error`

/** Pages to the operator tell of his installation: customers are not shown them. */
export async function listPages(
  sql: Sql,
  reader: { whose: Whose; rights: 'operator' | 'customer' },
  incidentId: string | undefined,
  paging: Paging,
): Promise<PageRow[]> {
  return sql<PageRow[]>`
    select ${columns(sql)} from pages
    where ${ofCustomer(sql, reader.whose)} and ${olderThan(sql, paging)}
      and ${reader.rights === 'operator' ? sql`true` : sql`recipient <> 'operator'`}
      and ${incidentId === undefined ? sql`true` : sql`incident_id = ${incidentId}`}
    order by id desc limit ${paging.limit + 1}`
}

/** With null for the operator, who sees them all. */
export async function findPages(sql: Sql, whose: Whose, ids: string[]): Promise<PageRow[]> {
  return sql<PageRow[]>`
    select ${columns(sql)} from pages
    where id = any(${ids}::uuid[]) and ${whose === null ? sql`true` : sql`customer_id = ${whose} and recipient <> 'operator'`}`
}
