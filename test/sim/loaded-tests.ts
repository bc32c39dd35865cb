/** The tests of one vantage, and which of them a judgement reads: the query of coordinator/store/judging.ts, retold in memory. */
import { needsProof, type OwnTest } from '../../coordinator/core/probe-health.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'

/** `toldMs`: its start as it was told, by the probe's own clock. `own`: the same test by what its probe alone knows. */
export type ToldTest = { fact: TestFact; toldMs: number; own: OwnTest }

export type ProofOfHealth = Pick<TestFact, 'doubted' | 'proved' | 'proved_since'>

export const unproved: ProofOfHealth = { doubted: false, proved: false, proved_since: false }

const clockMarginMs = 10_000
const testsKept = 120

/** A judgement asks for them far more often than they change, so that they are kept in the order in which it reads them. */
export class ToldTests {
  readonly #inOrder: ToldTest[] = []
  readonly #newestFirst: ToldTest[] = []
  readonly #unproved: ToldTest[] = []

  /** As they came. */
  get all(): readonly ToldTest[] {
    return this.#inOrder
  }

  add(test: ToldTest): void {
    const older = this.#newestFirst.findIndex(({ toldMs }) => toldMs < test.toldMs)
    this.#newestFirst.splice(older < 0 ? this.#newestFirst.length : older, 0, test)
    this.#inOrder.push(test)
    if (needsProof(test.own)) this.#unproved.push(test)
    const dropped = this.#inOrder.length > testsKept ? this.#inOrder.shift() : undefined
    if (dropped === undefined) return
    this.#newestFirst.splice(this.#newestFirst.lastIndexOf(dropped), 1)
    if (this.#unproved[0] === dropped) this.#unproved.shift()
  }

  /** What is known of the probe's health has changed, and with it what that says of the tests that did not come back. */
  prove(healthBeside: (test: OwnTest) => ProofOfHealth): void {
    for (const test of this.#unproved) test.fact = { ...test.fact, ...healthBeside(test.own) }
  }

  /**
   * The newest five by the times as they were told, those of them that are not in the probe's future, and up to 60 of those since the
   * question, by right times. `lacksMs`: what is known of the probe's clock.
   */
  read({ nowMs, lacksMs, sinceMs, periodS }: { nowMs: number; lacksMs: number; sinceMs: number; periodS: number }): TestFact[] {
    const tests = this.#newestFirst
    const askedMs = sinceMs - (periodS + 300) * 1000 - Math.max(lacksMs, 0)
    const first = tests.findIndex(({ toldMs }) => toldMs <= nowMs - lacksMs + clockMarginMs)
    const beforeAsked = tests.findIndex(({ toldMs }) => toldMs < askedMs)
    const read = new Set([
      ...tests.slice(0, 5),
      ...(first < 0 ? [] : tests.slice(first, first + 5)),
      ...tests.slice(0, Math.min(60, beforeAsked < 0 ? tests.length : beforeAsked)),
    ])
    return [...read].map(({ fact }) => fact).sort((a, b) => b.started_ms - a.started_ms)
  }
}
