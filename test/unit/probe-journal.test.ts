import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createJournal } from '../../probe/journal.ts'
import type { Sequence } from '../../probe/retest.ts'
import { begin } from '../../probe/round-trip.ts'
import { openStore } from '../../probe/store.ts'
import { courseOf, slotOrder, type Trip } from '../../probe/trip.ts'
import { assignmentOf, uuidOf } from '../support/plans.ts'

const startedAt = { wallMs: Date.UTC(2026, 10, 23, 12), monotonicMs: 1234.5 }
const dayMs = 86_400_000

function trip(id: number, slot: number, changes: Parameters<typeof assignmentOf>[0] = {}): Trip {
  const order = slotOrder(uuidOf(id), assignmentOf(changes), slot, slot * 1_200_000)
  return { order, state: begin(courseOf(order), startedAt).state }
}

function journalAt(path = ':memory:', bootId = 'boot-1') {
  const store = openStore(path)
  onTestFinished(() => store.close())
  return createJournal({ store, bootId })
}

describe('the journal of a probe', () => {
  it('takes a slot once, also after its test has ended', () => {
    const journal = journalAt()
    expect(journal.begin(trip(1, 7))).toBe(true)
    expect(journal.begin(trip(2, 7))).toBe(false)
    journal.end(uuidOf(1), true, startedAt.wallMs)
    expect(journal.begin(trip(3, 7))).toBe(false)
    expect(journal.begin(trip(4, 8))).toBe(true)
  })

  it('takes one instant of a monitor once, whichever generation claims it', () => {
    const journal = journalAt()
    expect(journal.begin(trip(1, 7))).toBe(true)
    expect(journal.begin(trip(2, 7, { id: uuidOf(200), generation: 2 }))).toBe(false)
  })

  it('gives back what was under way, as it was last saved, to the next process', () => {
    const directory = mkdtempSync(join(tmpdir(), 'mailscout-journal-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const path = join(directory, 'probe.sqlite')
    const first = journalAt(path)
    const saved = trip(1, 1)
    first.begin(saved)
    first.begin(trip(2, 2))
    const state = { ...saved.state, attempts: 4 }
    first.save(uuidOf(1), state)
    first.end(uuidOf(2), false, startedAt.wallMs)
    expect(journalAt(path, 'boot-2').underWay()).toEqual([{ order: saved.order, state, bootId: 'boot-1' }])
  })

  it('knows a past test for a day, and whether it came back', () => {
    const journal = journalAt()
    journal.begin(trip(1, 1))
    expect(journal.past(uuidOf(1))).toBeUndefined()
    journal.end(uuidOf(1), false, startedAt.wallMs)
    expect(journal.past(uuidOf(1))).toMatchObject({ kind: 'test', returned: false, startedAt })
    journal.markReturned(uuidOf(1))
    journal.prune(startedAt.wallMs + dayMs)
    expect(journal.past(uuidOf(1))?.returned).toBe(true)
    journal.prune(startedAt.wallMs + dayMs + 3_600_001)
    expect(journal.past(uuidOf(1))).toBeUndefined()
  })

  it('never forgets a test under way, however old', () => {
    const journal = journalAt()
    journal.begin(trip(1, 1))
    journal.prune(startedAt.wallMs + 30 * dayMs)
    expect(journal.underWay()).toHaveLength(1)
  })

  it('keeps one sequence for a monitor', () => {
    const journal = journalAt()
    const sequence: Sequence = {
      monitorId: uuidOf(1),
      firstTestId: uuidOf(5),
      firstStartedAt: startedAt,
      cause: 'retest',
      attempt: 2,
      due: startedAt,
    }
    journal.saveSequence(sequence)
    journal.saveSequence({ ...sequence, due: null })
    expect(journal.sequences()).toEqual([{ sequence: { ...sequence, due: null }, bootId: 'boot-1' }])
    journal.dropSequence(uuidOf(1))
    expect(journal.sequences()).toEqual([])
  })
})
