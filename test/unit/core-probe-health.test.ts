import { describe, expect, test } from 'vitest'
import { type ControlTrip, healthBeside, type NewestReturn, type OwnTest } from '../../coordinator/core/probe-health.ts'
import { type ControlTripCase, controlTripCases } from '../support/control-trip-cases.ts'

/** By their whole names, by which the mutants know them. */
const named = controlTripCases.map((known): [string, ControlTripCase] => [known.what, known])
const upMs = 7_000_000
const own = (outcome: OwnTest['outcome'], seconds: number): OwnTest => ({
  ...{ outcome, boot_id: 'boot', started_uptime_ms: upMs, finished_uptime_ms: upMs + seconds * 1000 },
})
const tripsOf = ({ trips, elsewhereAtS, toCustomerAtS }: Pick<ControlTripCase, 'trips' | 'elsewhereAtS' | 'toCustomerAtS'>) => {
  const besideOf = (atS: number): string[] => {
    const isThen = (otherAtS: number | undefined) => otherAtS !== undefined && Math.abs(otherAtS - atS) <= 1
    return [...(isThen(elsewhereAtS) ? ['other.example'] : []), ...(isThen(toCustomerAtS) ? ['customer.example'] : [])]
  }
  return trips.map(
    ({ to, atS, lost }): ControlTrip => ({
      ...{ reference: `echo@${to}.example`, domain: `${to}.example`, boot_id: 'boot', started_uptime_ms: upMs + atS * 1000 },
      outcome: lost === undefined ? 'ok' : lost === true ? 'timeout' : lost,
      beside: lost === undefined ? [] : besideOf(atS),
    }),
  )
}
const besideOf = (ran: OwnTest, known: Parameters<typeof tripsOf>[0], returns: NewestReturn[] = []) =>
  healthBeside(ran, { trips: tripsOf(known), returns }, 'customer.example')

describe('the control trips beside a test', () => {
  test.each(named)('%s', (_, { doubted, proved, outcome = 'timeout', ...known }) => {
    expect(besideOf(own(outcome, 600), known)).toEqual({ doubted, proved, proved_since: false })
  })

  test('that are sent after a failure that was said at once say nothing against it', () => {
    expect(besideOf(own('refused', 16), { trips: [{ to: 'a', atS: 17, lost: 'unreachable' }] }).doubted).toBe(false)
    expect(besideOf(own('refused', 16), { trips: [{ to: 'a', atS: 16, lost: 'unreachable' }] }).doubted).toBe(true)
  })

  test.each(['another boot', null])('of another boot are not beside it, and a test of %j has none', (boot_id) => {
    const trips: Parameters<typeof tripsOf>[0] = {
      trips: [
        { to: 'a', atS: 10, lost: true },
        { to: 'a', atS: 17 },
      ],
    }
    const newest = { domain: 'other.example', boot_id: 'boot', started_uptime_ms: upMs + 900_000 }
    const nothing = { doubted: false, proved: false, proved_since: false }
    expect(besideOf({ ...own('timeout', 60), boot_id }, trips, [newest])).toEqual(nothing)
  })

  test.each(['ok', 'slow'] as const)('are not looked for where the mail came back (%s)', (outcome) => {
    const trips: Parameters<typeof tripsOf>[0] = {
      trips: [
        { to: 'a', atS: 10, lost: true },
        { to: 'a', atS: 17 },
      ],
    }
    expect(besideOf(own(outcome, 60), trips)).toEqual({ doubted: false, proved: false, proved_since: false })
  })
})

describe('mail that has come back since', () => {
  const returned = (atS: number, changes: Partial<NewestReturn> = {}): NewestReturn => ({
    ...{ domain: 'other.example', boot_id: 'boot', started_uptime_ms: upMs + atS * 1000, ...changes },
  })
  test.each<[string, NewestReturn, boolean]>([
    ['and was sent with the test proves', returned(0), true],
    ['and was sent long after it does too', returned(90_000), true],
    ['and was sent before proves nothing of it', returned(-0.001), false],
    ["from the customer's own domain proves nothing", returned(10, { domain: 'customer.example' }), false],
    ['under another boot proves nothing, whatever its uptime', returned(10, { boot_id: 'another boot' }), false],
  ])('%s', (_, newest, proved_since) => {
    expect(besideOf(own('timeout', 600), { trips: [] }, [newest])).toEqual({ doubted: false, proved: false, proved_since })
  })
})
