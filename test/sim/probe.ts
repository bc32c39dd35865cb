/**
 * A simulated probe: the timetable, the round trip, the re-tests and the control turns of the product, on clocks, a disk and a network
 * of the simulator. A crash forgets everything but the journal and the spool.
 */
import type { Assignment, Job, Reference } from '../../common/wire/test.ts'
import { ControlTurns } from '../../probe/control.ts'
import { isStale } from '../../probe/retest.ts'
import { begin, type Instant, nextWakeAt, type RoundTrip, step, type TripEffect, type TripEvent } from '../../probe/round-trip.ts'
import { Sequences } from '../../probe/sequences.ts'
import { Timetable } from '../../probe/timetable.ts'
import {
  controlTripOf,
  courseOf,
  jobOrder,
  overdueOf,
  resultOf,
  sequenceOrder,
  slotOrder,
  type TripOrder,
} from '../../probe/trip.ts'
import type { Events } from './events.ts'
import { MemoryJournal, type SpoolRecord } from './journal.ts'
import { MachineClock } from './machine-clock.ts'
import { type Carried, type MailWorld, queueRetryMs } from './mail.ts'
import type { ProbeSetting } from './setting.ts'

export type ProbeSurroundings = {
  events: Events
  mail: MailWorld
  references: readonly Reference[]
  /** Whether it gets out, and whether mail gets in, at this moment. */
  uplinkWorks: (probeId: string) => boolean
  inboxWorks: (probeId: string) => boolean
  /** The mail world fails this mail. */
  onMailFault: (testId: string) => void
  /** Something new is in the spool. */
  onRecord: (probe: SimProbe) => void
  note: (line: () => string) => void
}

/** What a process holds in memory. */
type Process = {
  timetable: Timetable
  sequences: Sequences
  controls: ControlTurns
  trips: Map<string, { order: TripOrder; state: RoundTrip }>
}

const mailWaitsMsMax = 86_400_000
/** As probe/machinery.ts: nobody sleeps longer before looking at the wall clock again. */
const sleepMsMax = 10_000

export class SimProbe {
  readonly id: string
  readonly region: string
  readonly domain: ProbeSetting['domain']
  readonly clock: MachineClock
  readonly spool: SpoolRecord[] = []
  assignments: readonly Assignment[] = []
  readonly #around: ProbeSurroundings
  readonly #journal: MemoryJournal
  #process: Process | null = null
  #wake = 0
  #ids = 0
  #boots = 1

  constructor({ id, domain, clock }: ProbeSetting, around: ProbeSurroundings) {
    this.id = id
    this.region = domain.region
    this.domain = domain
    this.clock = new MachineClock(clock, around.events.nowMs - 1_000_000)
    this.#journal = new MemoryJournal('boot-1')
    this.#around = around
    this.start()
  }

  get isUp(): boolean {
    return this.#process !== null
  }

  /** Nothing is under way and nothing waits. */
  get isIdle(): boolean {
    return this.#process === null
      ? false
      : this.#process.trips.size === 0 && this.#process.sequences.size === 0 && this.spool.length === 0
  }

  start(): void {
    const process = {
      timetable: new Timetable(),
      sequences: new Sequences(this.#journal),
      controls: new ControlTurns(),
      trips: new Map<string, { order: TripOrder; state: RoundTrip }>(),
    }
    this.#process = process
    process.controls.setReferences(this.#around.references)
    process.sequences.load(this.#journal.bootId, this.#now())
    for (const { order, state, bootId } of this.#journal.underWay()) {
      process.trips.set(order.id, { order, state })
      this.#dispatch(order.id, { kind: 'resume', sameBoot: bootId === this.#journal.bootId })
    }
    this.takeOrders(this.assignments)
  }

  crash(reboot: boolean): void {
    this.#process = null
    if (reboot) this.#journal.bootId = `boot-${++this.#boots}`
  }

  takeOrders(assignments: readonly Assignment[]): void {
    this.assignments = assignments
    this.#process?.timetable.replace(assignments, this.#wallMs())
    this.#work()
  }

  startJob(job: Job): void {
    if (this.#process !== null) this.#begin(jobOrder(this.#newId(), job))
  }

  /** Passes over slots that somebody else answers for; returns the start of the last before now, in true time, by assignment. */
  passOver(): void {
    this.#process?.timetable.due(this.#wallMs())
    this.#sleep()
  }

  jumpClock(byMs: number | null): void {
    const nowMs = this.#around.events.nowMs
    if (byMs === null) this.clock.mend(nowMs)
    else this.clock.jump(nowMs, byMs)
    this.#around.events.after(sleepMsMax / 2, () => this.#work())
  }

  #work(): void {
    const process = this.#process
    if (process === null) return
    const { wallMs, monotonicMs } = this.#now()
    for (const { assignment, slot, slotAtMs } of process.timetable.due(wallMs)) {
      this.#begin(slotOrder(this.#newId(), assignment, slot, slotAtMs))
    }
    this.#startRetests(process)
    for (const [id, { state }] of process.trips) {
      const wakeAt = nextWakeAt(state)
      if (wakeAt !== null && wakeAt <= monotonicMs) this.#dispatch(id, { kind: 'timer' })
    }
    for (let turn = process.controls.next(monotonicMs); turn !== undefined; turn = process.controls.next(monotonicMs)) {
      const { timeoutMs } = turn
      const orders = turn.references.map((reference) => ({ kind: 'control', id: this.#newId(), reference, timeoutMs }) as const)
      process.controls.started(
        orders.map(({ id }) => id),
        turn,
        monotonicMs,
      )
      for (const order of orders) this.#begin(order)
    }
    this.#sleep()
  }

  #startRetests({ sequences, timetable }: Process): void {
    const now = this.#now()
    for (const sequence of sequences.takeDue(now.monotonicMs)) {
      const holder = timetable.holderOf(sequence.monitorId, now.wallMs)
      if (holder === undefined || isStale(sequence, holder.plan, now)) sequences.drop(sequence)
      else {
        sequences.testBegun(sequence, holder.plan, now)()
        this.#begin(sequenceOrder(this.#newId(), holder, sequence))
      }
    }
  }

  #begin(order: TripOrder): void {
    const first = begin(courseOf(order), this.#now())
    if (!this.#journal.begin({ order, state: first.state })) return
    this.#process?.trips.set(order.id, { order, state: first.state })
    this.#around.note(() => `${this.id} begins ${order.kind === 'control' ? 'control' : order.cause} ${order.id}`)
    this.#perform(order, first.effects)
    this.#sleep()
  }

  #dispatch(id: string, event: TripEvent): void {
    const process = this.#process
    const trip = process?.trips.get(id)
    if (process === null || trip === undefined) return
    const next = step(trip.state, event, this.#now())
    trip.state = next.state
    const { order } = trip
    if (order.kind === 'test' && next.effects.some(({ kind }) => kind === 'report_overdue')) {
      this.#put({ kind: 'overdue', body: overdueOf(order, next.state, this.#wallMs()) })
    }
    if (next.state.phase === 'over') this.#ended(process, order, next.state)
    else this.#journal.save(id, next.state)
    this.#perform(order, next.effects)
    this.#sleep()
  }

  #ended({ trips, sequences, controls }: Process, order: TripOrder, state: RoundTrip): void {
    trips.delete(order.id)
    this.#journal.end(order.id, state.back !== null)
    this.#around.note(() => `${this.id} ends ${order.id} ${state.ending?.outcome}`)
    if (order.kind === 'control') {
      this.#put({ kind: 'control', body: controlTripOf(order, state, this.#journal.bootId) })
      controls.ended(order.id, state.back !== null)
    } else {
      this.#put({
        kind: 'result',
        body: resultOf(order, state, this.clock.reading(this.#around.events.nowMs), this.#journal.bootId),
      })
      const { id, cause, attempt, plan } = order
      const { ending, startedAt } = state
      if (ending !== null) sequences.testEnded({ id, monitorId: plan.monitor_id, cause, attempt, startedAt, ending }, plan)()
    }
  }

  #perform(order: TripOrder, effects: readonly TripEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.#send(order, effect.attempt, effect.budgetMs)
      if (effect.kind === 'control_trip') this.#process?.controls.request(effect.sinceMs, courseOf(order).timeoutMs)
    }
  }

  #send(order: TripOrder, attempt: number, budgetMs: number): void {
    const { events, mail, uplinkWorks } = this.#around
    const reaches = uplinkWorks(this.id)
    const carried: Carried =
      order.kind === 'control'
        ? mail.toReference(events.nowMs, budgetMs, reaches)
        : mail.toCustomer(this, events.nowMs, budgetMs, reaches)
    if (carried.fault) this.#around.onMailFault(order.id)
    const startedAt = this.#now()
    const process = this.#process
    events.at(carried.endsMs, () => {
      // A dialogue dies with the process that led it.
      if (this.#process !== process) return
      const { failure } = carried
      if (failure !== null) this.#dispatch(order.id, { kind: 'failed', attempt, failure })
      else this.#dispatch(order.id, { kind: 'sent', attempt, sent: { startedAt, at: this.#now(), stages: [], detail: {} } })
    })
    for (const { atMs, kind } of carried.back) events.at(atMs, () => this.#arrive(order, kind, atMs))
  }

  /** Mail that cannot be delivered waits outside, and is tried again, for a day. */
  #arrive(order: TripOrder, kind: 'returned' | 'echo' | 'bounce', sinceMs: number): void {
    const { events, uplinkWorks, inboxWorks } = this.#around
    if (this.#process === null || !uplinkWorks(this.id) || !inboxWorks(this.id)) {
      if (events.nowMs - sinceMs < mailWaitsMsMax) events.after(queueRetryMs, () => this.#arrive(order, kind, sinceMs))
      return
    }
    if (this.#process.trips.has(order.id)) {
      const back = { at: this.#now(), stampAtMs: kind === 'returned' ? this.#wallMs() : null, detail: {} }
      this.#dispatch(order.id, kind === 'bounce' ? { kind, blocked: false, detail: {} } : { kind, back })
      return
    }
    const past = this.#journal.past(order.id)
    if (past === undefined || past.returned || kind !== 'returned') return
    this.#journal.markReturned(order.id)
    if (order.kind === 'test') this.#put({ kind: 'late', body: { id: order.id } })
  }

  #put(record: SpoolRecord): void {
    this.spool.push(record)
    this.#around.onRecord(this)
  }

  /** One timer for all; a later call makes an earlier one void. */
  #sleep(): void {
    const process = this.#process
    if (process === null) return
    const wakes = [process.sequences.nextWakeAt(), process.controls.nextWakeAt()]
    for (const { state } of process.trips.values()) wakes.push(nextWakeAt(state))
    const slotAtMs = process.timetable.nextWakeAt()
    const times = wakes.filter((wake) => wake !== null).map((wake) => this.clock.trueOfMonotonic(wake))
    if (slotAtMs !== null) times.push(this.clock.trueOfWall(slotAtMs))
    const wake = ++this.#wake
    if (times.length === 0) return
    // A fraction later, so that no rounding finds the time not quite come.
    this.#around.events.at(Math.min(...times) + 0.01, () => {
      if (wake === this.#wake && process === this.#process) this.#work()
    })
  }

  #newId = (): string => `${this.id}-${++this.#ids}`
  #wallMs = (): number => this.clock.wallMs(this.#around.events.nowMs)
  #now = (): Instant => ({ wallMs: this.#wallMs(), monotonicMs: this.clock.monotonicMs(this.#around.events.nowMs) })
}
