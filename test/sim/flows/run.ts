/** One seed, one run through the whole flows: as ../run.ts, judged also by what the gateways took. */
import { drawSetting, drawTroubles } from '../draw.ts'
import { judgeHistory, totalOutages } from '../oracle.ts'
import { Random } from '../random.ts'
import {
  accountForStarts,
  beginReport,
  brokenPromises,
  leadMs,
  nextStretchMs,
  type RunOptions,
  type RunReport,
  restMs,
  stampFaultsIn,
  stuckSince,
  yearMs,
} from '../run.ts'
import type { Trouble } from '../setting.ts'
import { World } from '../world.ts'
import { SimCoordinators } from './coordinators.ts'
import { drawFlowSetting, drawFlowTroubles } from './draw.ts'
import { judgeFlows, pagesAsTold } from './oracle.ts'
import { addHistory, emptyFlowTotals, type FlowTotals } from './totals.ts'

export type FlowReport = RunReport & { flows: FlowTotals }

export async function simulateFlows({ seed, years, weather, log }: RunOptions): Promise<FlowReport> {
  const random = new Random(seed)
  const { world, coordinators } = makeWorld(random, seed, log)
  const { setting } = world
  const pacing = random.stream('pacing')
  const endMs = setting.startMs + years * yearMs
  const report: FlowReport = { ...beginReport({ seed, years, log }, random, setting), flows: emptyFlowTotals() }
  // What the coordinators do as they start must not be passed over.
  await world.playSettling([], setting.startMs + restMs(setting))
  for (;;) {
    const atMs = nextStretchMs(world, pacing)
    if (atMs > endMs) break
    world.fold(atMs - leadMs)
    const troubles = drawTroubles(random.stream(`stretch ${report.stretches}`), setting, atMs, weather)
    const flowTroubles = drawFlowTroubles(random.stream(`flows of stretch ${report.stretches}`), atMs)
    coordinators.begin(flowTroubles)
    const lastMs = Math.max(...[...troubles, ...flowTroubles].map((trouble) => trouble.toMs))
    const rested = await world.playSettling(troubles, lastMs + restMs(setting))
    account(report, world, coordinators, troubles, rested)
    if (!rested) {
      report.violations.push(stuckSince(world, lastMs))
      break
    }
  }
  report.flows.coordinator_crashes = coordinators.crashes
  return { ...report, probeCrashes: world.crashes.counts, events: world.events.made }
}

function makeWorld(random: Random, seed: bigint, log: RunOptions['log']): { world: World; coordinators: SimCoordinators } {
  const setting = drawSetting(random.stream('setting'))
  const flowSetting = drawFlowSetting(random.stream('flows'))
  log?.(`seed ${seed}: ${JSON.stringify(setting.rules)}, ${setting.probes.length} probes, ${JSON.stringify(flowSetting)}`)
  let coordinators: SimCoordinators | undefined
  const world = new World(setting, random, {
    probesDie: true,
    ...(log === undefined ? {} : { log }),
    coordination: (around, holders) => {
      coordinators = new SimCoordinators(around, holders, flowSetting, random.stream('coordinators'))
      return coordinators
    },
  })
  if (coordinators === undefined) throw new Error('The world has made no coordinators')
  return { world, coordinators }
}

/** One stretch is over: what was told, and what should have been. */
function account(report: FlowReport, world: World, coordinators: SimCoordinators, troubles: Trouble[], rested: boolean): void {
  const { setting, watches, failedMails } = world
  const { windows, upSpans, crashesMs, faults, gateways } = coordinators
  const { taken, attempts } = gateways
  const deafSpans = gateways.deafSpans()
  const incidents = [...coordinators.incidents.values()]
  const outageSpans = totalOutages(troubles)
  const told = { setting: coordinators.setting, incidents, taken, attempts }
  const { open_period_s, slow_s, timeout_s } = setting.rules
  const lookMs = Math.min(open_period_s + slow_s, timeout_s) * 1000
  const history = { ...told, windows, lookMs, outageSpans, upSpans, deafSpans, crashesMs, rested }
  const pages = pagesAsTold(incidents, taken)
  const { outages, violations } = judgeHistory({ setting, troubles, pages, watches, failedMails })
  accountForStarts(report, world, troubles, pages)
  report.stretches += 1
  report.outages.push(...outages)
  report.violations.push(
    ...violations,
    ...stampFaultsIn(world, troubles),
    ...judgeFlows(history),
    ...brokenPromises(world, rested),
  )
  for (const { atMs, what } of faults) report.violations.push({ kind: 'flow_fault', atMs, what })
  for (const { kind } of pages) report.pages[kind] += 1
  addHistory(report.flows, history, outages, (atMs) => gateways.workAt(atMs))
}
