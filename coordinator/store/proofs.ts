/**
 * What a probe has proved of its own health. What its mail says of one test is decided in core/probe-health.ts; here is what that is
 * decided from.
 */
import { domainOf } from '../../common/mail/headers.ts'
import {
  type ControlTrip,
  type NewestReturn,
  needsProof,
  type OwnTest,
  type ProbeRecord,
  spanOfTrips,
} from '../core/probe-health.ts'
import { merged } from '../core/spans.ts'
import type { Sql } from './connection.ts'

export type ReportedTest = OwnTest & { probe_id: string }
/** What one probe did under one boot. */
type Boot = { probe_id: string; boot_id: string; tests: OwnTest[] }

/** By probe, what speaks for or against its health beside these tests. Nothing is asked of the database where all of them came back. */
export async function readProbeRecords(sql: Sql, tests: readonly ReportedTest[]): Promise<(probeId: string) => ProbeRecord> {
  const boots = bootsOf(tests.filter(needsProof))
  const [trips, returns] = boots.length === 0 ? [[], []] : await Promise.all([readTrips(sql, boots), readReturns(sql, boots)])
  const [tripsOf, returnsOf] = [Map.groupBy(trips, ({ probe_id }) => probe_id), Map.groupBy(returns, ({ probe_id }) => probe_id)]
  return (probeId) => ({ trips: tripsOf.get(probeId) ?? [], returns: returnsOf.get(probeId) ?? [] })
}

function bootsOf(tests: readonly ReportedTest[]): Boot[] {
  const known = tests.flatMap(({ boot_id, ...test }) => (boot_id === null ? [] : { boot_id, ...test }))
  const groups = [...Map.groupBy(known, ({ probe_id, boot_id }) => `${probe_id} ${boot_id}`).values()]
  return groups.flatMap((its) => its.slice(0, 1).map(({ probe_id, boot_id }) => ({ probe_id, boot_id, tests: its })))
}

type TripRow = ControlTrip & { probe_id: string }

/** Of a long outage the spans of most tests overlap: each stretch of the index is read once. */
async function readTrips(sql: Sql, boots: readonly Boot[]): Promise<TripRow[]> {
  const spans = boots.flatMap(({ probe_id, boot_id, tests }) =>
    merged(tests.map(spanOfTrips)).map((span) => ({ probe_id, boot_id, ...span })),
  )
  const rows = await sql<Omit<TripRow, 'domain'>[]>`
    select s.probe_id, s.boot_id, c.* from unnest(${spans.map(({ probe_id }) => probe_id)}::uuid[], ${spans.map(({ boot_id }) => boot_id)}::text[],
      ${spans.map(({ start_ms }) => start_ms)}::float8[], ${spans.map(({ end_ms }) => end_ms)}::float8[])
      as s (probe_id, boot_id, start_ms, end_ms)
    cross join lateral (
      select reference, started_uptime_ms, outcome, beside from control_trips
      where probe_id = s.probe_id and boot_id = s.boot_id and started_uptime_ms between s.start_ms and s.end_ms) as c`
  return rows.map((row) => ({ ...row, domain: domainOf(row.reference) }))
}

/** The newest two, of two mail domains: whatever the target, one of them is another. */
function readReturns(sql: Sql, boots: readonly Boot[]): Promise<(NewestReturn & { probe_id: string })[]> {
  return sql<(NewestReturn & { probe_id: string })[]>`
    select b.probe_id, b.boot_id, f.* from unnest(${boots.map(({ probe_id }) => probe_id)}::uuid[], ${boots.map(({ boot_id }) => boot_id)}::text[])
      as b (probe_id, boot_id)
    cross join lateral (
      select domain, started_uptime_ms from probe_proofs where probe_id = b.probe_id and boot_id = b.boot_id
      order by started_uptime_ms desc limit 2) as f`
}
