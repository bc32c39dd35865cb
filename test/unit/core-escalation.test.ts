import { describe, expect, test } from 'vitest'
import { type EscalationPolicy, firstStep, roundGapS, stepAfter } from '../../coordinator/core/escalation.ts'

const openedMs = Date.UTC(2026, 10, 23, 3, 12)
const policy = (waits: number[], repeat = 0): EscalationPolicy => ({
  steps: waits.map((after_s) => ({ after_s, contact_ids: [] })),
  repeat,
})

/** The steps as `round.step@minute`, each taken as late as told. */
function course(of: EscalationPolicy, lateS = 0): string[] {
  const taken: string[] = []
  for (let cursor = firstStep(of, openedMs); cursor !== null && taken.length < 50; ) {
    const takenMs = cursor.due_ms + lateS * 1000
    taken.push(`${cursor.round}.${cursor.step}@${(takenMs - openedMs) / 60_000}`)
    cursor = stepAfter(of, cursor, takenMs)
  }
  return taken
}

describe('escalation', () => {
  test.each<[string, EscalationPolicy, string[]]>([
    ['nobody', policy([]), []],
    ['one step at once', policy([0]), ['0.0@0']],
    ['each wait counts from the step before', policy([0, 300, 600]), ['0.0@0', '0.1@5', '0.2@15']],
    ['rounds begin a quarter of an hour after the last step', policy([60, 300], 1), ['0.0@1', '0.1@6', '1.0@22', '1.1@27']],
  ])('%s', (_, of, steps) => {
    expect(course(of)).toEqual(steps)
  })

  test('a step taken late moves those after it, so that they do not all fire at once', () => {
    expect(course(policy([0, 300, 300]), 3600)).toEqual(['0.0@60', '0.1@125', '0.2@190'])
  })

  test('a policy that was shortened meanwhile goes on with the next round, or ends', () => {
    expect(stepAfter(policy([0]), { step: 3, round: 0 }, openedMs)).toBeNull()
    const next = stepAfter(policy([0], 1), { step: 3, round: 0 }, openedMs)
    expect(next).toEqual({ step: 0, round: 1, due_ms: openedMs + roundGapS * 1000 })
  })
})
