/** The pending re-tests of all monitors: kept in the journal, due by one heap. What follows from what is decided in `retest.ts`. */
import type { TestPlan } from '../common/wire/test.ts'
import { Heap } from './heap.ts'
import type { Journal } from './journal.ts'
import { afterBegin, afterTest, type EndedTest, resumed, type Sequence } from './retest.ts'
import type { Instant } from './round-trip.ts'

export class Sequences {
  readonly #journal: Journal
  readonly #byMonitor = new Map<string, Sequence>()
  readonly #queue = new Heap<Sequence>()

  constructor(journal: Journal) {
    this.#journal = journal
  }

  get size(): number {
    return this.#byMonitor.size
  }

  /** Takes up what the journal holds from before a restart. */
  load(bootId: string, now: Instant): void {
    for (const saved of this.#journal.sequences()) this.#keep(resumed(saved.sequence, saved.bootId === bootId, now))
  }

  /** Writes down what follows from the end of a test; the function it returns makes it so once that is durable. */
  testEnded(test: EndedTest, plan: TestPlan): () => void {
    const before = this.#byMonitor.get(test.monitorId)
    return this.#change(test.monitorId, before, afterTest(before, test, plan))
  }

  /** As `testEnded`, for the test of a sequence that begins. */
  testBegun(sequence: Sequence, plan: TestPlan, now: Instant): () => void {
    return this.#change(sequence.monitorId, sequence, afterBegin(sequence, plan, now))
  }

  drop(sequence: Sequence): void {
    this.#change(sequence.monitorId, sequence, undefined)()
  }

  /** Takes out the sequences whose next test is due; each must be begun, dropped or put back. */
  takeDue(nowMs: number): Sequence[] {
    const due: Sequence[] = []
    for (let next = this.#queue.popDue(nowMs); next !== undefined; next = this.#queue.popDue(nowMs)) {
      if (this.#byMonitor.get(next.monitorId) === next) due.push(next)
    }
    return due
  }

  /** A test that could not be begun is due again at `atMs` (monotonic). */
  putBack(sequence: Sequence, atMs: number): void {
    this.#queue.push(atMs, sequence)
  }

  nextWakeAt(): number | null {
    return this.#queue.peek()?.atMs ?? null
  }

  #change(monitorId: string, before: Sequence | undefined, after: Sequence | undefined): () => void {
    if (after === before) return () => {}
    if (after === undefined) {
      this.#journal.dropSequence(monitorId)
      return () => this.#byMonitor.delete(monitorId)
    }
    this.#journal.saveSequence(after)
    return () => this.#keep(after)
  }

  #keep(sequence: Sequence): void {
    this.#byMonitor.set(sequence.monitorId, sequence)
    if (sequence.due !== null) this.#queue.push(sequence.due.monotonicMs, sequence)
  }
}
