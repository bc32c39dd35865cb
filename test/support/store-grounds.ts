/** Two grounds for one suite: the flows' store on PostgreSQL and the one in memory, each with one watched monitor, and eyes on its rows. */
import type { Outcome, ResultDetail } from '../../common/wire/test.ts'
import type { TestEvidence } from '../../coordinator/core/diagnosis.ts'
import type { MaintenanceWindow } from '../../coordinator/core/maintenance.ts'
import type { Store } from '../../coordinator/flow/store.ts'
import type { Due } from '../../coordinator/store/clock.ts'
import { nextStepDue } from '../../coordinator/store/incident-log.ts'
import { insertLateReturns } from '../../coordinator/store/ingest.ts'
import { nextJudgementDue } from '../../coordinator/store/judging.ts'
import type { LateReturnRow } from '../../coordinator/store/late-returns.ts'
import { insertMaintenanceWindow } from '../../coordinator/store/maintenance.ts'
import { nextPageDue } from '../../coordinator/store/outbox.ts'
import { beat } from '../../coordinator/store/probe-link.ts'
import { wellState } from '../sim/coordinator.ts'
import { MemoryStore, type SentTest, storedMonitor } from '../sim/flows/store.ts'
import type { TestDatabase } from './database.ts'
import { newId, type Row, WatchedMonitor } from './watched-monitor.ts'

export type Ground = {
  store: Store
  monitor: { customer_id: string; monitor_id: string }
  contactId: string
  methodId: string
  /** The monitor is marked for judging. */
  mark(): Promise<void>
  /** What was due in so many seconds is due now, and who was heard is not heard for as long. */
  passTime(seconds: number): Promise<void>
  beat(coordinatorId: string): Promise<void>
  /** The probe of the monitor tells of a test that was sent so long ago. */
  tell(outcome: Outcome, agoS: number, detail?: ResultDetail): Promise<{ id: string; probe_id: string; started_ms: number }>
  /** The mail of that test of that probe is back, after its test has ended. */
  returnLate(testId: string, probeId: string): Promise<void>
  /** Maintenance of the monitor from an hour ago until an hour from now. */
  beginMaintenance(): Promise<void>
  state(): Promise<Row>
  incidents(): Promise<Row[]>
  pages(): Promise<Row[]>
  events(): Promise<string[]>
  jobs(): Promise<Row[]>
  nowMs(): Promise<number>
  due(): Promise<{ judgement: number | null; step: number | null; page: number | null }>
}

const hourMs = 3_600_000

export async function postgresGround(own: TestDatabase): Promise<Ground> {
  await own.admin`update pages set state = 'cancelled' where state in ('pending', 'sending')`
  await own.admin`update incidents set next_step = null, next_round = null, next_step_at = null, resolved_at = coalesce(resolved_at, now())`
  await own.admin`delete from coordinators`
  const monitor = await WatchedMonitor.create(own, { regions: ['eu'] })
  await own.admin`delete from coordinators`
  const { sql, customerId: customer_id } = monitor
  const nowMs = () => own.database.nowMs()
  return {
    store: monitor.context.store,
    monitor: { customer_id, monitor_id: monitor.id },
    contactId: monitor.contactId,
    methodId: monitor.methodId,
    async mark() {
      await sql`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
    },
    async passTime(seconds) {
      await monitor.passTime(seconds)
      await own.admin`
        update coordinators set seen_at = seen_at - ${seconds} * interval '1 second', started_at = started_at - ${seconds} * interval '1 second'`
    },
    beat: (coordinatorId) => beat(sql, coordinatorId),
    async tell(outcome, agoS, detail = {}) {
      const result = monitor.result({ outcome, agoS, tookS: 1, cause: 'open', detail })
      await monitor.report('eu', [result])
      return { id: result.id, probe_id: monitor.probe('eu').id, started_ms: result.started_at }
    },
    async returnLate(test_id, probeId) {
      const late = { test_id, monitor_id: monitor.id, customer_id, returned_at: await nowMs(), rtt_ms: 900_000, stamp_at: null }
      await insertLateReturns(sql, probeId, [late])
    },
    async beginMaintenance() {
      const nowMs = await own.database.nowMs()
      const schedule = { kind: 'once' as const, starts_ms: nowMs - hourMs, ends_ms: nowMs + hourMs }
      await insertMaintenanceWindow(sql, { id: newId(), customer_id, name: 'move', monitor_ids: null, schedule })
    },
    state: async () => (await monitor.state()) as unknown as Row,
    incidents: () => monitor.incidents(),
    pages: () => monitor.pages(),
    events: () => monitor.events(),
    jobs: () => sql<Row[]>`select * from jobs where monitor_id = ${monitor.id}`.then((rows) => [...rows]),
    nowMs,
    due: async () => ({
      judgement: dueMs(await nextJudgementDue(sql)),
      step: dueMs(await nextStepDue(sql)),
      page: dueMs(await nextPageDue(sql)),
    }),
  }
}

const dueMs = (due: Due | null): number | null => due?.due_ms ?? null

export async function memoryGround(): Promise<Ground> {
  let clockMs = Date.now()
  const nowMs = () => clockMs
  const [customer_id, monitor_id, contactId, methodId] = [newId(), newId(), newId(), newId()]
  const windows: MaintenanceWindow[] = []
  const jobs: Row[] = []
  const lates: LateReturnRow[] = []
  const sent: SentTest[] = []
  const details = new Map<string, TestEvidence>()
  const probe_id = newId()
  const recipient = { contact_method_id: methodId, address: '+61400000001', contact_name: 'Alice' }
  const store = new MemoryStore(
    {
      nowMs,
      evidence: ({ late_since_ms }, observing_since_ms) => ({ vantages: [], pool: [], observing_since_ms, late_since_ms }),
      details: (testIds) => new Map([...details].filter(([id]) => testIds.includes(id))),
      sentBy: (probeIds) => sent.filter(({ probe_id }) => probeIds.includes(probe_id)),
      lateReturns: (testIds) => lates.filter(({ test_id }) => testIds.includes(test_id)),
      policy: () => ({ steps: [{ after_s: 0, contact_ids: [contactId] }], repeat: 0 }),
      recipients: new Map([[contactId, [recipient]]]),
      windows: () => windows,
    },
    (commit) => jobs.push(...commit.jobs),
  )
  const rules = {
    ...{ period_s: 3600, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 },
    ...{ vantages: 1, quorum: 1, mode: 'seed' as const },
  }
  const monitor = { customer_id, monitor_id }
  store.monitors.committed.set(monitor_id, storedMonitor(monitor, rules, wellState(clockMs)))
  const rowsOf = (rows: Iterable<unknown>) => [...rows] as Row[]
  return {
    store,
    monitor,
    contactId,
    methodId,
    mark: () => store.mark(monitor_id, clockMs),
    async passTime(seconds) {
      clockMs += seconds * 1000
    },
    async beat(coordinatorId) {
      store.heartbeats.beat(coordinatorId)
    },
    async tell(outcome, agoS, detail = {}) {
      const [id, started_ms] = [newId(), clockMs - agoS * 1000]
      sent.push({ probe_id, started_ms, outcome })
      details.set(id, { outcome, detail, late: null })
      return { id, probe_id, started_ms }
    },
    async returnLate(test_id, probe_id) {
      const detail = details.get(test_id)
      if (detail !== undefined) details.set(test_id, { ...detail, late: { rtt_ms: 900_000, legs: null } })
      lates.push({ test_id, probe_id, region: 'eu', returned_at: clockMs, rtt_ms: 900_000, stamp_at: null })
    },
    async beginMaintenance() {
      const schedule = { kind: 'once' as const, starts_ms: clockMs - hourMs, ends_ms: clockMs + hourMs }
      windows.push({ id: newId(), schedule, valid_from_ms: clockMs, valid_until_ms: null })
    },
    state: async () => store.monitors.committed.get(monitor_id) as unknown as Row,
    incidents: async () => rowsOf(store.incidents.committed.values()),
    pages: async () => rowsOf(store.pages.committed.values()),
    events: async () => store.events.map(({ type }) => type),
    jobs: async () => jobs,
    nowMs: async () => clockMs,
    due: async () => ({ judgement: store.nextJudgementDue(), step: store.nextStepDue(), page: store.nextPageDue() }),
  }
}
