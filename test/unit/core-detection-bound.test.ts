/** The figures of the promise, in minutes without the budget of 30 s. */
import { describe, expect, test } from 'vitest'
import { detectionBoundS, detectionBudgetS } from '../../coordinator/core/detection-bound.ts'
import type { Mode } from '../../coordinator/core/evidence.ts'

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
