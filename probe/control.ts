/**
 * Which control trips start when (DESIGN 3.3, proof of health). Many tests may ask at once; trips that were started late enough serve
 * them all. They go to two references at the same time: where neither mail returns, it was our own side, and where one does, the other
 * reference is out of order.
 */
import { controlTurnMs } from '../common/limits.ts'
import type { Reference } from '../common/wire/test.ts'

/** The longest time that a control trip gets; half of the test's own where that is shorter, so that one sent with it ends before it. */
const timeoutMsMax = 60_000
/** Turns older than this serve nobody any more: no test lasts so long without asking again. */
const rememberedMs = 15 * 60_000
const togetherMax = 2

/** Its trips that are still under way, and whether one has returned. */
type Turn = { startedMs: number; timeoutMs: number; underWay: Set<string>; returned: boolean }

/** To be asked at the same time. */
export type ControlTurn = { references: readonly Reference[]; timeoutMs: number }

/** All times monotonic, in ms. */
export class ControlTurns {
  #references: readonly Reference[] = []
  #next = 0
  #freeAtMs = 0
  #turns: Turn[] = []
  /** The time that the trips which are wanted may take; null where none are. */
  #wantedTimeoutMs: number | null = null
  /** References that failed in a row. When every one has, only a new request tries again. */
  #failures = 0

  setReferences(references: readonly Reference[]): void {
    const known = new Set(this.#references.map(keyOf))
    if (!references.some((reference) => known.has(keyOf(reference)))) this.#freeAtMs = 0
    this.#references = references
    this.#next %= Math.max(1, references.length)
  }

  /** Asks for trips started at `sinceMs` or later, for a test of this timeout. Those that are under way or have returned will do. */
  request(sinceMs: number, testTimeoutMs: number): void {
    if (this.#turns.some((turn) => turn.startedMs >= sinceMs)) return
    this.#wantedTimeoutMs = Math.max(this.#wantedTimeoutMs ?? 0, Math.min(timeoutMsMax, testTimeoutMs / 2))
  }

  /** The references to go to now, if trips are wanted and they may be troubled. The caller must then call `started`. */
  next(nowMs: number): ControlTurn | undefined {
    const timeoutMs = this.#wantedTimeoutMs
    const count = this.#references.length
    if (timeoutMs === null || count === 0 || nowMs < this.#freeAtMs) return undefined
    const inTurn = [...this.#references.slice(this.#next), ...this.#references.slice(0, this.#next)]
    const references = inTurn.slice(0, togetherMax)
    this.#next = (this.#next + references.length) % count
    return { references, timeoutMs }
  }

  started(ids: readonly string[], { timeoutMs }: ControlTurn, nowMs: number): void {
    this.#wantedTimeoutMs = null
    this.#freeAtMs = nowMs + controlTurnMs
    this.#turns = this.#turns.filter((turn) => nowMs - turn.startedMs < rememberedMs)
    this.#turns.push({ startedMs: nowMs, timeoutMs, underWay: new Set(ids), returned: false })
  }

  /** A turn of which nothing returned serves nobody: the next references are asked, once round. */
  ended(id: string, returned: boolean): void {
    const turn = this.#turns.find(({ underWay }) => underWay.delete(id))
    if (turn === undefined) return
    if (returned) {
      turn.returned = true
      this.#failures = 0
      return
    }
    this.#failures += 1
    if (turn.returned || turn.underWay.size > 0) return
    this.#turns = this.#turns.filter((other) => other !== turn)
    const servedSince = this.#turns.some((other) => other.startedMs >= turn.startedMs)
    if (!servedSince && this.#failures < this.#references.length) this.request(turn.startedMs, turn.timeoutMs)
  }

  /** When `next` should be asked again; null where nothing is wanted or there is nobody to ask. */
  nextWakeAt(): number | null {
    return this.#wantedTimeoutMs === null || this.#references.length === 0 ? null : this.#freeAtMs
  }
}

const keyOf = ({ address, host, port }: Reference): string => `${address} ${host ?? ''} ${port ?? ''}`
