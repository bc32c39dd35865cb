/**
 * Tests of routes that a probe reports. They stand in tables of their own and in a transaction of their own: no vote, no proof of health,
 * no leg and no mark for judging is made of them (DESIGN 3.3).
 *
 *   admit ─► insert (each once) ─► what all tests of that route say ─► commit ─► log, dashboards
 */
import type { Logger } from '../../common/log.ts'
import type { ResultBatch } from '../../common/wire/documents.ts'
import type { RouteTest } from '../../common/wire/test.ts'
import { admitRouteTest } from '../core/admission.ts'
import { type RouteFact, type RouteStanding, recordOf, standingOf } from '../core/routes.ts'
import { announce } from '../store/announce.ts'
import { databaseNowMs } from '../store/clock.ts'
import type { Sql } from '../store/connection.ts'
import type { Database } from '../store/database.ts'
import { findGivenJobs } from '../store/ingest.ts'
import {
  insertRouteTests,
  type RouteKey,
  type RouteTestRow,
  readRoute,
  readRouteFacts,
  readRoutePasses,
  saveRoute,
} from '../store/routes.ts'
import type { Refusal, ReportingProbe } from './ingest.ts'

type Change = { test: RouteTestRow; before: RouteStanding; after: RouteStanding }

/** Commits them; returns what was refused. */
export async function ingestRouteTests(
  { database, logger }: { database: Database; logger: Logger },
  probe: ReportingProbe,
  { routes: told = [], health }: Pick<ResultBatch, 'routes' | 'health'>,
): Promise<Refusal[]> {
  if (told.length === 0) return []
  const refused: Refusal[] = []
  const changes = await database.system.begin(async (sql) => {
    const tests = await admitTests(sql, probe, told, health.clock_offset_ms ?? 0, refused)
    const isNew = await insertRouteTests(sql, tests)
    const changed: Change[] = []
    for (const test of oneOfEachRoute(tests.filter(({ id }) => isNew.has(id)))) changed.push(await review(sql, test))
    return changed
  })
  for (const change of changes) tellChange(logger, change)
  const monitors = new Map(changes.map(({ test }) => [test.monitor_id, test.customer_id]))
  for (const [id, customer_id] of monitors) await announce(database.system, 'live', { kind: 'monitor', customer_id, id })
  return refused
}

async function admitTests(
  sql: Sql,
  probe: ReportingProbe,
  tests: readonly RouteTest[],
  clockLacksMs: number,
  refused: Refusal[],
): Promise<RouteTestRow[]> {
  const jobs = await findGivenJobs(sql, probe.id, [...new Set(tests.map(({ job_id }) => job_id))])
  const nowMs = await databaseNowMs(sql)
  return tests.flatMap((test): RouteTestRow[] => {
    const admission = admitRouteTest(test, jobs, nowMs)
    if ('code' in admission) {
      refused.push({ id: test.id, ...admission })
      return []
    }
    // What was learnt of an old target is of no use.
    if (admission.target_domain === null) return []
    const { id, monitor_id, job_id, route, outcome, rtt_ms, detail } = test
    const tookMs = test.finished_at - test.started_at
    const started_at = Math.min(test.started_at + (test.clock_offset_ms ?? clockLacksMs), nowMs - tookMs)
    const { customer_id } = admission
    const mx = route.mx.toLowerCase()
    return [
      {
        customer_id,
        id,
        monitor_id,
        probe_id: probe.id,
        region: probe.region,
        job_id,
        mx,
        family: route.family,
        started_at,
        outcome,
        rtt_ms,
        detail,
      },
    ]
  })
}

const nameOf = ({ monitor_id, mx, family }: RouteKey): string => `${monitor_id} ${mx} ${family}`

/** In one order for all, so that batches do not wait for each other in a ring. */
function oneOfEachRoute(tests: readonly RouteTestRow[]): RouteTestRow[] {
  const byName = new Map(tests.map((test) => [nameOf(test), test]))
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, test]) => test)
}

/** What all that is known says of the route, now that one more test is. */
async function review(sql: Sql, test: RouteTestRow): Promise<Change> {
  const nowMs = await databaseNowMs(sql)
  const before = await readRoute(sql, test)
  const [newest, ...older] = await readRouteFacts(sql, test)
  const standing = { test, before: before === null ? 'unknown' : standingOf(before, nowMs) } as const
  // It is older than what is remembered.
  if (newest === undefined) return { ...standing, after: standing.before }
  const facts: [RouteFact, ...RouteFact[]] = [newest, ...older]
  const deferred = facts.some(({ outcome }) => outcome === 'deferred')
  const passes = deferred ? await readRoutePasses(sql, test) : new Map<string, number>()
  const record = recordOf(facts, (probeId) => passes.get(probeId) ?? null)
  await saveRoute(sql, test, record)
  return { ...standing, after: standingOf(record, nowMs) }
}

function tellChange(logger: Logger, { test, before, after }: Change): void {
  if (before === after) return
  const { monitor_id, probe_id, mx, family, outcome, detail } = test
  const what = { monitor: monitor_id, probe: probe_id, mx, family, outcome }
  const words = detail.dsn_words ?? detail.server_words ?? detail.reason
  if (after === 'failing') logger.warn({ ...what, words }, 'a route to a mail system fails; nobody is paged')
  else if (before === 'failing' && after === 'ok') logger.info(what, 'a route to a mail system works again')
}
