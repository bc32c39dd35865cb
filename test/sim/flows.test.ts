/** The whole flows with fixed seeds, each two months of one monitor under one to three coordinators that die, and gateways that falter. */
import { describe, expect, test } from 'vitest'
import { simulateFlows } from './flows/run.ts'
import { addFlowTotals, emptyFlowTotals, type FlowTotals } from './flows/totals.ts'
import { addRun, emptyTotals, isFault, type Totals } from './totals.ts'

const years = 1 / 6
const batches = [1, 2, 3, 4, 5, 6]
const seedsPerBatch = 8

/** Runs the seeds of one batch and returns what went wrong, each with its replay. */
async function play(batch: number, outages: boolean): Promise<{ totals: Totals; flows: FlowTotals; faults: string[] }> {
  const totals = emptyTotals(BigInt(batch * 1000), 'test')
  const flows = emptyFlowTotals()
  const faults: string[] = []
  for (let index = 0; index < seedsPerBatch; index++) {
    const seed = BigInt(batch * 1000 + index)
    const report = await simulateFlows({ seed, years, weather: { outages } })
    addRun(totals, report)
    addFlowTotals(flows, report.flows)
    for (const { kind, what } of report.violations.filter(isFault)) {
      const flags = `--level flows --seed ${seed} --seeds 1 --years ${years}${outages ? '' : ' --no-outages'} --log`
      faults.push(`${kind}: ${what}; npm run sim -- ${flags}`)
    }
  }
  return { totals, flows, faults }
}

describe('48 fixed seeds through the whole flows', { timeout: 120_000 }, () => {
  test.each(batches.filter((batch) => batch % 2 === 0))(
    'batch %i: outages reach a phone in time and once, whatever dies or falters meanwhile',
    async (batch) => {
      const { totals, flows, faults } = await play(batch, true)
      expect(faults).toEqual([])
      const { start, start_fewer_vantages } = totals.outages
      expect(start + start_fewer_vantages).toBeGreaterThan(1)
      expect(flows.messages).toBeGreaterThan(50)
      expect(flows.repeats).toBeGreaterThan(2)
      expect(flows.coordinator_crashes).toBeGreaterThan(20)
    },
  )

  test.each(batches.filter((batch) => batch % 2 === 1))('batch %i: without a true outage nobody is woken', async (batch) => {
    const { totals, faults } = await play(batch, false)
    expect(faults).toEqual([])
    expect(totals.outages).toMatchObject({ start: 0, later: 0, optional: 0 })
  })
})

test('one seed is one run: the log is the same to the byte', async () => {
  const linesOf = async (seed: bigint): Promise<string> => {
    const lines: string[] = []
    await simulateFlows({ seed, years: 0.1, weather: { outages: true }, log: (line) => lines.push(line) })
    return lines.join('\n')
  }
  const first = await linesOf(42n)
  expect(first.length).toBeGreaterThan(10_000)
  expect(await linesOf(42n)).toBe(first)
})
