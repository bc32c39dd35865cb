/** The promise, measured: the worst start of an outage is just after a slot, and then the formula holds to the second. */
import { describe, expect, test } from 'vitest'
import { detectionBoundS, detectionBudgetS } from '../../coordinator/core/detection-bound.ts'
import type { Mode, MonitorRules } from '../../coordinator/core/evidence.ts'
import { defaultRules, type Setting } from '../support/judgement-setting.ts'
import { Story } from '../support/judgement-story.ts'

const modes: Mode[] = ['seed', 'fast', 'hedged']
const courses = [1, 2, 3, 4, 8].flatMap((vantages) =>
  [2, 3]
    .filter((quorum) => vantages === 1 || quorum <= vantages)
    .flatMap((quorum) => modes.map((mode) => ({ vantages, quorum: Math.min(quorum, vantages), mode }))),
)

/** Seconds from the start of the outage to the incident. */
function detected(course: (typeof courses)[number], startS: number): number {
  const rules: Setting['rules'] = { quorum: course.quorum, mode: course.mode }
  const regions = Array.from({ length: course.vantages }, (_, n) => `region-${n}`)
  const story = new Story({ regions, rules, mail: (_, at) => (at >= startS ? 'lost' : 'ok') }).until(startS + 3600)
  expect(story.opened.map(({ kind }) => kind)).toEqual(['down'])
  return (story.opened[0]?.at ?? Number.NaN) - startS
}

describe('the detection bound', () => {
  test.each(courses)('$vantages vantages, quorum $quorum, $mode: is met, and reached', (course) => {
    const { period_s } = defaultRules
    const boundS = detectionBoundS({ ...defaultRules, ...course }) - detectionBudgetS
    // A second after a slot: the next test is the whole gap away.
    const worst = detected(course, period_s + 1)
    expect(Math.abs(worst - (boundS - 1))).toBeLessThanOrEqual(2)
    for (let startS = period_s; startS < 2 * period_s; startS += 97)
      expect(detected(course, startS)).toBeLessThanOrEqual(boundS + 2)
  })
})

describe('an outage that begins while one vantage fails alone', () => {
  const regions = ['eu', 'us', 'ap', 'sa', 'me', 'oc', 'in', 'ca']
  const timing = { period_s: 300, quorum: 2 }
  const alone = (outageAt: number, rules: Partial<MonitorRules>) =>
    new Story({
      regions,
      rules: { ...timing, ...rules },
      mail: (region, at) => (at >= outageAt || (region === 'me' && at >= 19 * 60) ? 'lost' : 'ok'),
    })

  // What passed before the outage does not speak against it, whenever the question about the one vantage was asked.
  test.each(['seed', 'fast', 'hedged'] as const)('is found within the bound in mode %s', (mode) => {
    for (let outageAt = 120 * 60; outageAt < 130 * 60; outageAt += 13) {
      const story = alone(outageAt, { mode }).until(160 * 60)
      const { rules } = story
      expect(story.opened.map(({ kind }) => kind)).toEqual(['down'])
      expect((story.opened[0]?.at ?? 0) - outageAt).toBeLessThanOrEqual(detectionBoundS({ ...rules }))
    }
  })
})
