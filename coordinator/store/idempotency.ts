/**
 * Answers to POST by Idempotency-Key, kept for 24 h. The claim is part of the transaction that does the work: a second request
 * with the same key waits at the unique index until the first has ended, and then finds its answer; a crash leaves nothing.
 */
import type { Sql } from './connection.ts'

export type Claim =
  | { kind: 'first' }
  /** The answer that the first request got. */
  | { kind: 'repeated'; response: unknown }
  /** The key was used for another request. */
  | { kind: 'other_request' }

export type IdempotencyKey = { api_key_id: string; key: string; request_hash: string }

export async function claimIdempotencyKey(sql: Sql, claim: IdempotencyKey): Promise<Claim> {
  const claimed = await sql`
    insert into idempotency_keys ${sql({ ...claim })}
    on conflict (api_key_id, key) do update
    set request_hash = excluded.request_hash, status = null, response = null, created_at = now()
    where idempotency_keys.created_at < now() - interval '24 hours'
    returning 1`
  if (claimed.length > 0) return { kind: 'first' }
  const [known] = await sql<{ request_hash: string; response: unknown }[]>`
    select request_hash, response from idempotency_keys where api_key_id = ${claim.api_key_id} and key = ${claim.key}`
  return known?.request_hash === claim.request_hash ? { kind: 'repeated', response: known.response } : { kind: 'other_request' }
}

export async function keepAnswer(sql: Sql, claim: IdempotencyKey, status: number, response: unknown): Promise<void> {
  await sql`
    update idempotency_keys set status = ${status}, response = ${sql.json(response as never)}
    where api_key_id = ${claim.api_key_id} and key = ${claim.key}`
}

/** Deletes what is older than 24 h; to be called now and then. Returns how many. */
export async function purgeIdempotencyKeys(sql: Sql): Promise<number> {
  return (await sql`delete from idempotency_keys where created_at < now() - interval '24 hours'`).count
}
