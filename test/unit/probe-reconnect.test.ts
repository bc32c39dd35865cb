import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../common/errors.ts'
import { type Attempts, afterEnd, firstAttempt, planAttempt } from '../../probe/reconnect.ts'

const minute = 60_000
/** A probe must be back soon after its coordinator is: until then its votes are missing. */
const longest = 10_000
const lost = (openForMs = 0) => ({ code: 'LINK_LOST' as ErrorCode, openForMs })
const refused = { code: 'PROBE_UNKNOWN' as ErrorCode, openForMs: 0 }

/** Ends one after another at the same instant; `random` 1 gives the longest pause. */
function planAfter(addresses: number, ends: { code: ErrorCode; openForMs: number }[], nowMs = 0) {
  let attempts: Attempts = firstAttempt(addresses)
  for (const end of ends) attempts = afterEnd(planAttempt(attempts, nowMs, 1).attempts, end, nowMs)
  const { attempts: planned, delayMs } = planAttempt(attempts, nowMs, 1)
  return { next: planned.next, delayMs }
}

describe('dialling again', () => {
  it('starts at once with the first address', () => {
    expect(planAfter(2, [])).toEqual({ next: 0, delayMs: 0 })
  })

  it.each([
    [1, 1000],
    [2, 2000],
    [3, 4000],
    [4, 8000],
    [5, longest],
    [500, longest],
  ])('after %i failures in a row waits at most %i ms', (failures, delayMs) => {
    expect(planAfter(1, Array(failures).fill(lost()))).toEqual({ next: 0, delayMs })
  })

  it('spreads the probes over half of the pause', () => {
    const attempts = afterEnd(firstAttempt(1), lost(), 0)
    expect(planAttempt(attempts, 0, 0).delayMs).toBe(500)
  })

  it('tries the other coordinator soon, and pauses only between rounds', () => {
    expect(planAfter(2, [lost()])).toEqual({ next: 1, delayMs: 500 })
    expect(planAfter(2, [lost(), lost()])).toEqual({ next: 0, delayMs: 1000 })
    expect(planAfter(2, [lost(), lost(), lost()])).toEqual({ next: 1, delayMs: 500 })
    expect(planAfter(2, [lost(), lost(), lost(), lost()])).toEqual({ next: 0, delayMs: 2000 })
  })

  it('counts from the start again after a session that lasted', () => {
    expect(planAfter(1, [...Array(10).fill(lost()), lost(10_000)])).toEqual({ next: 0, delayMs: 1000 })
    expect(planAfter(1, [...Array(10).fill(lost()), lost(9000)])).toEqual({ next: 0, delayMs: longest })
  })

  it('leaves a coordinator that refused us alone for ten minutes, and goes to the others meanwhile', () => {
    expect(planAfter(1, [refused])).toEqual({ next: 0, delayMs: 10 * minute })
    expect(planAfter(2, [refused])).toEqual({ next: 1, delayMs: 500 })
    expect(planAfter(2, [refused, lost()])).toMatchObject({ next: 1 })
  })

  it('gives way for a minute to another process with its identity', () => {
    expect(planAfter(2, [{ code: 'SESSION_SUPERSEDED', openForMs: 5 * minute }])).toEqual({ next: 1, delayMs: minute })
  })
})
