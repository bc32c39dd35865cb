/**
 * One life of one coordinator: the product's workers over the product's flows, on a store and gateways that take time, until it dies at
 * any statement, commit or answer. Polls that would find nothing are passed over; the others come at the second they would have come at.
 */
import type { Logger } from '../../../common/log.ts'
import { type Runtime, uuidv7 } from '../../../common/runtime.ts'
import { escalateNext } from '../../../coordinator/flow/escalate.ts'
import { judgeNext } from '../../../coordinator/flow/judge.ts'
import { Outgoing, type SendContext, sendNextPage } from '../../../coordinator/flow/send-pages.ts'
import type { Store, Transaction } from '../../../coordinator/flow/store.ts'
import { startWorker, type Worker } from '../../../coordinator/flow/worker.ts'
import type { Gateway } from '../../../coordinator/gateways/gateway.ts'
import type { Events } from '../events.ts'
import type { Random } from '../random.ts'
import type { Ongoing } from './rows.ts'
import type { MemoryStore } from './store.ts'

export type ProcessSurroundings = {
  events: Events
  store: MemoryStore
  random: Random
  aheadMs: number
  crashChance: number
  operatorPhone: string | null
  gateways: (process: SimProcess) => Gateway[]
  onCrash: (where: string) => void
  /** An error that no flow expects. */
  onFault: (what: string) => void
}

export type WorkKind = 'judge' | 'escalate' | 'pages'

/** Between a gateway's acceptance and its record lies what a crash is feared for most. */
const crashWeights: Record<string, number> = { commit: 5, committed: 5, accepted: 40, 'handing over': 10 }
/** coordinator/flow/worker.ts: how often it looks although nobody has told it to. */
const pollMs = 1_000

/** What a dead process waits for. */
const never = new Promise<never>(() => {})

/** One lane that has found nothing to do. */
type Parked = { kind: WorkKind; sinceMs: number; callback: () => void; firesMs: number | null }

export class SimProcess {
  isUp = true
  readonly context: SendContext
  readonly #around: ProcessSurroundings
  #workers: Record<WorkKind, Worker> | null = null
  readonly #parked = new Set<Parked>()
  readonly #ongoing = new Set<Ongoing>()
  #inFlight = 0

  constructor(around: ProcessSurroundings) {
    this.#around = around
    const runtime = this.#runtime()
    const coordinatorId = uuidv7(runtime)
    around.store.heartbeats.start(coordinatorId)
    const { operatorPhone } = around
    const logger = this.#logger()
    const gateways = around.gateways(this)
    const outgoing = new Outgoing()
    this.context = { store: this.#store(), runtime, logger, coordinatorId, operatorPhone, gateways, outgoing }
  }

  /** Its first statement may be its last: whoever made it must know it by now. */
  start(): void {
    const { store, events } = this.#around
    const { logger } = this.context
    const dueAt = (due_ms: number | null) => (due_ms === null ? null : { due_ms, now_ms: events.nowMs })
    const start = (name: WorkKind, concurrency: number, runOne: () => Promise<boolean>, nextDueMs: () => number | null): Worker =>
      startWorker({ name, concurrency, logger, runOne, runtime: this.#runtime(name), nextDue: async () => dueAt(nextDueMs()) })
    // As coordinator/app.ts has them, but for pages: of one monitor there are never as many at once as it has lanes.
    this.#workers = {
      judge: start('judge', 2, () => judgeNext(this.context), store.nextJudgementDue),
      escalate: start('escalate', 1, () => escalateNext(this.context), store.nextStepDue),
      pages: start('pages', 3, () => sendNextPage(this.context), store.nextPageDue),
    }
    events.unsettled()
  }

  /** Nothing of it is under way. */
  get isIdle(): boolean {
    return this.#inFlight === 0
  }

  crash(where: string): void {
    if (!this.isUp) return
    this.isUp = false
    this.#around.store.heartbeats.stop(this.context.coordinatorId)
    for (const ongoing of this.#ongoing) ongoing.rollback()
    this.#parked.clear()
    this.#around.events.unsettled()
    this.#around.onCrash(where)
  }

  /** A notification, which only shortens a poll. */
  wake(kind: WorkKind): void {
    if (!this.isUp) return
    this.#workers?.[kind].wake()
    this.#around.events.unsettled()
  }

  /** What is due has changed, or time was passed over: the polls that will find something. */
  planPolls(): void {
    const dues = { judge: this.#dueMs('judge'), escalate: this.#dueMs('escalate'), pages: this.#dueMs('pages') }
    for (const parked of this.#parked) this.#planPoll(parked, dues[parked.kind])
  }

  forgetPolls(): void {
    for (const parked of this.#parked) parked.firesMs = null
  }

  /** A point at which it may die, and which may take a moment. */
  pass(point: string): Promise<void> {
    const { random, crashChance } = this.#around
    if (!this.isUp) return never
    if (crashChance > 0 && random.chance(crashChance * (crashWeights[point] ?? 1))) {
      this.crash(point)
      return never
    }
    return random.chance(0.6) ? Promise.resolve() : this.wait(random.spread(1, 20))
  }

  wait(delayMs: number): Promise<void> {
    if (!this.isUp) return never
    this.#inFlight += 1
    return new Promise((resolve) => {
      this.#around.events.after(delayMs, () => {
        if (!this.isUp) return
        this.#inFlight -= 1
        resolve()
        this.#around.events.unsettled()
      })
    })
  }

  #store(): Store {
    return {
      transaction: async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
        await this.pass('begin')
        const { ongoing, operations } = this.#around.store.begin()
        this.#ongoing.add(ongoing)
        let value: T
        try {
          value = await work(this.#passing(operations))
          await this.pass('commit')
          ongoing.commit()
        } catch (error) {
          ongoing.rollback()
          throw error
        } finally {
          this.#ongoing.delete(ongoing)
        }
        await this.pass('committed')
        return value
      },
    }
  }

  /** Each operation is a statement: a point to die at. */
  #passing(operations: Transaction): Transaction {
    return new Proxy(operations, {
      get: (_, name: keyof Transaction) => {
        const operation = operations[name] as (...args: unknown[]) => Promise<unknown>
        return async (...args: unknown[]) => {
          await this.pass(name)
          const value = await operation(...args)
          return this.isUp ? value : never
        }
      },
    })
  }

  #runtime(kind?: WorkKind): Runtime {
    const { events, random, aheadMs } = this.#around
    return {
      bootId: 'boot',
      wallMs: () => events.nowMs + aheadMs,
      monotonicMs: () => events.nowMs,
      randomBytes: (length) => Uint8Array.from({ length }, () => random.whole(0, 255)),
      setTimer: (delayMs, callback) => {
        if (!this.isUp) return () => {}
        if (kind !== undefined && delayMs === pollMs) return this.#park(kind, callback)
        let isPending = true
        const end = () => {
          if (isPending) this.#inFlight -= 1
          isPending = false
        }
        this.#inFlight += 1
        events.after(delayMs, () => {
          if (!this.isUp || !isPending) return
          end()
          callback()
          events.unsettled()
        })
        return end
      },
    }
  }

  #park(kind: WorkKind, callback: () => void): () => void {
    const parked: Parked = { kind, sinceMs: this.#around.events.nowMs, callback, firesMs: null }
    this.#parked.add(parked)
    this.#planPoll(parked, this.#dueMs(kind))
    return () => this.#parked.delete(parked)
  }

  #planPoll(parked: Parked, dueMs: number | null): void {
    const { events } = this.#around
    if (dueMs === null || dueMs === Number.POSITIVE_INFINITY) return
    const polls = Math.max(1, Math.ceil((Math.max(dueMs, events.nowMs) - parked.sinceMs) / pollMs))
    const firesMs = parked.sinceMs + polls * pollMs
    if (parked.firesMs !== null && parked.firesMs <= firesMs) return
    parked.firesMs = firesMs
    events.at(firesMs, () => {
      if (!this.isUp || !this.#parked.has(parked) || parked.firesMs !== firesMs) return
      this.#parked.delete(parked)
      parked.callback()
      events.unsettled()
    })
  }

  #dueMs(kind: WorkKind): number | null {
    const { store } = this.#around
    if (kind === 'judge') return store.nextJudgementDue()
    return kind === 'escalate' ? store.nextStepDue() : store.nextPageClaimable()
  }

  #logger(): Logger {
    const quiet = () => {}
    const error = (fields: { err?: unknown }) => {
      if (this.isUp && fields.err !== undefined) this.#around.onFault(String(fields.err))
    }
    return { trace: quiet, debug: quiet, info: quiet, warn: quiet, error } as unknown as Logger
  }
}
