/**
 * Rows under transactions, as far as the flows depend on them (PostgreSQL's READ COMMITTED): what is not committed is seen by its writer
 * alone, a row that is written or claimed is its transaction's until the end, and who wants it meanwhile waits or passes it over.
 */
export class Rows<T> {
  readonly committed = new Map<string, T>()
  readonly holders = new Map<string, Ongoing>()
  readonly waiting = new Map<string, (() => void)[]>()
}

export class Ongoing {
  /** `now()` in SQL: when the transaction began. */
  readonly startedMs: number
  isOver = false
  readonly #written = new Map<Rows<unknown>, Map<string, unknown>>()
  readonly #held: { rows: Rows<unknown>; key: string }[] = []
  readonly #onCommit: (() => void)[] = []

  constructor(startedMs: number) {
    this.startedMs = startedMs
  }

  read<T>(rows: Rows<T>, key: string): T | undefined {
    return (this.#written.get(rows as Rows<unknown>)?.get(key) as T | undefined) ?? rows.committed.get(key)
  }

  all<T>(rows: Rows<T>): T[] {
    const written = this.#written.get(rows as Rows<unknown>)
    if (written === undefined) return [...rows.committed.values()]
    return [...new Map([...rows.committed, ...(written as Map<string, T>)]).values()]
  }

  /** False where another transaction holds the row. */
  tryLock<T>(rows: Rows<T>, key: string): boolean {
    this.#mustGoOn()
    const holder = rows.holders.get(key)
    if (holder === this) return true
    if (holder !== undefined) return false
    rows.holders.set(key, this)
    this.#held.push({ rows: rows as Rows<unknown>, key })
    return true
  }

  async lock<T>(rows: Rows<T>, key: string): Promise<void> {
    while (!this.tryLock(rows, key)) await isFree(rows, key)
  }

  /** The row must be held, or new. */
  write<T>(rows: Rows<T>, key: string, row: T): void {
    if (!this.tryLock(rows, key)) throw new Error(`${key} is written without its lock`)
    const mine = this.#written.get(rows as Rows<unknown>) ?? new Map<string, unknown>()
    this.#written.set(rows as Rows<unknown>, mine.set(key, row))
  }

  /** Waits for the row, and changes it if it still is as `condition` says; tells whether. */
  async update<T>(rows: Rows<T>, key: string, condition: (row: T) => boolean, change: (row: T) => T): Promise<boolean> {
    const before = this.read(rows, key)
    if (before === undefined || !condition(before)) return false
    await this.lock(rows, key)
    const row = this.read(rows, key)
    if (row === undefined || !condition(row)) return false
    this.write(rows, key, change(row))
    return true
  }

  onCommit(told: () => void): void {
    this.#onCommit.push(told)
  }

  commit(): void {
    this.#mustGoOn()
    for (const [rows, written] of this.#written) for (const [key, row] of written) rows.committed.set(key, row)
    this.#end()
    for (const told of this.#onCommit) told()
  }

  rollback(): void {
    if (!this.isOver) this.#end()
  }

  #end(): void {
    this.isOver = true
    for (const { rows, key } of this.#held) rows.holders.delete(key)
    for (const { rows, key } of this.#held) {
      const waiting = rows.waiting.get(key) ?? []
      rows.waiting.delete(key)
      for (const goOn of waiting) goOn()
    }
  }

  #mustGoOn(): void {
    if (this.isOver) throw new Error('the transaction is over')
  }
}

/** Resolves when nobody holds the row; somebody else may be quicker. */
export function isFree<T>(rows: Rows<T>, key: string): Promise<void> {
  if (!rows.holders.has(key)) return Promise.resolve()
  return new Promise((resolve) => {
    rows.waiting.set(key, [...(rows.waiting.get(key) ?? []), resolve])
  })
}
