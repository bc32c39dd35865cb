/** The tests of one stretch: when each truly began, and what the coordinators make of it. */
import type { Outcome } from '../../common/wire/test.ts'

export type KnownTest = {
  id: string
  probeId: string
  outcome: Outcome
  /** By the clock of its probe, put right as the coordinators do. */
  startedMs: number
  /** When a coordinator first heard of it, and when it was begun; true time. */
  toldMs: number
  beganMs: number
  /** When it ended, in true time as far as its probe measured how long it took. */
  endedMs: number
}

export class KnownTests {
  readonly #begun = new Map<string, number>()
  readonly #told = new Map<string, KnownTest>()

  get all(): KnownTest[] {
    return [...this.#told.values()]
  }

  begun(id: string, atMs: number): void {
    this.#begun.set(id, atMs)
  }

  told({ tookMs, ...test }: Omit<KnownTest, 'beganMs' | 'endedMs'> & { tookMs: number }): void {
    const beganMs = this.#begun.get(test.id)
    if (beganMs !== undefined && !this.#told.has(test.id))
      this.#told.set(test.id, { ...test, beganMs, endedMs: beganMs + tookMs })
  }

  isTold = (id: string): boolean => this.#told.has(id)

  forget(): void {
    this.#begun.clear()
    this.#told.clear()
  }
}
