/** Wake-up calls between parts and coordinators, sent with the transaction. They only shorten a poll: due work is always a row. */
import type { Sql } from './connection.ts'

export type LiveKind = 'result' | 'monitor' | 'incident' | 'page' | 'probe'

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
  live:
    | { kind: LiveKind; customer_id: string | null; id: string; monitor_id?: string }
    | { kind: 'results'; customer_id: string; results: { id: string; monitor_id: string }[] }
}

export async function announce<C extends keyof Channels>(
  sql: Sql,
  channel: C,
  ...payload: Channels[C] extends undefined ? [] : [Channels[C]]
) {
  await sql`select pg_notify(${channel}, ${payload.length === 0 ? '' : JSON.stringify(payload[0])})`
}

/** A payload is shorter than 8,000 bytes, and a result takes 97 of them. */
const resultsPerPayload = 80

/**
 * New results, told to the dashboards once they are committed: many in one notification, because a busy probe brings hundreds at once.
 * A commit that notifies keeps all other such commits waiting until it is on the disk; this one has nothing to keep there.
 */
export async function announceResults(
  sql: Sql,
  results: readonly { customer_id: string; id: string; monitor_id: string }[],
): Promise<void> {
  const payloads: string[] = []
  for (const [customer_id, theirs] of Map.groupBy(results, (result) => result.customer_id)) {
    const named = theirs.map(({ id, monitor_id }) => ({ id, monitor_id }))
    for (let first = 0; first < named.length; first += resultsPerPayload) {
      const payload: Channels['live'] = { kind: 'results', customer_id, results: named.slice(first, first + resultsPerPayload) }
      payloads.push(JSON.stringify(payload))
    }
  }
  if (payloads.length === 0) return
  await sql`
    select set_config('synchronous_commit', 'off', true), pg_notify('live', payload) from unnest(${payloads}::text[]) as told (payload)`
}
