import { describe, expect, test } from 'vitest'
import { besideTest } from '../sim/control-trips.ts'
import { controlTripCases } from '../support/control-trip-cases.ts'

describe('the control trips beside a test, in the simulator', () => {
  test.each(controlTripCases)('$what', ({ trips, elsewhereAtS, doubted, proved }) => {
    const facts = trips.map(({ to, atS, lost }) => ({
      reference: to,
      startedMs: atS * 1000,
      returned: lost === undefined,
      elsewhere: elsewhereAtS !== undefined && Math.abs(elsewhereAtS - atS) <= 5,
    }))
    expect(besideTest({ startedMs: 0, finishedMs: 600_000 }, facts)).toEqual({ doubted, proved })
  })
})
