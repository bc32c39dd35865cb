/**
 * What a probe has proved of its own health, as parts of a query over `probes p`. Its times are put right by what the probe last knew of
 * its own clock, as those of its tests are: otherwise a wrong clock would make a proof too old, or good for ever.
 */
import { controlTurnMs } from '../../common/limits.ts'
import { proofWaitMs } from '../core/verdict.ts'
import type { Part, Sql } from './connection.ts'

const clockLacks = (sql: Sql): Part => sql`coalesce(p.clock_offset_ms, 0) * interval '1 millisecond'`

/** The start of its newest verified round trip to a mail system other than this domain. */
export const newestProof = (sql: Sql, domain: Part): Part =>
  sql`(select max(f.started_at) + ${clockLacks(sql)} from probe_proofs f where f.probe_id = p.id and f.domain <> ${domain})`

/** A test that came back needs no proof, and none is looked for. */
const needsProof = (sql: Sql): Part => sql`r.outcome not in ('ok', 'slow')`

/** A test that timed out has lasted its timeout, also where somebody has set the probe's clock back while it ran. */
const finishedAt = (sql: Sql): Part => sql`(case when r.outcome = 'timeout' then greatest(r.finished_at, r.started_at + (
  select m.timeout_s * interval '1 second' from monitors m where m.customer_id = r.customer_id and m.id = r.monitor_id)) else r.finished_at end)`

/** While the test `r` ran, or soon after it. */
const besideTest = (sql: Sql, startedAt: Part): Part =>
  sql`${startedAt} between r.started_at and ${finishedAt(sql)} + ${proofWaitMs} * interval '1 millisecond'`

/**
 * A control trip of the probe was lost while the test `r` ran, or so shortly before that none could be sent with it, and the probe itself
 * is to blame. It is not where the reference is out of order: mail sent elsewhere at the same time has come back, as a probe sends to two
 * references at once (probe/control.ts), and the reference does not answer the next trips either. Both times are those of the probe's own
 * clock, and need no putting right.
 */
export const doubted = (sql: Sql, domain: Part): Part => sql`(${needsProof(sql)} and
  exists (
    select from control_trips c
    where c.probe_id = r.probe_id and c.returned_at is null
      and c.started_at between r.started_at - ${controlTurnMs} * interval '1 millisecond' and ${finishedAt(sql)}
      and (
        exists (
          select from control_trips o where o.probe_id = c.probe_id and o.reference = c.reference and o.returned_at is not null
            and o.started_at > c.started_at and ${besideTest(sql, sql`o.started_at`)})
        or not exists (
          select from control_trips o where o.probe_id = c.probe_id and o.reference <> c.reference and o.returned_at is not null
            and o.started_at between c.started_at - interval '1 second' and c.started_at + interval '1 second')
        and not exists (
          select from probe_proofs f where f.probe_id = c.probe_id and not f.control and f.domain <> ${domain}
            and f.started_at between c.started_at - interval '5 seconds' and c.started_at + interval '5 seconds'))))`

/** A control trip to another mail system, sent while the test `r` ran or soon after it, has returned. */
export const proved = (sql: Sql, domain: Part): Part => sql`(${needsProof(sql)} and
  exists (
    select from control_trips c
    where c.probe_id = r.probe_id and c.returned_at is not null and lower(split_part(c.reference, '@', 2)) <> ${domain}
      and ${besideTest(sql, sql`c.started_at`)}))`
