/**
 * Which control trip starts when (DESIGN 3.3, proof of health). Many tests may ask at once; one trip that was started late enough
 * serves them all, and a reference gets one in seven seconds at the most.
 */
import type { Reference } from '../common/wire/test.ts'

/** A responder answers each probe 600 times an hour (DESIGN 3.1): in a long outage the proof of health must not run dry. */
const sameReferenceMsMin = 7000
/** The longest time that a control trip gets; where the test's own is shorter, that. */
const timeoutMsMax = 60_000
/** Trips older than this serve nobody any more: no test lasts so long without asking again. */
const rememberedMs = 15 * 60_000

/** Under way, or returned. */
type Trip = { id: string; startedMs: number; timeoutMs: number }

export type ControlTurn = { reference: Reference; timeoutMs: number }

/** All times monotonic, in ms. */
export class ControlTurns {
  #references: readonly Reference[] = []
  #turn = 0
  #lastStartedMs = new Map<string, number>()
  #trips: Trip[] = []
  /** The time that the trip which is wanted may take; null where none is. */
  #wantedTimeoutMs: number | null = null
  /** Failures in a row. When every reference has failed once, only a new request tries again. */
  #failures = 0

  setReferences(references: readonly Reference[]): void {
    this.#references = references
    this.#turn %= Math.max(1, references.length)
    const addresses = new Set(references.map(keyOf))
    for (const key of this.#lastStartedMs.keys()) if (!addresses.has(key)) this.#lastStartedMs.delete(key)
  }

  /** Asks for a trip started at `sinceMs` or later, for a test of this timeout. One that is under way or has returned will do. */
  request(sinceMs: number, testTimeoutMs: number): void {
    if (this.#trips.some((trip) => trip.startedMs >= sinceMs)) return
    this.#wantedTimeoutMs = Math.max(this.#wantedTimeoutMs ?? 0, Math.min(timeoutMsMax, testTimeoutMs))
  }

  /** The reference to go to now, if a trip is wanted and one may be troubled. The caller must then call `started`. */
  next(nowMs: number): ControlTurn | undefined {
    const timeoutMs = this.#wantedTimeoutMs
    if (timeoutMs === null) return undefined
    const count = this.#references.length
    for (let step = 0; step < count; step += 1) {
      const reference = this.#references[(this.#turn + step) % count]
      if (reference === undefined || nowMs < this.#freeAt(reference)) continue
      this.#turn = (this.#turn + step + 1) % count
      return { reference, timeoutMs }
    }
    return undefined
  }

  started(id: string, { reference, timeoutMs }: ControlTurn, nowMs: number): void {
    this.#wantedTimeoutMs = null
    this.#lastStartedMs.set(keyOf(reference), nowMs)
    this.#trips = this.#trips.filter((trip) => nowMs - trip.startedMs < rememberedMs)
    this.#trips.push({ id, startedMs: nowMs, timeoutMs })
  }

  /** A trip that failed serves nobody: the next reference is asked, once round. */
  ended(id: string, returned: boolean): void {
    const trip = this.#trips.find((other) => other.id === id)
    if (trip === undefined) return
    if (returned) {
      this.#failures = 0
      return
    }
    this.#trips = this.#trips.filter((other) => other !== trip)
    this.#failures += 1
    const servedSince = this.#trips.some((other) => other.startedMs >= trip.startedMs)
    if (!servedSince && this.#failures < this.#references.length) this.request(trip.startedMs, trip.timeoutMs)
  }

  /** When `next` should be asked again; null where nothing is wanted or there is nobody to ask. */
  nextWakeAt(): number | null {
    if (this.#wantedTimeoutMs === null || this.#references.length === 0) return null
    return Math.min(...this.#references.map((reference) => this.#freeAt(reference)))
  }

  #freeAt(reference: Reference): number {
    const lastStartedMs = this.#lastStartedMs.get(keyOf(reference))
    return lastStartedMs === undefined ? 0 : lastStartedMs + sameReferenceMsMin
  }
}

const keyOf = ({ address, host, port }: Reference): string => `${address} ${host ?? ''} ${port ?? ''}`
