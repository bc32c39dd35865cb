/**
 * Two grounds for what a judgement reads: `loadEvidence` on PostgreSQL, and the simulator's retelling of it. On both three probes hold one
 * monitor and a fourth stands by; the times of a story are minutes before it began.
 */
import type { ControlTrip, Outcome, Overdue, TestResult } from '../../common/wire/test.ts'
import type { Evidence, MonitorState } from '../../coordinator/core/evidence.ts'
import { initialMonitorState } from '../../coordinator/core/judgement.ts'
import { insertJob, loadEvidence, lockMonitor } from '../../coordinator/store/judging.ts'
import type { SimJob, Surroundings } from '../sim/coordination.ts'
import { MachineClock } from '../sim/machine-clock.ts'
import type { SimProbe } from '../sim/probe.ts'
import { Results } from '../sim/results.ts'
import { Seats } from '../sim/seats.ts'
import type { TestDatabase } from './database.ts'
import { testPlan } from './plans.ts'
import { uptimeOf } from './uptime.ts'
import { newId, WatchedMonitor } from './watched-monitor.ts'

export const holders = ['eu', 'us', 'ap'] as const
export const standby = 'sa'
const regions = [...holders, standby] as const
export type Region = (typeof regions)[number]

export type ToldTest = {
  outcome: Outcome
  /** By the clock of its probe. */
  agoMin: number
  tookMin?: number
  cause?: 'open' | 'retest'
  jobId?: string
  offsetMin?: number
}
export type ToldTrip = { agoMin: number; outcome: Outcome; reference?: string }
export type Told = { tests?: ToldTest[]; overdues?: { agoMin: number; atMin: number }[]; trips?: ToldTrip[] }

export type EvidenceGround = {
  startMs: number
  /** What the clock of this probe lacks is known from now on. */
  knowClock(region: Region, lacksMin: number): Promise<void>
  /** One batch, sealed now by a clock that lacks what is known, or by one that lacks so much and does not know it. */
  tell(region: Region, told: Told, unknownLackMin?: number): Promise<void>
  giveJob(region: Region, agoMin: number): Promise<string>
  /** It was last connected anew, and last heard, so long ago. */
  hear(region: Region, times: { connectedMin: number; heardMin: number }): Promise<void>
  /** What was told was told so much earlier. */
  passMinutes(minutes: number): Promise<void>
  evidence(state?: Partial<MonitorState>): Promise<Evidence>
  probeId(region: Region): string
}

const minuteMs = 60_000
/** As WatchedMonitor: slot 100 of the first vantage began so long before the story. */
const slotAgoMs = 1_230_000
const periodS = 3600

function recordsOf(monitorId: string, startMs: number, { tests = [], overdues = [], trips = [] }: Told) {
  const results = tests.map((told): TestResult => {
    const { outcome, agoMin, tookMin = 1, cause = 'open', jobId = null, offsetMin } = told
    const started_at = startMs - agoMin * minuteMs
    const finished_at = started_at + tookMin * minuteMs
    const back = outcome === 'ok' || outcome === 'slow' ? finished_at : null
    return {
      ...{ id: newId(), monitor_id: monitorId, generation: jobId === null ? 1 : null, job_id: jobId, first_test_id: null },
      ...{ cause: jobId === null ? cause : 'job', attempt: cause === 'retest' ? 2 : 1, slot: null, slot_at: null },
      ...{ started_at, sent_at: started_at, finished_at, returned_at: back, rtt_ms: back === null ? null : back - started_at },
      ...{ outcome, stages: [], stamp_at: null, detail: {}, ...uptimeOf(started_at, finished_at) },
      clock_offset_ms: offsetMin === undefined ? null : offsetMin * minuteMs,
    }
  })
  const notes = overdues.map(
    ({ agoMin, atMin }): Overdue => ({
      ...{ test_id: newId(), monitor_id: monitorId },
      ...{ started_at: startMs - agoMin * minuteMs, at: startMs - atMin * minuteMs },
    }),
  )
  const controls = trips.map(({ agoMin, outcome, reference = 'echo@reference.example' }): ControlTrip => {
    const started_at = startMs - agoMin * minuteMs
    const { boot_id, started_uptime_ms } = uptimeOf(started_at, started_at)
    const times = { started_at, finished_at: started_at, returned_at: outcome === 'ok' ? started_at : null }
    return { id: newId(), reference, outcome, rtt_ms: outcome === 'ok' ? 0 : null, boot_id, started_uptime_ms, ...times }
  })
  return { results, overdues: notes, controls }
}

export async function postgresEvidence(own: TestDatabase): Promise<EvidenceGround> {
  await own.admin`update probes set last_seen_at = now() - interval '1 hour'`
  const monitor = await WatchedMonitor.create(own, { regions: [...holders] })
  await monitor.addProbe(standby)
  const { sql, startMs, customerId, id: monitor_id } = monitor
  const probeId = (region: Region) => monitor.probe(region).id
  return {
    startMs,
    probeId,
    async knowClock(region, lacksMin) {
      await sql`update probes set clock_offset_ms = ${lacksMin * minuteMs} where id = ${probeId(region)}`
    },
    async tell(region, told, unknownLackMin) {
      const [probe] = await sql<{ known: number | null }[]>`
        select clock_offset_ms as known from probes where id = ${probeId(region)}`
      const sealedAtMs = Date.now() - (unknownLackMin ?? (probe?.known ?? 0) / minuteMs) * minuteMs
      await monitor.report(region, recordsOf(monitor_id, startMs, told).results, {
        ...recordsOf(monitor_id, startMs, { ...told, tests: [] }),
        results: recordsOf(monitor_id, startMs, told).results,
        sealedAtMs,
      })
    },
    async giveJob(region, agoMin) {
      const id = newId()
      const job = { id, customer_id: customerId, monitor_id, probe_id: probeId(region), cause: 'confirm' as const }
      await insertJob(sql, { ...job, expires_in_ms: minuteMs })
      await sql`update jobs set created_at = ${startMs - agoMin * minuteMs} where id = ${id}`
      return id
    },
    async hear(region, { connectedMin, heardMin }) {
      await sql`update probes set connected_at = ${startMs - connectedMin * minuteMs}, last_seen_at = ${startMs - heardMin * minuteMs}
        where id = ${probeId(region)}`
    },
    async passMinutes(minutes) {
      const by = `${minutes} minutes`
      await sql`update overdues set started_at = started_at - ${by}::interval, at = at - ${by}::interval,
        ingested_at = ingested_at - ${by}::interval where monitor_id = ${monitor_id}`
    },
    async evidence(state = {}) {
      const claimed = await lockMonitor(sql, customerId, monitor_id)
      if (claimed === null) throw new Error('the monitor is not there')
      return await loadEvidence(sql, { ...claimed, state: { ...claimed.state, ...state } })
    },
  }
}

export async function simulatedEvidence(): Promise<EvidenceGround> {
  const startMs = Date.now()
  let nowMs = startMs
  const plan = testPlan({ period_s: periodS })
  const heard = new Map<string, { connectedMs: number; heardMs: number }>()
  const probes = new Map(regions.map((region) => [region, probeOf(region, startMs)]))
  for (const { id } of probes.values()) heard.set(id, { connectedMs: startMs, heardMs: startMs })
  const jobs = new Map<string, SimJob>()
  const around = {
    events: {
      get nowMs() {
        return nowMs
      },
    },
    ...{ probes: [...probes.values()], plan, customerId: newId(), epochMs: startMs - 100 * periodS * 1000 - slotAgoMs },
    rules: { ...plan, vantages: holders.length, quorum: 2, mode: 'seed' },
    ...{ busy: false, assignmentId: () => newId(), sideWorks: () => true, note: () => {}, onOrders: () => {} },
    lastSeenMs: (id: string) => heard.get(id)?.heardMs ?? 0,
    connectedMs: (id: string) => heard.get(id)?.connectedMs ?? 0,
  } as unknown as Surroundings
  const probe = (region: Region): SimProbe => {
    const found = probes.get(region)
    if (found === undefined) throw new Error(`the story has no probe in ${region}`)
    return found
  }
  const results = new Results(around)
  const seats = new Seats(around, holders.map(probe))
  const setClock = (region: Region, lacksMin: number, known: boolean) =>
    Object.assign(probe(region), { clock: clockOf(startMs, lacksMin, known) })
  return {
    startMs,
    probeId: (region) => probe(region).id,
    async knowClock(region, lacksMin) {
      setClock(region, lacksMin, true)
    },
    async tell(region, told, unknownLackMin) {
      if (unknownLackMin !== undefined) setClock(region, unknownLackMin, false)
      const { results: tests, overdues, controls } = recordsOf(plan.monitor_id, startMs, told)
      const records = [
        ...tests.map((body) => ({ kind: 'result' as const, id: body.id, body })),
        ...overdues.map((body) => ({ kind: 'overdue' as const, id: body.test_id, body })),
        ...controls.map((body) => ({ kind: 'control' as const, id: body.id, body })),
      ]
      results.ingest(probe(region), { records, sealedAtMs: probe(region).clock.wallMs(nowMs) }, seats, jobs)
    },
    async giveJob(region, agoMin) {
      const id = newId()
      const givenMs = startMs - agoMin * minuteMs
      const what = { id, customer_id: around.customerId, monitor_id: plan.monitor_id, target_domain: 'customer.example' }
      const whose = { generation: 1, probeId: probe(region).id, cause: 'confirm' as const }
      jobs.set(id, { ...what, ...whose, givenMs, expiresMs: givenMs + minuteMs, sent: true })
      return id
    },
    async hear(region, { connectedMin, heardMin }) {
      heard.set(probe(region).id, { connectedMs: startMs - connectedMin * minuteMs, heardMs: startMs - heardMin * minuteMs })
    },
    async passMinutes(minutes) {
      nowMs += minutes * minuteMs
    },
    async evidence(state = {}) {
      return {
        ...results.evidence({ ...initialMonitorState(startMs), ...state }, seats, startMs),
        told_ms: [],
        incident_told: false,
      }
    },
  }
}

/** The part of a probe that its coordinators know. */
function probeOf(region: Region, startMs: number): SimProbe {
  const domain = { region, asn: null, return_domain: `${region}.probe.example` }
  return { id: newId(), region, domain, clock: clockOf(startMs, 0, true) } as unknown as SimProbe
}

const clockOf = (startMs: number, lacksMin: number, known: boolean): MachineClock =>
  new MachineClock({ driftPpm: 0, aheadMs: -lacksMin * minuteMs, readingErrorMs: known ? 0 : null }, startMs - 600 * minuteMs)
