/** Tests of routes, and what they say of each route. Nothing here is read by a judgement. */
import type { MailRoute, Outcome, ResultDetail } from '../../common/wire/test.ts'
import { type RouteFact, type RouteRecord, routeGoneMs } from '../core/routes.ts'
import { passMemoryMs } from '../core/verdict.ts'
import type { Sql } from './connection.ts'

export type RouteKey = MailRoute & { customer_id: string; monitor_id: string }

export type RouteTestRow = RouteKey & {
  id: string
  probe_id: string
  region: string
  job_id: string
  started_at: number
  outcome: Outcome
  rtt_ms: number | null
  detail: ResultDetail
}

/** Writes those that are new, and returns their ids. */
export async function insertRouteTests(sql: Sql, tests: readonly RouteTestRow[]): Promise<Set<string>> {
  if (tests.length === 0) return new Set()
  const rows = tests.map(({ detail, ...test }) => ({ ...test, detail: sql.json(detail) }))
  const written = await sql<{ id: string }[]>`insert into route_tests ${sql(rows)} on conflict do nothing returning id`
  return new Set(written.map(({ id }) => id))
}

const ofRoute = (sql: Sql, { customer_id, monitor_id, mx, family }: RouteKey) =>
  sql`customer_id = ${customer_id} and monitor_id = ${monitor_id} and mx = ${mx} and family = ${family}`

/** Those since the last pass, that included, as long as a pass is remembered; newest first. */
export async function readRouteFacts(sql: Sql, route: RouteKey): Promise<RouteFact[]> {
  return await sql<RouteFact[]>`
    select id, job_id, probe_id, started_at as started_ms, outcome from route_tests
    where ${ofRoute(sql, route)} and started_at > now() - ${passMemoryMs} * interval '1 millisecond' and started_at >= coalesce((
      select started_at from route_tests where ${ofRoute(sql, route)} and outcome in ('ok', 'slow') order by started_at desc limit 1), '-infinity')
    order by started_at desc, id desc`
}

/** When each probe's mail last passed over the route. */
export async function readRoutePasses(sql: Sql, route: RouteKey): Promise<Map<string, number>> {
  const rows = await sql<{ probe_id: string; passed_ms: number }[]>`
    select probe_id, max(started_at) as passed_ms from route_tests where ${ofRoute(sql, route)} and outcome in ('ok', 'slow') group by probe_id`
  return new Map(rows.map(({ probe_id, passed_ms }) => [probe_id, passed_ms]))
}

const recordColumns = (sql: Sql) => sql`
  tested_at as tested_ms, spoke_at as spoke_ms, passed_at as passed_ms, failing_since as failing_since_ms, test_id`

export async function readRoute(sql: Sql, route: RouteKey): Promise<RouteRecord | null> {
  const [row] = await sql<RouteRecord[]>`select ${recordColumns(sql)} from routes where ${ofRoute(sql, route)}`
  return row ?? null
}

export async function saveRoute(sql: Sql, { customer_id, monitor_id, mx, family }: RouteKey, record: RouteRecord): Promise<void> {
  const { tested_ms, spoke_ms, passed_ms, failing_since_ms, test_id } = record
  await sql`
    insert into routes (customer_id, monitor_id, mx, family, tested_at, spoke_at, passed_at, failing_since, test_id)
    values (${customer_id}, ${monitor_id}, ${mx}, ${family}, ${tested_ms}, ${spoke_ms}, ${passed_ms}, ${failing_since_ms}, ${test_id})
    on conflict (customer_id, monitor_id, mx, family) do update set tested_at = excluded.tested_at, spoke_at = excluded.spoke_at,
      passed_at = excluded.passed_at, failing_since = excluded.failing_since, test_id = excluded.test_id`
}

/** A route with what the newest test that says something saw. */
export type RouteRow = MailRoute &
  Omit<RouteRecord, 'test_id'> & { probe_id: string | null; region: string | null; outcome: Outcome | null; words: string | null }

/** By monitor, of the routes that some survey has found of late. */
export async function routesOfMonitors(
  sql: Sql,
  monitors: readonly { customer_id: string; id: string }[],
): Promise<Map<string, RouteRow[]>> {
  const rows = await sql<(RouteRow & { monitor_id: string })[]>`
    select r.monitor_id, r.mx, r.family, r.tested_at as tested_ms, r.spoke_at as spoke_ms, r.passed_at as passed_ms,
      r.failing_since as failing_since_ms, t.probe_id, t.region, t.outcome,
      coalesce(t.detail->>'dsn_words', t.detail->>'server_words', t.detail->>'reason') as words
    from unnest(${monitors.map((row) => row.customer_id)}::uuid[], ${monitors.map((row) => row.id)}::uuid[]) as w (customer_id, id)
    join routes r on r.customer_id = w.customer_id and r.monitor_id = w.id and r.tested_at > now() - ${routeGoneMs} * interval '1 millisecond'
    left join route_tests t on t.customer_id = r.customer_id and t.id = r.test_id
    order by r.mx, r.family`
  const byMonitor = Map.groupBy(rows, ({ monitor_id }) => monitor_id)
  return new Map([...byMonitor].map(([id, routes]) => [id, routes.map(({ monitor_id: _, ...route }) => route)]))
}

/** Nothing that was seen of an old target says anything of the new one. */
export async function forgetRoutes(
  sql: Sql,
  { customer_id, monitor_id }: Pick<RouteKey, 'customer_id' | 'monitor_id'>,
): Promise<void> {
  await sql`delete from routes where customer_id = ${customer_id} and monitor_id = ${monitor_id}`
  await sql`delete from route_tests where customer_id = ${customer_id} and monitor_id = ${monitor_id}`
}
