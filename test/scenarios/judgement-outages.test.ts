/**
 * What the judgement makes of mail that stops, at the defaults: a test every 20 min from each vantage, timeout 10 min, re-test after 30 s,
 * two witnesses. Slots: eu 0:00, 20:00, …; us 6:40, 26:40, …; ap 13:20, 33:20, … Each story is told by the transcript of its judgements.
 */
import { describe, expect, test } from 'vitest'
import type { Fate } from '../support/judgement-setting.ts'
import { Story } from '../support/judgement-story.ts'

const min = 60
const from =
  (start: number, fate: Fate = 'lost', end = Number.POSITIVE_INFINITY) =>
  (_: string, at: number): Fate =>
    at >= start && at < end ? fate : 'ok'
const only =
  (region: string, fate: (region: string, at: number) => Fate) =>
  (where: string, at: number): Fate =>
    where === region ? fate(where, at) : 'ok'

describe('mail that is well', () => {
  test('is said once, and asks nobody', () => {
    const story = new Story({ watched: false }).until(24 * 60 * min)
    expect(story.told()).toEqual(['00:04 up first_return'])
    expect(story.asks).toEqual([])
  })

  test('that is slow from one vantage is shown with that vantage, and suspects nothing', () => {
    const story = new Story({ mail: only('us', from(0, 'slow')) }).until(120 * min)
    expect(story.told()).toEqual([])
  })

  test('that is slow from a quorum is slow', () => {
    const story = new Story({ mail: from(15 * min, 'slow', 50 * min) }).until(120 * min)
    expect(story.told()).toEqual(['32:40 slow mail_is_slow', '60:04 up all_well'])
    expect(story.asks).toEqual([])
  })

  test('a monitor that never returned pages nobody', () => {
    const story = new Story({ watched: false, mail: from(0) }).until(24 * 60 * min)
    expect(story.told()).toEqual([])
    expect(story.state.decision).toBe('pending')
  })
})

describe('an outage', () => {
  // eu's test of 20:00 is lost at 30:00, its re-test of 30:30 at 40:30. us tests by its slot of 26:40, ap is asked.
  test('is down once, when the re-test of the suspecting vantage is lost too', () => {
    const story = new Story({ mail: from(15 * min) }).until(35 * 60)
    expect(story.told()).toEqual(['30:00 suspected test_failed', '30:00 ask ap'])
    story.until(12 * 60 * min)
    expect(story.told().slice(0, 2)).toEqual(['40:30 down quorum_fails', '40:30 PAGE customer: eu fail, us fail, ap fail'])
    expect(story.opened).toHaveLength(1)
    expect(story.opened[0]).toMatchObject({ since: 20 * min })
  })

  test('others that agree early do not stand in for that re-test', () => {
    const story = new Story({ regions: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], mail: from(0) }).until(60 * min)
    // Slots every 2:30: b and c have failed by 15:00, a's re-test is lost at 20:30.
    expect(story.opened.map(({ at }) => at)).toEqual([20.5 * min])
  })

  test('mode fast: one failure each will do', () => {
    const story = new Story({ rules: { mode: 'fast' }, mail: from(15 * min) }).until(60 * min)
    // The worst gap is 6:40: us's slot of 26:40 is lost at 36:40.
    expect(story.opened.map(({ at }) => at)).toEqual([36 * min + 40])
  })

  test('mode hedged: the others start when the mail is merely slow', () => {
    const story = new Story({ rules: { mode: 'hedged' }, mail: from(15 * min) }).until(60 * min)
    // The mail of 20:00 is slow at 22:00; theirs of 22:01 are lost at 32:01.
    expect(story.told().slice(0, 1)).toEqual(['22:00 ask us, ap'])
    expect(story.opened.map(({ at }) => at)).toEqual([32 * min + 1])
  })

  test('mode hedged: slow mail starts the others once a slot, not because of what it started', () => {
    const story = new Story({ rules: { mode: 'hedged' }, mail: from(15 * min, 'slow') }).until(15 * min + 600 * min)
    // 90 slots in ten hours, two peers each.
    expect(story.asks.length).toBeLessThanOrEqual(180)
    expect(story.opened).toEqual([])
  })

  test('one vantage: its double test alone decides', () => {
    const story = new Story({ regions: ['eu'], mail: from(15 * min) }).until(60 * min)
    expect(story.told().slice(0, 3)).toEqual([
      '30:00 suspected test_failed',
      '40:30 down quorum_fails',
      '40:30 PAGE customer: eu fail',
    ])
    expect(story.told()).toEqual([])
  })

  test('short periods: a slot that ran beside the first test is no re-test', () => {
    const story = new Story({ regions: ['eu'], rules: { period_s: 60 }, mail: from(60, 'lost', 180) }).until(60 * min)
    expect(story.opened).toEqual([])
  })
})

describe('what is no outage', () => {
  test('a glitch: the re-test passes', () => {
    const story = new Story({ mail: from(19 * min, 'lost', 21 * min) }).until(120 * min)
    expect(story.told()).toEqual(['30:00 suspected votes_missing', '30:00 ask ap', '30:34 up nothing_fails'])
  })

  test('one region cut off is partial for as long as it lasts, and no incident', () => {
    const story = new Story({ mail: only('eu', from(15 * min, 'lost', 300 * min)) }).until(400 * min)
    const told = story.told().filter((line) => !line.includes('ask'))
    expect(told).toEqual([
      '30:00 suspected votes_missing',
      '40:30 partial some_vantages_pass',
      expect.stringMatching(/^30\d:\d\d up /),
    ])
    expect(story.opened).toEqual([])
  })

  test('a probe that cannot prove its own health has no vote', () => {
    const story = new Story({ mail: only('eu', from(15 * min)), proves: (region) => region !== 'eu' }).until(200 * min)
    expect(story.told().slice(0, 3)).toEqual(['30:00 suspected votes_missing', '30:00 ask ap', '31:00 up nothing_fails'])
    expect(story.opened).toEqual([])
  })

  // Cut off from everybody, mail and references, from 15:00 to 92:00. The test of 85:30 ends at 95:30, when the probe is well again.
  test('a single probe that was cut off and has just recovered tells nothing of the time before', () => {
    const recovers = 92 * min
    const story = new Story({
      regions: ['eu'],
      mail: from(15 * min, 'lost', recovers),
      proves: (_, at) => at < 15 * min || at >= recovers,
    }).until(300 * min)
    expect(story.opened.filter(({ kind }) => kind === 'down')).toEqual([])
    expect(story.state.decision).toBe('up')
  })

  test('a first greylisting abstains, one after a pass within 30 days fails', () => {
    const never = new Story({ regions: ['eu'], mail: from(0, 'deferred') }).until(100 * min)
    expect(never.opened).toEqual([])
    const before = new Story({ regions: ['eu'], mail: from(15 * min, 'deferred') }).until(100 * min)
    expect(before.opened.map(({ kind }) => kind)).toEqual(['down'])
  })

  test('an address of ours that is blocked abstains', () => {
    const story = new Story({ mail: from(15 * min, 'blocked') }).until(200 * min)
    expect(story.opened.filter(({ kind }) => kind === 'down')).toEqual([])
  })
})

describe('a hard failure', () => {
  test('of a minute wakes nobody', () => {
    const story = new Story({ mail: from(20 * min - 10, 'refused', 20 * min + 50) }).until(200 * min)
    expect(story.opened).toEqual([])
    expect(story.told()).toEqual([
      '20:01 suspected test_failed',
      '20:01 ask us, ap',
      '23:00 ask us, ap',
      '23:05 up nothing_fails',
    ])
  })

  test.each<Fate>(['refused'])('that persists for 3 min (%s) is down about then, without waiting for a timeout', (fate) => {
    const story = new Story({ mail: from(20 * min - 10, fate, 24 * min) }).until(22 * min + 59)
    expect(story.opened).toEqual([])
    story.until(200 * min)
    expect(story.opened.map(({ at, kind }) => [at, kind])).toEqual([[23 * min + 1, 'down']])
  })

  // a's test of 20:00 fails at 30:00 and b's of 22:30 at 32:30: both tried for ten minutes, and need not last three more.
  test('that was tried until its timeout has lasted', () => {
    const regions = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const story = new Story({ regions, rules: { mode: 'fast' }, mail: from(19 * min, 'nameless') }).until(60 * min)
    expect(story.opened.map(({ at }) => at)).toEqual([32.5 * min])
  })

  // Timeout 2 min: eu's test of 20:00 and ap's, asked for at the slow mark, end before the three minutes are over.
  test('that was tried until a timeout shorter than that has lasted too', () => {
    const rules = { period_s: 300, timeout_s: 120, slow_s: 30, mode: 'hedged' as const }
    const story = new Story({ rules, mail: from(20 * min - 1, 'nameless') }).until(30 * min)
    expect(story.opened.map(({ at }) => at)).toEqual([22 * min + 31])
  })

  test('single vantage: the same', () => {
    const story = new Story({ regions: ['eu'], mail: from(19 * min, 'refused') }).until(60 * min)
    expect(story.opened.map(({ at }) => at)).toEqual([23 * min + 1])
  })
})

describe('recovery', () => {
  test('needs a pass from two witnesses; the first sign asks everybody at once', () => {
    const story = new Story({ mail: from(15 * min, 'lost', 70 * min) }).until(200 * min)
    const lines = story.told()
    expect(lines.slice(-4)).toEqual([
      expect.stringMatching(/^70:\d\d ask /),
      expect.stringMatching(/^70:\d\d partial some_vantages_pass/),
      expect.stringMatching(/^70:\d\d RESOLVED/),
      expect.stringMatching(/ up all_well$/),
    ])
    expect(story.resolved).toHaveLength(1)
    expect(story.opened).toHaveLength(1)
  })

  test('one region that passes again ends nothing', () => {
    const story = new Story({ mail: (region, at) => (at < 15 * min || (region === 'us' && at > 50 * min) ? 'ok' : 'lost') })
    story.until(300 * min)
    expect(story.resolved).toEqual([])
  })

  test('one vantage: two passes in a row', () => {
    let failing = (at: number) => at >= 15 * min
    const story = new Story({ regions: ['eu'], mail: (_, at) => (failing(at) ? 'refused' : 'ok') }).until(50 * min)
    let passes = 0
    failing = () => passes++ % 2 === 1
    story.until(100 * min)
    expect(story.resolved).toEqual([])
    failing = () => false
    story.until(130 * min)
    expect(story.resolved).toHaveLength(1)
  })

  test('what was on its way while the mail came back opens nothing anew', () => {
    const story = new Story({
      mail: (region, at) => (at < 15 * min || at > (region === 'ap' ? 75 : 70) * min ? 'ok' : 'lost'),
    }).until(300 * min)
    expect(story.opened).toHaveLength(1)
    expect(story.resolved).toHaveLength(1)
    expect(story.state.decision).toBe('up')
  })

  test('mail that comes and goes is no storm of incidents while a witness passes', () => {
    const story = new Story({ mail: (_, at) => (Math.floor(at / (7 * min)) % 2 === 1 ? 'lost' : 'ok') }).until(24 * 60 * min)
    expect(story.opened.length).toBeLessThanOrEqual(1)
  })
})
