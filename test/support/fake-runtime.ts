/** A Runtime whose clock moves only when a test says so. Randomness is a counter: every draw differs, every run is the same. */
import { createHash } from 'node:crypto'
import type { Runtime } from '../../common/runtime.ts'

type Timer = { atMs: number; order: number; callback: () => void }

export class FakeRuntime implements Runtime {
  #wallMs: number
  #monotonicMs: number
  #timers: Timer[] = []
  #draws = 0
  bootId: string

  constructor(options: { wallMs?: number; monotonicMs?: number; bootId?: string } = {}) {
    this.#wallMs = options.wallMs ?? Date.UTC(2026, 10, 23, 12)
    this.#monotonicMs = options.monotonicMs ?? 1_000_000
    this.bootId = options.bootId ?? 'boot-1'
  }

  wallMs = (): number => Math.floor(this.#wallMs)
  monotonicMs = (): number => this.#monotonicMs

  randomBytes = (length: number): Uint8Array => {
    this.#draws += 1
    return new Uint8Array(createHash('shake256', { outputLength: length }).update(`draw ${this.#draws}`).digest())
  }

  setTimer = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { atMs: this.#monotonicMs + Math.max(0, delayMs), order: this.#timers.length, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Moves both clocks on, firing every timer at its own instant. */
  advance(durationMs: number): void {
    const endMs = this.#monotonicMs + durationMs
    for (let timer = this.#nextTimer(endMs); timer !== undefined; timer = this.#nextTimer(endMs)) this.#fire(timer)
    this.#moveTo(endMs)
  }

  /** As `advance`, and lets promises settle after every timer. */
  async advanceAsync(durationMs: number): Promise<void> {
    const endMs = this.#monotonicMs + durationMs
    await settle()
    for (let timer = this.#nextTimer(endMs); timer !== undefined; timer = this.#nextTimer(endMs)) {
      this.#fire(timer)
      await settle()
    }
    this.#moveTo(endMs)
    await settle()
  }

  /** The wall clock is set by somebody; the monotonic clock does not notice. */
  stepWall(byMs: number): void {
    this.#wallMs += byMs
  }

  get timerCount(): number {
    return this.#timers.length
  }

  #nextTimer(untilMs: number): Timer | undefined {
    return this.#timers.filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
  }

  #fire(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer)
    this.#moveTo(timer.atMs)
    timer.callback()
  }

  #moveTo(monotonicMs: number): void {
    const elapsedMs = Math.max(0, monotonicMs - this.#monotonicMs)
    this.#wallMs += elapsedMs
    this.#monotonicMs += elapsedMs
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
