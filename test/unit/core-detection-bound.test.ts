/** The figures of the promise, in minutes without the budget of 30 s; and what holds while not all vantages are there. */
import { describe, expect, test } from 'vitest'
import {
  boundS,
  detectionBoundS,
  detectionBudgetS,
  type StandingVantage,
  type Timing,
  watchersNow,
} from '../../coordinator/core/detection-bound.ts'
import type { Mode } from '../../coordinator/core/evidence.ts'
import type { FailureDomain } from '../../coordinator/core/failure-domain.ts'
import { phaseMs } from '../../coordinator/core/placement.ts'
import { boundMs, witnessCount } from '../sim/oracle.ts'
import { promptWorld } from '../sim/sweep.ts'

const defaults = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180 }
const worst = (vantages: number, quorum: number, mode: Mode) =>
  detectionBoundS({ ...defaults, vantages, quorum, mode }) - detectionBudgetS

describe('the detection bound', () => {
  test.each([
    // n, seed, fast, hedged
    [1, 40.5, 40.5, 40.5],
    [2, 30.5, 30.0, 22.0],
    [3, 27.2, 23.3, 18.7],
    [4, 25.5, 20.0, 17.0],
    [8, 23.0, 15.0, 14.5],
  ])('with %i vantages is %d min (seed), %d (fast), %d (hedged)', (vantages, seed, fast, hedged) => {
    const minutes = (mode: Mode) => Math.round((worst(vantages, Math.min(2, vantages), mode) / 60) * 10) / 10
    expect([minutes('seed'), minutes('fast'), minutes('hedged')]).toEqual([seed, fast, hedged])
  })

  test('one vantage is below 41 min to the SMS', () => {
    expect(detectionBoundS({ ...defaults, vantages: 1, quorum: 1, mode: 'seed' })).toBeLessThanOrEqual(41 * 60)
  })

  test('with a short timeout, what a hard failure must last is the longer wait', () => {
    const short = { ...defaults, period_s: 300, timeout_s: 60, slow_s: 20, vantages: 3, quorum: 2, mode: 'hedged' as const }
    expect(detectionBoundS(short) - detectionBudgetS).toBe(100 + 180)
    expect(detectionBoundS({ ...short, hard_confirm_s: 0 }) - detectionBudgetS).toBe(100 + 60 + 20)
  })

  test('a larger quorum waits for later slots, but never longer than a test that was asked for takes', () => {
    expect(worst(3, 3, 'fast')).toBe(400 + 600 + 600)
    expect(worst(4, 3, 'fast')).toBe(300 + 600 + 600)
    expect(worst(8, 3, 'fast')).toBe(150 + 600 + 300)
    expect(worst(8, 3, 'hedged')).toBe(150 + 600 + 120)
    expect(worst(8, 3, 'seed')).toBe(worst(8, 2, 'seed'))
  })
})

const modes: Mode[] = ['seed', 'fast', 'hedged']
const ownDomain = (index: number): FailureDomain => ({
  region: `region-${index}`,
  asn: 64501 + index,
  return_domain: `${index}.probe.example`,
})
/** A vantage on its planned phase, and well. */
const vantageOf = (timing: Timing, index: number, changes: Partial<StandingVantage> = {}): StandingVantage => ({
  start_ms: phaseMs(timing.period_s, index, timing.vantages),
  domain: ownDomain(index),
  lost: false,
  verdict: 'pass',
  ...changes,
})
const allOf = (timing: Timing, changes: (index: number) => Partial<StandingVantage> = () => ({})) =>
  Array.from({ length: timing.vantages }, (_, index) => vantageOf(timing, index, changes(index)))

describe('the detection bound while some vantages are away', () => {
  const three = (mode: Mode): Timing => ({ ...defaults, vantages: 3, quorum: 2, mode })

  test.each([
    ['seed', 1660, 2060],
    ['fast', 1430, 2030],
    ['hedged', 1150, 1550],
  ] as const)('one of three is lost, %s: %i s become %i s', (mode, contract, now) => {
    const timing = three(mode)
    const standing = allOf(timing, (index) => ({ lost: index === 1 }))
    expect(detectionBoundS(timing)).toBe(contract)
    expect(boundS(timing, watchersNow(allOf(timing)))).toBe(contract)
    expect(boundS(timing, watchersNow(standing))).toBe(now)
  })

  test.each(['abstain', 'no_data'] as const)('a vantage whose last word is %s is as good as lost', (verdict) => {
    const standing = allOf(three('seed'), (index) => (index === 2 ? { verdict } : {}))
    expect(boundS(three('seed'), watchersNow(standing))).toBe(2060)
  })

  test.each(['slow', 'fail'] as const)('a vantage whose last word is %s watches', (verdict) => {
    const standing = allOf(three('seed'), (index) => (index === 2 ? { verdict } : {}))
    expect(boundS(three('seed'), watchersNow(standing))).toBe(1660)
  })

  test('there is none while those that watch are too few, or share their fate', () => {
    const timing = three('seed')
    expect(boundS(timing, [])).toBeNull()
    expect(boundS(timing, watchersNow(allOf(timing, (index) => ({ lost: index > 0 }))))).toBeNull()
    expect(boundS(timing, watchersNow(allOf(timing, () => ({ domain: ownDomain(0) }))))).toBeNull()
  })

  test('fewer probes than vantages leave a gap where the others would be', () => {
    expect(boundS(three('seed'), watchersNow(allOf(three('seed')).slice(0, 2)))).toBe(2060)
  })

  test('a probe whose clock is behind starts late, and leaves a gap as much larger', () => {
    const standing = allOf(three('seed'), (index) => (index === 1 ? { start_ms: 460_000 } : {}))
    expect(boundS(three('seed'), watchersNow(standing))).toBe(1720)
  })

  test('it is never shorter than the contract says', () => {
    for (const subset of subsetsOf(8, 8))
      for (const mode of modes)
        for (const quorum of [2, 3]) {
          const timing = { ...defaults, vantages: 8, quorum, mode }
          const now = boundS(timing, watchersNow(subset.map((index) => vantageOf(timing, index))))
          if (now !== null) expect(now).toBeGreaterThanOrEqual(detectionBoundS(timing))
        }
  })
})

/** All sets of 1 to `max` numbers below `count`. */
function subsetsOf(count: number, max: number): number[][] {
  const all = Array.from({ length: 2 ** count }, (_, bits) =>
    Array.from({ length: count }, (_, index) => index).filter((index) => (bits >> index) & 1),
  )
  return all.filter(({ length }) => length >= 1 && length <= max)
}

describe('the oracle of the simulator, which knows none of this, allows as much', () => {
  const courses = modes.flatMap((mode) => [1, 2, 3].map((quorum) => ({ mode, quorum })))
  const timings = [
    { why: 'the defaults', timing: defaults },
    { why: 'a short timeout', timing: { ...defaults, period_s: 300, timeout_s: 60, slow_s: 20 } },
  ]
  const places = [
    { where: 'each its own place', domainOf: ownDomain },
    { where: 'two in each region', domainOf: (index: number) => ({ ...ownDomain(index), region: `region-${index >> 1}` }) },
  ]
  const cases = courses.flatMap((course) => timings.flatMap((of) => places.map((at) => ({ ...course, ...of, ...at }))))

  test.each(cases)('$mode, quorum $quorum, $why, $where: up to 4 of 8 vantages', ({ mode, quorum, timing, domainOf }) => {
    const rules = { ...timing, vantages: 8, quorum, mode, open_period_s: 300 }
    const setting = promptWorld(rules)
    const probes = setting.probes.map((probe, index) => ({ ...probe, domain: domainOf(index) }))
    const subsets = subsetsOf(8, 4)
    expect(subsets).toHaveLength(162)
    for (const subset of subsets) {
      const standing = allOf(rules, (index) => ({ domain: domainOf(index), lost: !subset.includes(index) }))
      const healthy = subset.map((index) => ({ probeId: `probe-${index}`, startsMs: (index * rules.period_s * 1000) / 8 }))
      const allowed = witnessCount(subset.map(domainOf)) < quorum ? null : boundMs({ ...setting, probes }, healthy) / 1000
      expect(boundS(rules, watchersNow(standing)), `vantages ${subset}`).toBe(allowed)
    }
  })
})
