/**
 * node test/sim/sweep.ts [--step S]: the start of an outage swept over one period, for every number of vantages, quorum and mode. Prints
 * the table of docs/proof.md: the worst detection measured beside the formula, both without the budget of 30 s.
 */
import { parseArgs } from 'node:util'
import { detectionBoundS, detectionBudgetS } from '../../coordinator/core/detection-bound.ts'
import type { Mode, MonitorRules } from '../../coordinator/core/evidence.ts'
import { jitterMs } from '../../probe/timetable.ts'
import { Random } from './random.ts'
import { planOf, type WorldSetting } from './setting.ts'
import { World } from './world.ts'

export type Course = { vantages: number; quorum: number; mode: Mode }
export type Measured = Course & { formulaS: number; worstS: number; meanS: number; starts: number }

const modes: Mode[] = ['seed', 'fast', 'hedged']
/** One vantage has one course; elsewhere every quorum in every mode. */
export const courses: Course[] = [1, 2, 3, 4, 8].flatMap((vantages): Course[] => {
  if (vantages === 1) return [{ vantages, quorum: 1, mode: 'seed' }]
  return [2, 3].filter((quorum) => quorum <= vantages).flatMap((quorum) => modes.map((mode) => ({ vantages, quorum, mode })))
})

const timing = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
const startMs = Date.UTC(2026, 0, 1)
/** Slots that a sweep can meet: those of the period in which the outage begins, and of the next two. */
const slotsMet = 4
const jitterMsMax = 300
/** Names found, by probe: the search takes some ten thousand hashes each. */
const punctual = new Map<string, string>()
const prompt = { median: 5, sigma: 0 }

/** A world in which every way takes 5 ms and nothing happens by chance, so that what is measured is the rule. */
export function promptWorld(rules: MonitorRules): WorldSetting {
  return {
    startMs,
    rules,
    probes: Array.from({ length: rules.vantages }, (_, index) => ({
      id: `probe-${index}`,
      domain: { region: `region-${index}`, asn: 64501 + index, return_domain: `${index}.probe.example` },
      clock: { driftPpm: 0, aheadMs: 0, readingErrorMs: 0 },
    })),
    responder: { driftPpm: 0, aheadMs: 0 },
    references: 2,
    greylistMs: null,
    busy: false,
    pace: { dialogue: prompt, leg: prompt, link: prompt, judging: prompt, reconnect: { low: 5, high: 5 } },
    chances: { lost: 0, late: 0, doubled: 0, hiccup: 0, unacknowledged: 0 },
  }
}

/** From the start of an outage, so many seconds after a slot of the first vantage, to the page. Seconds. */
export function detectionS(rules: MonitorRules, atS: number, assignmentId: (probeId: string) => string): number {
  const setting = promptWorld(rules)
  const world = new World(setting, new Random(1n), { assignmentId })
  const fromMs = startMs + rules.period_s * 1000 + atS * 1000
  world.fold(fromMs - 1000)
  world.play(
    [{ kind: 'mail', fault: 'swallowed', regions: null, fromMs, toMs: fromMs + 7_200_000 }],
    fromMs + 7_200_000,
    () => world.pages.length > 0,
  )
  const page = world.pages.find(({ kind }) => kind === 'down')
  return page === undefined ? Number.POSITIVE_INFINITY : (page.atMs - fromMs) / 1000
}

export function measure(course: Course, stepS: number): Measured {
  const rules = { ...timing, ...course }
  const assignmentId = punctualIds(rules)
  const detections: number[] = []
  for (let atS = 0; atS < timing.period_s; atS += stepS) detections.push(detectionS(rules, atS + 0.1, assignmentId))
  const meanS = detections.reduce((sum, each) => sum + each, 0) / detections.length
  return {
    ...course,
    formulaS: detectionBoundS(rules) - detectionBudgetS,
    worstS: Math.max(...detections),
    meanS,
    starts: detections.length,
  }
}

/** Slots start with up to 3 s of jitter, which follows from the name of the assignment: names whose slots start on time. */
function punctualIds(rules: MonitorRules): (probeId: string) => string {
  const setting = promptWorld(rules)
  const epoch_ms = startMs - rules.period_s * 1000 * 1000
  const firstSlot = Math.floor((startMs - epoch_ms) / (rules.period_s * 1000))
  const slots = Array.from({ length: slotsMet }, (_, index) => firstSlot + index)
  return (probeId) => {
    const known = punctual.get(probeId)
    if (known !== undefined) return known
    for (let number = 0; ; number++) {
      const id = `${probeId}-${number}`
      const assignment = { id, generation: 1, epoch_ms, phase_ms: 0, first_slot: 0, last_slot: null, plan: planOf(setting) }
      if (slots.some((slot) => jitterMs(assignment, slot) > jitterMsMax)) continue
      punctual.set(probeId, id)
      return id
    }
  }
}

const minutes = (seconds: number): string => (seconds / 60).toFixed(2)

function print(stepS: number): void {
  const rows = courses.map((course) => measure(course, stepS))
  console.log(
    `Outage starts ${stepS} s apart over one period of ${timing.period_s} s; minutes, without the budget of ${detectionBudgetS} s.\n`,
  )
  console.log('| vantages | quorum | mode | formula | measured worst | measured mean | difference |')
  console.log('|---|---|---|---|---|---|---|')
  for (const { vantages, quorum, mode, formulaS, worstS, meanS } of rows) {
    const difference = `${(worstS - formulaS).toFixed(1)} s`
    console.log(
      `| ${vantages} | ${quorum} | ${mode} | ${minutes(formulaS)} | ${minutes(worstS)} | ${minutes(meanS)} | ${difference} |`,
    )
  }
  process.exitCode = rows.every(({ formulaS, worstS }) => Math.abs(worstS - formulaS) <= 2) ? 0 : 1
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { step: { type: 'string', default: '1' } } })
  print(Number(values.step))
}
