/** One seed, one run: years of one monitor, its troubles played one after the other and accounted for by the oracle. */
import { dayMs, hourMs } from '../../common/durations.ts'
import { drawSetting, drawTroubles, type Weather } from './draw.ts'
import type { FlowViolation } from './flows/history.ts'
import { type Account, judgeHistory, type OutageAccount } from './oracle.ts'
import { addStartCounts, emptyStartCounts, judgeStarts, type StartCounts, type StartViolation } from './outage-start.ts'
import type { Page } from './pages.ts'
import { addPastCounts, emptyPastCounts, judgePastOutages, type PastCounts, type PastViolation } from './past-duty.ts'
import { type CrashCounts, emptyCrashCounts } from './probe-crashes.ts'
import type { ProbeViolation } from './probe-promises.ts'
import { Random } from './random.ts'
import { type ClockReport, type ClockViolation, simulateRemoteClock } from './remote-clock.ts'
import type { Trouble, WorldSetting } from './setting.ts'
import { type StampViolation, stampFaults } from './stamps.ts'
import { World } from './world.ts'

export type RunOptions = {
  seed: bigint
  years: number
  weather: Weather
  log?: (line: string) => void
}

export type Violation =
  | Account['violations'][number]
  | FlowViolation
  | ProbeViolation
  | ClockViolation
  | StampViolation
  | StartViolation
  | PastViolation
  /** `flow_fault`: an error that no flow expects. */
  | { kind: 'stuck' | 'flow_fault'; atMs: number; what: string }

export type RunReport = {
  seed: bigint
  setting: WorldSetting
  years: number
  stretches: number
  events: number
  outages: Account['outages']
  pages: { down: number; past: number; unconfirmed: number }
  /** The estimator of the remote clock, in worlds of its own from the same seed. */
  clock: ClockReport
  /** When outages began, by the incidents. */
  starts: StartCounts
  /** Outages that were over before anybody heard of them. */
  past: PastCounts
  /** Of probes, between what they wrote down and what they did. */
  probeCrashes: CrashCounts
  violations: Violation[]
}

export const yearMs = 365.25 * dayMs
/** Bad stretches a year, each of one trouble or several. */
const stretchesPerYear = 40
/** Played before the first trouble of a stretch. */
export const leadMs = 60_000
/** After the last trouble everything must have come to rest within this time, whatever happened. */
export const restMs = ({ rules }: WorldSetting): number =>
  2 * hourMs + 4 * (rules.period_s + rules.timeout_s + rules.retest_wait_s) * 1000

/** Before the first stretch. The remote clock has worlds of its own and is done with here. */
export function beginReport(
  { seed, years, log }: Pick<RunOptions, 'seed' | 'years'> & { log: RunOptions['log'] | undefined },
  random: Random,
  setting: WorldSetting,
): RunReport {
  const clock = simulateRemoteClock(random.stream('remote clock'), setting.startMs, years, { log })
  return {
    seed,
    setting,
    years,
    stretches: 0,
    events: 0,
    outages: [],
    pages: { down: 0, past: 0, unconfirmed: 0 },
    clock,
    starts: emptyStartCounts(),
    past: emptyPastCounts(),
    probeCrashes: emptyCrashCounts(),
    violations: [...clock.violations],
  }
}

/** When the first trouble of the next stretch comes. */
export const nextStretchMs = ({ events }: World, pacing: Random): number =>
  Math.ceil(events.nowMs + leadMs + pacing.exponential(yearMs / stretchesPerYear))

export const stuckSince = ({ coordinator, setting }: World, lastMs: number): Violation => ({
  kind: 'stuck',
  atMs: lastMs,
  what: `still ${coordinator.decision} after ${restMs(setting) / 1000} s`,
})

export const stampFaultsIn = ({ setting, mail, returned }: World, troubles: readonly Trouble[]): StampViolation[] =>
  stampFaults({ setting, troubles, deliveries: mail.responder.deliveries, returned })

/** Whether the incidents of a stretch say rightly when their outages began. */
export function accountForStarts(report: RunReport, world: World, troubles: readonly Trouble[], pages: readonly Page[]): void {
  const { setting, tests, mail } = world
  const { counts, violations } = judgeStarts({ setting, troubles, pages, tests: tests.all, losses: mail.losses })
  addStartCounts(report.starts, counts)
  report.violations.push(...violations)
}

/** Whether what was over before anybody heard of it was told of in a stretch that is over. */
function accountForPast(report: RunReport, world: World, troubles: readonly Trouble[], outages: readonly OutageAccount[]): void {
  const { setting, pages, withheld, tests, mail, coordinator, events } = world
  const told = { pages, withheld, tests: tests.all, losses: mail.losses }
  const known = { holders: coordinator.seats.all, endMs: events.nowMs }
  const { counts, violations } = judgePastOutages({ setting, troubles, outages, ...told, ...known })
  addPastCounts(report.past, counts)
  report.violations.push(...violations)
}

/** What the probes have not kept. */
export function brokenPromises({ promises }: World, rested: boolean): ProbeViolation[] {
  if (rested) promises.rested()
  return promises.violations
}

export function simulate({ seed, years, weather, log }: RunOptions): RunReport {
  const random = new Random(seed)
  const setting = drawSetting(random.stream('setting'))
  const world = new World(setting, random, { probesDie: true, ...(log === undefined ? {} : { log }) })
  const pacing = random.stream('pacing')
  const endMs = setting.startMs + years * yearMs
  const report = beginReport({ seed, years, log }, random, setting)
  log?.(`seed ${seed}: ${JSON.stringify(setting.rules)}, ${setting.probes.length} probes`)

  for (;;) {
    const atMs = nextStretchMs(world, pacing)
    if (atMs > endMs) break
    world.fold(atMs - leadMs)
    const troubles = drawTroubles(random.stream(`stretch ${report.stretches}`), setting, atMs, weather)
    const lastMs = Math.max(...troubles.map((trouble) => trouble.toMs))
    const rested = world.play(troubles, lastMs + restMs(setting))
    const account = judgeHistory({
      setting,
      troubles,
      pages: world.pages,
      watches: world.watches,
      failedMails: world.failedMails,
    })
    accountForStarts(report, world, troubles, world.pages)
    accountForPast(report, world, troubles, account.outages)
    report.violations.push(...stampFaultsIn(world, troubles))
    report.stretches += 1
    report.outages.push(...account.outages)
    report.violations.push(...account.violations, ...brokenPromises(world, rested))
    for (const { kind } of world.pages) report.pages[kind] += 1
    if (!rested) {
      report.violations.push(stuckSince(world, lastMs))
      break
    }
  }
  return { ...report, probeCrashes: world.crashes.counts, events: world.events.made }
}
