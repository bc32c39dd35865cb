import { describe, expect, test } from 'vitest'
import { type ControlTrip, healthBeside, type OwnTest, type SideReturn } from '../../coordinator/core/probe-health.ts'
import { type ControlTripCase, controlTripCases } from '../support/control-trip-cases.ts'

/** By their whole names, by which the mutants know them. */
const named = controlTripCases.map((known): [string, ControlTripCase] => [known.what, known])
const timeoutS = 600
const lasting = (outcome: OwnTest['outcome'], seconds: number): OwnTest => ({
  outcome,
  started_ms: 0,
  finished_ms: seconds * 1000,
})
const besideOf = (ran: OwnTest, { trips, elsewhereAtS, toCustomerAtS }: Omit<ControlTripCase, 'what' | 'doubted' | 'proved'>) => {
  const ended = trips.map(
    ({ to, atS, lost }): ControlTrip => ({
      reference: `echo@${to}.example`,
      domain: `${to}.example`,
      started_ms: atS * 1000,
      returned: lost === undefined,
    }),
  )
  const returned = (domain: string, atS: number | undefined): SideReturn[] =>
    atS === undefined ? [] : [{ domain, started_ms: atS * 1000 }]
  const returns = [...returned('other.example', elsewhereAtS), ...returned('customer.example', toCustomerAtS)]
  return healthBeside(ran, { trips: ended, returns }, 'customer.example', timeoutS)
}

describe('the control trips beside a test', () => {
  test.each(named)('%s', (_, { doubted, proved, ...known }) => {
    expect(besideOf(lasting('timeout', 600), known)).toEqual({ doubted, proved })
  })

  test.each(named)('%s, and the clock was set back meanwhile', (_, { doubted, proved, ...known }) => {
    expect(besideOf(lasting('timeout', 16), known)).toEqual({ doubted, proved })
  })

  test('that are sent after a failure that was said at once say nothing against it', () => {
    const known = { trips: [{ to: 'a' as const, atS: 17, lost: true as const }] }
    expect(besideOf(lasting('refused', 16), known).doubted).toBe(false)
    expect(besideOf(lasting('timeout', 16), known).doubted).toBe(true)
  })

  test.each(['ok', 'slow'] as const)('are not looked for where the mail came back (%s)', (outcome) => {
    const known = {
      trips: [
        { to: 'a' as const, atS: 10, lost: true as const },
        { to: 'a' as const, atS: 17 },
      ],
    }
    expect(besideOf(lasting(outcome, 60), known)).toEqual({ doubted: false, proved: false })
  })
})
