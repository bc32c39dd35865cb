/** What is known of the tests: coordinator/store/ingest.ts and the queries of store/judging.ts, retold in memory. */
import { domainOf } from '../../common/mail/headers.ts'
import type { Outcome, TestResult } from '../../common/wire/test.ts'
import { admit } from '../../coordinator/core/admission.ts'
import type { TestEvidence } from '../../coordinator/core/diagnosis.ts'
import type { Evidence, MonitorState, VantageEvidence } from '../../coordinator/core/evidence.ts'
import { isLateNews } from '../../coordinator/core/past-outage.ts'
import { estimateLackMs } from '../../coordinator/core/probe-clock.ts'
import {
  type ControlTrip,
  healthBeside,
  type NewestReturn,
  needsProof,
  sameMomentMs,
} from '../../coordinator/core/probe-health.ts'
import { isFailure, isPass, type TestFact } from '../../coordinator/core/verdict.ts'
import type { LateReturnRow } from '../../coordinator/store/late-returns.ts'
import type { SimBatch, SimJob, Surroundings } from './coordination.ts'
import type { SpoolRecord } from './journal.ts'
import { ToldTests, unproved } from './loaded-tests.ts'
import type { SimProbe } from './probe.ts'
import { lostMs, type Seats, slotBefore, slotStartedMs } from './seats.ts'
import { wholeSecond } from './signatures.ts'

type Known = {
  tests: ToldTests
  /** Mail to elsewhere has come back or was lost: what that proves of them has to be looked at again. */
  healthChanged: boolean
  ids: Set<string>
  overdue: { test_id: string; started_at: number; at: number; ingestedMs: number }[]
  trips: (ControlTrip & { id: string })[]
  /** Mail to other monitors, which is not played: one comes back from where a control trip can. */
  returns: NewestReturn[]
  passedMs: number
}

/** What a batch brought, as far as it matters for judging again. */
export type News = {
  /** Something new is known. */
  told: boolean
  /** What is new is not plain good. */
  troubled: boolean
  /** The probe has proved its health. */
  proved: boolean
}

const otherCustomer = 'other.example'
const poolFreshMs = 45_000
/** Words of servers are read when an incident opens: those of the newest failing tests are enough. */
const detailsKept = 200

export class Results {
  readonly #around: Surroundings
  readonly #known = new Map<string, Known>()
  readonly #details = new Map<string, TestEvidence>()
  readonly #lateReturns = new Map<string, LateReturnRow>()
  #lateSinceMs: number | null = null
  #returnedLate = false

  constructor(around: Surroundings) {
    this.#around = around
    for (const probe of around.probes) {
      this.#known.set(probe.id, {
        tests: new ToldTests(),
        healthChanged: false,
        ids: new Set(),
        overdue: [],
        trips: [],
        returns: [],
        passedMs: Number.NEGATIVE_INFINITY,
      })
    }
  }

  /** Healthy slots passed by: the newest test of each vantage is a good one. */
  fold(seats: Seats): void {
    const nowMs = this.#around.events.nowMs
    this.#details.clear()
    this.#lateReturns.clear()
    for (const known of this.#known.values()) {
      known.overdue = []
      known.trips = []
      known.returns = []
      known.tests = new ToldTests()
      known.ids.clear()
    }
    for (const { probeId, assignment } of seats.all) {
      const known = this.#knownOf(probeId)
      const probe = this.#around.probes.find(({ id }) => id === probeId)
      const wallMs = probe?.clock.wallMs(nowMs) ?? nowMs
      const startedMs = slotBefore(assignment, wallMs) - wallMs + nowMs
      const finished_ms = Math.min(nowMs, startedMs + 3000)
      const id = `${probeId}-healthy-${startedMs}`
      const own = { outcome: 'ok' as const, boot_id: null, started_uptime_ms: 0, finished_uptime_ms: 0 }
      const times = { started_ms: startedMs, finished_ms }
      const fact = { id, cause: 'slot' as const, attempt: 1, first_test_id: null, outcome: own.outcome, ...times, ...unproved }
      known.tests.add({ fact, toldMs: wallMs - nowMs + startedMs, own })
      known.passedMs = startedMs
    }
  }

  ingest(probe: SimProbe, { records, sealedAtMs }: SimBatch, seats: Seats, jobs: ReadonlyMap<string, SimJob>): News {
    const news: News = { told: false, troubled: false, proved: false }
    const lacksMs = this.#lackMs(probe, sealedAtMs)
    for (const record of records) {
      if (record.kind === 'result') {
        const { clock_offset_ms } = record.body
        this.#addResult(probe, { ...record.body, clock_offset_ms: clock_offset_ms ?? lacksMs }, seats, jobs, news)
      }
      if (record.kind === 'overdue') {
        const { test_id, started_at, at } = record.body
        const { overdue } = this.#knownOf(probe.id)
        const nowMs = this.#around.events.nowMs
        if (!overdue.some((known) => known.test_id === test_id)) overdue.push({ test_id, started_at, at, ingestedMs: nowMs })
        news.troubled = true
      }
      if (record.kind === 'late' && this.#addLateReturn(probe, record.body.test_id)) news.told = true
      if (record.kind === 'control' && this.#addControl(probe, record.body, lacksMs)) news.proved = true
    }
    return news
  }

  /** A mail of the probe has come back since then. */
  hasPassed = (probeId: string, sinceMs: number): boolean => this.#knownOf(probeId).passedMs >= sinceMs

  testsOf = (probeId: string): readonly { fact: TestFact }[] => this.#knownOf(probeId).tests.all

  evidence(state: MonitorState, seats: Seats, observing_since_ms: number): Omit<Evidence, 'told_ms' | 'incident_told'> {
    const { events, probes, lastSeenMs } = this.#around
    const substitutes = Object.values(state.suspicion?.substitutes ?? {})
    const voting = probes.filter((probe) => substitutes.includes(probe.id) || seats.of(probe.id) !== undefined)
    const asked = [state.suspicion?.since_ms, state.incident?.since_ms, this.#lateSinceMs ?? undefined]
    const sinceMs = Math.min(...asked.filter((ms) => ms !== undefined))
    return {
      vantages: voting.map((probe) => this.#vantage(probe, seats, sinceMs)),
      pool: probes
        .filter((probe) => !voting.includes(probe) && events.nowMs - lastSeenMs(probe.id) <= poolFreshMs)
        .map((probe) => ({ probe_id: probe.id, domain: probe.domain })),
      observing_since_ms,
      late_since_ms: this.#lateSinceMs,
    }
  }

  /** A judgement has been made of it. */
  judged(state: MonitorState): void {
    if (state.late === null) this.#lateSinceMs = null
  }

  /** For a store that keeps it with the monitor from now on. */
  takeLateSinceMs(): number | null {
    const lateSinceMs = this.#lateSinceMs
    this.#lateSinceMs = null
    return lateSinceMs
  }

  takeReturnedLate(): boolean {
    const returnedLate = this.#returnedLate
    this.#returnedLate = false
    return returnedLate
  }

  lateReturns = (testIds: readonly string[]): LateReturnRow[] => testIds.flatMap((id) => this.#lateReturns.get(id) ?? [])

  /** The newest tests of these probes. */
  sentBy = (probeIds: readonly string[]): { probe_id: string; started_ms: number; outcome: Outcome }[] =>
    probeIds.flatMap((probe_id) =>
      this.#knownOf(probe_id).tests.all.map(({ fact: { started_ms, outcome } }) => ({ probe_id, started_ms, outcome })),
    )

  /** By test id, what a diagnosis needs. */
  details = (testIds: readonly string[]): Map<string, TestEvidence> =>
    new Map(
      testIds.flatMap((id) => {
        const detail = this.#details.get(id)
        return detail === undefined ? [] : [[id, detail] as const]
      }),
    )

  #vantage(probe: SimProbe, seats: Seats, sinceMs: number): VantageEvidence {
    const { events, plan, rules, lastSeenMs, connectedMs } = this.#around
    const nowMs = events.nowMs
    const seat = seats.of(probe.id)
    const known = this.#knownOf(probe.id)
    const toldSinceMs = nowMs - (rules.timeout_s + 60) * 1000
    const { passedMs } = known
    if (known.healthChanged) known.tests.prove((own) => healthBeside(own, known, domainOf(plan.target.address)))
    known.healthChanged = false
    const lacksMs = this.#lackMs(probe, wholeSecond(probe.clock.wallMs(nowMs)))
    const overdue = known.overdue.filter(({ at, ingestedMs }) => Math.min(at + lacksMs, ingestedMs) > toldSinceMs)
    known.overdue = known.overdue.filter(({ ingestedMs }) => ingestedMs > toldSinceMs)
    return {
      probe_id: probe.id,
      region: probe.region,
      domain: probe.domain,
      planned: seat !== undefined,
      lost: nowMs - lastSeenMs(probe.id) > lostMs,
      assigned_ms: seat?.assignedMs ?? nowMs,
      tests: known.tests.read({ nowMs, lacksMs, sinceMs, periodS: rules.period_s }),
      overdue: overdue.map(({ test_id, started_at, ingestedMs }) => ({
        test_id,
        started_ms: Math.min(started_at + lacksMs, ingestedMs - rules.slow_s * 1000),
      })),
      connected_ms: connectedMs(probe.id),
      slot_started_ms: seat === undefined ? null : slotStartedMs(seat.assignment, nowMs, lacksMs),
      passed_ms: Number.isFinite(passedMs) ? passedMs : null,
      contradicted: 0,
      monitors_held: 1,
    }
  }

  #addResult(probe: SimProbe, result: TestResult, seats: Seats, jobs: ReadonlyMap<string, SimJob>, news: News): void {
    const known = this.#knownOf(probe.id)
    if (known.ids.has(result.id)) return
    const admission = admit(result, seats.holdingsOf(probe.id), jobs, this.#around.events.nowMs)
    if ('code' in admission) {
      this.#around.note(() => `refused ${result.id} of ${probe.id}: ${admission.code}`)
      return
    }
    known.ids.add(result.id)
    const { givenMs = Number.NEGATIVE_INFINITY } = jobs.get(result.job_id ?? '') ?? {}
    const toldByMs = Math.min(result.clock_offset_ms ?? 0, this.#around.events.nowMs - result.finished_at)
    const rightMs = Math.max(toldByMs, givenMs - result.started_at)
    const { id, cause, attempt, first_test_id, outcome, boot_id, started_uptime_ms, finished_uptime_ms } = result
    const started_ms = result.started_at + rightMs
    const finished_ms = result.finished_at + rightMs
    const own = { outcome, boot_id, started_uptime_ms, finished_uptime_ms }
    const fact = { id, cause, attempt, first_test_id, started_ms, finished_ms, outcome, ...unproved }
    known.tests.add({ fact, toldMs: result.started_at, own })
    known.healthChanged ||= needsProof(own)
    if (isFailure(outcome) && isLateNews(finished_ms, this.#around.events.nowMs))
      this.#lateSinceMs = Math.min(this.#lateSinceMs ?? Number.POSITIVE_INFINITY, started_ms)
    news.told = true
    if (outcome !== 'ok') news.troubled = true
    if (outcome === 'ok' || outcome === 'slow') known.passedMs = Math.max(known.passedMs, result.started_at)
    else {
      this.#keepDetail(result)
      // Mail of other monitors may have come back meanwhile.
      const agoMs = 10_000
      if (this.#around.busy && this.#around.sideWorks(probe.id, finished_ms - agoMs))
        noteReturn(known, { domain: otherCustomer, boot_id, started_uptime_ms: finished_uptime_ms - agoMs })
    }
  }

  /** True where it is new: the mail of a test that was told of before is back. */
  #addLateReturn({ id: probe_id, region }: SimProbe, test_id: string): boolean {
    const test = this.#knownOf(probe_id).tests.all.find(({ fact }) => fact.id === test_id)?.fact
    const detail = this.#details.get(test_id)
    if (test === undefined || detail === undefined || this.#lateReturns.has(test_id)) return false
    const returned_at = this.#around.events.nowMs
    const rtt_ms = returned_at - test.started_ms
    this.#lateReturns.set(test_id, { test_id, probe_id, region, returned_at, rtt_ms, stamp_at: null })
    this.#details.set(test_id, { ...detail, late: { rtt_ms, legs: null } })
    this.#returnedLate = true
    return true
  }

  #keepDetail({ id, outcome, detail }: TestResult): void {
    this.#details.set(id, { outcome, detail, late: null })
    if (this.#details.size > detailsKept)
      for (const old of [...this.#details.keys()].slice(0, detailsKept / 2)) this.#details.delete(old)
  }

  /** True where the trip proves the probe's health. */
  #addControl(probe: SimProbe, trip: Extract<SpoolRecord, { kind: 'control' }>['body'], rightMs: number): boolean {
    const known = this.#knownOf(probe.id)
    const { trips } = known
    if (trips.some(({ id }) => id === trip.id)) return false
    const { id, reference, started_at, outcome, boot_id, started_uptime_ms } = trip
    const domain = domainOf(reference)
    const otherReturned = this.#around.busy && this.#around.sideWorks(probe.id, started_at + rightMs + sameMomentMs)
    known.healthChanged = true
    trips.push({ id, reference, domain, boot_id, started_uptime_ms, outcome, beside: otherReturned ? [otherCustomer] : [] })
    if (isPass(outcome)) noteReturn(known, { domain, boot_id, started_uptime_ms })
    return isPass(outcome)
  }

  /** What is known of the probe's clock: by itself, or as ingest estimates it. */
  #lackMs(probe: SimProbe, sealedAtMs: number): number {
    const { nowMs } = this.#around.events
    return probe.clock.reading(nowMs)?.offsetMs ?? estimateLackMs({ sealedAtMs, receivedAtMs: nowMs }) ?? 0
  }

  #knownOf(probeId: string): Known {
    const known = this.#known.get(probeId)
    if (known === undefined) throw new RangeError(`Nothing is known of ${probeId}`)
    return known
  }
}

/** As the store keeps them: of each domain the newest. */
function noteReturn(known: Known, back: NewestReturn): void {
  const older = known.returns.find(({ domain }) => domain === back.domain)
  if (older?.boot_id === back.boot_id && older.started_uptime_ms >= back.started_uptime_ms) return
  known.healthChanged = true
  known.returns = [back, ...known.returns.filter((other) => other !== older)]
}
