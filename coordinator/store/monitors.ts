/** Monitors: what is watched and, for those who look, how it stands. Judging them is in judging.ts. */
import { domainOf } from '../../common/mail/headers.ts'
import type { Target } from '../../common/wire/test.ts'
import type { FailureDomain } from '../core/failure-domain.ts'
import { initialMonitorState, type Mode, type MonitorRules, type MonitorState } from '../core/judgement.ts'
import { type Maintenance, maintenanceAt } from '../core/maintenance.ts'
import { healthBeside, type OwnTest, type ProbeRecord } from '../core/probe-health.ts'
import type { TestFact } from '../core/verdict.ts'
import { type BlockRow, blocksOfMonitors } from './blocks.ts'
import type { Part, Sql } from './connection.ts'
import { windowsOfMonitors } from './maintenance.ts'
import { ofCustomer, olderThan, only, type Paging, type Whose } from './paging.ts'
import { isLost } from './probes.ts'
import { readProbeRecords } from './proofs.ts'
import { type RouteRow, routesOfMonitors } from './routes.ts'
import { deleteSurvey, insertSurvey } from './surveys.ts'
import { leaveTarget } from './targets.ts'

export type MonitorSettings = MonitorRules & {
  name: string
  kind: 'roundtrip'
  target: Target
  accept_echo: boolean
  escalation_policy_id: string | null
}

/** One vantage's newest test, with what its verdict depends on. */
export type StandingTest = {
  probe_id: string
  probe_name: string
  region: string
  domain: FailureDomain
  phase_ms: number
  /** What the probe's wall clock, by which its slots start, is known to lack. */
  clock_offset_ms: number | null
  /** Retired, or silent for more than a minute. */
  lost: boolean
  test: TestFact | null
  rtt_ms: number | null
  passed_ms: number | null
  contradicted: number
  monitors_held: number
}

export type MonitorRow = MonitorSettings & {
  id: string
  customer_id: string
  generation: number
  created_at: number
  decision: string
  decision_reason: string
  decision_since: number
  incident_id: string | null
  /** Present: nobody is paged now. */
  maintenance: Maintenance | null
  standing: StandingTest[]
  /** The vantages whose address the target refuses by policy. */
  blocks: BlockRow[]
  /** The ways to the target, where there are several. */
  routes: RouteRow[]
  /** The database's clock when the row was read. */
  now_ms: number
}

type ToldTest = Omit<TestFact, 'doubted' | 'proved' | 'proved_since'> & OwnTest
type StandingColumns = Omit<StandingTest, 'test' | 'domain'> &
  FailureDomain & { monitor_id: string } & (ToldTest | { [K in keyof ToldTest]: null })
const isTold = <T extends { id: string | null }>(row: T): row is Extract<T, { id: string }> => row.id !== null

export async function listMonitors(sql: Sql, whose: Whose, paging: Paging): Promise<MonitorRow[]> {
  return withStanding(
    sql,
    await sql<BareMonitor[]>`
      ${bareMonitors(sql)} where ${ofCustomer(sql, whose, 'm.customer_id')} and ${olderThan(sql, paging, 'm.id')} and deleted_at is null
      order by m.id desc limit ${paging.limit + 1}`,
  )
}

/** Those of the monitors that exist, in no order. */
export async function findMonitors(sql: Sql, whose: Whose, ids: string[]): Promise<MonitorRow[]> {
  return withStanding(
    sql,
    await sql<BareMonitor[]>`
      ${bareMonitors(sql)} where m.id = any(${ids}::uuid[]) and ${ofCustomer(sql, whose, 'm.customer_id')} and deleted_at is null`,
  )
}

export async function findMonitor(sql: Sql, whose: Whose, id: string): Promise<MonitorRow | undefined> {
  return (await findMonitors(sql, whose, [id]))[0]
}

/** The mail domain of what `monitors m` watch. */
export const targetDomain = (sql: Sql) => sql`lower(split_part(m.target->>'address', '@', 2))`

/** The result or job speaks of the target that has held since that generation; what says none is from before generations were noted. */
export const ofTarget = (sql: Sql, row: Part, targetGeneration: Part): Part =>
  sql`coalesce(${row}.generation, 1) >= ${targetGeneration}`

type BareMonitor = Omit<MonitorRow, 'standing' | 'maintenance' | 'blocks' | 'routes'> & { blocked: MonitorState['blocked'] }

const bareMonitors = (sql: Sql) => sql`
  select m.id, m.customer_id, m.name, kind, target, period_s, timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, vantages,
    quorum, mode, accept_echo, escalation_policy_id, generation, m.created_at, s.decision, s.decision_reason, s.decision_since,
    s.incident_id, s.state->'blocked' as blocked, clock_timestamp() as now_ms
  from monitors m join monitor_states s on s.customer_id = m.customer_id and s.monitor_id = m.id`

/** The newest test of every vantage comes by one index look-up each, however many results there are. */
async function withStanding(sql: Sql, monitors: readonly BareMonitor[]): Promise<MonitorRow[]> {
  if (monitors.length === 0) return []
  const rows = await sql<StandingColumns[]>`
    select a.monitor_id, a.probe_id, a.phase_ms, p.name as probe_name, p.region, p.asn, split_part(p.return_address, '@', 2) as return_domain,
      p.retired_at is not null or ${isLost(sql)} as lost, p.clock_offset_ms,
      p.contradicted, p.monitors_held, r.id, r.cause, r.attempt, r.first_test_id,
      r.started_at as started_ms, r.finished_at as finished_ms, r.outcome, r.rtt_ms,
      r.boot_id, r.started_uptime_ms, r.finished_uptime_ms,
      case when r.outcome = 'deferred' then (
        select b.started_at from results b where b.customer_id = m.customer_id and b.monitor_id = m.id and b.probe_id = p.id
          and ${ofTarget(sql, sql`b`, sql`m.target_generation`)} and b.outcome in ('ok', 'slow')
        order by b.started_at desc limit 1) end as passed_ms
    from unnest(${monitors.map((row) => row.customer_id)}::uuid[], ${monitors.map((row) => row.id)}::uuid[]) as wanted (customer_id, id)
    join monitors m on m.customer_id = wanted.customer_id and m.id = wanted.id
    join assignments a on a.customer_id = m.customer_id and a.monitor_id = m.id and a.withdrawn_at is null and a.last_slot is null
    join probes p on p.id = a.probe_id
    left join lateral (
      select * from results t where t.customer_id = m.customer_id and t.monitor_id = m.id and t.probe_id = p.id
        and ${ofTarget(sql, sql`t`, sql`m.target_generation`)}
      order by t.started_at desc limit 1) r on true
    order by p.region, p.id`
  const byMonitor = Map.groupBy(rows, (row) => row.monitor_id)
  const recordOf = await readProbeRecords(sql, rows.filter(isTold))
  const windows = await windowsOfMonitors(sql, monitors)
  const blocks = await blocksOfMonitors(sql, monitors)
  const routes = await routesOfMonitors(sql, monitors)
  return monitors.map(({ blocked: _, ...monitor }) => ({
    ...monitor,
    maintenance: maintenanceAt(windows.get(monitor.id) ?? [], monitor.now_ms),
    blocks: blocks.get(monitor.id) ?? [],
    routes: routes.get(monitor.id) ?? [],
    standing: (byMonitor.get(monitor.id) ?? []).map((row) => standingOf(row, monitor.target, recordOf)),
  }))
}

function standingOf(row: StandingColumns, target: Target, recordOf: (probeId: string) => ProbeRecord): StandingTest {
  const {
    monitor_id: _,
    probe_id,
    probe_name,
    region,
    asn,
    return_domain,
    phase_ms,
    clock_offset_ms,
    lost,
    rtt_ms,
    ...rest
  } = row
  const { passed_ms, contradicted, monitors_held, ...told } = rest
  const vantage = { probe_id, probe_name, region, domain: { region, asn, return_domain }, phase_ms, clock_offset_ms, lost }
  const standing = { ...vantage, rtt_ms, passed_ms, contradicted, monitors_held }
  if (!isTold(told)) return { ...standing, test: null }
  const { boot_id: __, started_uptime_ms: ___, finished_uptime_ms: ____, ...test } = told
  return { ...standing, test: { ...test, ...healthBeside(told, recordOf(probe_id), domainOf(target.address)) } }
}

/** Adds the monitor with its state; it is marked to be assigned. */
export async function insertMonitor(sql: Sql, monitor: MonitorSettings & { id: string; customer_id: string }): Promise<void> {
  const { now_ms } = only(
    await sql<{ now_ms: number }[]>`
      insert into monitors (customer_id, id, name, kind, target, period_s, timeout_s, slow_s, retest_wait_s, hard_confirm_s,
        open_period_s, vantages, quorum, mode, accept_echo, escalation_policy_id, epoch_at, assign_at)
      values (${monitor.customer_id}, ${monitor.id}, ${monitor.name}, ${monitor.kind}, ${sql.json(monitor.target)}, ${monitor.period_s},
        ${monitor.timeout_s}, ${monitor.slow_s}, ${monitor.retest_wait_s}, ${monitor.hard_confirm_s}, ${monitor.open_period_s},
        ${monitor.vantages}, ${monitor.quorum}, ${monitor.mode}, ${monitor.accept_echo}, ${monitor.escalation_policy_id}, now(), now())
      returning now() as now_ms`,
  )
  const state = initialMonitorState(now_ms)
  await sql`
    insert into monitor_states (customer_id, monitor_id, state, decision, decision_reason, decision_since)
    values (${monitor.customer_id}, ${monitor.id}, ${sql.json(state)}, ${state.decision}, ${state.reason}, ${state.decision_since_ms})`
  await insertSurvey(sql, { customer_id: monitor.customer_id, monitor_id: monitor.id }, now_ms)
}

/**
 * Held until the transaction ends: changes of one monitor come one after the other. False where there is none. The lock leaves the
 * key alone, because a judgement that opens an incident holds the state row and refers to the key.
 */
export async function lockMonitorForChange(sql: Sql, customerId: string, id: string): Promise<boolean> {
  const rows = await sql`
    select from monitors where customer_id = ${customerId} and id = ${id} and deleted_at is null for no key update`
  return rows.length > 0
}

/**
 * Writes all settings. `reassign`: what a probe must know has changed, so a new generation of assignments is due. `moved`: mail goes
 * elsewhere now, and what was seen of the old target counts for nothing (flow/target.ts).
 */
export async function replaceMonitor(
  sql: Sql,
  monitor: MonitorSettings & { id: string; customer_id: string },
  { reassign, moved }: { reassign: boolean; moved: boolean },
): Promise<void> {
  await sql`
    update monitors set name = ${monitor.name}, target = ${sql.json(monitor.target)}, period_s = ${monitor.period_s},
      timeout_s = ${monitor.timeout_s}, slow_s = ${monitor.slow_s}, retest_wait_s = ${monitor.retest_wait_s},
      hard_confirm_s = ${monitor.hard_confirm_s}, open_period_s = ${monitor.open_period_s}, vantages = ${monitor.vantages},
      quorum = ${monitor.quorum}, mode = ${monitor.mode}, accept_echo = ${monitor.accept_echo},
      escalation_policy_id = ${monitor.escalation_policy_id}
      ${reassign ? sql`, generation = generation + 1, assign_at = now()` : sql``}
      ${moved ? sql`, target_generation = generation + 1` : sql``}
    where customer_id = ${monitor.customer_id} and id = ${monitor.id}`
  if (moved) await leaveTarget(sql, { customer_id: monitor.customer_id, monitor_id: monitor.id })
  // The votes that are in may mean something else now.
  await sql`
    update monitor_states set judge_at = least(judge_at, now())
    where customer_id = ${monitor.customer_id} and monitor_id = ${monitor.id}`
}

/** Without a state row nothing judges the monitor any more, whatever results still arrive. */
export async function deleteMonitor(sql: Sql, customerId: string, id: string): Promise<void> {
  await deleteSurvey(sql, { customer_id: customerId, monitor_id: id })
  await sql`delete from monitor_states where customer_id = ${customerId} and monitor_id = ${id}`
  await sql`
    update monitors set deleted_at = now(), assign_at = now(), generation = generation + 1
    where customer_id = ${customerId} and id = ${id}`
}

/** The test addresses of the customer in one mail domain, in a stable order: what a responder there answers for. */
export async function targetAddresses(sql: Sql, customerId: string, domain: string): Promise<string[]> {
  const rows = await sql<{ address: string }[]>`
    select distinct lower(target->>'address') as address from monitors
    where customer_id = ${customerId} and deleted_at is null and lower(split_part(target->>'address', '@', 2)) = ${domain}
    order by address limit 100`
  return rows.map((row) => row.address)
}

/** The probes that hold the monitor now. */
export async function assignedProbes(sql: Sql, customerId: string, monitorId: string): Promise<string[]> {
  const rows = await sql<{ probe_id: string }[]>`
    select probe_id from assignments a
    where customer_id = ${customerId} and monitor_id = ${monitorId} and withdrawn_at is null and last_slot is null
      and exists (select from probes where id = a.probe_id and retired_at is null)
    order by probe_id`
  return rows.map((row) => row.probe_id)
}

/** The names of the customer's monitors that ask for more than a level grants. */
export async function monitorsBeyond(
  sql: Sql,
  customerId: string,
  granted: { period_min_s: number; vantages: number; modes: Mode[] },
): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from monitors
    where customer_id = ${customerId} and deleted_at is null
      and (period_s < ${granted.period_min_s} or vantages > ${granted.vantages} or mode <> all(${granted.modes}::text[]))
    order by name limit 20`
  return rows.map((row) => row.name)
}
