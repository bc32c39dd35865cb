import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cutToSeptets, septets, septetsMax, toGsm7 } from '../../coordinator/core/gsm7.ts'
import {
  blindOverText,
  blindText,
  closedText,
  downText,
  fleetText,
  markRepeat,
  type PageFacts,
  pastText,
  resolvedText,
  shortTime,
  unconfirmedResolvedText,
  unconfirmedText,
} from '../../coordinator/core/sms-text.ts'

const facts: PageFacts & { resolved_ms: number } = {
  monitor_name: 'Mail of Example',
  code: 'K7QX',
  cause: 'mail accepted, not back in 10 min',
  since_ms: Date.UTC(2026, 10, 24, 3, 12),
  resolved_ms: Date.UTC(2026, 10, 24, 4, 2, 30),
  failing_regions: ['eu', 'us'],
  passing_regions: ['ap'],
  flapping: false,
}

describe('the text of a page', () => {
  test.each([
    [
      downText(facts),
      'DOWN Mail of Example since 03:12 UTC 24 Nov: mail accepted, not back in 10 min. Agreed: eu, us; ap ok. Code K7QX',
    ],
    [resolvedText(facts), 'UP Mail of Example since 04:02 UTC 24 Nov, after 50 min 30 s. Mail returns to: ap. Code K7QX'],
    [
      closedText(facts, 'resolved_by_hand'),
      'CLOSED Mail of Example at 04:02 UTC 24 Nov, after 50 min 30 s: closed by hand. Code K7QX',
    ],
    [
      closedText(facts, 'monitor_deleted'),
      'CLOSED Mail of Example at 04:02 UTC 24 Nov, after 50 min 30 s: no longer monitored. Code K7QX',
    ],
    [
      closedText(facts, 'target_changed'),
      'CLOSED Mail of Example at 04:02 UTC 24 Nov, after 50 min 30 s: another address is monitored now. Code K7QX',
    ],
    [
      unconfirmedText(facts),
      'UNCONFIRMED Mail of Example since 03:12 UTC 24 Nov, too few healthy probes: mail accepted, not back in 10 min. Code K7QX',
    ],
    [
      downText({ ...facts, flapping: true }),
      'UNSTABLE Mail of Example, gone since 03:12 UTC 24 Nov: mail accepted, not back in 10 min. Agreed: eu, us; ap ok. UP if steady 30 min. Code K7QX',
    ],
    [
      pastText({ ...facts, ended_ms: facts.resolved_ms }),
      'WAS DOWN Mail of Example 03:12 UTC 24 Nov for 50 min 30 s, heard only now: mail accepted, not back in 10 min. Agreed: eu, us. Code K7QX',
    ],
    [
      fleetText({ failing: 12, watched: 40 }, facts.since_ms, 'K7QX'),
      'FLEET 12 of 40 mail domains fail at once. Customers are paged at 03:12 UTC 24 Nov. Is it us? Check probes. Code K7QX',
    ],
    [
      blindText(500, 'K7QX'),
      'BLIND 500 monitors or more cannot be judged: too few healthy probes. Check that probes are connected, their health, the references. Code K7QX',
    ],
    [
      blindOverText({ code: 'K7QX', since_ms: facts.since_ms, over_ms: facts.resolved_ms, unjudged: 4 }),
      'BLIND OVER at 04:02 UTC 24 Nov, after 50 min 30 s: all monitors but 4 are judged again. Code K7QX',
    ],
    [
      blindOverText({ code: 'K7QX', since_ms: facts.since_ms, over_ms: facts.resolved_ms, unjudged: 0 }),
      'BLIND OVER at 04:02 UTC 24 Nov, after 50 min 30 s: all monitors are judged again. Code K7QX',
    ],
    [
      unconfirmedResolvedText(facts),
      'CONFIRMED OK Mail of Example at 04:02 UTC 24 Nov: enough probes report, mail returns. Code K7QX',
    ],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected)
  })

  const anyFacts = fc.record({
    monitor_name: fc.string({ unit: 'binary', maxLength: 200 }),
    cause: fc.string({ unit: 'binary', maxLength: 300 }),
    code: fc.constant('K7QX'),
    since_ms: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) }),
    resolved_ms: fc.integer({ min: Date.UTC(2027, 0, 1), max: Date.UTC(2030, 0, 1) }),
    failing_regions: fc.array(fc.string({ maxLength: 30 }), { maxLength: 50 }),
    passing_regions: fc.array(fc.string({ maxLength: 30 }), { maxLength: 50 }),
    flapping: fc.constant(false),
  })
  const texts: [string, string, (drawn: typeof facts) => string, 'since' | 'end'][] = [
    ['down', 'DOWN ', downText, 'since'],
    ['unstable', 'UNSTABLE ', (drawn) => downText({ ...drawn, flapping: true }), 'since'],
    ['past', 'WAS DOWN ', (drawn) => pastText({ ...drawn, ended_ms: drawn.resolved_ms }), 'since'],
    ['resolved', 'UP ', resolvedText, 'end'],
    ['closed', 'CLOSED ', (drawn) => closedText(drawn, 'monitor_deleted'), 'end'],
    ['unconfirmed', 'UNCONFIRMED ', unconfirmedText, 'since'],
    ['unconfirmed_resolved', 'CONFIRMED OK ', unconfirmedResolvedText, 'end'],
  ]

  test.each(texts)(
    '%s is one segment for any names and causes, and its facts are never cut, nor by the mark of a repeat',
    (_, state, write, time) => {
      fc.assert(
        fc.property(anyFacts, (drawn) => {
          // The mark of a repeat has its room beside what everything else keeps.
          expect(septets(write(drawn))).toBeLessThanOrEqual(septetsMax - '(repeat) '.length)
          for (const text of [write(drawn), markRepeat(write(drawn)), markRepeat(markRepeat(write(drawn)))]) {
            const count = septets(text)
            expect(count).not.toBeNull()
            expect(count).toBeLessThanOrEqual(septetsMax)
            expect(text).toContain(state)
            expect(text).toContain(shortTime(time === 'since' ? drawn.since_ms : drawn.resolved_ms))
            expect(text.endsWith('. Code K7QX')).toBe(true)
          }
        }),
      )
    },
  )

  test('a long name leaves room for what is wrong', () => {
    const text = downText({
      ...facts,
      monitor_name: 'x'.repeat(200),
      failing_regions: Array.from({ length: 20 }, (_, n) => `region-${n}`),
    })
    expect(text).toContain('mail accepted, not back in 10 min')
    expect(text).toContain('Agreed: region-0, region-1')
  })
})

describe('the GSM alphabet', () => {
  test.each<[string, number | null]>([
    ['', 0],
    ['Hello @£', 8],
    ['{}', 4],
    ['10 €', 5],
    ['ç', null],
    ['✓', null],
  ])('%j needs %s septets', (text, count) => {
    expect(septets(text)).toBe(count)
  })

  test.each([
    ['Zürich, Malmö', 'Zürich, Malmö'],
    ['François à Łódź', 'Francois à ?odz'],
    ['line\r\nbreak\tand  more ', 'line break and more'],
    ['почта ✉', '????? ?'],
    ['ﬁle ½', 'file ?'],
  ])('%j becomes %j', (text, expected) => {
    expect(toGsm7(text)).toBe(expected)
  })

  test('cutting keeps within any limit and says that it cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.integer({ min: 0, max: 60 }), (any, limit) => {
        const text = toGsm7(any)
        const cut = cutToSeptets(text, limit)
        expect(septets(cut)).toBeLessThanOrEqual(limit)
        if (cut !== text && limit >= 2) expect(cut.endsWith('..')).toBe(true)
      }),
    )
  })
})
