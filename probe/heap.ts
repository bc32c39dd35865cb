/** A binary min-heap: what is due first comes out first. An entry that is no longer wanted is skipped by whoever takes it out. */
export class Heap<T> {
  readonly #entries: { atMs: number; value: T }[] = []

  get size(): number {
    return this.#entries.length
  }

  peek(): { atMs: number; value: T } | undefined {
    return this.#entries[0]
  }

  push(atMs: number, value: T): void {
    const entries = this.#entries
    const entry = { atMs, value }
    let index = entries.push(entry) - 1
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = entries[parentIndex]
      if (parent === undefined || parent.atMs <= atMs) break
      entries[index] = parent
      index = parentIndex
    }
    entries[index] = entry
  }

  /** The first entry, if it is due. */
  popDue(nowMs: number): T | undefined {
    const first = this.#entries[0]
    if (first === undefined || first.atMs > nowMs) return undefined
    this.#removeFirst()
    return first.value
  }

  #removeFirst(): void {
    const entries = this.#entries
    const last = entries.pop()
    if (last === undefined || entries.length === 0) return
    let index = 0
    for (;;) {
      const left = entries[2 * index + 1]
      const right = entries[2 * index + 2]
      const rightIsSooner = left !== undefined && right !== undefined && right.atMs < left.atMs
      const child = rightIsSooner ? right : left
      if (child === undefined || child.atMs >= last.atMs) break
      entries[index] = child
      index = 2 * index + (rightIsSooner ? 2 : 1)
    }
    entries[index] = last
  }
}
