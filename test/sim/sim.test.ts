/** The simulator with fixed seeds. Each covers two months of one monitor with many troubles, with and without true outages. */
import { describe, expect, test } from 'vitest'
import { Random } from './random.ts'
import { simulateRemoteClock } from './remote-clock.ts'
import { simulate } from './run.ts'
import { addRun, emptyTotals, isFault, type Totals } from './totals.ts'

const years = 1 / 6
const batches = [1, 2, 3, 4, 5, 6, 7, 8]
const seedsPerBatch = 30

/** Runs the seeds of one batch and returns what went wrong, each with its replay. */
function play(batch: number, outages: boolean): { totals: Totals; faults: string[] } {
  const totals = emptyTotals(BigInt(batch * 1000), 'test')
  const faults: string[] = []
  for (let index = 0; index < seedsPerBatch; index++) {
    const seed = BigInt(batch * 1000 + index)
    const report = simulate({ seed, years, weather: { outages } })
    addRun(totals, report)
    for (const { kind, what } of report.violations.filter(isFault)) {
      faults.push(
        `${kind}: ${what}; npm run sim -- --seed ${seed} --seeds 1 --years ${years}${outages ? '' : ' --no-outages'} --log`,
      )
    }
  }
  return { totals, faults }
}

describe('240 fixed seeds', { timeout: 120_000 }, () => {
  test.each(batches.filter((batch) => batch % 2 === 0))(
    'batch %i: outages among other troubles are told of once, in time',
    (batch) => {
      const { totals, faults } = play(batch, true)
      expect(faults).toEqual([])
      expect(totals.outages.start).toBeGreaterThan(20)
    },
  )

  test.each(batches.filter((batch) => batch % 2 === 1))('batch %i: without a true outage nobody is woken', (batch) => {
    const { totals, faults } = play(batch, false)
    expect(faults).toEqual([])
    expect(totals.outages).toMatchObject({ start: 0, later: 0, optional: 0 })
  })
})

describe('the remote clock', { timeout: 60_000 }, () => {
  test('is truly within its bound after every return, and every step that contradicts is noticed', () => {
    const totals = emptyTotals(1n, 'test')
    const faults: string[] = []
    for (let seed = 1n; seed <= 60n; seed++) {
      const clock = simulateRemoteClock(new Random(seed).stream('remote clock'), Date.UTC(2026, 0, 1), 0.25)
      totals.clock_bounds_checked += clock.checked
      totals.clock_bounds_after_unnoticed_step += clock.afterUnnoticedStep
      faults.push(...clock.violations.map(({ what }) => `${what}; npm run sim -- --seed ${seed} --seeds 1 --years 0.25 --log`))
    }
    expect(faults).toEqual([])
    expect(totals.clock_bounds_checked).toBeGreaterThan(5000)
    expect(totals.clock_bounds_after_unnoticed_step).toBeGreaterThan(500)
  })
})

describe('one seed', () => {
  const linesOf = (seed: bigint): string => {
    const lines: string[] = []
    simulate({ seed, years: 0.1, weather: { outages: true }, log: (line) => lines.push(line) })
    return lines.join('\n')
  }

  test('is one run: the log is the same to the byte', () => {
    const first = linesOf(42n)
    expect(first.length).toBeGreaterThan(10_000)
    expect(linesOf(42n)).toBe(first)
  })

  test('is not another: the next seed makes another world', () => {
    expect(linesOf(43n)).not.toBe(linesOf(42n))
  })

  test('all 64 bits of it count', () => {
    const firsts = Array.from({ length: 64 }, (_, bit) => new Random(1n << BigInt(bit)).next())
    expect(new Set(firsts).size).toBe(64)
  })
})
