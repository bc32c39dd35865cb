/**
 * A simulated probe: the timetable, the trips, the re-tests and the control turns of the product, on clocks, a disk and a network
 * of the simulator. A crash forgets everything but the disk, and may come between any two statements of what it writes down and does.
 */

import type { Logger } from '../../common/log.ts'
import type { Assignment, Job, Reference } from '../../common/wire/test.ts'
import { ControlTurns } from '../../probe/control.ts'
import { isStale } from '../../probe/retest.ts'
import type { Instant } from '../../probe/round-trip.ts'
import type { SendingOutcome } from '../../probe/send.ts'
import { Sequences } from '../../probe/sequences.ts'
import { Timetable } from '../../probe/timetable.ts'
import { jobOrder, sequenceOrder, slotOrder, type Trip, type TripOrder, tokenWindow } from '../../probe/trip.ts'
import { Trips } from '../../probe/trips.ts'
import { atEvent, type Events } from './events.ts'
import { MemoryDisk, openDisk, type SpoolRecord } from './journal.ts'
import { type CrashPoint, Life } from './life.ts'
import { MachineClock } from './machine-clock.ts'
import { type Carried, type CustomerMail, type Homecoming, type MailWorld, queueRetryMs } from './mail.ts'
import { type Receiver, receive } from './receive.ts'
import type { ProbeSetting } from './setting.ts'

export type ProbeSurroundings = {
  events: Events
  mail: MailWorld
  references: readonly Reference[]
  /** Whether it gets out, and whether mail gets in, at this moment. */
  uplinkWorks: (probeId: string) => boolean
  inboxWorks: (probeId: string) => boolean
  inboxLoses: (probeId: string) => boolean
  /** Whether its process dies here; it has been crashed by then. */
  dies: (probe: SimProbe, point: CrashPoint) => boolean
  onBegin: (id: string) => void
  /** A mail of its leaves the machine. */
  onMail: (probeId: string, order: TripOrder) => void
  /** The mail world fails this mail. */
  onMailFault: (testId: string) => void
  /** Something new is in the spool. */
  onRecord: (probe: SimProbe) => void
  note: (line: () => string) => void
}

/** What a process holds in memory, and the disk as it sees it. */
type Process = Receiver & {
  life: Life
  timetable: Timetable
  sequences: Sequences
  controls: ControlTurns
}

const mailWaitsMsMax = 86_400_000
/** As probe/machinery.ts: nobody sleeps longer before looking at the wall clock again. */
const sleepMsMax = 10_000

export class SimProbe {
  readonly id: string
  readonly region: string
  readonly domain: ProbeSetting['domain']
  readonly clock: MachineClock
  readonly disk = new MemoryDisk('boot-1')
  assignments: readonly Assignment[] = []
  readonly #around: ProbeSurroundings
  #process: Process | null = null
  #wake = 0
  #ids = 0
  #boots = 1

  constructor({ id, domain, clock }: ProbeSetting, around: ProbeSurroundings) {
    this.id = id
    this.region = domain.region
    this.domain = domain
    this.clock = new MachineClock(clock, around.events.nowMs - 1_000_000)
    this.#around = around
    this.start()
  }

  get uptimeMs(): number {
    return this.#now().monotonicMs
  }

  get isUp(): boolean {
    return this.#process !== null
  }

  get spool(): readonly SpoolRecord[] {
    return this.disk.spool
  }

  /** Nothing is under way and nothing waits. */
  get isIdle(): boolean {
    if (this.#process === null) return false
    return this.disk.tripsUnderWay === 0 && this.#process.sequences.size === 0 && this.spool.length === 0
  }

  /** As probe/machinery.ts: takes up what the disk holds. */
  start(): void {
    const process = this.#newProcess()
    this.#process = process
    process.life.live(() => {
      process.controls.setReferences(this.#around.references)
      process.sequences.load(this.disk.bootId, this.#now())
      process.trips.resume()
      this.takeOrders(this.assignments)
    })
  }

  crash(reboot: boolean): void {
    this.#process?.life.end()
    this.#process = null
    if (reboot) this.disk.bootId = `boot-${++this.#boots}`
  }

  takeOrders(assignments: readonly Assignment[]): void {
    this.assignments = assignments
    this.#process?.timetable.replace(assignments, this.#wallMs())
    this.#work()
  }

  /** Noted as taken before it is begun: whoever dies in between never runs it (probe/jobs.ts). One that came too late is told of and not run. */
  startJob(job: Job, tooLate = false): void {
    const process = this.#process
    process?.life.live(() => {
      process.life.pass('job taken')
      this.#begin(process, jobOrder(this.#newId(), job), tooLate ? { refusal: 'too late' } : {})
    })
  }

  /** The coordinator has acknowledged these. */
  settle(records: readonly SpoolRecord[]): void {
    const life = this.#process?.life
    life?.live(() => {
      life.pass('acknowledged')
      this.disk.settle(records)
      life.pass('settled')
    })
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

  #newProcess(): Process {
    const { events } = this.#around
    const life = new Life((point) => this.#around.dies(this, point))
    const opened = openDisk(this.disk, life)
    const sequences = new Sequences(opened.journal)
    const controls = new ControlTurns()
    const unexpected = (_: object, message: string): void => {
      if (!life.isOver) throw new Error(`${this.id}: ${message}`)
    }
    const recorded = (): void => {
      life.pass('recorded')
      this.#around.onRecord(this)
    }
    const trips = new Trips({
      ...opened,
      runtime: {
        bootId: this.disk.bootId,
        wallMs: this.#wallMs,
        monotonicMs: () => this.#now().monotonicMs,
        // The trips set timers only where the disk refuses to write, as it does to whoever is dead.
        setTimer: () => () => {},
      },
      courier: { send: (order, startedAt, { budgetMs }) => this.#send(life, order, startedAt, budgetMs) },
      clock: () => this.clock.reading(events.nowMs),
      onEnd: (trip) => this.#ended({ sequences, controls }, trip),
      onControlWanted: (sinceMs, timeoutMs) => controls.request(sinceMs, timeoutMs),
      onRecord: recorded,
      onChange: () => this.#sleep(),
      logger: { error: unexpected } as unknown as Logger,
    })
    return { ...opened, life, recorded, timetable: new Timetable(), sequences, controls, trips }
  }

  #work(): void {
    const process = this.#process
    process?.life.live(() => {
      const { wallMs, monotonicMs } = this.#now()
      for (const { assignment, slot, slotAtMs } of process.timetable.due(wallMs)) {
        this.#begin(process, slotOrder(this.#newId(), assignment, slot, slotAtMs))
      }
      this.#startRetests(process)
      process.trips.wake(monotonicMs)
      this.#startControlTrips(process)
      this.#sleep()
    })
  }

  #startRetests(process: Process): void {
    const { sequences, timetable } = process
    const now = this.#now()
    for (const sequence of sequences.takeDue(now.monotonicMs)) {
      const holder = timetable.holderOf(sequence.monitorId, now.wallMs)
      if (holder === undefined || isStale(sequence, holder.plan, now)) sequences.drop(sequence)
      else {
        const alongside = () => sequences.testBegun(sequence, holder.plan, now)
        this.#begin(process, sequenceOrder(this.#newId(), holder, sequence), { alongside })
      }
    }
  }

  #startControlTrips(process: Process): void {
    const { controls } = process
    const { monotonicMs } = this.#now()
    for (let turn = controls.next(monotonicMs); turn !== undefined; turn = controls.next(monotonicMs)) {
      const { timeoutMs } = turn
      const orders = turn.references.map((reference) => ({ kind: 'control', id: this.#newId(), reference, timeoutMs }) as const)
      controls.started(
        orders.map(({ id }) => id),
        turn,
        monotonicMs,
      )
      for (const order of orders) this.#begin(process, order)
    }
  }

  #begin({ trips }: Process, order: TripOrder, options: Parameters<Trips['begin']>[1] = {}): void {
    this.#around.note(() => `${this.id} begins ${order.kind === 'test' ? order.cause : order.kind} ${order.id}`)
    this.#around.onBegin(order.id)
    const began = trips.begin(order, options)
    if (!began) this.#around.note(() => `${this.id} had taken the slot of ${order.id}`)
  }

  #ended({ sequences, controls }: Pick<Process, 'sequences' | 'controls'>, { order, state }: Trip): () => void {
    const { ending, startedAt } = state
    this.#around.note(() => `${this.id} ends ${order.id} ${ending?.outcome}`)
    if (order.kind === 'control') return () => controls.ended(order.id, state.back !== null)
    if (ending === null || order.kind === 'route') return () => {}
    const { id, cause, attempt, plan } = order
    return sequences.testEnded({ id, monitorId: plan.monitor_id, cause, attempt, startedAt, ending }, plan)
  }

  /** A dialogue dies with the process that led it; the mail that it handed over goes its way. */
  #send(life: Life, order: TripOrder, begunAt: Instant, budgetMs: number): PromiseLike<SendingOutcome> {
    const { events, mail, uplinkWorks } = this.#around
    this.#around.onMail(this.id, order)
    const reaches = uplinkWorks(this.id)
    const carried: Carried =
      order.kind === 'control'
        ? mail.toReference(events.nowMs, budgetMs, reaches)
        : mail.toCustomer(this.#mailOf(order, begunAt), events.nowMs, budgetMs, reaches)
    if (carried.fault) this.#around.onMailFault(order.id)
    for (const home of carried.back) events.at(home.atMs, () => this.#arrive(order, home))
    life.pass('sent')
    const startedAt = this.#now()
    const outcome = (): SendingOutcome =>
      carried.failure === null
        ? { kind: 'sent', sent: { startedAt, at: this.#now(), stages: [], detail: {} } }
        : { kind: 'failed', failure: carried.failure }
    return atEvent((done) => events.at(carried.endsMs, () => life.isOver || done(outcome())))
  }

  /** Mail that cannot be delivered, or of which the probe died, waits outside and is tried again, for a day. */
  #arrive(order: TripOrder, home: Homecoming): void {
    const { events, uplinkWorks, inboxWorks, inboxLoses } = this.#around
    if (inboxLoses(this.id)) return
    const process = this.#process
    const taken =
      process !== null &&
      uplinkWorks(this.id) &&
      inboxWorks(this.id) &&
      process.life.live(() => receive(process, order.id, home, this.#now()))
    if (taken || events.nowMs - home.atMs >= mailWaitsMsMax) return
    events.after(queueRetryMs, () => this.#arrive(order, home))
  }

  /** One timer for all; a later call makes an earlier one void. */
  #sleep(): void {
    const process = this.#process
    if (process === null) return
    const wakes = [process.trips.nextWakeAt(), process.sequences.nextWakeAt(), process.controls.nextWakeAt()]
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

  #mailOf = (order: TripOrder, startedAt: Instant): CustomerMail => ({
    ...{ tid: order.id, probeId: this.id, region: this.region },
    window: tokenWindow(order, startedAt),
  })
  #newId = (): string => `${this.id}-${++this.#ids}`
  #wallMs = (): number => this.clock.wallMs(this.#around.events.nowMs)
  #now = (): Instant => ({ wallMs: this.#wallMs(), monotonicMs: this.clock.monotonicMs(this.#around.events.nowMs) })
}
