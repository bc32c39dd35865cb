/** What a judgement reads and writes. The monitor's state row is locked from the first read to the commit. */
import type { JobCause } from '../../common/wire/test.ts'
import type { Evidence, MonitorRules, MonitorState, VantageEvidence } from '../core/evidence.ts'
import type { FailureDomain } from '../core/failure-domain.ts'
import { noticeWindowMs } from '../core/flapping.ts'
import { healthBeside, type OwnTest } from '../core/probe-health.ts'
import { type TestFact, verdictOf } from '../core/verdict.ts'
import { type Due, earliestDue } from './clock.ts'
import type { Part, Sql } from './connection.ts'
import { ofTarget, targetDomain } from './monitors.ts'
import { isLost } from './probes.ts'
import { readProbeRecords } from './proofs.ts'
import { endPending } from './targets.ts'

export type ClaimedMonitor = {
  customer_id: string
  monitor_id: string
  name: string
  target_domain: string
  /** Tests of older generations went to another target, and say nothing of this one. */
  target_generation: number
  state: MonitorState
  incident_id: string | null
  /** The start of the oldest failing test that was told of late and is not judged to the end. */
  late_since_ms: number | null
  /** A late return has come in since the last judgement. */
  returned_late: boolean
  rules: MonitorRules
  /** The database's clock after the lock was taken. */
  now_ms: number
}

/** Locks the monitor that has been due the longest, skipping those that another worker holds. */
export async function claimDueMonitor(sql: Sql): Promise<ClaimedMonitor | null> {
  const [claimed] = await sql<{ customer_id: string; monitor_id: string }[]>`
    select customer_id, monitor_id from monitor_states where judge_at <= now() order by judge_at limit 1 for update skip locked`
  return claimed === undefined ? null : await readMonitor(sql, claimed.customer_id, claimed.monitor_id)
}

/** Locks one monitor's state, waiting for whoever judges it now. */
export async function lockMonitor(sql: Sql, customerId: string, monitorId: string): Promise<ClaimedMonitor | null> {
  await sql`select 1 from monitor_states where customer_id = ${customerId} and monitor_id = ${monitorId} for update`
  return await readMonitor(sql, customerId, monitorId)
}

async function readMonitor(sql: Sql, customerId: string, monitorId: string): Promise<ClaimedMonitor | null> {
  type Row = MonitorRules & Omit<ClaimedMonitor, 'rules'>
  const [row] = await sql<Row[]>`
    select s.customer_id, s.monitor_id, m.name, ${targetDomain(sql)} as target_domain, m.target_generation, s.state, s.incident_id,
      s.late_since as late_since_ms, s.returned_late,
      m.period_s, m.timeout_s, m.slow_s, m.retest_wait_s, m.hard_confirm_s, m.open_period_s, m.vantages, m.quorum, m.mode,
      clock_timestamp() as now_ms
    from monitor_states s join monitors m on m.customer_id = s.customer_id and m.id = s.monitor_id
    where s.customer_id = ${customerId} and s.monitor_id = ${monitorId}`
  if (row === undefined) return null
  const { period_s, timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, vantages, quorum, mode, ...rest } = row
  return { ...rest, rules: { period_s, timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, vantages, quorum, mode } }
}

type VantageRow = {
  probe_id: string
  region: string
  asn: number | null
  return_domain: string
  planned: boolean
  lost: boolean
  assigned_ms: number
  slot_started_ms: number | null
  connected_ms: number | null
  contradicted: number
  monitors_held: number
}

/** Everything that the votes on this monitor can be cast from. */
export async function loadEvidence(sql: Sql, monitor: ClaimedMonitor): Promise<Evidence> {
  const { state } = monitor
  const substitutes = Object.values(state.suspicion?.substitutes ?? {})
  const rows = await loadVantages(sql, monitor, substitutes)
  const probeIds = rows.map((row) => row.probe_id)
  const sinceMs = Math.min(
    state.suspicion?.since_ms ?? Number.POSITIVE_INFINITY,
    state.incident?.since_ms ?? Number.POSITIVE_INFINITY,
    monitor.late_since_ms ?? Number.POSITIVE_INFINITY,
  )
  const tests = await loadTests(sql, monitor, probeIds, sinceMs)
  const overdue = await loadOverdue(sql, monitor)
  const testsOf = (probeId: string) =>
    tests.filter(({ probe_id }) => probe_id === probeId).map(({ probe_id: _, ...test }): TestFact => test)
  const passes = rows.some((row) => testsOf(row.probe_id).some((test) => maySayNothing(test, row)))
    ? await loadPasses(sql, monitor, probeIds)
    : new Map<string, number>()
  const vantages = rows.map(
    ({ asn, return_domain, ...row }): VantageEvidence => ({
      ...row,
      domain: { region: row.region, asn, return_domain },
      tests: testsOf(row.probe_id),
      overdue: overdue
        .filter((late) => late.probe_id === row.probe_id)
        .map(({ test_id, started_ms }) => ({ test_id, started_ms })),
      passed_ms: passes.get(row.probe_id) ?? null,
    }),
  )
  const someoneIsLost = vantages.some((vantage) => vantage.lost)
  return {
    vantages,
    pool: someoneIsLost ? await loadPool(sql, probeIds) : [],
    observing_since_ms: await observingSince(sql),
    late_since_ms: monitor.late_since_ms,
    told_ms: await listNotices(sql, monitor),
    incident_told: await isTold(sql, monitor),
  }
}

/** Both times of the probe are put right by what is known of its clock, and are no later than they can have been. */
function loadOverdue(
  sql: Sql,
  { customer_id, monitor_id, rules }: ClaimedMonitor,
): Promise<{ probe_id: string; test_id: string; started_ms: number }[]> {
  const lacks = sql`coalesce(p.clock_offset_ms, 0) * interval '1 millisecond'`
  return sql<{ probe_id: string; test_id: string; started_ms: number }[]>`
    select o.probe_id, o.test_id,
      least(o.started_at + ${lacks}, o.ingested_at - ${rules.slow_s} * interval '1 second') as started_ms
    from overdues o join probes p on p.id = o.probe_id
    where o.customer_id = ${customer_id} and o.monitor_id = ${monitor_id}
      and least(o.at + ${lacks}, o.ingested_at) > now() - ${rules.timeout_s + 60} * interval '1 second'`
}

/**
 * When the customer was told of something new: a later step or round of the same escalation says nothing that is. Where a person has closed
 * the incident nobody knows whether mail has come back: that is no bout of a series, and CLOSED is no all-clear.
 */
export async function listNotices(
  sql: Sql,
  { customer_id, monitor_id }: Pick<ClaimedMonitor, 'customer_id' | 'monitor_id'>,
): Promise<number[]> {
  const rows = await sql<{ told_ms: number }[]>`
    select min(p.created_at) as told_ms from incidents i join pages p on p.customer_id = i.customer_id and p.incident_id = i.id
    where i.customer_id = ${customer_id} and i.monitor_id = ${monitor_id} and p.kind in ('down', 'resolved', 'past')
      and p.state not in ('cancelled', 'failed') and not i.closed
      and (i.resolved_at is null or i.resolved_at > now() - ${noticeWindowMs} * interval '1 millisecond')
    group by p.incident_id, p.kind having min(p.created_at) > now() - ${noticeWindowMs} * interval '1 millisecond'
    order by told_ms desc`
  return rows.map((row) => row.told_ms)
}

/** Whether a page to the customer is written for the open incident: taken, or on its way. */
async function isTold(sql: Sql, { customer_id, incident_id }: ClaimedMonitor): Promise<boolean> {
  if (incident_id === null) return false
  const pages = await sql`
    select 1 from pages where customer_id = ${customer_id} and incident_id = ${incident_id} and kind = 'down'
      and state not in ('cancelled', 'failed') limit 1`
  return pages.length > 0
}

function loadVantages(sql: Sql, { customer_id, monitor_id }: ClaimedMonitor, substitutes: string[]): Promise<VantageRow[]> {
  return sql<VantageRow[]>`
    select p.id as probe_id, p.region, p.asn, split_part(p.return_address, '@', 2) as return_domain, a.id is not null as planned,
      ${isLost(sql)} as lost,
      -- What is about to be assigned anew, with other times, has not had the time to be tested by them.
      case when a.generation >= m.generation then a.assigned_at else now() end as assigned_ms,
      case when slot.number >= a.first_slot then to_timestamp(
        (a.epoch_ms + a.phase_ms + (a.plan->>'period_s')::int * 1000 * slot.number + coalesce(p.clock_offset_ms, 0)) / 1000.0)
      end as slot_started_ms, p.connected_at as connected_ms,
      p.contradicted, p.monitors_held
    from probes p left join assignments a on a.probe_id = p.id and a.customer_id = ${customer_id} and a.monitor_id = ${monitor_id}
      and a.last_slot is null and a.withdrawn_at is null
    left join monitors m on m.customer_id = a.customer_id and m.id = a.monitor_id
    -- A probe starts its slots by its own wall clock.
    cross join lateral (select floor(
      (extract(epoch from clock_timestamp()) * 1000 - coalesce(p.clock_offset_ms, 0) - a.epoch_ms - a.phase_ms) / ((a.plan->>'period_s')::int * 1000)
    ) as number) as slot
    where a.id is not null or p.id = any(${substitutes}::uuid[])
    order by p.region, p.id`
}

/** By its own clock a probe has started no test later than now, but for what is not quite known of that clock. */
const clockMarginS = 10

type TestRow = Omit<TestFact, 'doubted' | 'proved' | 'proved_since'> & OwnTest & { probe_id: string }

/**
 * Per vantage the newest five tests, and up to 60 of those since the question was opened, with the slot before them. Votes compare the
 * times of several probes: each is put right by what is known of its clock. What is not known shows where a test was told of before it
 * ended, or was sent before the job that asked for it was given: a question dated in the future would shut out the votes of all others.
 * The index knows the times as they were told: where a clock was ahead and has been set right, the newest by them are for a while the old
 * ones, so that the newest five of those that are not in the future count as well.
 */
async function loadTests(
  sql: Sql,
  { customer_id, monitor_id, target_domain, target_generation, rules }: ClaimedMonitor,
  probeIds: string[],
  sinceMs: number,
): Promise<(TestFact & { probe_id: string })[]> {
  const jobGiven = sql`(select j.created_at from jobs j where j.customer_id = r.customer_id and j.id = r.job_id)`
  const clockLacks = sql`greatest(
    least(coalesce(clock_offset_ms, 0) * interval '1 millisecond', ingested_at - finished_at), ${jobGiven} - started_at)`
  const rightTime = (column: string) => sql`${sql(column)} + ${clockLacks} as ${sql(column.replace('_at', '_ms'))}`
  const columns = sql`probe_id, id, cause, attempt, first_test_id, ${rightTime('started_at')}, ${rightTime('finished_at')}, outcome,
    boot_id, started_uptime_ms, finished_uptime_ms`
  const ofVantage = sql`r.customer_id = ${customer_id} and r.monitor_id = ${monitor_id} and r.probe_id = v.probe_id
    and ${ofTarget(sql, sql`r`, sql`${target_generation}`)}`
  const newest = (count: number, since: Part) =>
    sql`(select ${columns} from results r where ${ofVantage} and ${since} order by started_at desc limit ${count})`
  const lacks = sql`coalesce(p.clock_offset_ms, 0) * interval '1 millisecond'`
  const probeNow = sql`now() - ${lacks} + ${clockMarginS} * interval '1 second'`
  const asked = sql`${sinceMs}::timestamptz - ${rules.period_s + 300} * interval '1 second' - greatest(${lacks}, interval '0')`
  const rows = await sql<TestRow[]>`
    select t.* from unnest(${probeIds}::uuid[]) as v (probe_id) join probes p on p.id = v.probe_id cross join lateral (
      ${newest(5, sql`true`)} union ${newest(5, sql`r.started_at <= ${probeNow}`)} union ${newest(60, sql`r.started_at >= ${asked}`)}
    ) as t
    order by t.started_ms desc, t.id desc`
  const recordOf = await readProbeRecords(sql, rows)
  return rows.map((row) => {
    const { boot_id: _, started_uptime_ms: __, finished_uptime_ms: ___, ...test } = row
    return { ...test, ...healthBeside(row, recordOf(row.probe_id), target_domain) }
  })
}

/** Whether it abstains, now or when its proof stays out: only then it matters when mail has passed last. */
const maySayNothing = (test: TestFact, row: VantageRow): boolean =>
  verdictOf(test, { ...row, passed_ms: null }, Number.POSITIVE_INFINITY).verdict === 'abstain'

/** When each vantage's mail that has come back from this recipient was sent, the newest. A probe has one sender and one address. */
async function loadPasses(
  sql: Sql,
  { customer_id, monitor_id, target_generation }: ClaimedMonitor,
  probeIds: string[],
): Promise<Map<string, number>> {
  const rows = await sql<{ probe_id: string; started_ms: number }[]>`
    select v.probe_id, pass.started_at + coalesce(p.clock_offset_ms, 0) * interval '1 millisecond' as started_ms
    from unnest(${probeIds}::uuid[]) as v (probe_id) join probes p on p.id = v.probe_id cross join lateral (
      select r.started_at from results r where r.customer_id = ${customer_id} and r.monitor_id = ${monitor_id} and r.probe_id = v.probe_id
        and ${ofTarget(sql, sql`r`, sql`${target_generation}`)} and r.outcome in ('ok', 'slow')
      order by r.started_at desc limit 1) pass`
  return new Map(rows.map((row) => [row.probe_id, row.started_ms]))
}

/** Healthy, connected probes that are no vantage yet, in an order that spreads the load. */
async function loadPool(sql: Sql, probeIds: string[]): Promise<Evidence['pool']> {
  const rows = await sql<({ probe_id: string } & FailureDomain)[]>`
    select id as probe_id, region, asn, split_part(return_address, '@', 2) as return_domain from probes
    where retired_at is null and last_seen_at > now() - interval '45 seconds' and (health->>'inbox_ok')::boolean
      and not id = any(${probeIds}::uuid[])
    order by (health->>'tests_running')::int nulls last, id limit 20`
  return rows.map(({ probe_id, ...domain }) => ({ probe_id, domain }))
}

async function observingSince(sql: Sql): Promise<number> {
  // Where nobody has a fresh heartbeat, the database itself was away until now.
  const [row] = await sql<{ since: number }[]>`
    select coalesce(min(started_at), now()) as since from coordinators where seen_at > now() - interval '10 seconds'`
  return row?.since ?? 0
}

/** Writes the outcome of a judgement: the state for the next one, and what others ask about. */
export async function saveJudgement(
  sql: Sql,
  monitor: ClaimedMonitor,
  saved: { state: MonitorState; incidentId: string | null; quiet: boolean; awaitingProof: string[]; judgeAtMs: number | null },
): Promise<void> {
  await sql`
    update monitor_states set state = ${sql.json(saved.state)}, decision = ${saved.state.decision}, decision_reason = ${saved.state.reason},
      decision_since = ${saved.state.decision_since_ms}, incident_id = ${saved.incidentId}, quiet = ${saved.quiet},
      awaiting_proof = ${saved.awaitingProof}::uuid[], judge_at = ${saved.judgeAtMs}, judged_at = now(),
      blocked = ${Object.keys(saved.state.blocked)}::uuid[], returned_late = false, late_since = case when ${saved.state.late !== null}::boolean then late_since end,
      watched_since = coalesce(watched_since, case when ${saved.state.watched}::boolean then now() end)
    where customer_id = ${monitor.customer_id} and monitor_id = ${monitor.monitor_id}`
  if (saved.state.watched && !monitor.state.watched) await endPending(sql, monitor.customer_id, monitor.monitor_id)
}

/** A judgement that fails must not keep the others from theirs: this monitor's turn comes again after `delayMs`. */
export async function postponeJudgement(sql: Sql, monitor: ClaimedMonitor, delayMs: number): Promise<void> {
  await sql`
    update monitor_states set judge_at = now() + ${delayMs} * interval '1 millisecond'
    where customer_id = ${monitor.customer_id} and monitor_id = ${monitor.monitor_id}`
}

/** When the next judgement is due, ms since 1970, or null. */
export const nextJudgementDue = (sql: Sql): Promise<Due | null> =>
  earliestDue(sql, sql`judge_at`, sql`monitor_states where judge_at is not null`)

export async function insertJob(
  sql: Sql,
  job: {
    id: string
    customer_id: string
    monitor_id: string
    probe_id: string
    cause: JobCause
    expires_in_ms: number
  },
): Promise<void> {
  await sql`
    insert into jobs (customer_id, id, monitor_id, probe_id, cause, expires_at, generation)
    select customer_id, ${job.id}, id, ${job.probe_id}, ${job.cause}, now() + ${job.expires_in_ms} * interval '1 millisecond', generation
    from monitors where customer_id = ${job.customer_id} and id = ${job.monitor_id}`
}
