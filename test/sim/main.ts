/**
 * npm run sim -- --seeds N --years Y [--seed S] [--level core|flows] [--no-outages] [--away] [--log] [--json]
 *
 * N seeds from S on, Y years of one monitor each, with healthy stretches folded: through the judgement alone (core, the default), or through
 * the whole flows: one to three coordinators on one store that judge, escalate and page, and die in between, gateways that falter, people
 * who answer or do not, maintenance. Exits 1 where something happened that must not; each such seed is printed with how to replay it.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { simulateFlows } from './flows/run.ts'
import { addFlowTotals, emptyFlowTotals, type FlowTotals } from './flows/totals.ts'
import { seedAt } from './random.ts'
import { type RunOptions, type RunReport, simulate } from './run.ts'
import { addRun, emptyTotals, isFault } from './totals.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20' },
    years: { type: 'string', default: '1' },
    seed: { type: 'string' },
    level: { type: 'string', default: 'core' },
    'no-outages': { type: 'boolean', default: false },
    away: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})

const seeds = whole('seeds', values.seeds)
const { level } = values
if (level !== 'core' && level !== 'flows') stop(`--level must be core or flows, not ${level}`)
const years = Number(values.years)
if (!(years > 0)) stop(`--years must be a number above 0, not ${values.years}`)
// Without a seed of its own a run is a new one, printed so that it can be repeated.
const first = values.seed === undefined ? randomBytes(6).readUIntBE(0, 6) : values.seed
const firstSeed = BigInt(first)
const commit = commitOf()
const weather = { outages: !values['no-outages'], away: values.away }
const totals = emptyTotals(firstSeed, commit)
const flows = level === 'flows' ? emptyFlowTotals() : null
const say = (line: string) => process.stderr.write(`${line}\n`)

if (!values.json) say(`seeds ${firstSeed} to ${seedAt(firstSeed, seeds - 1)}, ${years} years each, commit ${commit}`)
for (let index = 0; index < seeds; index++) {
  const seed = seedAt(firstSeed, index)
  const options = { seed, years, weather, ...(values.log ? { log: say } : {}) }
  const report = flows === null ? simulate(options) : await playFlows(flows, options)
  addRun(totals, report)
  for (const { kind, atMs, what } of report.violations.filter(isFault)) {
    say(`seed ${seed}, commit ${commit}: ${kind} at ${new Date(atMs).toISOString()}: ${what}`)
    const flags = `${level === 'core' ? '' : ` --level ${level}`}${weather.outages ? '' : ' --no-outages'}${weather.away ? ' --away' : ''}`
    say(`  replay: npm run sim -- --seed ${seed} --seeds 1 --years ${years}${flags} --log`)
  }
}
process.stdout.write(`${JSON.stringify({ level, ...totals, ...(flows === null ? {} : { flows }) }, null, values.json ? 0 : 2)}\n`)
const { false_pages, missed, late, duplicate_pages, clock_bounds_wrong, intervals_wrong, other_violations } = totals
const { past_outages_missed } = totals
const faults =
  past_outages_missed + false_pages + missed + late + duplicate_pages + clock_bounds_wrong + intervals_wrong + other_violations
process.exitCode = faults === 0 ? 0 : 1

async function playFlows(into: FlowTotals, options: RunOptions): Promise<RunReport> {
  const report = await simulateFlows(options)
  addFlowTotals(into, report.flows)
  return report
}

function whole(name: string, text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) stop(`--${name} must be a whole number above 0, not ${text}`)
  return number
}

function stop(why: string): never {
  process.stderr.write(`${why}\n`)
  process.exit(2)
}

function commitOf(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
    const played = ['common', 'coordinator', 'probe', 'responder'].map((part) => `../../${part}`)
    const changed = git('status', '--porcelain', '--', ...played, '.') === '' ? '' : ' with changes'
    return git('rev-parse', '--short', 'HEAD') + changed
  } catch {
    return 'unknown'
  }
}
