/** Where many monitors cannot be judged at once: the first few are told of one by one, the others as one, and again once an hour at most. */
import { describe, expect, test } from 'vitest'
import { type BlindSpell, isSpellOver, tellUnjudged } from '../../coordinator/core/blind-spell.ts'

const min = 60_000
const incident = { customer_id: 'customer', id: 'fifth', code: 'K7QX' }
const begun = (): BlindSpell => {
  const { spell } = tellUnjudged(null, 5, incident, 0)
  if (spell === null) throw new Error('five are a spell')
  return spell
}

describe('monitors that cannot be judged', () => {
  test.each([1, 4])('are told of one by one up to the fourth: %i', (unjudged) => {
    expect(tellUnjudged(null, unjudged, incident, 0)).toEqual({ spell: null, telling: 'alone' })
  })

  test('are told of as one from the fifth on, whose code the page bears', () => {
    const spell = { customer_id: 'customer', incident_id: 'fifth', code: 'K7QX', since_ms: 0, told_ms: 0, round: 0 }
    expect(tellUnjudged(null, 5, incident, 0)).toEqual({ spell, telling: 'together' })
  })

  test('that join are not told of for an hour, and then once more for all, as the same spell', () => {
    const later = { ...incident, id: 'later', code: 'WXYZ' }
    expect(tellUnjudged(begun(), 500, later, 60 * min - 1)).toEqual({ spell: begun(), telling: 'not' })
    const again = tellUnjudged(begun(), 501, later, 60 * min)
    expect(again).toEqual({ spell: { ...begun(), told_ms: 60 * min, round: 1 }, telling: 'together' })
    expect(tellUnjudged(again.spell, 502, later, 61 * min).telling).toBe('not')
  })

  test('are a spell until no more than four are left', () => {
    expect([5, 4, 0].map(isSpellOver)).toEqual([false, true, true])
  })
})
