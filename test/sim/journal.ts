/** A probe's disk in memory: what a crash of its process leaves. The same promises as probe/store.ts, journal.ts and spool.ts. */
import type { Journal, JournalledTrip, PastTrip } from '../../probe/journal.ts'
import type { Sequence } from '../../probe/retest.ts'
import type { Spool, SpoolRecord } from '../../probe/spool.ts'
import type { Store } from '../../probe/store.ts'
import type { CrashPoint, Life } from './life.ts'

export type { SpoolRecord } from '../../probe/spool.ts'

const pastMax = 400

/** Outside of a transaction a statement is durable at once; inside, with its commit. */
export class MemoryDisk implements Journal {
  /** Of the boot that writes; the machine that starts again changes it. */
  bootId: string
  readonly spool: SpoolRecord[] = []
  readonly #open = new Map<string, JournalledTrip>()
  readonly #past = new Map<string, PastTrip>()
  readonly #slots = new Set<string>()
  readonly #sequences = new Map<string, { sequence: Sequence; bootId: string }>()
  #pending: (() => void)[] | null = null

  constructor(bootId: string) {
    this.bootId = bootId
  }

  get tripsUnderWay(): number {
    return this.#open.size
  }

  get isInTransaction(): boolean {
    return this.#pending !== null
  }

  beginTransaction(): void {
    this.#pending = []
  }

  commit(): void {
    const changes = this.#pending ?? []
    this.#pending = null
    for (const change of changes) change()
  }

  rollback(): void {
    this.#pending = null
  }

  begin({ order, state }: Parameters<Journal['begin']>[0]): boolean {
    const slot = order.kind === 'test' ? order.slot : null
    const names = slot === null ? [] : [`${slot.assignmentId} ${slot.number}`, `at ${slot.atMs}`]
    if (names.some((name) => this.#slots.has(name))) return false
    const trip = { order, state, bootId: this.bootId }
    this.#write(() => {
      for (const name of names) this.#slots.add(name)
      this.#open.set(order.id, trip)
    })
    return true
  }

  save(id: string, state: JournalledTrip['state']): void {
    this.#write(() => {
      const trip = this.#open.get(id)
      if (trip !== undefined) this.#open.set(id, { ...trip, state })
    })
  }

  end(id: string, returned: boolean): void {
    this.#write(() => {
      const trip = this.#open.get(id)
      if (trip === undefined) return
      this.#open.delete(id)
      const { order, state, bootId } = trip
      const monitorId = order.kind === 'test' ? order.plan.monitor_id : null
      this.#past.set(id, {
        id,
        kind: order.kind === 'control' ? 'control' : 'test',
        monitorId,
        startedAt: state.startedAt,
        bootId,
        returned,
      })
      if (this.#past.size > pastMax) for (const old of [...this.#past.keys()].slice(0, pastMax / 2)) this.#past.delete(old)
      if (this.#slots.size > pastMax) for (const old of [...this.#slots].slice(0, pastMax / 2)) this.#slots.delete(old)
    })
  }

  underWay = (): JournalledTrip[] => [...this.#open.values()]
  past = (id: string): PastTrip | undefined => this.#past.get(id)
  markReturned(id: string): void {
    this.#write(() => {
      const past = this.#past.get(id)
      if (past !== undefined) this.#past.set(id, { ...past, returned: true })
    })
  }
  sequences = (): { sequence: Sequence; bootId: string }[] => [...this.#sequences.values()]
  saveSequence(sequence: Sequence): void {
    const { bootId } = this
    this.#write(() => this.#sequences.set(sequence.monitorId, { sequence, bootId }))
  }
  dropSequence(monitorId: string): void {
    this.#write(() => this.#sequences.delete(monitorId))
  }
  prune(): void {}

  put(record: SpoolRecord): void {
    this.#write(() => {
      if (!this.spool.some(({ kind, id }) => kind === record.kind && id === record.id)) this.spool.push(record)
    })
  }

  settle(records: readonly SpoolRecord[]): void {
    for (const record of records) {
      const index = this.spool.indexOf(record)
      if (index >= 0) this.spool.splice(index, 1)
    }
  }

  #write(change: () => void): void {
    if (this.#pending === null) change()
    else this.#pending.push(change)
  }
}

/** What has become durable with a commit, by the statement that tells. */
const durable: Partial<Record<CrashPoint, CrashPoint>> = { begin: 'begun', save: 'saved', end: 'ended', markReturned: 'noted' }

/** The disk as one process has it: before each statement, before a commit and after it that may die. */
export function openDisk(
  disk: MemoryDisk,
  life: Life,
): { store: Pick<Store, 'transaction'>; journal: Journal; spool: Pick<Spool, 'put'> } {
  let committed: CrashPoint | undefined
  const passing =
    <Args extends unknown[], Value>(point: CrashPoint, statement: (...args: Args) => Value) =>
    (...args: Args): Value => {
      life.pass(point)
      committed = durable[point] ?? committed
      return statement.apply(disk, args)
    }
  const { underWay, past, sequences, prune } = disk
  return {
    journal: {
      ...{ underWay, past, sequences, prune },
      begin: passing('begin', disk.begin),
      save: passing('save', disk.save),
      end: passing('end', disk.end),
      markReturned: passing('markReturned', disk.markReturned),
      saveSequence: passing('saveSequence', disk.saveSequence),
      dropSequence: passing('dropSequence', disk.dropSequence),
    },
    spool: { put: passing('put', disk.put) },
    store: {
      transaction(work) {
        if (disk.isInTransaction) return work()
        committed = undefined
        disk.beginTransaction()
        let value: ReturnType<typeof work>
        try {
          value = work()
          life.pass('commit')
        } catch (error) {
          disk.rollback()
          throw error
        }
        disk.commit()
        if (committed !== undefined) life.pass(committed)
        return value
      },
    },
  }
}
