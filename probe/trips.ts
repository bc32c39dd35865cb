/**
 * The trips under way: every event goes through `step`, what it changes is written down, then what it asks for is done.
 *
 *   event ─► step ─► journal and spool, in one transaction ─► effects: send, ask for a control trip
 */
import { errorMessage, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import type { ClockReading } from './clock.ts'
import { Heap } from './heap.ts'
import type { Journal } from './journal.ts'
import { begin, type Instant, nextWakeAt, type Step, step, type TripEffect, type TripEvent } from './round-trip.ts'
import type { Courier } from './send.ts'
import type { Spool, SpoolRecord } from './spool.ts'
import type { Store } from './store.ts'
import { controlTripOf, courseOf, overdueOf, resultOf, routeTestOf, type Trip, type TripOrder } from './trip.ts'

export type TripsOptions = {
  runtime: Pick<Runtime, 'bootId' | 'wallMs' | 'monotonicMs' | 'setTimer'>
  store: Pick<Store, 'transaction'>
  journal: Journal
  spool: Pick<Spool, 'put'>
  courier: Courier
  /** What the wall clock lacks; null where it is unknown. */
  clock: () => ClockReading | null
  /** Called in the transaction that ends a trip, to write down what follows; what it returns is called once that is durable. */
  onEnd: (trip: Trip) => () => void
  onControlWanted: (sinceMs: number, testTimeoutMs: number) => void
  /** Something new is in the spool. */
  onRecord: () => void
  /** `nextWakeAt` may have changed. */
  onChange: () => void
  logger: Pick<Logger, 'error'>
}

type Dialogue = { abort: AbortController; done: PromiseLike<void> }

/** A store that refuses to write is asked again after this time: the event must not be lost. */
const storeRetryMs = 1000

export class Trips {
  readonly #options: TripsOptions
  readonly #trips = new Map<string, Trip>()
  readonly #queue = new Heap<string>()
  readonly #dialogues = new Map<string, Dialogue>()
  readonly #retries = new Set<() => void>()
  readonly #running: Record<TripOrder['kind'], number> = { test: 0, control: 0, route: 0 }
  #stopped = false

  constructor(options: TripsOptions) {
    this.#options = options
  }

  /** How many are under way of those that vote, or of the others. */
  running(kind: TripOrder['kind']): number {
    return this.#running[kind]
  }

  isUnderWay(id: string): boolean {
    return this.#trips.has(id)
  }

  /**
   * Writes a trip down and begins it, or says at once why it is not run. `alongside` is written in the same transaction, and what it
   * returns is called once that is durable. False where the slot had been taken. Throws what the store throws; then nothing began.
   */
  begin(order: TripOrder, options: { refusal?: string | undefined; alongside?: () => () => void } = {}): boolean {
    const { store, journal } = this.#options
    const now = this.#now()
    const first = begin(courseOf(order), now)
    let afterwards = (): void => {}
    const began = store.transaction(() => {
      if (!journal.begin({ order, state: first.state })) return false
      afterwards = options.alongside?.() ?? afterwards
      return true
    })
    if (!began) return false
    afterwards()
    const trip = this.#add({ order, state: first.state })
    if (options.refusal === undefined) this.#perform(trip, first.effects)
    else this.dispatch(order.id, { kind: 'refuse', reason: options.refusal })
    this.#options.onChange()
    return true
  }

  /** Takes up what was under way before a restart. */
  resume(): void {
    const { journal, runtime } = this.#options
    for (const { order, state, bootId } of journal.underWay()) {
      this.#add({ order, state })
      this.dispatch(order.id, { kind: 'resume', sameBoot: bootId === runtime.bootId })
    }
  }

  /** Lets something happen to a trip. Where it cannot be written down, it happens a second later. */
  dispatch(id: string, event: TripEvent): void {
    if (this.#stopped) return
    try {
      this.take(id, event)
    } catch (error) {
      this.#options.logger.error({ trip: id, event: event.kind }, `the journal cannot be written: ${errorMessage(error)}`)
      const cancel = this.#options.runtime.setTimer(storeRetryMs, () => {
        this.#retries.delete(cancel)
        this.dispatch(id, event)
      })
      this.#retries.add(cancel)
    }
  }

  /** As `dispatch`, but throws where it cannot be written down: for a caller that can say so to whom it concerns. */
  take(id: string, event: TripEvent): void {
    if (this.#stopped) throw new MailscoutError('NOT_READY', 'The probe is stopping: offer this again later')
    const trip = this.#trips.get(id)
    if (trip === undefined) return
    const next = step(trip.state, event, this.#now())
    const afterwards = this.#write(trip, next)
    trip.state = next.state
    afterwards()
    if (next.state.phase === 'over') this.#remove(trip)
    else this.#schedule(trip)
    this.#perform(trip, next.effects)
    if (next.effects.some(({ kind }) => kind === 'report_result' || kind === 'report_overdue')) this.#options.onRecord()
    this.#options.onChange()
  }

  /** Gives every trip its timer event whose time has come. */
  wake(nowMs: number): void {
    for (let id = this.#queue.popDue(nowMs); id !== undefined; id = this.#queue.popDue(nowMs)) {
      const trip = this.#trips.get(id)
      const wakeAt = trip === undefined ? null : nextWakeAt(trip.state)
      if (wakeAt !== null && wakeAt <= nowMs) this.dispatch(id, { kind: 'timer' })
    }
  }

  nextWakeAt(): number | null {
    return this.#queue.peek()?.atMs ?? null
  }

  /** Lets open dialogues come to their end for `waitMs`, then cuts them off. What is under way stays in the journal. */
  async stop(waitMs: number): Promise<void> {
    const dialogues = [...this.#dialogues.values()]
    const cancel = this.#options.runtime.setTimer(waitMs, () => {
      for (const { abort } of dialogues) abort.abort()
    })
    await Promise.all(dialogues.map(({ done }) => done))
    cancel()
    this.#stopped = true
    for (const cancelRetry of this.#retries) cancelRetry()
  }

  #write({ order, state }: Trip, next: Step): () => void {
    const { store, journal, spool, clock, onEnd, runtime } = this.#options
    if (next.state === state) return () => {}
    return store.transaction(() => {
      const ended = next.state.phase === 'over'
      if (order.kind === 'test' && next.effects.some(({ kind }) => kind === 'report_overdue')) {
        spool.put({ kind: 'overdue', id: order.id, body: overdueOf(order, next.state, this.#now().wallMs) })
      }
      if (!ended) {
        journal.save(order.id, next.state)
        return () => {}
      }
      spool.put(accountOf({ order, state: next.state }, clock(), runtime.bootId))
      journal.end(order.id, next.state.back !== null, this.#now().wallMs)
      return onEnd({ order, state: next.state })
    })
  }

  #perform(trip: Trip, effects: readonly TripEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.#send(trip, effect.attempt, effect.budgetMs)
      if (effect.kind === 'control_trip') this.#options.onControlWanted(effect.sinceMs, trip.state.course.timeoutMs)
    }
  }

  #send({ order, state }: Trip, attempt: number, budgetMs: number): void {
    const abort = new AbortController()
    const done = this.#options.courier.send(order, state.startedAt, { budgetMs, signal: abort.signal }).then((outcome) => {
      this.#dialogues.delete(order.id)
      // A dialogue that we cut off ourselves says nothing of the mail system, but for a mail that may be out.
      if (abort.signal.aborted && outcome.kind === 'failed') return
      this.dispatch(order.id, { ...outcome, attempt })
    })
    this.#dialogues.set(order.id, { abort, done })
  }

  #add(trip: Trip): Trip {
    this.#trips.set(trip.order.id, trip)
    this.#running[trip.order.kind] += 1
    this.#schedule(trip)
    return trip
  }

  #remove({ order }: Trip): void {
    this.#trips.delete(order.id)
    this.#running[order.kind] -= 1
    this.#dialogues.get(order.id)?.abort.abort()
  }

  /** An entry for an earlier wake may remain: it finds nothing to do. */
  #schedule({ order, state }: Trip): void {
    const wakeAt = nextWakeAt(state)
    if (wakeAt !== null) this.#queue.push(wakeAt, order.id)
  }

  #now(): Instant {
    return { wallMs: this.#options.runtime.wallMs(), monotonicMs: this.#options.runtime.monotonicMs() }
  }
}

/** What is told of a trip that is over. */
function accountOf({ order, state }: Trip, clock: ClockReading | null, bootId: string): SpoolRecord {
  const { id } = order
  switch (order.kind) {
    case 'test':
      return { kind: 'result', id, body: resultOf(order, state, clock, bootId) }
    case 'route':
      return { kind: 'route', id, body: routeTestOf(order, state, clock) }
    case 'control':
      return { kind: 'control', id, body: controlTripOf(order, state, bootId) }
  }
}
