/** Simulated probes die at every point between what they write down and what they do, and keep what they promise; the oracle can fail. */
import { describe, expect, test } from 'vitest'
import { slotOrder, type TestOrder } from '../../probe/trip.ts'
import type { SpoolRecord } from './journal.ts'
import { MemoryDisk, openDisk } from './journal.ts'
import { type CrashPoint, crashPoints, Died, Life } from './life.ts'
import { ProbePromises } from './probe-promises.ts'
import { simulate } from './run.ts'
import { planOf } from './setting.ts'
import { promptWorld } from './sweep.ts'
import { addRun, emptyTotals, isFault } from './totals.ts'

test('over some seeds a probe dies at every point, and none breaks its word', { timeout: 120_000 }, () => {
  const totals = emptyTotals(91_000_000n, 'test')
  const faults: string[] = []
  for (let seed = 91_000_000n; seed < 91_000_024n; seed++) {
    const report = simulate({ seed, years: 1 / 4, weather: { outages: true } })
    addRun(totals, report)
    faults.push(...report.violations.filter(isFault).map(({ kind, what }) => `seed ${seed}: ${kind}: ${what}`))
  }
  expect(faults).toEqual([])
  expect(crashPoints.filter((point) => totals.probe_crashes[point] === 0)).toEqual([])
})

const rules = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
const plan = planOf(promptWorld({ ...rules, vantages: 1, quorum: 1, mode: 'seed' }))
const assignment = { id: 'a', generation: 1, epoch_ms: 0, phase_ms: 0, first_slot: 0, last_slot: null, plan }
const orderOf = (id: string, slot: number): TestOrder => slotOrder(id, assignment, slot, slot * 1000)
const resultOf = (id: string, outcome: string, cause = 'slot'): SpoolRecord =>
  ({ kind: 'result', id, body: { id, outcome, cause, finished_uptime_ms: 5000 } }) as SpoolRecord

describe('the word of a probe is broken', () => {
  const kindsOf = (history: (promises: ProbePromises) => void): string[] => {
    const promises = new ProbePromises(() => 0)
    history(promises)
    promises.rested()
    return promises.violations.map(({ kind }) => kind)
  }
  const ok = resultOf('t1', 'ok')
  const mailed = (promises: ProbePromises) => promises.mailed('eu', orderOf('t1', 7))

  test('not where a test mails twice, and is told twice in the same words', () => {
    expect(
      kindsOf((promises) => {
        mailed(promises)
        mailed(promises)
        promises.told([ok])
        promises.told([ok])
        promises.died([ok], 5000, false)
      }),
    ).toEqual([])
  })

  test.each([
    ['where it is asked for thirteen tests in a minute', 13, 1, ['flood']],
    ['not where it is asked for twelve', 12, 1, []],
    ['not where one of them is tried again and again', 1, 13, []],
  ])('%s', (_, orders, attempts, expected) => {
    const told = kindsOf((promises) => {
      for (let n = 0; n < orders; n++) {
        const order: TestOrder = { ...orderOf(`job-${n}`, n), cause: 'job', slot: null }
        for (let attempt = 0; attempt < attempts; attempt++) promises.mailed('eu', order)
        promises.told([resultOf(order.id, 'ok')])
      }
    })
    expect(told).toEqual(expected)
  })

  test('where two tests mail one slot', () => {
    const twice = kindsOf((promises) => {
      mailed(promises)
      promises.mailed('eu', orderOf('t2', 7))
      promises.told([ok, resultOf('t2', 'ok')])
    })
    expect(new Set(twice)).toEqual(new Set(['slot_twice']))
  })

  test('where nobody is told of a mailed test', () => {
    expect(kindsOf(mailed)).toEqual(['untold'])
  })

  test('where it tells the same test otherwise', () => {
    expect(
      kindsOf((promises) => {
        mailed(promises)
        promises.told([ok])
        promises.told([resultOf('t1', 'timeout')])
      }),
    ).toEqual(['told_otherwise'])
  })

  test.each([
    { of: 'a lost slot', record: resultOf('t1', 'timeout'), retest: false, broken: ['retest_lost'] },
    { of: 'a lost slot whose re-test is planned', record: resultOf('t1', 'timeout'), retest: true, broken: [] },
    { of: 'a lost job', record: resultOf('t1', 'timeout', 'job'), retest: false, broken: [] },
  ])('where it dies with the result of $of: $broken', ({ record, retest, broken }) => {
    expect(kindsOf((promises) => promises.died([record], 5000, retest))).toEqual(broken)
  })
})

describe('the disk of a probe that dies', () => {
  const state = { startedAt: { wallMs: 0, monotonicMs: 0 } } as Parameters<MemoryDisk['begin']>[0]['state']
  const begunUntil = (deadly: CrashPoint): MemoryDisk => {
    const disk = new MemoryDisk('boot-1')
    const { store, journal } = openDisk(disk, new Life((point) => point === deadly))
    expect(() => store.transaction(() => journal.begin({ order: orderOf('t1', 7), state }))).toThrow(Died)
    return disk
  }

  test.each<CrashPoint>(['begin', 'commit'])('holds nothing of a transaction that was not committed: %s', (point) => {
    const disk = begunUntil(point)
    expect(disk.underWay()).toEqual([])
    expect(disk.begin({ order: orderOf('t2', 7), state })).toBe(true)
  })

  test('holds all of one that was, and gives its slot to nobody else', () => {
    const disk = begunUntil('begun')
    expect(disk.underWay().map(({ order }) => order.id)).toEqual(['t1'])
    expect(disk.begin({ order: orderOf('t2', 7), state })).toBe(false)
  })
})
