/** When many mail systems fail at once: pages wait for three minutes at most, the operator is told once, and it ends by itself. */
import { describe, expect, test } from 'vitest'
import { type Fleet, type FleetGuard, guardFleet } from '../../coordinator/core/fleet-guard.ts'

const min = 60_000
const none: FleetGuard = { since_ms: null, seen_ms: null }
const mass: Fleet = { failing: 10, watched: 40 }

describe('a mass failure', () => {
  test.each<[string, Fleet, boolean]>([
    ['four of ten: too few to be one', { failing: 4, watched: 10 }, false],
    ['five of fifty: a tenth', { failing: 5, watched: 50 }, true],
    ['five of fifty-one: less than a tenth', { failing: 5, watched: 51 }, false],
    ['five before anybody has counted', { failing: 5, watched: 0 }, true],
    ['99 of 1000', { failing: 99, watched: 1000 }, false],
    ['100 of 1000', { failing: 100, watched: 1000 }, true],
  ])('%s', (_, fleet, expected) => {
    expect(guardFleet(none, fleet, 0).begins).toBe(expected)
  })

  test('holds a page until three minutes after it began, whenever the page is due, and tells the operator once', () => {
    const first = guardFleet(none, mass, 0)
    expect(first).toEqual({ guard: { since_ms: 0, seen_ms: 0 }, holdUntilMs: 3 * min, begins: true })
    const second = guardFleet(first.guard, mass, 2 * min)
    expect(second).toMatchObject({ holdUntilMs: 3 * min, begins: false })
    expect(guardFleet(second.guard, mass, 3 * min)).toMatchObject({ holdUntilMs: null, begins: false })
  })

  test('that goes on holds no further page, however long it goes on', () => {
    let guard = guardFleet(none, mass, 0).guard
    for (let at = 3 * min; at < 600 * min; at += min) {
      const next = guardFleet(guard, mass, at)
      expect(next).toMatchObject({ holdUntilMs: null, begins: false })
      guard = next.guard
    }
  })

  test('is another one only after half an hour without', () => {
    const { guard } = guardFleet(none, mass, 0)
    expect(guardFleet(guard, mass, 30 * min).begins).toBe(false)
    expect(guardFleet(guard, mass, 30 * min + 1)).toMatchObject({ begins: true, holdUntilMs: 33 * min + 1 })
    expect(guardFleet(guard, { failing: 1, watched: 40 }, 31 * min).guard).toEqual(none)
  })

  test('holds also the pages of the few that come after its wave, in its three minutes', () => {
    const { guard } = guardFleet(none, mass, 0)
    expect(guardFleet(guard, { failing: 1, watched: 40 }, min).holdUntilMs).toBe(3 * min)
  })
})
