/**
 * What a probe has proved of its own health, as parts of a query over `probes p`. Its times are put right by what the probe last knew of
 * its own clock, as those of its tests are: otherwise a wrong clock would make a proof too old, or good for ever.
 */
import type { PendingQuery, Row } from 'postgres'
import type { Sql } from './connection.ts'

type Part = PendingQuery<Row[]>

const clockLacks = (sql: Sql): Part => sql`coalesce(p.clock_offset_ms, 0) * interval '1 millisecond'`

/** The start of its newest verified round trip to a mail system other than this domain. */
export const newestProof = (sql: Sql, domain: Part): Part =>
  sql`(select max(f.started_at) + ${clockLacks(sql)} from probe_proofs f where f.probe_id = p.id and f.domain <> ${domain})`

/**
 * Starts (ms) of its lost control trips of the last six hours, but for those to a reference that is out of order itself: which has not
 * returned since, while mail sent elsewhere beside the trip has. Another reference is asked as soon as one trip is lost, and a trip
 * lasts a minute at most (probe/control.ts).
 */
export const doubts = (sql: Sql, domain: Part): Part => sql`
  array(
    select (extract(epoch from c.started_at + ${clockLacks(sql)}) * 1000)::float8 from control_trips c
    where c.probe_id = p.id and c.started_at > now() - interval '6 hours' and c.returned_at is null
      and (
        exists (
          select from control_trips o where o.probe_id = c.probe_id and o.reference = c.reference and o.returned_at is not null
            and o.started_at > c.started_at)
        or not exists (
          select from control_trips o where o.probe_id = c.probe_id and o.reference <> c.reference and o.returned_at is not null
            and o.started_at between c.started_at and c.started_at + interval '65 seconds')
        and not exists (
          select from probe_proofs f where f.probe_id = c.probe_id and not f.control and f.domain <> ${domain}
            and f.started_at between c.started_at and c.started_at + interval '65 seconds'))
    order by c.started_at desc limit 200)`
