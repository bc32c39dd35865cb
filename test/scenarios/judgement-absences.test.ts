/** What the judgement makes of those who are away: probes, their links, the coordinator. Silence is never taken for a failing vote. */
import { describe, expect, test } from 'vitest'
import type { Fate } from '../support/judgement-setting.ts'
import { Story } from '../support/judgement-story.ts'

const min = 60
const hour = 60 * min
const lostFrom =
  (start: number, end = Number.POSITIVE_INFINITY) =>
  (_: string, at: number): Fate =>
    at >= start && at < end ? 'lost' : 'ok'
const between = (at: number, start: number, end = Number.POSITIVE_INFINITY) => at >= start && at < end

describe('too few healthy vantages', () => {
  const alone = { linked: (region: string, at: number) => region === 'eu' || at < 10 * min }

  // First failing test 20:00; 2T + W + 15 s later is 40:45.
  test('are unconfirmed at the deadline: the operator is paged, nobody else', () => {
    const story = new Story({ ...alone, mail: lostFrom(15 * min) }).until(6 * hour)
    expect(story.told()).toEqual([
      '30:00 suspected test_failed',
      '40:45 unconfirmed votes_stayed_out',
      '40:45 PAGE operator: eu fail, us missing, ap missing',
    ])
  })

  test('become down when a second witness is back and agrees', () => {
    const story = new Story({
      linked: (region, at) => region === 'eu' || at < 10 * min || (region === 'us' && at > hour),
      mail: lostFrom(15 * min),
    }).until(2 * hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    expect(story.confirmed).toHaveLength(1)
    expect(story.state.decision).toBe('down')
  })

  test('are resolved when they are back and all is well', () => {
    const story = new Story({
      linked: (region, at) => region === 'eu' || at < 10 * min || at > hour,
      mail: lostFrom(15 * min, 55 * min),
    }).until(3 * hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    expect(story.confirmed).toEqual([])
    expect(story.resolved).toHaveLength(1)
    expect(story.state.decision).toBe('up')
  })

  test('silence of all is told to the operator after period, timeout and a minute, and ends by itself', () => {
    const story = new Story({ alive: (_, at) => !between(at, hour, 3 * hour) }).until(6 * hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    expect(story.opened[0]?.at).toBeLessThan(hour + 31 * min)
    expect(story.resolved).toHaveLength(1)
    expect(story.state).toMatchObject({ decision: 'up', incident: null })
  })
})

describe('a lost vantage', () => {
  test('is replaced from the pool at once; its substitute votes in its place', () => {
    const story = new Story({
      linked: (region, at) => region !== 'us' || at < 10 * min,
      pool: ['sa'],
      mail: lostFrom(15 * min),
    }).until(hour)
    expect(story.told().slice(0, 4)).toEqual([
      '30:00 suspected test_failed',
      '30:00 ask sa, ap',
      '40:30 down quorum_fails',
      '40:30 PAGE customer: eu fail, ap fail, sa fail',
    ])
  })

  test('the vote of a substitute that has just been seated is missing, not left out', () => {
    // eu alone fails, ap passes, us is lost: without sa's vote nothing is decided.
    const story = new Story({
      linked: (region, at) => region !== 'us' || at < 10 * min,
      pool: ['sa'],
      mail: (region, at) => (at >= 15 * min && region !== 'ap' ? 'lost' : 'ok'),
    }).until(hour)
    expect(story.opened.map(({ kind, votes }) => [kind, votes.map(({ region, vote }) => `${region} ${vote}`)])).toEqual([
      ['down', ['eu fail', 'ap pass', 'sa fail']],
    ])
  })

  // Its substitute is asked at 33:30 at the latest, and its mail is lost after the deadline of 40:45.
  test('that dies before its re-test is replaced too: unconfirmed at the deadline, down when the substitute agrees', () => {
    const story = new Story({
      regions: ['eu', 'us'],
      pool: ['sa'],
      alive: (region, at) => region !== 'eu' || at < 32 * min,
      mail: lostFrom(15 * min),
    }).until(hour)
    expect(story.told()).toContainEqual(expect.stringMatching(/^43:\d\d PAGE customer: us fail, sa fail/))
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    expect(story.state.decision).toBe('down')
  })

  test('a substitute that shares the fate of one that votes is none', () => {
    const story = new Story({
      regions: ['eu', 'us'],
      pool: ['eu2', 'sa'],
      linked: (region, at) => region !== 'us' || at < 10 * min,
      domainOf: (region) => ({ region: region.slice(0, 2), asn: null, return_domain: `${region}.example` }),
      mail: lostFrom(15 * min),
    }).until(hour)
    expect(story.asks.map(({ region }) => region)).not.toContain('eu2')
    expect(story.opened.map(({ kind }) => kind)).toEqual(['down'])
  })
})

describe('a probe that was cut off from the coordinator', () => {
  const cutOff = (region: string, at: number) => region !== 'eu' || !between(at, 10 * min, 3 * hour)

  test('its news of hours ago pages nobody for what is over', () => {
    const mail = (region: string, at: number): Fate => (region === 'eu' && between(at, 30 * min, 2 * hour) ? 'lost' : 'ok')
    const story = new Story({ linked: cutOff, mail }).until(6 * hour)
    expect(story.opened).toEqual([])
    expect(story.state.decision).toBe('up')
  })

  test('all of them: an outage that was over before they are heard again pages nobody', () => {
    const story = new Story({ linked: (_, at) => !between(at, 7 * min, 29 * min), mail: lostFrom(12 * min, 26.5 * min) }).until(
      6 * hour,
    )
    expect(story.opened).toEqual([])
  })

  test('an outage that goes on is found when they are heard again, and counted from its first failing test', () => {
    const story = new Story({ linked: (_, at) => !between(at, 10 * min, 3 * hour), mail: lostFrom(hour) }).until(6 * hour)
    expect(story.opened.map(({ kind }) => kind)).toEqual(['unconfirmed'])
    expect(story.opened[0]?.at).toBeLessThan(45 * min)
    const [confirmed] = story.confirmed
    expect(confirmed).toBeLessThan(3 * hour + 30)
    expect(story.state.incident).toMatchObject({ kind: 'down' })
  })
})

describe('a coordinator that was away', () => {
  test.each([20, 2 * min, 29 * min, 2 * hour, 24 * hour])('for %i s wakes nobody when all is well', (away) => {
    const story = new Story({ coordinating: (at) => !between(at, hour, hour + away) }).until(30 * hour)
    expect(story.told()).toEqual([])
  })

  test.each([31, 35, 40, 41, 45])(
    'a suspicion that was open when it left (at %i min) is not given up before all could answer',
    (leaves) => {
      const story = new Story({
        coordinating: (at) => !between(at, leaves * min, leaves * min + 2 * hour),
        mail: (region, at) => (region === 'eu' && between(at, 19 * min, 50 * min) ? 'lost' : 'ok'),
      }).until(6 * hour)
      expect(story.opened).toEqual([])
      expect(story.state.decision).toBe('up')
    },
  )

  test('an outage that began and ended meanwhile pages nobody', () => {
    const story = new Story({ coordinating: (at) => !between(at, 10 * min, 3 * hour), mail: lostFrom(30 * min, 90 * min) }).until(
      6 * hour,
    )
    expect(story.opened).toEqual([])
  })

  test('an outage that goes on is down as soon as the probes have reported', () => {
    const story = new Story({ coordinating: (at) => !between(at, 10 * min, 3 * hour), mail: lostFrom(30 * min) }).until(6 * hour)
    expect(story.opened.map(({ kind, since }) => [kind, since])).toEqual([['down', 40 * min]])
    expect(story.opened[0]?.at).toBeLessThan(3 * hour + 30)
  })

  test('in the middle of an incident: no second one, and the recovery is noticed', () => {
    const story = new Story({
      coordinating: (at) => !between(at, 50 * min, 2 * hour),
      mail: lostFrom(15 * min, 100 * min),
    }).until(6 * hour)
    expect(story.opened).toHaveLength(1)
    expect(story.resolved).toHaveLength(1)
  })
})

describe('a test that somebody asked for', () => {
  test('its failure is tested again although no slot of the probe follows', () => {
    const story = new Story({ mail: lostFrom(5 * min, 6 * min) }).until(5 * min)
    story.testNow('eu')
    story.until(2 * hour)
    expect(story.told()).toContainEqual(expect.stringMatching(/ask eu/))
    expect(story.opened).toEqual([])
    expect(story.state.decision).toBe('up')
  })
})
