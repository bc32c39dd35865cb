import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Assignment } from '../../common/wire/test.ts'
import { jitterMs, Timetable } from '../../probe/timetable.ts'
import { assignmentOf, uuidOf } from '../support/plans.ts'

const epochMs = Date.UTC(2026, 10, 23)
const minutes = (n: number) => epochMs + n * 60_000

/** Runs a timetable to `untilMs`, always waking exactly when it asks, and tells what started. */
function started(timetable: Timetable, untilMs: number): { id: string; slot: number; atMs: number }[] {
  const starts: { id: string; slot: number; atMs: number }[] = []
  for (let wake = timetable.nextWakeAt(); wake !== null && wake <= untilMs; wake = timetable.nextWakeAt()) {
    for (const { assignment, slot } of timetable.due(wake)) starts.push({ id: assignment.id, slot, atMs: wake })
  }
  return starts
}

function timetableOf(assignments: Assignment[], nowMs: number): Timetable {
  const timetable = new Timetable()
  timetable.replace(assignments, nowMs)
  return timetable
}

describe('the timetable of a probe', () => {
  it('starts every slot once, at its planned instant plus jitter, and never drifts', () => {
    const assignment = assignmentOf({ phase_ms: 90_000 })
    const starts = started(timetableOf([assignment], minutes(0)), minutes(61))
    expect(starts.map(({ slot }) => slot)).toEqual([0, 1, 2])
    for (const { slot, atMs } of starts) {
      expect(atMs).toBe(epochMs + slot * 1_200_000 + 90_000 + jitterMs(assignment, slot))
    }
  })

  it('spreads starts by at most 3 s, and by at most a twentieth of a short period', () => {
    const jitters = (period_s: number) =>
      Array.from({ length: 200 }, (_, slot) => jitterMs(assignmentOf({ id: uuidOf(slot) }, { period_s }), slot))
    expect(Math.max(...jitters(1200))).toBeLessThanOrEqual(3000)
    expect(Math.max(...jitters(1200))).toBeGreaterThan(2500)
    expect(Math.max(...jitters(20))).toBeLessThanOrEqual(1000)
    expect(jitters(1200)).toEqual(jitters(1200))
  })

  it('runs a slot that is 30 s late and counts an older one as missed, without catching up', () => {
    const assignment = assignmentOf()
    const late = timetableOf([assignment], minutes(-1))
    expect(late.due(minutes(0) + 29_000).map(({ slot }) => slot)).toEqual([0])
    expect([late.missed, late.late]).toEqual([0, 1])

    const tooLate = timetableOf([assignment], minutes(-1))
    expect(tooLate.due(minutes(0) + 34_000)).toEqual([])
    expect([tooLate.missed, tooLate.late]).toEqual([1, 0])

    // What the budget of the detection bound holds is not late.
    const inBudget = timetableOf([assignment], minutes(-1))
    expect(inBudget.due(minutes(0) + jitterMs(assignment, 0) + 5000).map(({ slot }) => slot)).toEqual([0])
    expect([inBudget.missed, inBudget.late]).toEqual([0, 0])
  })

  it('goes by a clock that was set back from then on, and does not wait for it to come to where it was', () => {
    const assignment = assignmentOf()
    const timetable = timetableOf([assignment], minutes(-1))
    expect(timetable.due(minutes(1500) + 3000).map(({ slot }) => slot)).toEqual([75])
    expect(timetable.nextWakeAt()).toBeGreaterThan(minutes(1519))
    // Whatever wakes it next finds the clock where it belongs: the slot of that moment has not run.
    expect(timetable.due(minutes(20) + 3000).map(({ slot }) => slot)).toEqual([1])
    expect(timetable.due(minutes(40) + 3000).map(({ slot }) => slot)).toEqual([2])
    // A correction by less than a slot may be late is none.
    expect(timetable.due(minutes(40) - 20_000)).toEqual([])
    expect(timetable.due(minutes(40) + 4000)).toEqual([])
  })

  it('hands out a limited number at a time, so that each is as late as it is when it starts', () => {
    const assignments = Array.from({ length: 130 }, (_, n) => assignmentOf({ id: uuidOf(n) }, { monitor_id: uuidOf(n) }))
    const timetable = timetableOf(assignments, minutes(-1))
    const handedOut = (afterMs: number) => timetable.due(minutes(0) + afterMs).length
    expect([3000, 10_000].map(handedOut)).toEqual([50, 50])
    expect([timetable.missed, timetable.late]).toEqual([0, 50])
    expect(timetable.nextWakeAt()).toBeLessThan(minutes(0) + 3000)
    expect(handedOut(34_000)).toBe(0)
    expect([timetable.missed, timetable.late]).toEqual([30, 50])
  })

  it('after a sleep of a day counts what it missed and goes on with the next slot', () => {
    const timetable = timetableOf([assignmentOf()], minutes(-1))
    expect(timetable.due(minutes(24 * 60 + 5))).toEqual([])
    expect(timetable.missed).toBe(73)
    expect(started(timetable, minutes(24 * 60 + 25)).map(({ slot }) => slot)).toEqual([73])
  })

  it('never runs a slot after the last one of its assignment, nor before the first', () => {
    const timetable = timetableOf([assignmentOf({ first_slot: 2, last_slot: 4 })], minutes(0))
    expect(started(timetable, minutes(1000)).map(({ slot }) => slot)).toEqual([2, 3, 4])
    expect(timetable.nextWakeAt()).toBeNull()
  })

  it('lets the successor run from its first slot on while its predecessor has not ended', () => {
    const predecessor = assignmentOf({ id: uuidOf(1), generation: 1, last_slot: 5 })
    const successor = assignmentOf({ id: uuidOf(2), generation: 2, first_slot: 3 })
    const starts = started(timetableOf([successor, predecessor], minutes(0)), minutes(125))
    expect(starts.map(({ id, slot }) => `${id === uuidOf(1) ? 'predecessor' : 'successor'} ${slot}`)).toEqual([
      'predecessor 0',
      'predecessor 1',
      'predecessor 2',
      'successor 3',
      'successor 4',
      'successor 5',
      'successor 6',
    ])
  })

  it('falls back to an older generation that still holds when a later one has ended: a gap is worse', () => {
    const older = assignmentOf({ id: uuidOf(1), generation: 1 })
    const ended = assignmentOf({ id: uuidOf(2), generation: 2, first_slot: 1, last_slot: 2 })
    const starts = started(timetableOf([older, ended], minutes(0)), minutes(85))
    expect(starts.map(({ id }) => id)).toEqual([uuidOf(1), uuidOf(2), uuidOf(2), uuidOf(1), uuidOf(1)])
  })

  it('starts nothing twice when the same orders arrive again, or with an end added', () => {
    const timetable = timetableOf([assignmentOf()], minutes(0))
    expect(timetable.due(minutes(0) + 3000).map(({ slot }) => slot)).toEqual([0])
    timetable.replace([assignmentOf({ last_slot: 1 })], minutes(0) + 4000)
    expect(started(timetable, minutes(100)).map(({ slot }) => slot)).toEqual([1])
  })

  it('starts nothing twice when the wall clock is set back', () => {
    const timetable = timetableOf([assignmentOf()], minutes(0))
    expect(timetable.due(minutes(1))).toEqual([])
    const once = started(timetable, minutes(25))
    expect(once).toHaveLength(1)
    expect(timetable.due(minutes(10))).toEqual([])
  })

  it('forgets an assignment that is gone', () => {
    const timetable = timetableOf([assignmentOf()], minutes(0))
    timetable.replace([], minutes(1))
    expect(timetable.nextWakeAt()).toBeNull()
    expect(timetable.holderOf(assignmentOf().plan.monitor_id, minutes(1))).toBeUndefined()
  })

  it('keeps ten thousand assignments in order', () => {
    const assignments = Array.from({ length: 10_000 }, (_, n) =>
      assignmentOf({ id: uuidOf(n), phase_ms: (n * 7919) % 1_200_000 }, { monitor_id: uuidOf(n) }),
    )
    const starts = started(timetableOf(assignments, minutes(0)), minutes(20) - 1)
    expect(starts.length).toBeGreaterThan(9950)
    expect(starts.every(({ atMs }, index) => index === 0 || atMs >= (starts[index - 1]?.atMs ?? 0))).toBe(true)
  })

  it('hands out no slot twice, whatever comes in what order', () => {
    const change = fc.record({
      afterMs: fc.integer({ min: 0, max: 40 * 60_000 }),
      last: fc.option(fc.nat(8), { nil: null }),
      replace: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        const timetable = timetableOf([assignmentOf()], minutes(0))
        const seen = new Set<string>()
        let nowMs = minutes(0)
        for (const { afterMs, last, replace } of changes) {
          nowMs += afterMs
          if (replace)
            timetable.replace(
              [assignmentOf({ last_slot: last }), assignmentOf({ id: uuidOf(2), generation: 2, first_slot: 4 })],
              nowMs,
            )
          for (const { slotAtMs, startAtMs } of timetable.due(nowMs)) {
            expect(seen.has(String(slotAtMs))).toBe(false)
            expect(nowMs - startAtMs).toBeLessThanOrEqual(30_000)
            seen.add(String(slotAtMs))
          }
        }
      }),
    )
  })
})
