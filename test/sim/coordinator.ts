/**
 * A simulated coordinator over the product's judgement, placement and admission. What its store would hold is held here and survives its
 * crashes; a judgement is one transaction. The queries of coordinator/store/judging.ts and store/ingest.ts are retold in memory.
 */
import { jobStartMsMax } from '../../common/limits.ts'
import { firstSlotFrom, slotStartMs } from '../../common/timetable.ts'
import type { Assignment, TestPlan } from '../../common/wire/test.ts'
import { admit, type GivenJob, type Holding } from '../../coordinator/core/admission.ts'
import type { Effect, Evidence, MonitorRules, MonitorState, VantageEvidence, VoteView } from '../../coordinator/core/evidence.ts'
import { initialMonitorState, isQuiet, judge } from '../../coordinator/core/judgement.ts'
import { fillPositions, phaseMs } from '../../coordinator/core/placement.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'
import type { Events } from './events.ts'
import type { SpoolRecord } from './journal.ts'
import type { SimProbe } from './probe.ts'

export type Seat = { probeId: string; position: number; assignment: Assignment; assignedMs: number }
export type SimJob = GivenJob & { probeId: string; cause: 'confirm' | 'open' | 'test_now'; expiresMs: number; sent: boolean }

export type CoordinatorSurroundings = {
  events: Events
  probes: readonly SimProbe[]
  plan: TestPlan
  rules: MonitorRules
  customerId: string
  epochMs: number
  busy: boolean
  /** Names an assignment. */
  assignmentId: (probeId: string, number: number) => string
  /** When the coordinator last heard of the probe. */
  lastSeenMs: (probeId: string) => number
  /** Whether the probe's own side worked at that moment. */
  sideWorks: (probeId: string, atMs: number) => boolean
  judgingMs: () => number
  onEffect: (effect: Exclude<Effect, { kind: 'ask' }>, votes: VoteView[]) => void
  onJob: (job: SimJob) => void
  onOrders: (probe: SimProbe) => void
  note: (line: () => string) => void
}

type Fact = TestFact & { outcome: TestFact['outcome'] }
type Known = {
  tests: Fact[]
  ids: Set<string>
  overdue: { test_id: string; started_ms: number; at: number }[]
  controls: { id: string; reference: string; startedMs: number; returned: boolean; elsewhere: boolean }[]
  proofMs: number | null
  passedMs: number
}

const lostMs = 60_000
const poolFreshMs = 45_000
const reviewMs = 10_000
const greylistMemoryMs = 30 * 86_400_000
const testsKept = 60
const domainOf = (address: string): string => (address.split('@')[1] ?? '').toLowerCase()

export class SimCoordinator {
  state: MonitorState
  seats: Seat[] = []
  isUp = true
  judgements = 0
  readonly #around: CoordinatorSurroundings
  readonly #known = new Map<string, Known>()
  readonly #jobs = new Map<string, SimJob>()
  #holdings: (Holding & { probeId: string })[] = []
  /** Seats that were taken away, for their last period. */
  #ended: Seat[] = []
  #startedMs: number
  #judgeAtMs: number | null = null
  #judgeEvent = 0
  #awaitingProof = new Set<string>()
  #names = 0

  constructor(around: CoordinatorSurroundings, holders: readonly SimProbe[]) {
    this.#around = around
    this.#startedMs = around.events.nowMs - 86_400_000
    this.state = { ...initialMonitorState(around.events.nowMs), watched: true, decision: 'up', reason: 'all_well' }
    for (const probe of around.probes) {
      this.#known.set(probe.id, {
        tests: [],
        ids: new Set(),
        overdue: [],
        controls: [],
        proofMs: null,
        passedMs: Number.NEGATIVE_INFINITY,
      })
    }
    for (const [position, probe] of holders.entries()) this.#seat(probe, position, 0)
  }

  get isQuiet(): boolean {
    return isQuiet(this.state)
  }

  crash(): void {
    this.isUp = false
  }

  start(): void {
    this.isUp = true
    this.#startedMs = this.#around.events.nowMs
    const dueMs = this.#judgeAtMs
    this.#judgeAtMs = null
    if (dueMs !== null) this.#planJudgement(Math.max(dueMs, this.#startedMs))
    this.reviewSoon()
  }

  /** Healthy slots passed by: the newest test of each vantage is a good one, and nothing is left of older troubles. */
  fold(): void {
    const nowMs = this.#around.events.nowMs
    this.#jobs.clear()
    for (const known of this.#known.values()) {
      known.overdue = []
      known.controls = []
      known.tests = []
      known.ids.clear()
    }
    for (const { probeId, assignment } of this.seats) {
      const known = this.#knownOf(probeId)
      const probe = this.#probe(probeId)
      const startedMs = slotBefore(assignment, probe.clock.wallMs(nowMs)) - probe.clock.wallMs(nowMs) + nowMs
      const finished_ms = Math.min(nowMs, startedMs + 3000)
      const id = `${probeId}-healthy-${startedMs}`
      known.tests = [{ id, cause: 'slot', attempt: 1, first_test_id: null, started_ms: startedMs, finished_ms, outcome: 'ok' }]
      known.passedMs = startedMs
    }
    this.#startedMs = Math.min(this.#startedMs, nowMs - 86_400_000)
    this.judge()
  }

  ingest(probe: SimProbe, records: readonly SpoolRecord[]): void {
    const nowMs = this.#around.events.nowMs
    let marked = false
    for (const record of records) {
      if (record.kind === 'result') marked = this.#ingestResult(probe, record, nowMs) || marked
      if (record.kind === 'overdue') {
        const { test_id, started_at } = record.body
        const { overdue } = this.#knownOf(probe.id)
        if (!overdue.some((known) => known.test_id === test_id))
          overdue.push({ test_id, started_ms: started_at + probe.clock.offsetMs(nowMs), at: nowMs })
        marked = true
      }
      if (record.kind === 'control') marked = this.#ingestControl(probe, record, nowMs) || marked
    }
    if (marked) this.#planJudgement(nowMs)
  }

  /** A mail of the probe has come back since then. */
  hasPassed = (probeId: string, sinceMs: number): boolean => this.#knownOf(probeId).passedMs >= sinceMs

  /** What waits for this probe, as it opens a session. */
  jobsFor(probeId: string): SimJob[] {
    const nowMs = this.#around.events.nowMs
    return [...this.#jobs.values()].filter((job) => job.probeId === probeId && !job.sent && job.expiresMs > nowMs)
  }

  /** Looks at the assignments within the next ten seconds. */
  reviewSoon(delayMs = reviewMs): void {
    this.#around.events.after(delayMs, () => this.isUp && this.#review())
  }

  judge(): void {
    if (!this.isUp) return
    const { events, rules, onEffect, note } = this.#around
    const before = this.state
    this.judgements += 1
    const { state, effects, wake_ms, votes } = judge(before, rules, this.evidence(), events.nowMs)
    this.state = state
    this.#awaitingProof = new Set(votes.filter(({ reason }) => reason === 'awaiting_proof').map(({ probe_id }) => probe_id))
    if (state.decision !== before.decision) note(() => `decision ${state.decision} ${state.reason}`)
    for (const effect of effects) {
      if (effect.kind === 'ask') this.#giveJob(effect.probe_id, effect.cause)
      else onEffect(effect, votes)
    }
    this.#judgeAtMs = null
    if (wake_ms !== null) this.#planJudgement(wake_ms)
  }

  evidence(): Evidence {
    const nowMs = this.#around.events.nowMs
    const { probes, observing } = { probes: this.#around.probes, observing: this.#startedMs }
    const substitutes = Object.values(this.state.suspicion?.substitutes ?? {})
    const voting = probes.filter((probe) => substitutes.includes(probe.id) || this.#seatOf(probe.id) !== undefined)
    return {
      vantages: voting.map((probe) => this.#vantage(probe, nowMs)),
      pool: probes
        .filter((probe) => !voting.includes(probe) && nowMs - this.#around.lastSeenMs(probe.id) <= poolFreshMs)
        .map((probe) => ({ probe_id: probe.id, domain: probe.domain })),
      observing_since_ms: observing,
    }
  }

  #vantage(probe: SimProbe, nowMs: number): VantageEvidence {
    const seat = this.#seatOf(probe.id)
    const { tests, overdue, proofMs, controls, passedMs } = this.#knownOf(probe.id)
    const toldSinceMs = nowMs - (this.#around.rules.timeout_s + 60) * 1000
    return {
      probe_id: probe.id,
      region: probe.region,
      domain: probe.domain,
      planned: seat !== undefined,
      lost: nowMs - this.#around.lastSeenMs(probe.id) > lostMs,
      assigned_ms: seat?.assignedMs ?? nowMs,
      tests: [...tests],
      overdue: overdue.filter(({ at }) => at > toldSinceMs).map(({ test_id, started_ms }) => ({ test_id, started_ms })),
      slot_started_ms: seat === undefined ? null : slotStartedMs(seat.assignment, nowMs, probe.clock.offsetMs(nowMs)),
      proof_started_ms: proofMs,
      doubts_ms: doubtsOf(controls),
      passed_before: passedMs > nowMs - greylistMemoryMs,
    }
  }

  #ingestResult(probe: SimProbe, { body }: Extract<SpoolRecord, { kind: 'result' }>, nowMs: number): boolean {
    const known = this.#knownOf(probe.id)
    if (known.ids.has(body.id)) return false
    const holdings = this.#holdings.filter((holding) => holding.probeId === probe.id)
    const admission = admit(body, holdings, this.#jobs, nowMs)
    if ('code' in admission) {
      this.#around.note(() => `refused ${body.id} of ${probe.id}: ${admission.code}`)
      return false
    }
    known.ids.add(body.id)
    const rightMs = body.clock_offset_ms ?? 0
    const { id, cause, attempt, first_test_id, outcome } = body
    known.tests.push({
      id,
      cause,
      attempt,
      first_test_id,
      started_ms: body.started_at + rightMs,
      finished_ms: body.finished_at + rightMs,
      outcome,
    })
    known.tests.sort((a, b) => b.started_ms - a.started_ms)
    known.tests.length = Math.min(known.tests.length, testsKept)
    if (outcome === 'ok' || outcome === 'slow') known.passedMs = Math.max(known.passedMs, body.started_at)
    else if (this.#around.busy && this.#around.sideWorks(probe.id, body.finished_at + rightMs - 10_000))
      this.#prove(probe.id, body.finished_at + rightMs - 10_000)
    return !isQuiet(this.state) || outcome !== 'ok'
  }

  #ingestControl(probe: SimProbe, { body }: Extract<SpoolRecord, { kind: 'control' }>, nowMs: number): boolean {
    const { controls } = this.#knownOf(probe.id)
    const startedMs = body.started_at + probe.clock.offsetMs(nowMs)
    if (controls.some(({ id }) => id === body.id)) return false
    const returned = body.returned_at !== null
    // Mail of other monitors may come back meanwhile.
    const elsewhere = this.#around.busy && this.#around.sideWorks(probe.id, startedMs + 5000)
    controls.push({ id: body.id, reference: body.reference, startedMs, returned, elsewhere })
    if (controls.length > testsKept) controls.shift()
    return returned && this.#prove(probe.id, startedMs)
  }

  #prove(probeId: string, startedMs: number): boolean {
    const known = this.#knownOf(probeId)
    known.proofMs = Math.max(known.proofMs ?? 0, startedMs)
    return this.#awaitingProof.has(probeId)
  }

  #planJudgement(atMs: number): void {
    const { events, judgingMs } = this.#around
    if (this.#judgeAtMs !== null && this.#judgeAtMs <= atMs) return
    this.#judgeAtMs = atMs
    const event = ++this.#judgeEvent
    events.at(atMs + judgingMs(), () => {
      if (event === this.#judgeEvent) this.judge()
    })
  }

  #giveJob(probeId: string, cause: SimJob['cause']): void {
    const { events, customerId, plan, onJob } = this.#around
    const id = `job-${++this.#names}`
    const target_domain = domainOf(plan.target.address)
    const job = {
      id,
      customer_id: customerId,
      monitor_id: plan.monitor_id,
      target_domain,
      probeId,
      cause,
      expiresMs: events.nowMs + jobStartMsMax,
      sent: false,
    }
    this.#jobs.set(id, job)
    this.#around.note(() => `asks ${probeId} (${cause})`)
    onJob(job)
  }

  /** As coordinator/flow/assign.ts: lost holders are replaced, the successor starts before the predecessor ends. */
  #review(): void {
    const { events, probes, rules, plan, epochMs } = this.#around
    const nowMs = events.nowMs
    const candidates = probes.map((probe) => ({
      probe_id: probe.id,
      domain: probe.domain,
      healthy: nowMs - this.#around.lastSeenMs(probe.id) < lostMs,
    }))
    const holders = this.seats.map(({ probeId, position }) => ({ probe_id: probeId, position }))
    const isThere = (probeId: string) => candidates.some(({ probe_id, healthy }) => probe_id === probeId && healthy)
    const isLost = this.seats.some(({ probeId }) => !isThere(probeId))
    if (!isLost || !candidates.some(({ probe_id, healthy }) => healthy && this.#seatOf(probe_id) === undefined)) return
    for (const { probe_id, position } of fillPositions(plan.monitor_id, rules.vantages, holders, candidates)) {
      const held = this.#seatOf(probe_id)
      if (held?.position === position) continue
      const rate = { epoch_ms: epochMs, period_s: rules.period_s, phase_ms: phaseMs(rules.period_s, position, rules.vantages) }
      const predecessor = this.seats.find((seat) => seat.position === position)
      for (const leaving of [predecessor, held]) if (leaving !== undefined) this.#unseat(leaving, nowMs)
      this.#seat(this.#probe(probe_id), position, Math.max(0, firstSlotFrom(rate, nowMs)))
    }
  }

  #seat(probe: SimProbe, position: number, first_slot: number): void {
    const { plan, rules, epochMs, events, customerId } = this.#around
    const phase_ms = phaseMs(rules.period_s, position, rules.vantages)
    const id = this.#around.assignmentId(probe.id, ++this.#names)
    const assignment: Assignment = { id, generation: 1, epoch_ms: epochMs, phase_ms, first_slot, last_slot: null, plan }
    this.seats.push({ probeId: probe.id, position, assignment, assignedMs: events.nowMs })
    const { period_s } = rules
    const target_domain = domainOf(plan.target.address)
    this.#holdings.push({
      probeId: probe.id,
      customer_id: customerId,
      monitor_id: plan.monitor_id,
      target_domain,
      generation: 1,
      epoch_ms: epochMs,
      period_s,
      phase_ms,
      first_slot,
      last_slot: null,
    })
    this.#around.note(() => `position ${position} to ${probe.id} from slot ${first_slot}`)
    this.#around.onOrders(probe)
  }

  #unseat(seat: Seat, nowMs: number): void {
    const { rules } = this.#around
    this.seats = this.seats.filter((other) => other !== seat)
    const { assignment } = seat
    const rate = { epoch_ms: assignment.epoch_ms, period_s: rules.period_s, phase_ms: assignment.phase_ms }
    const last_slot = firstSlotFrom(rate, nowMs + rules.period_s * 1000)
    this.#holdings = this.#holdings.map((holding) =>
      holding.probeId === seat.probeId && holding.phase_ms === assignment.phase_ms && holding.last_slot === null
        ? { ...holding, last_slot }
        : holding,
    )
    this.#ended = [...this.#ended.slice(-5), { ...seat, assignment: { ...assignment, last_slot } }]
    this.#around.onOrders(this.#probe(seat.probeId))
  }

  /** The standing orders of a probe: what it holds, and what it held and has not yet ended. */
  ordersOf(probeId: string): Assignment[] {
    const standing = this.seats.filter((seat) => seat.probeId === probeId).map(({ assignment }) => assignment)
    return [...standing, ...this.#ended.filter((seat) => seat.probeId === probeId).map(({ assignment }) => assignment)]
  }

  #seatOf = (probeId: string): Seat | undefined => this.seats.find((seat) => seat.probeId === probeId)

  #knownOf(probeId: string): Known {
    const known = this.#known.get(probeId)
    if (known === undefined) throw new RangeError(`Nothing is known of ${probeId}`)
    return known
  }

  #probe(probeId: string): SimProbe {
    const probe = this.#around.probes.find(({ id }) => id === probeId)
    if (probe === undefined) throw new RangeError(`There is no probe ${probeId}`)
    return probe
  }
}

const rateOf = ({ epoch_ms, phase_ms, plan }: Assignment) => ({ epoch_ms, phase_ms, period_s: plan.period_s })
const slotStart = (assignment: Assignment, slot: number): number => slotStartMs(rateOf(assignment), slot)

/**
 * A lost trip to one reference is answered for by a return from elsewhere, asked at once: one trip lasts a minute at most. But where the
 * same reference returns again, it was not the one out of order.
 */
const besideMs = 65_000
function doubtsOf(controls: Known['controls']): number[] {
  const isReferenceToBlame = ({ reference, startedMs, elsewhere }: Known['controls'][number]) => {
    if (controls.some((other) => other.returned && other.reference === reference && other.startedMs > startedMs)) return false
    const isBeside = (other: Known['controls'][number]) => other.startedMs >= startedMs && other.startedMs <= startedMs + besideMs
    return elsewhere || controls.some((other) => other.returned && other.reference !== reference && isBeside(other))
  }
  return controls.flatMap((trip) => (trip.returned || isReferenceToBlame(trip) ? [] : [trip.startedMs]))
}

/** The start of the last slot at `atMs` or before. */
export const slotBefore = (assignment: Assignment, atMs: number): number =>
  slotStart(assignment, firstSlotFrom(rateOf(assignment), atMs + 1) - 1)

/** The probe starts its slots by its own wall clock, which lacks `offsetMs`; null before its first slot. */
function slotStartedMs(assignment: Assignment, nowMs: number, offsetMs: number): number | null {
  const wallMs = nowMs - offsetMs
  return wallMs < slotStart(assignment, assignment.first_slot) ? null : slotBefore(assignment, wallMs) + offsetMs
}
