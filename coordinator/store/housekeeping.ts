/** Removing what has had its use. Results, incidents and pages are not touched: they are the customers' history. */
import type { Sql } from './connection.ts'
import { purgeIdempotencyKeys } from './idempotency.ts'

/** Returns how many rows went, by what they were. */
export async function tidyUp(sql: Sql): Promise<Record<string, number>> {
  const counts: Record<string, number> = { idempotency_keys: await purgeIdempotencyKeys(sql) }
  counts.overdues = (await sql`delete from overdues where at < now() - interval '7 days'`).count
  counts.control_trips = (await sql`delete from control_trips where started_at < now() - interval '7 days'`).count
  // A proof counts against tests that started before it: the oldest result that is still taken is seven days old.
  counts.probe_proofs = (await sql`delete from probe_proofs where started_at < now() - interval '8 days'`).count
  counts.probe_failures = (await sql`delete from probe_failures where started_at < now() - interval '1 day'`).count
  // A pass over a route is remembered for 30 days (core/verdict.ts).
  counts.route_tests = (await sql`delete from route_tests where started_at < now() - interval '31 days'`).count
  counts.routes = (await sql`delete from routes where tested_at < now() - interval '2 days'`).count
  counts.coordinators = (await sql`delete from coordinators where seen_at < now() - interval '1 hour'`).count
  counts.probe_certificates = (await sql`delete from probe_certificates where not_after < now() - interval '1 day'`).count
  return counts
}
