/** The simulator's time: events in order of their instant, and of their making where instants are equal. Times are true time in ms. */

type Event = { atMs: number; order: number; run: () => void }

/** Everything that only waits for other promises has run by then: no clock is asked. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const before = (a: Event, b: Event): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

export class Events {
  #nowMs: number
  #made = 0
  #isUnsettled = false
  readonly #heap: Event[] = []

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** How many events have been made: the work that a run was. */
  get made(): number {
    return this.#made
  }

  at(atMs: number, run: () => void): void {
    const heap = this.#heap
    const event = { atMs: Math.max(this.#nowMs, Math.ceil(atMs)), order: ++this.#made, run }
    let index = heap.push(event) - 1
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]
      if (parent === undefined || before(parent, event)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = event
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + delayMs, run)
  }

  /** Runs what happens up to `endMs`, or until `stop` says so after an event; true where it was stopped. */
  run(endMs: number, stop: () => boolean = () => false): boolean {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#removeFirst()
      this.#nowMs = next.atMs
      next.run()
      if (stop()) return true
    }
    this.#nowMs = endMs
    return false
  }

  /** What this event did goes on in promises: they come to rest before time does. */
  unsettled(): void {
    this.#isUnsettled = true
  }

  /** As `run`, where events set promises going. No promise waits for anything but an event, so that one turn settles them all. */
  async runSettling(endMs: number, stop: () => boolean = () => false): Promise<boolean> {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= endMs; next = this.#heap[0]) {
      this.#removeFirst()
      this.#nowMs = next.atMs
      next.run()
      if (this.#isUnsettled) {
        this.#isUnsettled = false
        await turn()
      }
      if (stop()) return true
    }
    this.#nowMs = endMs
    return false
  }

  /** Passes over a stretch in which nothing happens but what the caller answers for: what was still to come is forgotten. */
  skip(toMs: number): void {
    this.#heap.length = 0
    this.#nowMs = toMs
  }

  #removeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      const left = heap[2 * index + 1]
      const right = heap[2 * index + 2]
      const child = right !== undefined && left !== undefined && before(right, left) ? 2 * index + 2 : 2 * index + 1
      const next = heap[child]
      if (next === undefined || before(last, next)) break
      heap[index] = next
      index = child
    }
    heap[index] = last
  }
}

/** Settles in the event itself and not a turn later, so that the simulated time need not wait for promises. */
export function atEvent<T>(when: (done: (value: T) => void) => void): PromiseLike<T> {
  const settling = {
    // biome-ignore lint/suspicious/noThenProperty: being a promise of the simulated time is the purpose
    then: (done: (value: T) => void) => {
      when(done)
      return settling
    },
  }
  return settling as unknown as PromiseLike<T>
}
