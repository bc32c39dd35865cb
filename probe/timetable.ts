/**
 * Which slots are due (DESIGN 3.2). Given the assignments and the wall clock it hands out each slot once, in order of its start;
 * what a test then does moves nothing here. One heap holds the next slot of every assignment, so that ten thousand of them cost
 * one timer of the caller.
 */
import { createHash } from 'node:crypto'
import { firstSlotFrom, slotStartMs } from '../common/timetable.ts'
import type { Assignment } from '../common/wire/test.ts'
import { Heap } from './heap.ts'

/**
 * A slot that could not start within this time is missed: it is counted and never caught up. It starts late where the probe was away at
 * its instant (restarting, asleep), or where more slots fall on one second than it can write down in it.
 */
export const slotLateMsMax = 30_000
/**
 * So much of it the budget of the detection bound holds (DESIGN 1). A slot that starts later still is no part of that bound: an outage
 * meanwhile has the bound of the other vantages, or counts from the return of this one, and is found the sooner for the late start.
 */
const lateMsInBudget = 5000
/** Each is written to disk before it starts: so many at a time, and what is left is as late as it is when its turn comes. */
const slotsAtOnceMax = 50
const jitterMsMax = 3000
/** Jitter never takes more than this part of the period, so that short periods stay evenly spread. */
const jitterShare = 1 / 20

/** All times UTC in ms. `slotAtMs` is the planned instant, `startAtMs` the same with jitter. */
export type DueSlot = { assignment: Assignment; slot: number; slotAtMs: number; startAtMs: number }

/** The delay of a slot's start, the same whenever it is computed: it spreads what would otherwise start in one instant. */
export function jitterMs(assignment: Assignment, slot: number): number {
  const span = Math.min(jitterMsMax, assignment.plan.period_s * 1000 * jitterShare)
  const draw = createHash('sha256').update(`${assignment.id}:${slot}`).digest().readUInt32BE(0) / 2 ** 32
  return Math.floor(draw * span)
}

type Entry = { assignment: Assignment; slot: number }

export class Timetable {
  #entries = new Map<string, Entry>()
  #generations = new Map<string, Assignment[]>()
  #queue = new Heap<Entry>()
  #askedMs = Number.NEGATIVE_INFINITY
  #missed = 0
  #late = 0

  /** Slots of this timetable that no test ran for because it was too late for them. */
  get missed(): number {
    return this.#missed
  }

  /** Slots of this timetable that started later than the budget of the detection bound holds. */
  get late(): number {
    return this.#late
  }

  /** Takes over the standing orders as they now are. An assignment that was there before goes on where it stood. */
  replace(assignments: readonly Assignment[], nowMs: number): void {
    const before = this.#entries
    this.#entries = new Map()
    this.#generations = Map.groupBy(assignments, (assignment) => assignment.plan.monitor_id)
    this.#queue = new Heap()
    for (const assignment of assignments) {
      const known = before.get(assignment.id)
      const goesOn = known !== undefined && sameRate(known.assignment, assignment)
      const slot = goesOn ? known.slot : firstStartable(assignment, nowMs)
      const entry = { assignment, slot }
      this.#entries.set(assignment.id, entry)
      this.#enqueue(entry)
    }
  }

  /** The assignment that gives the monitor to this probe at this instant, if one does. */
  holderOf(monitorId: string, atMs: number): Assignment | undefined {
    return (this.#generations.get(monitorId) ?? [])
      .filter((assignment) => holds(assignment, atMs))
      .reduce<Assignment | undefined>((best, next) => (best && best.generation >= next.generation ? best : next), undefined)
  }

  /** Takes out slots whose start has come, the earliest first and a limited number of them; each is handed out once, while nobody sets the clock back. */
  due(nowMs: number): DueSlot[] {
    // Until a clock that was set back comes to where it was, no slot would start. Those that have run are known by the journal.
    if (nowMs < this.#askedMs - slotLateMsMax) this.#startAnew(nowMs)
    this.#askedMs = nowMs
    const due: DueSlot[] = []
    for (
      let entry = this.#queue.popDue(nowMs);
      entry !== undefined;
      entry = due.length < slotsAtOnceMax ? this.#queue.popDue(nowMs) : undefined
    ) {
      const slot = dueSlot(entry)
      const next = nextStartable(slot, nowMs)
      if (this.#wins(slot)) {
        const lateMs = nowMs - slot.startAtMs
        const isMissed = lateMs > slotLateMsMax
        if (!isMissed) due.push(slot)
        if (!isMissed && lateMs > lateMsInBudget) this.#late += 1
        // After a long sleep the slots passed over are counted in one go, not with one heap operation each.
        this.#missed += (isMissed ? 1 : 0) + skippedSlots(slot, next)
      }
      entry.slot = next
      this.#enqueue(entry)
    }
    return due
  }

  #startAnew(nowMs: number): void {
    this.#queue = new Heap()
    for (const entry of this.#entries.values()) {
      entry.slot = firstStartable(entry.assignment, nowMs)
      this.#enqueue(entry)
    }
  }

  /** When `due` is to be asked next, UTC in ms; null while no slot lies ahead. */
  nextWakeAt(): number | null {
    return this.#queue.peek()?.atMs ?? null
  }

  /** Where a predecessor and its successor overlap, the latest generation that has begun runs the slot, alone. */
  #wins({ assignment, slotAtMs }: DueSlot): boolean {
    return this.holderOf(assignment.plan.monitor_id, slotAtMs)?.id === assignment.id
  }

  #enqueue(entry: Entry): void {
    const { last_slot } = entry.assignment
    if (last_slot === null || entry.slot <= last_slot) this.#queue.push(dueSlot(entry).startAtMs, entry)
  }
}

function dueSlot({ assignment, slot }: Entry): DueSlot {
  const slotAtMs = slotStartMs(rateOf(assignment), slot)
  return { assignment, slot, slotAtMs, startAtMs: slotAtMs + jitterMs(assignment, slot) }
}

/** The first slot of all that may still start in time. */
const firstStartable = (assignment: Assignment, nowMs: number): number =>
  Math.max(assignment.first_slot, firstSlotFrom(rateOf(assignment), nowMs - slotLateMsMax))

/** The next slot that may still start in time. */
const nextStartable = ({ assignment, slot }: DueSlot, nowMs: number): number =>
  Math.max(slot + 1, firstSlotFrom(rateOf(assignment), nowMs - slotLateMsMax - jitterMsMax))

function skippedSlots({ assignment, slot }: DueSlot, next: number): number {
  const last = assignment.last_slot === null ? next - 1 : Math.min(next - 1, assignment.last_slot)
  return Math.max(0, last - slot)
}

const rateOf = ({ epoch_ms, phase_ms, plan }: Assignment) => ({ epoch_ms, phase_ms, period_s: plan.period_s })

const sameRate = (a: Assignment, b: Assignment): boolean =>
  a.epoch_ms === b.epoch_ms && a.phase_ms === b.phase_ms && a.plan.period_s === b.plan.period_s && a.first_slot === b.first_slot

/** An assignment holds its monitor from the start of its first slot until the next slot after its last would start. */
function holds(assignment: Assignment, atMs: number): boolean {
  const rate = rateOf(assignment)
  if (atMs < slotStartMs(rate, assignment.first_slot)) return false
  return assignment.last_slot === null || atMs < slotStartMs(rate, assignment.last_slot + 1)
}
