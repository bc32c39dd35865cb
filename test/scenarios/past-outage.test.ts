/**
 * An outage that was over before we heard of it: one notice, opened and resolved in one (DESIGN 3.3). Slots: eu 0:00, 20:00, …; us 6:40, …;
 * ap 13:20, … No test hangs on when exactly the news arrives.
 */
import { describe, expect, test } from 'vitest'
import { Story } from '../support/judgement-story.ts'

const min = 60
const lostBetween = (start: number, end: number) => (_: string, at: number) => (at >= start && at < end ? 'lost' : 'ok')
const pages = (story: Story): string[] =>
  story.lines.filter((line) => /PAGE|RESOLVED/.test(line)).map((line) => line.slice(6).trim())

describe('an outage that was over before we heard of it', () => {
  test('while no coordinator was there is told of once, with when it began and ended', () => {
    const coordinating = (at: number) => at < 10 * min || at >= 200 * min
    const story = new Story({ coordinating, mail: lostBetween(15 * min, 100 * min) }).until(400 * min)
    expect(story.opened).toEqual([])
    expect(story.past).toEqual([{ at: expect.any(Number), since: 20 * min, ended: expect.any(Number) }])
    expect(story.past[0]?.ended).toBeGreaterThanOrEqual(100 * min)
    expect(story.past[0]?.ended).toBeLessThan(110 * min)
    expect(story.past[0]?.at).toBeLessThan(202 * min)
    expect(story.state).toMatchObject({ decision: 'up', incident: null, suspicion: null, late: null })
  })

  test('is told of when the second vantage of a quorum is heard again, minutes after the first', () => {
    const linked = (region: string, at: number) => at < 10 * min || at >= (region === 'us' ? 206 : 200) * min
    const story = new Story({ linked, mail: lostBetween(15 * min, 100 * min) }).until(400 * min)
    expect(story.past).toHaveLength(1)
    expect(story.opened.filter(({ kind }) => kind === 'down')).toEqual([])
  })

  test('that one vantage saw alone is no outage', () => {
    const coordinating = (at: number) => at < 10 * min || at >= 200 * min
    const onlyEu = (region: string, at: number) => (region === 'eu' ? lostBetween(15 * min, 100 * min)(region, at) : 'ok')
    const story = new Story({ coordinating, mail: onlyEu }).until(400 * min)
    expect(pages(story)).toEqual([])
    expect(story.state).toMatchObject({ decision: 'up', late: null })
  })

  test('that no probe could have proved is no outage', () => {
    const coordinating = (at: number) => at < 10 * min || at >= 200 * min
    const proves = (_: string, at: number) => at < 10 * min || at >= 150 * min
    const story = new Story({ coordinating, proves, mail: lostBetween(15 * min, 100 * min) }).until(400 * min)
    expect(pages(story)).toEqual([])
  })

  test('that still goes on when we hear of it is an outage like any other', () => {
    const coordinating = (at: number) => at < 10 * min || at >= 200 * min
    const story = new Story({ coordinating, mail: lostBetween(15 * min, 300 * min) }).until(400 * min)
    expect(story.past).toEqual([])
    expect(story.opened.map(({ kind, since }) => [kind, since])).toEqual([['down', expect.any(Number)]])
    expect(story.resolved).toHaveLength(1)
  })

  test('but goes on for one region is told of when the votes have made it partial', () => {
    const coordinating = (at: number) => at < 10 * min || at >= 200 * min
    const mail = (region: string, at: number) => lostBetween(15 * min, (region === 'eu' ? 300 : 100) * min)(region, at)
    const story = new Story({ coordinating, mail }).until(250 * min)
    expect(story.past).toHaveLength(1)
    expect(story.opened).toEqual([])
    expect(story.state).toMatchObject({ decision: 'partial', late: null })
  })

  test('a glitch in the absence is nothing', () => {
    const coordinating = (at: number) => at < 10 * min || at >= 200 * min
    const story = new Story({ coordinating, mail: lostBetween(19 * min, 21 * min) }).until(400 * min)
    expect(pages(story)).toEqual([])
  })
})
