/** API keys by the hash of their text: the text itself is shown once and kept nowhere. */
import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, only, type Paging, type Whose } from './paging.ts'

export type KeyScope = 'operator' | 'customer' | 'read'

export type ApiKeyRow = {
  id: string
  customer_id: string | null
  scope: KeyScope
  created_at: number
  last_used_at: number | null
  revoked_at: number | null
}

const columns = (sql: Sql) => sql`id, customer_id, scope, created_at, last_used_at, revoked_at`

export async function listApiKeys(sql: Sql, whose: Whose, paging: Paging): Promise<ApiKeyRow[]> {
  return sql<ApiKeyRow[]>`
    select ${columns(sql)} from api_keys
    where ${ofCustomer(sql, whose)} and ${olderThan(sql, paging)}
    order by id desc limit ${paging.limit + 1}`
}

export async function findApiKey(sql: Sql, whose: Whose, id: string): Promise<ApiKeyRow | undefined> {
  const [row] = await sql<ApiKeyRow[]>`
    select ${columns(sql)} from api_keys where id = ${id} and ${ofCustomer(sql, whose)}`
  return row
}

export async function insertApiKey(
  sql: Sql,
  key: { id: string; customer_id: string | null; scope: KeyScope; secret_hash: string },
): Promise<ApiKeyRow> {
  return only(await sql<ApiKeyRow[]>`insert into api_keys ${sql({ ...key })} returning ${columns(sql)}`)
}

/** Revoking twice keeps the first time. */
export async function revokeApiKey(sql: Sql, whose: Whose, id: string): Promise<ApiKeyRow | undefined> {
  const [row] = await sql<ApiKeyRow[]>`
    update api_keys set revoked_at = coalesce(revoked_at, now())
    where id = ${id} and ${ofCustomer(sql, whose)} returning ${columns(sql)}`
  return row
}

export type StoredKey = { id: string; customer_id: string | null; scope: KeyScope; secret_hash: string; use_is_old: boolean }

/** The keys of these ids that are in force. `use_is_old`: its last use was noted more than a minute ago. */
export async function findKeysInForce(sql: Sql, ids: string[]): Promise<StoredKey[]> {
  return sql<StoredKey[]>`
    select id, customer_id, scope, secret_hash, (last_used_at is null or last_used_at < now() - interval '1 minute') as use_is_old
    from api_keys where id = any(${ids}::uuid[]) and revoked_at is null`
}

export async function noteKeyUse(sql: Sql, id: string): Promise<void> {
  await sql`update api_keys set last_used_at = now() where id = ${id}`
}

export async function anOperatorKeyIsInForce(sql: Sql): Promise<boolean> {
  const rows = await sql`select from api_keys where scope = 'operator' and revoked_at is null limit 1`
  return rows.length > 0
}

/** The operator's key from the configuration: there is one, and a new text replaces the old. */
export async function putOperatorKey(sql: Sql, key: { id: string; secret_hash: string }): Promise<void> {
  await sql`
    insert into api_keys (id, customer_id, scope, secret_hash) values (${key.id}, null, 'operator', ${key.secret_hash})
    on conflict (id) do update set secret_hash = excluded.secret_hash, revoked_at = null`
}

/** Held until the transaction ends: two coordinators that start at once make one key. */
export async function lockOperatorKey(sql: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(20070712)`
}
