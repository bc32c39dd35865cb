/**
 * What a probe has proved of its own health. What its mail says of one test is decided in core/probe-health.ts; here is what that is
 * decided from.
 */
import { domainOf } from '../../common/mail/headers.ts'
import {
  type ControlTrip,
  needsProof,
  type OwnTest,
  type ProbeRecord,
  type SideReturn,
  sameTimeMs,
  spanOfTrips,
} from '../core/probe-health.ts'
import { merged } from '../core/spans.ts'
import type { Part, Sql } from './connection.ts'

/**
 * The start of the newest verified round trip of `probes p` to a mail system other than this domain. Put right by what the probe last knew
 * of its own clock, as its tests are: otherwise a wrong clock would make a proof too old, or good for ever.
 */
export const newestProof = (sql: Sql, domain: Part): Part =>
  sql`(select max(f.started_at) + coalesce(p.clock_offset_ms, 0) * interval '1 millisecond'
    from probe_proofs f where f.probe_id = p.id and f.domain <> ${domain})`

/** With its times by the probe's own clock. */
export type ReportedTest = OwnTest & { probe_id: string; timeout_s: number }

const nothingKnown: ProbeRecord = { trips: [], returns: [] }

/** By probe, what speaks for or against its health beside these tests. Nothing is asked of the database where all of them came back. */
export async function readProbeRecords(sql: Sql, tests: readonly ReportedTest[]): Promise<(probeId: string) => ProbeRecord> {
  const trips = Map.groupBy(await readTrips(sql, tests.filter(needsProof)), ({ probe_id }) => probe_id)
  const returns = Map.groupBy(await readReturns(sql, [...trips.values()].flat()), ({ probe_id }) => probe_id)
  const records = new Map(
    [...trips].map(([id, known]): [string, ProbeRecord] => [id, { trips: known, returns: returns.get(id) ?? [] }]),
  )
  return (probeId) => records.get(probeId) ?? nothingKnown
}

type TripRow = ControlTrip & { probe_id: string }

/** Of a long outage the spans of most tests overlap: each stretch of the index is read once. */
async function readTrips(sql: Sql, tests: readonly ReportedTest[]): Promise<TripRow[]> {
  const spans = [...Map.groupBy(tests, ({ probe_id }) => probe_id)].flatMap(([probeId, its]) =>
    merged(its.map((test) => spanOfTrips(test, test.timeout_s))).map((span) => ({ probeId, ...span })),
  )
  if (spans.length === 0) return []
  const rows = await sql<Omit<TripRow, 'domain'>[]>`
    select s.probe_id, c.* from unnest(${spans.map(({ probeId }) => probeId)}::uuid[], ${spans.map(({ start_ms }) => start_ms)}::timestamptz[],
      ${spans.map(({ end_ms }) => end_ms)}::timestamptz[]) as s (probe_id, start_at, end_at)
    cross join lateral (
      select reference, started_at as started_ms, returned_at is not null as returned from control_trips
      where probe_id = s.probe_id and started_at between s.start_at and s.end_at order by started_at) as c`
  return rows.map((row) => ({ ...row, domain: domainOf(row.reference) }))
}

/** Mail to other monitors that was sent about when a control trip was lost. */
async function readReturns(sql: Sql, trips: readonly TripRow[]): Promise<(SideReturn & { probe_id: string })[]> {
  const lost = trips.filter(({ returned }) => !returned)
  if (lost.length === 0) return []
  const margin = sql`${sameTimeMs} * interval '1 millisecond'`
  // A multirange is searched by halves: a busy probe knows thousands of mail domains, and has lost hundreds of trips in a long outage.
  return await sql<(SideReturn & { probe_id: string })[]>`
    select f.probe_id, f.domain, f.started_at as started_ms from (
      select probe_id, range_agg(tstzrange(started_at - ${margin}, started_at + ${margin}, '[]')) as beside
      from unnest(${lost.map(({ probe_id }) => probe_id)}::uuid[], ${lost.map(({ started_ms }) => started_ms)}::timestamptz[])
        as trips (probe_id, started_at) group by probe_id) as lost
    join probe_proofs f on f.probe_id = lost.probe_id and not f.control and f.started_at <@ lost.beside`
}
