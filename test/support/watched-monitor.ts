/**
 * A customer, a contact with a phone, probes and one watched monitor on a database of its own, and what the probes report of it. Slot 100
 * of every vantage started `sinceS` seconds ago, so that a story of twenty minutes can be told at once.
 */
import { silentLogger } from '../../common/log.ts'
import { systemRuntime, uuidv7 } from '../../common/runtime.ts'
import type { ResultBatch } from '../../common/wire/documents.ts'
import type { Outcome, TestResult } from '../../common/wire/test.ts'
import type { MonitorState } from '../../coordinator/core/evidence.ts'
import { initialMonitorState } from '../../coordinator/core/judgement.ts'
import type { DatabaseContext } from '../../coordinator/flow/context.ts'
import { ingestBatch, type Refusal, withClockKnown } from '../../coordinator/flow/ingest.ts'
import { judgeNext } from '../../coordinator/flow/judge.ts'
import { insertAssignment } from '../../coordinator/store/assignments.ts'
import type { SqlPool } from '../../coordinator/store/connection.ts'
import { flowStore } from '../../coordinator/store/flow-store.ts'
import { insertMonitor, type MonitorSettings } from '../../coordinator/store/monitors.ts'
import { beat } from '../../coordinator/store/probe-link.ts'
import type { TestDatabase } from './database.ts'
import { testPlan } from './plans.ts'
import { addProbe } from './records.ts'
import { startUptimeOf, uptimeOf } from './uptime.ts'

export const newId = () => uuidv7(systemRuntime)
export type KnownProbe = { id: string; region: string }
export type Row = Record<string, unknown>

/** 20 min and 30 s: a lost mail and its lost re-test, with the wait in between. */
const sinceS = 1230
/** Longer than that, so that no vantage's own slot answers in place of a job. */
const periodS = 3600

export type Told = Partial<TestResult> & { outcome: Outcome; agoS: number; tookS?: number }

export class WatchedMonitor {
  readonly context: DatabaseContext
  readonly sql: SqlPool
  readonly admin: SqlPool
  readonly customerId = newId()
  readonly id = newId()
  readonly contactId = newId()
  readonly methodId = newId()
  readonly policyId = newId()
  readonly startMs = Date.now()
  readonly rate = { epoch_ms: this.startMs - (100 * periodS + sinceS) * 1000, period_s: periodS, phase_ms: 0 }
  #probes = new Map<string, KnownProbe>()
  #target: MonitorSettings['target'] = { address: 'scout@customer.example' }

  constructor(own: TestDatabase) {
    const { database } = own
    this.context = {
      database,
      store: flowStore(database.system),
      runtime: systemRuntime,
      logger: silentLogger,
      coordinatorId: newId(),
      operatorPhone: '+61400000000',
    }
    this.sql = database.system
    this.admin = own.admin
  }

  static async create(
    own: TestDatabase,
    options: {
      regions?: string[]
      settings?: Partial<MonitorSettings>
      steps?: { after_s: number }[]
      repeat?: number
      watched?: boolean
      /** Those of another monitor, which hold this one too. */
      probes?: KnownProbe[]
    } = {},
  ): Promise<WatchedMonitor> {
    const world = new WatchedMonitor(own)
    const { regions = ['eu', 'us', 'ap'], settings = {}, steps = [{ after_s: 0 }], repeat = 0, watched = true, probes } = options
    // Whatever an earlier story in this database has left to do is over.
    await world.sql`update monitor_states set judge_at = null`
    await beat(world.sql, world.context.coordinatorId)
    await world.sql`update coordinators set started_at = now() - interval '1 day' where id = ${world.context.coordinatorId}`
    await world.#onboard(steps, repeat)
    const { timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, accept_echo } = testPlan()
    await insertMonitor(world.sql, {
      ...{ period_s: periodS, timeout_s, slow_s, retest_wait_s, hard_confirm_s, open_period_s, accept_echo },
      id: world.id,
      customer_id: world.customerId,
      name: 'Mail of Example',
      kind: 'roundtrip',
      target: world.#target,
      vantages: regions.length,
      quorum: Math.min(2, regions.length),
      mode: 'seed',
      escalation_policy_id: world.policyId,
      ...settings,
    })
    await world.sql`update monitors set assign_at = null where id = ${world.id}`
    world.#target = settings.target ?? world.#target
    for (const probe of probes ?? []) world.#probes.set(probe.region, probe)
    for (const region of regions) await world.#assign(probes === undefined ? await world.addProbe(region) : world.probe(region))
    if (watched) {
      const state: MonitorState = { ...initialMonitorState(Date.now()), decision: 'up', reason: 'first_return', watched: true }
      await world.sql`
        update monitor_states set state = ${world.sql.json(state)}, decision = 'up', quiet = true where monitor_id = ${world.id}`
    }
    return world
  }

  async addProbe(region: string): Promise<KnownProbe> {
    const probe = await addProbe(this.sql, region, `${region} ${this.id.slice(-6)}`)
    this.#probes.set(region, probe)
    await this.sql`update probes set health = '{"inbox_ok": true, "tests_running": 0}' where id = ${probe.id}`
    return probe
  }

  probe(region: string): KnownProbe {
    const probe = this.#probes.get(region)
    if (probe === undefined) throw new Error(`the story has no probe in ${region}`)
    return probe
  }

  /** A result as the region's probe would tell it: a slot's test unless it says otherwise. */
  result(told: Told): TestResult {
    const { agoS, tookS = told.outcome === 'ok' ? 4 : 600, ...changes } = told
    const started_at = this.startMs - agoS * 1000
    const slot = 100 - Math.round((agoS - sinceS) / periodS)
    const cause = changes.cause ?? 'slot'
    const isSlot = cause === 'slot'
    const returned = told.outcome === 'ok' || told.outcome === 'slow'
    return {
      id: newId(),
      monitor_id: this.id,
      generation: 1,
      cause,
      job_id: null,
      attempt: 1,
      first_test_id: null,
      slot: isSlot ? slot : null,
      slot_at: isSlot ? this.rate.epoch_ms + slot * periodS * 1000 : null,
      started_at,
      sent_at: started_at + 1000,
      returned_at: returned ? started_at + tookS * 1000 : null,
      finished_at: started_at + tookS * 1000,
      rtt_ms: returned ? tookS * 1000 : null,
      stages: [],
      stamp_at: null,
      clock_offset_ms: null,
      ...uptimeOf(started_at, started_at + tookS * 1000),
      detail: {},
      ...changes,
    }
  }

  /** Delivers a batch, sealed just now by the true time unless the story says otherwise. Control trips of the last minute prove the probe's health, unless the story says otherwise. */
  async report(
    region: string,
    told: (Told | TestResult)[],
    { sealedAtMs, ...changes }: Partial<ResultBatch> & { sealedAtMs?: number } = {},
  ): Promise<Refusal[]> {
    const results = told.map((result) =>
      'id' in result && 'finished_at' in result ? (result as TestResult) : this.result(result as Told),
    )
    const batch: ResultBatch = {
      boot_id: 'boot',
      health: {
        version: '1',
        inbox_ok: true,
        inbox_detail: '',
        spool_depth: 0,
        tests_running: 0,
        clock_offset_ms: null,
        clock_error_ms: null,
      },
      results,
      overdues: [],
      lates: [],
      controls: [this.controlTrip(0)],
      ...changes,
    }
    const timely = sealedAtMs === undefined ? batch : await withClockKnown(this.sql, batch, sealedAtMs)
    return await ingestBatch(this.context, this.probe(region), timely)
  }

  controlTrip(agoS: number): ResultBatch['controls'][number] {
    const started_at = this.startMs - agoS * 1000
    return {
      id: newId(),
      reference: 'echo@reference.example',
      started_at,
      returned_at: started_at + 100,
      finished_at: started_at + 100,
      outcome: 'ok',
      rtt_ms: 100,
      ...startUptimeOf(started_at),
    }
  }

  /** Judges as long as anything is due; returns how many judgements that were. */
  async judge(): Promise<number> {
    let count = 0
    while (count < 50 && (await judgeNext(this.context))) count += 1
    return count
  }

  /** The job that the region's probe was given last, as the cause of a result. */
  async job(region: string): Promise<{ cause: 'job'; job_id: string; generation: null }> {
    const [row] = await this.sql<{ id: string }[]>`
      select id from jobs where probe_id = ${this.probe(region).id} and monitor_id = ${this.id} order by created_at desc, id desc limit 1`
    if (row === undefined) throw new Error(`the probe in ${region} was given no job`)
    // A story is told at once: what was asked for is reported as long ago as the story says.
    await this.sql`update jobs set created_at = created_at - interval '2 hours' where monitor_id = ${this.id}`
    return { cause: 'job', job_id: row.id, generation: null }
  }

  async askedRegions(): Promise<string[]> {
    const rows = await this.sql<{ region: string }[]>`
      select p.region from jobs j join probes p on p.id = j.probe_id where j.monitor_id = ${this.id} order by j.created_at, p.region`
    return rows.map((row) => row.region)
  }

  /** All regions lose the mail: the first fails twice, the others once by a job. The incident is open then. */
  async goDown(regions = [...this.#probes.keys()]): Promise<string> {
    const [first = '', ...others] = regions
    await this.report(first, [{ outcome: 'timeout', agoS: sinceS }])
    await this.judge()
    await this.report(first, [{ outcome: 'timeout', agoS: 600, cause: 'retest', attempt: 2 }])
    for (const region of others) await this.report(region, [{ outcome: 'timeout', agoS: 600, ...(await this.job(region)) }])
    await this.judge()
    const [incident] = await this.incidents()
    return String(incident?.id)
  }

  /** One region loses the mail twice, and until the deadline no other one answers; `meanwhile` something else happens. */
  async becomeUnconfirmed(meanwhile: () => PromiseLike<unknown> = async () => {}): Promise<void> {
    const [first = ''] = this.#probes.keys()
    // So long ago that two timeouts and the wait between them are over.
    await this.report(first, [{ outcome: 'timeout', agoS: sinceS + 30 }])
    await this.judge()
    await this.report(first, [{ outcome: 'timeout', agoS: 600, cause: 'retest', attempt: 2 }])
    await this.judge()
    await meanwhile()
    await this.sql`
      update monitor_states set state = jsonb_set(state, '{suspicion,deadline_ms}', to_jsonb(${Date.now() - 1000}::int8)), judge_at = now()
      where monitor_id = ${this.id}`
    await this.judge()
  }

  /** Everybody tests again after the incident has opened, and mail returns. */
  async recover(regions = [...this.#probes.keys()]): Promise<void> {
    for (const region of regions) await this.report(region, [{ outcome: 'ok', agoS: -60, tookS: 0, cause: 'open' }])
    await this.judge()
  }

  async state(): Promise<{
    decision: string
    quiet: boolean
    judge_at: number | null
    state: MonitorState
    awaiting_proof: string[]
  }> {
    const [row] = await this.sql<
      { decision: string; quiet: boolean; judge_at: number | null; state: MonitorState; awaiting_proof: string[] }[]
    >`
      select decision, quiet, judge_at, state, awaiting_proof from monitor_states where monitor_id = ${this.id}`
    if (row === undefined) throw new Error('the monitor has no state')
    return row
  }

  incidents = (): Promise<Row[]> =>
    this.sql<Row[]>`select * from incidents where monitor_id = ${this.id} order by opened_at, id`.then((rows) => [...rows])
  pages = (): Promise<Row[]> =>
    this.sql<Row[]>`
      select p.* from pages p join incidents i on i.id = p.incident_id where i.monitor_id = ${this.id} order by p.created_at, p.id`.then(
      (rows) => [...rows],
    )
  events = async (): Promise<string[]> => {
    const rows = await this.sql<{ type: string }[]>`
      select e.type from incident_events e join incidents i on i.id = e.incident_id where i.monitor_id = ${this.id} order by e.id`
    return rows.map((row) => row.type)
  }

  /** What was due in so many seconds is due now. */
  async passTime(seconds: number): Promise<void> {
    const by = `${seconds} seconds`
    await this.sql`update monitor_states set judge_at = judge_at - ${by}::interval where monitor_id = ${this.id}`
    await this.sql`update incidents set next_step_at = next_step_at - ${by}::interval where monitor_id = ${this.id}`
    await this.sql`update pages set due_at = due_at - ${by}::interval, claimed_until = claimed_until - ${by}::interval`
  }

  async #onboard(steps: { after_s: number }[], repeat: number): Promise<void> {
    const { sql, customerId } = this
    const levelId = newId()
    await sql`
      insert into service_levels (id, name, vantages, quorum, period_min_s, mode, channels, sms_per_day)
      values (${levelId}, ${`level ${levelId}`}, 5, 2, 60, 'hedged', ${['sms']}, 100)`
    await sql`insert into customers (id, name, service_level_id) values (${customerId}, 'Example', ${levelId})`
    await sql`insert into contacts (customer_id, id, name) values (${customerId}, ${this.contactId}, 'Alice')`
    await sql`
      insert into contact_methods (customer_id, id, contact_id, kind, address)
      values (${customerId}, ${this.methodId}, ${this.contactId}, 'sms', '+61400000001')`
    await sql`
      insert into escalation_policies (customer_id, id, name, steps, repeat)
      values (${customerId}, ${this.policyId}, 'on call', ${sql.json(steps.map((step) => ({ ...step, contact_ids: [this.contactId] })))}, ${repeat})`
  }

  async #assign(probe: KnownProbe): Promise<void> {
    const { epoch_ms, phase_ms } = this.rate
    await insertAssignment(this.sql, this.customerId, probe.id, {
      id: newId(),
      generation: 1,
      epoch_ms,
      phase_ms,
      first_slot: 0,
      last_slot: null,
      plan: testPlan({ monitor_id: this.id, period_s: periodS, target: this.#target }),
    })
  }
}
