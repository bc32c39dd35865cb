/** Which vantages a target refuses by policy, with what its server said: for the notices of monitors and for the metrics. */
import type { SeenBlock } from '../core/blocked.ts'
import type { MonitorState } from '../core/evidence.ts'
import type { Sql } from './connection.ts'

export type BlockRow = SeenBlock & { test_id: string; probe_id: string; since_ms: number }

type Blocked = { customer_id: string; id: string; blocked: MonitorState['blocked'] }

/** By monitor. Nothing is asked where nobody is refused. */
export async function blocksOfMonitors(sql: Sql, monitors: readonly Blocked[]): Promise<Map<string, BlockRow[]>> {
  const standing = monitors.flatMap(({ customer_id, id, blocked }) =>
    Object.values(blocked).map((block) => ({ customer_id, monitor_id: id, ...block })),
  )
  if (standing.length === 0) return new Map()
  const rows = await sql<Omit<BlockRow, 'since_ms'>[]>`
    select r.id as test_id, r.probe_id, p.region, p.return_address as sender, r.detail->>'mx' as server,
      coalesce(r.detail->>'dsn_words', r.detail->>'server_words') as words
    from unnest(${standing.map((block) => block.customer_id)}::uuid[], ${standing.map((block) => block.test_id)}::uuid[]) as w (customer_id, id)
    join results r on r.customer_id = w.customer_id and r.id = w.id join probes p on p.id = r.probe_id
    order by p.region, p.id`
  const sinceOf = new Map(standing.map((block) => [block.test_id, block]))
  const known = rows.flatMap((row) => {
    const block = sinceOf.get(row.test_id)
    return block === undefined ? [] : [{ monitor_id: block.monitor_id, row: { ...row, since_ms: block.since_ms } }]
  })
  const byMonitor = Map.groupBy(known, ({ monitor_id }) => monitor_id)
  return new Map([...byMonitor].map(([id, blocks]) => [id, blocks.map(({ row }) => row)]))
}

/** How many monitors' targets refuse each probe. */
export async function countBlocked(sql: Sql): Promise<{ probe: string; count: number }[]> {
  return await sql<{ probe: string; count: number }[]>`
    select p.name as probe, count(*) as count from monitor_states s cross join unnest(s.blocked) as b (probe_id)
    join probes p on p.id = b.probe_id where s.blocked <> '{}' group by p.name`
}
