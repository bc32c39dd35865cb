/**
 * Histories of the pure judgement, drawn by a seed: mail that fails in every way and in some places, probes that are cut off, dead or
 * ill, coordinators that are away, people who end incidents. They are no realistic weather but a search for whatever can happen.
 */
import type { Mode } from '../../coordinator/core/evidence.ts'
import { Random } from '../sim/random.ts'
import { defaultRules, type Fate, type Setting } from './judgement-setting.ts'
import { Story } from './judgement-story.ts'

type Stretch = { from: number; to: number; regions: string[] }
export type DrawnHistory = {
  setting: Pick<Setting, 'regions' | 'rules' | 'pool' | 'watched'>
  mail: (Stretch & { fate: Fate })[]
  /** No link, no probe, no proof of health, failing widely; no coordinator. */
  cut: Stretch[]
  dead: Stretch[]
  unproven: Stretch[]
  wide: Stretch[]
  away: Stretch[]
  /** When somebody ends what incident there is. */
  byHand: number[]
  endS: number
}

/** Short times, so that a day of a monitor's life fits into two hours; one history in four has the defaults. */
const shortRules = { period_s: 120, timeout_s: 30, slow_s: 10, retest_wait_s: 10, open_period_s: 60 }
const fates: Fate[] = [
  ...(['lost', 'lost', 'lost', 'slow', 'slow', 'refused'] as const),
  ...(['unreachable', 'deferred', 'nameless', 'blocked', 'not_run'] as const),
]

export function drawHistory(seed: number): DrawnHistory {
  const random = new Random(BigInt(seed)).stream('history')
  const pick = <T>(from: readonly [T, ...T[]]): T => from[random.whole(0, from.length - 1)] ?? from[0]
  const regions = ['eu', 'us', 'ap', 'sa', 'af'].slice(0, random.whole(1, 5))
  const times = random.chance(0.75) ? { ...defaultRules, ...shortRules, hard_confirm_s: pick([30, 90]) } : defaultRules
  const mode = pick<Mode>(['seed', 'fast', 'hedged'])
  const quorum = Math.min(regions.length, random.whole(1, 3))
  const rules = { ...times, vantages: regions.length, mode, quorum }
  const periodS = times.period_s
  const endS = periodS * random.whole(20, 60)
  const stretch = (): Stretch => {
    const from = random.whole(0, endS)
    const to = from + random.whole(Math.round(periodS / 4), periodS * pick([4, 4, 12]))
    return { from, to, regions: random.chance(0.5) ? regions : regions.filter(() => random.chance(0.5)) }
  }
  const many = (max: number): Stretch[] => Array.from({ length: random.whole(0, max) }, stretch)
  return {
    setting: { regions, rules, watched: random.chance(0.9), pool: random.chance(0.4) ? ['oc'] : [] },
    mail: many(14).map((span) => ({ ...span, fate: fates[random.whole(0, fates.length - 1)] ?? 'lost' })),
    cut: many(pick([3, 3, 8])),
    dead: many(2),
    unproven: many(3),
    wide: many(1),
    away: many(pick([2, 2, 6])),
    byHand: random.chance(0.5) ? Array.from({ length: random.whole(1, 4) }, () => random.whole(0, endS)) : [],
    endS,
  }
}

export function playHistory({ setting, mail, cut, dead, unproven, wide, away, byHand, endS }: DrawnHistory): Story {
  const covers = (stretch: Stretch, region: string, at: number) =>
    at >= stretch.from && at < stretch.to && stretch.regions.includes(region)
  const isIn = (stretches: Stretch[], region: string, at: number) => stretches.some((stretch) => covers(stretch, region, at))
  const story: Story = new Story({
    ...setting,
    mail: (region, at) => mail.findLast((stretch) => covers(stretch, region, at))?.fate ?? 'ok',
    linked: (region, at) => !isIn(cut, region, at),
    alive: (region, at) => !isIn(dead, region, at),
    proves: (region, at) => !isIn(unproven, region, at),
    contradicted: (region, at) => ({ contradicted: isIn(wide, region, at) ? 3 : 0, monitors_held: 1 }),
    coordinating: (at) => !away.some(({ from, to }) => at >= from && at < to),
  })
  for (const at of byHand.toSorted((a, b) => a - b)) {
    story.until(at)
    if (story.state.incident !== null) story.resolveByHand()
  }
  return story.until(endS)
}
