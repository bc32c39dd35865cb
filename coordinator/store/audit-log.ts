/** Who changed what, written with the change itself; the program may add rows and never change them. */
import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, type Paging, type Whose } from './paging.ts'

export type AuditRow = {
  id: string
  at: number
  customer_id: string | null
  actor: string
  action: string
  object: string
  detail: Record<string, unknown>
}

export async function insertAudit(sql: Sql, row: Omit<AuditRow, 'at'>): Promise<void> {
  await sql`
    insert into audit_log (id, customer_id, actor, action, object, detail)
    values (${row.id}, ${row.customer_id}, ${row.actor}, ${row.action}, ${row.object}, ${sql.json(row.detail as never)})`
}

export async function listAudit(sql: Sql, whose: Whose, paging: Paging): Promise<AuditRow[]> {
  return sql<AuditRow[]>`
    select id, at, customer_id, actor, action, object, detail from audit_log
    where ${ofCustomer(sql, whose)} and ${olderThan(sql, paging)}
    order by id desc limit ${paging.limit + 1}`
}
