/** The simulator with fixed seeds. Each covers two months of one monitor with many troubles, with and without true outages. */
import { describe, expect, test } from 'vitest'
import { Random } from './random.ts'
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
    const report = simulate({ seed, years, weather: { outages, away: outages } })
    addRun(totals, report)
    for (const { kind, what } of report.violations.filter(isFault)) {
      faults.push(
        `${kind}: ${what}; npm run sim -- --seed ${seed} --seeds 1 --years ${years}${outages ? ' --away' : ' --no-outages'} --log`,
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
      expect(totals.outages.start).toBeGreaterThan(10)
      expect(totals.past_outages_due).toBeGreaterThan(3)
    },
  )

  test.each(batches.filter((batch) => batch % 2 === 1))('batch %i: without a true outage nobody is woken', (batch) => {
    const { totals, faults } = play(batch, false)
    expect(faults).toEqual([])
    expect(totals.outages).toMatchObject({ start: 0, later: 0, optional: 0 })
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
