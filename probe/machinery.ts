/**
 * The probe's work, put together:
 *
 *   orders ─► timetable ─┐
 *   jobs, surveys ───────┼─► trips ─► courier ─► the mail world ─► inbox ─► receive ─► trips ─► spool
 *   re-tests, control ───┘
 *
 * One timer wakes all of it. What decides is pure and lives in `timetable`, `round-trip`, `retest` and `control`; what must not be
 * forgotten lives in the journal.
 */
import { hourMs } from '../common/durations.ts'
import { errorMessage } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { type Runtime, uuidv7 } from '../common/runtime.ts'
import type { Health, Job } from '../common/wire/test.ts'
import type { Orders } from './assignments.ts'
import { type Clock, createClock } from './clock.ts'
import type { ProbeConfig } from './config.ts'
import { ControlTurns } from './control.ts'
import type { Identity } from './identity.ts'
import type { OnMail } from './inbox.ts'
import { createJournal, type Journal } from './journal.ts'
import { createMatcher, type MailFate } from './match.ts'
import { waysOut } from './outward.ts'
import { isStale } from './retest.ts'
import { type Instant, isFailing } from './round-trip.ts'
import { testRoutes } from './route-tests.ts'
import type { Courier } from './send.ts'
import { Sequences } from './sequences.ts'
import type { Spool } from './spool.ts'
import type { Store } from './store.ts'
import type { Survey } from './survey.ts'
import { Timetable } from './timetable.ts'
import { jobOrder, sequenceOrder, slotOrder, type TestOrder, type Trip } from './trip.ts'
import { Trips } from './trips.ts'

export type MachineryOptions = {
  runtime: Runtime
  config: Pick<ProbeConfig, 'dnsServers' | 'ntpServers' | 'allowTargets'>
  identity: Pick<Identity, 'probeId' | 'keyPair' | 'returnAddress' | 'rootX' | 'certificate'>
  store: Store
  spool: Pick<Spool, 'put'>
  orders: Orders
  logger: Logger
  /** Who carries the mails; by default SMTP to the mail servers of the target. */
  courier?: Courier
  /** Which routes a target has; by default as DNS and this machine say. */
  survey?: Survey
  /** Tests under way at once; beyond that they are reported as not run. */
  testsMax?: number
}

export type MachineryCounts = { started: number; refused: number; mails: Readonly<Partial<Record<MailFate, number>>> }

/** A probe of 10,000 monitors has about 30 under way; this many only where most of them are lost at once. */
const testsMaxDefault = 2000
/** Of routes at most a quarter as many. */
const routeTestsShare = 4
/** The wall clock may be set at any time: nobody sleeps longer than this before looking at it again. */
const sleepMsMax = 10_000
/** A store that refuses to write is asked again after this time. */
const storeRetryMs = 1000
/** How long a stop waits for dialogues, so that it need not cut a mail off in the middle. */
const stopMsMax = 5000

export class Machinery {
  readonly #options: MachineryOptions
  readonly #testRoutes: (job: Job) => void
  readonly #journal: Journal
  readonly #timetable = new Timetable()
  readonly #sequences: Sequences
  readonly #controls = new ControlTurns()
  readonly #clock: Clock
  readonly #trips: Trips
  readonly #matcher: OnMail
  readonly #listeners = new Set<() => void>()
  readonly #counts = { started: 0, refused: 0, mails: {} as Partial<Record<MailFate, number>> }
  #cancelWake = (): void => {}
  #endSubscription = (): void => {}
  #prunedAtMs = Number.NEGATIVE_INFINITY
  readonly #started = Promise.withResolvers<void>()
  #running = false

  constructor(options: MachineryOptions) {
    const { runtime, config, identity, store, spool, logger } = options
    const { courier, survey } = { ...waysOut(options), ...options }
    this.#options = options
    this.#journal = createJournal({ store, bootId: runtime.bootId })
    this.#sequences = new Sequences(this.#journal)
    this.#clock = createClock({ runtime, servers: config.ntpServers, logger })
    this.#trips = new Trips({
      runtime,
      store,
      journal: this.#journal,
      spool,
      courier,
      clock: () => this.#clock.reading(),
      onEnd: (trip) => this.#ended(trip),
      onControlWanted: (sinceMs, testTimeoutMs) => this.#controls.request(sinceMs, testTimeoutMs),
      onRecord: () => this.#recorded(),
      onChange: () => this.#sleep(),
      logger,
    })
    const routes = { survey, trips: this.#trips, newId: () => this.#newId(), isRunning: () => this.#running, logger }
    const routeTestsMax = (options.testsMax ?? testsMaxDefault) / routeTestsShare
    this.#testRoutes = (job) => void testRoutes({ ...routes, routeTestsMax }, job)
    this.#matcher = createMatcher({
      runtime,
      store,
      journal: this.#journal,
      spool,
      trips: this.#trips,
      trusted: { rootX: identity.rootX, probeX: identity.keyPair.x },
      onFate: (fate) => {
        this.#counts.mails[fate] = (this.#counts.mails[fate] ?? 0) + 1
      },
      onRecord: () => this.#recorded(),
      logger,
    })
  }

  /** Takes up what the journal holds and begins to work. The inbox should be open by now. */
  start(): void {
    const { runtime, orders } = this.#options
    this.#running = true
    this.#sequences.load(runtime.bootId, this.#now())
    this.#trips.resume()
    this.#started.resolve()
    this.#endSubscription = orders.onChange(() => this.#takeOrders())
    this.#takeOrders()
    this.#clock.start()
  }

  /** Begins nothing more and lets open dialogues end; what is under way resumes from the journal after the next start. */
  async stop(): Promise<void> {
    this.#running = false
    this.#endSubscription()
    this.#cancelWake()
    this.#clock.stop()
    await this.#trips.stop(stopMsMax)
  }

  /** Runs a job at once. One that came too late is reported as not run. */
  startJob(job: Job, startBeforeMs = Number.POSITIVE_INFINITY): void {
    const { runtime } = this.#options
    const tooLate = runtime.wallMs() >= startBeforeMs ? 'The job arrived after the time by which it had to start.' : undefined
    if (job.cause !== 'routes') this.#tryToBegin(jobOrder(uuidv7(runtime), job), tooLate)
    // A survey that came too late is one that was not made: the next is due in an hour.
    else if (tooLate === undefined) this.#testRoutes(job)
  }

  /** Takes a mail from the inbox; one that comes before the start waits for it. Rejects where it could not be recorded. */
  readonly receive: OnMail = async (mail) => {
    await this.#started.promise
    return await this.#matcher(mail)
  }

  /** Calls back whenever something new is in the spool; the returned function ends that. */
  onRecord(callback: () => void): () => void {
    this.#listeners.add(callback)
    return () => this.#listeners.delete(callback)
  }

  health(): Pick<Health, 'tests_running' | 'clock_offset_ms' | 'clock_error_ms'> {
    const reading = this.#clock.reading()
    return {
      tests_running: this.#trips.running('test'),
      clock_offset_ms: reading?.offsetMs ?? null,
      clock_error_ms: reading?.errorMs ?? null,
    }
  }

  counts(): MachineryCounts & { missedSlots: number; lateSlots: number; pendingRetests: number } {
    const { missed: missedSlots, late: lateSlots } = this.#timetable
    return { ...this.#counts, missedSlots, lateSlots, pendingRetests: this.#sequences.size }
  }

  #takeOrders(): void {
    const { assignments, references } = this.#options.orders.current()
    this.#timetable.replace(assignments, this.#options.runtime.wallMs())
    this.#controls.setReferences(references)
    this.#work()
  }

  /** Everything whose time has come, then to sleep until the next. */
  #work(): void {
    if (!this.#running) return
    const { wallMs, monotonicMs } = this.#now()
    for (const { assignment, slot, slotAtMs } of this.#timetable.due(wallMs)) {
      this.#tryToBegin(slotOrder(this.#newId(), assignment, slot, slotAtMs))
    }
    this.#startRetests()
    this.#trips.wake(monotonicMs)
    this.#startControlTrips()
    this.#prune()
    this.#sleep()
  }

  #startRetests(): void {
    const now = this.#now()
    for (const sequence of this.#sequences.takeDue(now.monotonicMs)) {
      const holder = this.#timetable.holderOf(sequence.monitorId, now.wallMs)
      try {
        // A monitor that was taken away from this probe, or a silence so long that the slots have taken over.
        if (holder === undefined || isStale(sequence, holder.plan, now)) this.#sequences.drop(sequence)
        else {
          const alongside = () => this.#sequences.testBegun(sequence, holder.plan, now)
          this.#begin(sequenceOrder(this.#newId(), holder, sequence), { alongside })
        }
      } catch (error) {
        this.#unwritten(error)
        this.#sequences.putBack(sequence, now.monotonicMs + storeRetryMs)
      }
    }
  }

  #startControlTrips(): void {
    const { monotonicMs } = this.#now()
    for (let turn = this.#controls.next(monotonicMs); turn !== undefined; turn = this.#controls.next(monotonicMs)) {
      const { timeoutMs } = turn
      const orders = turn.references.map((reference) => ({ kind: 'control', id: this.#newId(), reference, timeoutMs }) as const)
      this.#controls.started(
        orders.map(({ id }) => id),
        turn,
        monotonicMs,
      )
      for (const order of orders) {
        try {
          this.#trips.begin(order)
        } catch (error) {
          this.#unwritten(error)
          this.#controls.ended(order.id, false)
        }
      }
    }
  }

  /** What cannot be written down is not run: its slot has passed before the disk is mended. */
  #tryToBegin(order: TestOrder, refusal?: string): void {
    try {
      this.#begin(order, { refusal })
    } catch (error) {
      this.#unwritten(error)
    }
  }

  /** Throws what the store throws. */
  #begin(order: TestOrder, options: { refusal?: string | undefined; alongside?: () => () => void } = {}): void {
    if (!this.#running) return
    const testsMax = this.#options.testsMax ?? testsMaxDefault
    const full = this.#trips.running('test') >= testsMax ? `${testsMax} tests are under way at this probe already.` : undefined
    const refusal = options.refusal ?? full
    if (!this.#trips.begin(order, { ...options, refusal })) return
    if (refusal === undefined) this.#counts.started += 1
    else this.#counts.refused += 1
  }

  #ended({ order, state }: Trip): () => void {
    const { ending, startedAt } = state
    if (order.kind === 'control') return () => this.#controls.ended(order.id, state.back !== null)
    if (ending === null) return () => {}
    const level = isFailing(ending.outcome) ? 'info' : 'debug'
    const about = { test: order.id, monitor: order.plan.monitor_id, outcome: ending.outcome, ...ending.detail }
    if (order.kind === 'route') {
      this.#options.logger[level]({ ...about, ...order.route }, 'test of a route ended')
      return () => {}
    }
    const { id, cause, attempt, plan } = order
    this.#options.logger[level]({ ...about, cause }, 'test ended')
    return this.#sequences.testEnded({ id, monitorId: plan.monitor_id, cause, attempt, startedAt, ending }, plan)
  }

  #prune(): void {
    const { wallMs, monotonicMs } = this.#now()
    if (monotonicMs - this.#prunedAtMs < hourMs) return
    this.#prunedAtMs = monotonicMs
    try {
      this.#journal.prune(wallMs)
    } catch (error) {
      this.#unwritten(error)
    }
  }

  #sleep(): void {
    this.#cancelWake()
    if (!this.#running) return
    const { wallMs, monotonicMs } = this.#now()
    const slotAtMs = this.#timetable.nextWakeAt()
    const wakes = [this.#trips.nextWakeAt(), this.#sequences.nextWakeAt(), this.#controls.nextWakeAt()]
    const delays = wakes.filter((wake) => wake !== null).map((wake) => wake - monotonicMs)
    if (slotAtMs !== null) delays.push(slotAtMs - wallMs)
    this.#cancelWake = this.#options.runtime.setTimer(Math.max(0, Math.min(sleepMsMax, ...delays)), () => this.#work())
  }

  #recorded(): void {
    for (const callback of this.#listeners) callback()
  }

  #unwritten(error: unknown): void {
    this.#options.logger.error(`the journal cannot be written: ${errorMessage(error)}`)
  }

  #newId(): string {
    return uuidv7(this.#options.runtime)
  }

  #now(): Instant {
    return { wallMs: this.#options.runtime.wallMs(), monotonicMs: this.#options.runtime.monotonicMs() }
  }
}

export const createMachinery = (options: MachineryOptions): Machinery => new Machinery(options)
