/** What the dashboard says of legs, and of the place where a mail died. */
import { describe, expect, it } from 'vitest'
import { places } from '../../coordinator/core/diagnosis.ts'
import type { LegsReading, Place } from '../../coordinator/web/api/resources.ts'
import { clockWords, intervalWords, legsExplanation } from '../../coordinator/web/words/legs.ts'
import { placeBeside, placeMeaning, stations } from '../../coordinator/web/words/places.ts'
import { lost, sampleResult } from '../support/web-samples.ts'

const reading = (given: Partial<LegsReading>): LegsReading => ({
  monitor_id: 'm1',
  state: 'known',
  offset_ms: 20,
  error_ms: 600,
  error_assumed: false,
  since: null,
  step_ms: null,
  runs: 12,
  notice: null,
  data: [],
  ...given,
})

describe('legs', () => {
  it.each<[Partial<LegsReading>, string | null]>([
    [{ offset_ms: 94_012 }, '94 s ahead, ± 600 ms'],
    [{ offset_ms: -1250 }, '1.3 s behind, ± 600 ms'],
    [{ offset_ms: -3_600_000, error_ms: 1100 }, '1 h behind, ± 1.1 s'],
    [{ offset_ms: -400 }, 'right, as far as can be told (± 600 ms)'],
    [{ offset_ms: null, error_ms: null }, null],
  ])('the clock of %o: %s', (given, words) => {
    expect(clockWords(reading(given))).toBe(words)
  })

  it.each<[number, number, string]>([
    [0, 900, '0.0 to 900 ms'],
    [300, 1400, '300 ms to 1.4 s'],
    [1100, 1400, '1.1 to 1.4 s'],
    [1110, 1120, '1.1 s'],
    [90_000, 125_000, '1 min 30 s to 2 min 5 s'],
    [42_000, 125_000, '42 s to 2 min 5 s'],
  ])('from %i to %i ms: %s', (min, max, words) => {
    expect(intervalWords({ min, max })).toBe(words)
  })

  it('says why there is nothing to see', () => {
    expect(legsExplanation(reading({ state: 'suppressed' }))).toMatch(/own clocks are off/)
    expect(legsExplanation(reading({ state: 'unknown', runs: 0 }))).toMatch(/No mail came back with a stamp/)
    expect(legsExplanation(reading({ state: 'unknown' }))).toMatch(/cannot be told yet/)
  })
})

describe('where a mail died', () => {
  const way = (place: Place) => stations(place).map(({ name, mark }) => `${name} ${mark.word}`)
  it('is one station, or two between which nobody can tell', () => {
    expect(way('tls').slice(0, 3)).toEqual(['name passed', 'TLS here', 'server not reached'])
    expect(way('accepted_then_lost').slice(2)).toEqual([
      'server passed',
      'mailbox perhaps here',
      'responder perhaps here',
      'way back not reached',
    ])
    expect(way('returned_late')).toEqual([])
    expect(way('our_side')).toEqual([])
  })

  it('has words for every place, and of a newer coordinator shows the code', () => {
    for (const place of places) expect(placeMeaning(place)).not.toBe('')
    expect(placeBeside(lost({ place: 'lost_in_space' as Place }))).toBe('Lost in space')
  })

  it('stands beside an outcome that does not say it already', () => {
    expect(placeBeside(lost())).toBe('accepted, then lost')
    expect(placeBeside(lost({ outcome: 'refused', place: 'refused' }))).toBeNull()
    expect(placeBeside(lost({ outcome: 'bounced', place: 'refused' }))).toBe('refused')
    expect(placeBeside(lost({ outcome: 'deferred', place: 'returned_late' }))).toBe('returned late')
    expect(placeBeside(sampleResult())).toBeNull()
  })
})
