/** While a question is open, answered by not enough or asked for one vantage that fails alone, a new outage is found as soon as any other. */
import { describe, expect, test } from 'vitest'
import { detectionBoundS } from '../../coordinator/core/detection-bound.ts'
import type { MonitorRules } from '../../coordinator/core/evidence.ts'
import type { Fate } from '../support/judgement-setting.ts'
import { Story } from '../support/judgement-story.ts'

const min = 60
const hour = 60 * min
const between = (at: number, start: number, end = Number.POSITIVE_INFINITY) => at >= start && at < end

describe('at the deadline, with a vantage lost whose vote is out', () => {
  // eu loses a mail at 20:00 and passes its re-test; ap has been cut off since 10:00.
  const oneMail = (region: string, at: number): Fate => (region === 'eu' && between(at, 19 * min, 25 * min) ? 'lost' : 'ok')
  const withoutAp = (region: string, at: number) => region !== 'ap' || at < 10 * min

  test('a quorum of the others that all pass is up: there is nothing to tell the operator', () => {
    const story = new Story({ mail: oneMail, linked: withoutAp }).until(2 * hour)
    expect(story.told()).toEqual(['30:00 suspected votes_missing', '40:45 up nothing_fails'])
  })

  test('one that fails, and could be agreed with by the lost one, stays unconfirmed', () => {
    const mail = (region: string, at: number): Fate => (region === 'eu' && at >= 19 * min ? 'lost' : 'ok')
    const story = new Story({ mail, linked: withoutAp }).until(2 * hour)
    expect(story.told().slice(1, 4)).toEqual([
      '40:45 unconfirmed votes_stayed_out',
      '40:45 ask us',
      '40:45 PAGE operator: eu fail, us pass, ap missing',
    ])
  })

  test('one that fails, and would not be enough even with the lost one, is partial', () => {
    const mail = (region: string, at: number): Fate => (region === 'eu' && at >= 19 * min ? 'lost' : 'ok')
    const story = new Story({ regions: ['eu', 'us', 'sa', 'ap'], mail, linked: withoutAp }).until(2 * hour)
    expect(story.opened).toEqual([])
    expect(story.state.decision).toBe('partial')
  })

  test('fewer than a quorum stay unconfirmed, also where they pass', () => {
    const story = new Story({ mail: oneMail, linked: (region, at) => region === 'eu' || at < 10 * min }).until(hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
  })
})

describe('an outage that begins while a question is open', () => {
  const regions = ['eu', 'us', 'ap', 'sa', 'af']
  // eu fails on its own from 19:00; ap and sa are cut off: two could agree with it, so that the question stays open.
  const open = (outageAt: number, rules = {}) =>
    new Story({
      regions,
      rules: { quorum: 3, ...rules },
      linked: (region, at) => !['ap', 'sa'].includes(region) || at < 10 * min,
      mail: (region, at) => (at >= outageAt || (region === 'eu' && at >= 19 * min) ? 'lost' : 'ok'),
    })

  test('asks those that passed as soon as one of them fails', () => {
    // us has its slot at 124:00, fails it at 134:00; af passed it by chance of the timetable, at 116:00.
    const story = open(120 * min).until(4 * hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    const [down] = story.confirmed
    expect(down).toBeLessThan(120 * min + 20 * min)
  })

  test('is asked for in the rhythm of an open incident while one fails, whatever the timetable says', () => {
    const story = open(Number.POSITIVE_INFINITY).until(3 * hour)
    const asked = story.asks.filter(({ region, at }) => region === 'us' && between(at, hour, 2 * hour))
    expect(asked.length).toBeGreaterThanOrEqual(8)
    expect(asked.length).toBeLessThanOrEqual(13)
  })

  test('needs no second word of a vantage that had lost a mail long before', () => {
    // eu lost one mail, which opened the question, and passes; us fails on its own; ap is cut off. At 120:00 eu fails again too: that is two.
    const story = new Story({
      linked: (region, at) => region !== 'ap' || at < 10 * min,
      mail: (region, at) => {
        if (region === 'us') return at >= 21 * min ? 'lost' : 'ok'
        return at >= 120 * min || between(at, 19 * min, 25 * min) ? 'lost' : 'ok'
      },
    }).until(4 * hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    expect(story.confirmed[0]).toBeLessThan(120 * min + 15 * min + 30)
  })
})

describe('an outage that begins while one vantage fails alone', () => {
  const regions = ['eu', 'us', 'ap', 'sa', 'me', 'oc', 'in', 'ca']
  const timing = { period_s: 300, quorum: 2 }
  const alone = (outageAt: number, rules: Partial<MonitorRules>) =>
    new Story({
      regions,
      rules: { ...timing, ...rules },
      mail: (region, at) => (at >= outageAt || (region === 'me' && at >= 19 * min) ? 'lost' : 'ok'),
    })

  // What passed before the outage does not speak against it, whenever the question about the one vantage was asked.
  test.each(['seed', 'fast', 'hedged'] as const)('is found within the bound in mode %s', (mode) => {
    for (let outageAt = 120 * min; outageAt < 130 * min; outageAt += 13) {
      const story = alone(outageAt, { mode }).until(160 * min)
      const { rules } = story
      expect(story.opened.map(({ kind }) => kind)).toEqual(['down'])
      expect((story.opened[0]?.at ?? 0) - outageAt).toBeLessThanOrEqual(detectionBoundS({ ...rules }))
    }
  })

  test('is not taken for one where nobody else fails: the one is partial, and asks the others once a test', () => {
    const story = alone(Number.POSITIVE_INFINITY, { mode: 'fast' }).until(160 * min)
    expect(story.opened).toEqual([])
    expect(story.state.decision).toBe('partial')
  })
})
