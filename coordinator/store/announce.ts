/** Wake-up calls between parts and coordinators, sent with the transaction. They only shorten a poll: due work is always a row. */
import type { Sql } from './connection.ts'

export type Channels = {
  /** Monitors are marked for judging. */
  judge: undefined
  /** Pages are due. */
  pages: undefined
  /** Monitors need assignments. */
  assign: undefined
  /** A probe's manifest or jobs have changed: its hub session looks. */
  probe: { probe_id: string }
  /** What the dashboards show has changed. */
  live: {
    kind: 'result' | 'monitor' | 'incident' | 'page' | 'probe'
    customer_id: string | null
    id: string
    monitor_id?: string
  }
}

export async function announce<C extends keyof Channels>(
  sql: Sql,
  channel: C,
  ...payload: Channels[C] extends undefined ? [] : [Channels[C]]
) {
  await sql`select pg_notify(${channel}, ${payload.length === 0 ? '' : JSON.stringify(payload[0])})`
}

/** The same for many at once, in one statement. */
export async function announceAll<C extends keyof Channels>(sql: Sql, channel: C, payloads: Channels[C][]): Promise<void> {
  if (payloads.length === 0) return
  await sql`select pg_notify(${channel}, payload) from unnest(${payloads.map((payload) => JSON.stringify(payload))}::text[]) as told (payload)`
}
