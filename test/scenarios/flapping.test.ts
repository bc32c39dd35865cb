/**
 * Mail that comes and goes: three notices an hour at most, the first word of trouble never held back, the last state always told
 * (DESIGN 3.3). Short times, so that a series fits into the hour: a test every 2 min, timeout 30 s, re-test after 10 s, three vantages.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Story } from '../support/judgement-story.ts'

const min = 60
const rules = { period_s: 120, timeout_s: 30, slow_s: 10, retest_wait_s: 10, hard_confirm_s: 30, open_period_s: 60 }

/** Mail is lost in every second of these spans. */
const lostWithin = (spans: readonly (readonly [number, number])[]) => (_: string, at: number) =>
  spans.some(([from, to]) => at >= from && at < to) ? 'lost' : 'ok'

const minutes = (seconds: number[]): number[] => seconds.map((at) => Math.round(at / min))

describe('mail that comes and goes', () => {
  test('is told of as down, up, and down once more; then the incident stays open until it has been steady for half an hour', () => {
    const gone = [0, 1, 2, 3, 4].map((nth) => [(10 + 10 * nth) * min, (15 + 10 * nth) * min] as const)
    const story = new Story({ rules, mail: lostWithin(gone) }).until(180 * min)
    const told = minutes(story.notices)
    expect(told.slice(0, 3)).toEqual([11, 15, 21])
    // The last gap ends at 55 min; steady from then on, and no more than one notice in the hour before the all-clear.
    expect(told).toHaveLength(4)
    expect(told[3]).toBeGreaterThanOrEqual(85)
    expect(told[3]).toBeLessThanOrEqual(88)
    expect(story.state).toMatchObject({ decision: 'up', incident: null })
  })

  test('says so in its reason while it lasts', () => {
    const gone = [10, 20, 30].map((at) => [at * min, (at + 5) * min] as const)
    const story = new Story({ rules, mail: lostWithin(gone) }).until(40 * min)
    expect(story.state).toMatchObject({ decision: 'down', reason: 'flapping', incident: { flapping: true } })
  })

  test('twice in an hour is no series: each outage has its all-clear', () => {
    const story = new Story({
      rules,
      mail: lostWithin([
        [10 * min, 15 * min],
        [80 * min, 85 * min],
      ]),
    }).until(180 * min)
    expect(minutes(story.notices)).toEqual([11, 15, 81, 85])
  })

  test('an outage within the series needs no second page, and is over when it is', () => {
    const gone = [
      [10 * min, 15 * min],
      [20 * min, 25 * min],
      [30 * min, 35 * min],
      [50 * min, 200 * min],
    ] as const
    const story = new Story({ rules, mail: lostWithin(gone) }).until(190 * min)
    expect(minutes(story.notices)).toEqual([11, 15, 21])
    expect(story.state.incident).toMatchObject({ kind: 'down', well_since_ms: null })
    story.until(300 * min)
    expect(minutes(story.notices).at(-1)).toBeGreaterThanOrEqual(230)
  })

  test('whatever the pattern: three notices an hour at most, and what is so for long has been told', () => {
    const lengths = fc.array(fc.tuple(fc.integer({ min: 30, max: 40 * min }), fc.integer({ min: 30, max: 40 * min })), {
      minLength: 1,
      maxLength: 12,
    })
    fc.assert(
      fc.property(lengths, fc.boolean(), fc.constantFrom('seed', 'fast', 'hedged'), (list, endsLost, mode) => {
        let at = 10 * min
        const gone = list.map(([lost, well]) => {
          const from = at
          at += lost + well
          return [from, from + lost] as const
        })
        const spans = endsLost ? [...gone, [at, Number.POSITIVE_INFINITY] as const] : gone
        const story = new Story({ rules: { ...rules, mode }, mail: lostWithin(spans) }).until(at + 120 * min)
        const told = story.notices
        for (const [index, last] of told.entries()) {
          const third = told[index - 3]
          if (third !== undefined) expect(last - third).toBeGreaterThanOrEqual(60 * min)
        }
        expect(story.state.incident === null).toBe(!endsLost)
      }),
      { numRuns: 30 },
    )
  }, 60_000)
})
