/** A probe's disk in memory: what a crash of its process leaves. The same promises as probe/journal.ts and probe/spool.ts. */
import type { ControlTrip, Overdue, TestResult } from '../../common/wire/test.ts'
import type { Journal, JournalledTrip, PastTrip } from '../../probe/journal.ts'
import type { Sequence } from '../../probe/retest.ts'

export type SpoolRecord =
  | { kind: 'result'; body: TestResult }
  | { kind: 'overdue'; body: Overdue }
  | { kind: 'control'; body: ControlTrip }
  | { kind: 'late'; body: { id: string } }

const pastMax = 400

export class MemoryJournal implements Journal {
  /** Of the boot that writes; the machine that starts again changes it. */
  bootId: string
  readonly #open = new Map<string, JournalledTrip>()
  readonly #past = new Map<string, PastTrip>()
  readonly #slots = new Set<string>()
  readonly #sequences = new Map<string, { sequence: Sequence; bootId: string }>()

  constructor(bootId: string) {
    this.bootId = bootId
  }

  begin({ order, state }: Parameters<Journal['begin']>[0]): boolean {
    const slot = order.kind === 'test' ? order.slot : null
    const names = slot === null ? [] : [`${slot.assignmentId} ${slot.number}`, `at ${slot.atMs}`]
    if (names.some((name) => this.#slots.has(name))) return false
    for (const name of names) this.#slots.add(name)
    this.#open.set(order.id, { order, state, bootId: this.bootId })
    return true
  }

  save(id: string, state: JournalledTrip['state']): void {
    const trip = this.#open.get(id)
    if (trip !== undefined) this.#open.set(id, { ...trip, state })
  }

  end(id: string, returned: boolean): void {
    const trip = this.#open.get(id)
    if (trip === undefined) return
    this.#open.delete(id)
    const { order, state, bootId } = trip
    const monitorId = order.kind === 'test' ? order.plan.monitor_id : null
    this.#past.set(id, { id, kind: order.kind, monitorId, startedAt: state.startedAt, bootId, returned })
    if (this.#past.size > pastMax) for (const old of [...this.#past.keys()].slice(0, pastMax / 2)) this.#past.delete(old)
    if (this.#slots.size > pastMax) for (const old of [...this.#slots].slice(0, pastMax / 2)) this.#slots.delete(old)
  }

  underWay = (): JournalledTrip[] => [...this.#open.values()]
  past = (id: string): PastTrip | undefined => this.#past.get(id)
  markReturned(id: string): void {
    const past = this.#past.get(id)
    if (past !== undefined) past.returned = true
  }
  sequences = (): { sequence: Sequence; bootId: string }[] => [...this.#sequences.values()]
  saveSequence(sequence: Sequence): void {
    this.#sequences.set(sequence.monitorId, { sequence, bootId: this.bootId })
  }
  dropSequence(monitorId: string): void {
    this.#sequences.delete(monitorId)
  }
  prune(): void {}
}
