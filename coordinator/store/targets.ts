/** What is kept, and what is forgotten, when the target of a monitor changes. Whose results speak of which target: monitors.ts, ofTarget. */
import type { Span } from '../core/spans.ts'
import type { Sql } from './connection.ts'
import { forgetRoutes } from './routes.ts'

type Named = { customer_id: string; monitor_id: string }

/** Nothing that is still out about the old target starts or contradicts anything; the time until the first return is noted as pending. */
export async function leaveTarget(sql: Sql, { customer_id, monitor_id }: Named): Promise<void> {
  const ofMonitor = sql`customer_id = ${customer_id} and monitor_id = ${monitor_id}`
  await sql`delete from probe_failures where ${ofMonitor}`
  await sql`delete from overdues where ${ofMonitor}`
  await forgetRoutes(sql, { customer_id, monitor_id })
  await sql`
    insert into pending_spans (customer_id, monitor_id, start_at)
    select customer_id, monitor_id, now() from monitor_states
    where ${ofMonitor} and watched_since is not null
      and not exists (select from pending_spans where ${ofMonitor} and end_at is null)
    on conflict do nothing`
}

/** A mail has come back from the new target. */
export async function endPending(sql: Sql, customerId: string, monitorId: string): Promise<void> {
  await sql`
    update pending_spans set end_at = now() where customer_id = ${customerId} and monitor_id = ${monitorId} and end_at is null`
}

/** When the monitor was pending again after it had been watched, oldest first. */
export async function pendingAgain(sql: Sql, customerId: string, monitorId: string): Promise<Span[]> {
  const rows = await sql<{ start_ms: number; end_ms: number | null }[]>`
    select start_at as start_ms, end_at as end_ms from pending_spans
    where customer_id = ${customerId} and monitor_id = ${monitorId} order by start_at`
  return rows.map(({ start_ms, end_ms }) => ({ start_ms, end_ms: end_ms ?? Number.POSITIVE_INFINITY }))
}
