/** Availability as an interval: outages between tests, and what is left out and stated. Times are minutes of one day. */
import { describe, expect, test } from 'vitest'
import { availability, type Incident, outageBounds } from '../../coordinator/core/availability.ts'

const minute = 60_000
const min = (minutes: number | null): number | null => (minutes === null ? null : minutes * minute)

type Told = {
  good: number | null
  since: number
  fail?: number | null
  pass?: number | null
  resolved?: number | null
  opened?: number
  kind?: Incident['kind']
}

const incident = ({
  good,
  since,
  fail = null,
  pass = null,
  resolved = null,
  opened = since + 20,
  kind = 'down',
}: Told): Incident => ({
  kind,
  last_good_ms: min(good),
  since_ms: since * minute,
  opened_ms: opened * minute,
  last_fail_ms: min(fail),
  first_pass_ms: min(pass),
  resolved_ms: min(resolved),
})

describe('an outage begins and ends between tests', () => {
  const shown = (told: Told) => {
    const bounds = outageBounds(incident(told))
    const { earliest_start_ms, latest_start_ms, earliest_end_ms, latest_end_ms } = bounds
    return [earliest_start_ms, latest_start_ms, earliest_end_ms, latest_end_ms].map((ms) => (ms === null ? null : ms / minute))
  }
  test.each<[string, Told, (number | null)[]]>([
    [
      'between good and failing, and between failing and good',
      { good: 100, since: 105, fail: 140, pass: 145, resolved: 147 },
      [100, 105, 140, 145],
    ],
    ['as long as it lasts, its end is open', { good: 100, since: 105 }, [100, 105, null, null]],
    [
      'no good test is known: so is the earliest beginning',
      { good: null, since: 105, fail: 140, pass: 145, resolved: 147 },
      [null, 105, 140, 145],
    ],
    [
      'a good test sent after the first failing one says nothing',
      { good: 106, since: 105, fail: 140, pass: 145, resolved: 147 },
      [null, 105, 140, 145],
    ],
    ['ended by hand: the word of who ended it', { good: 100, since: 105, fail: 140, resolved: 150 }, [100, 105, 140, 150]],
    ['nothing is known of the tests at its end', { good: 100, since: 105, resolved: 150 }, [100, 105, 105, 150]],
  ])('%s', (_, told, expected) => {
    expect(shown(told)).toEqual(expected)
  })
})

describe('availability', () => {
  /** A period of a thousand minutes. */
  const period = { start_ms: 0, end_ms: 1000 * minute }
  const outage = incident({ good: 100, since: 105, fail: 140, pass: 145, resolved: 147 })
  const span = (from: number, to: number) => ({ start_ms: from * minute, end_ms: to * minute })

  const figures = (incidents: Incident[], { watched = 0, maintenance = [] as ReturnType<typeof span>[] } = {}) => {
    const found = availability(period, min(watched), incidents, maintenance)
    const minutes = (ms: number) => ms / minute
    return {
      min: found.min,
      max: found.max,
      observed: minutes(found.observed_ms),
      left_out: [found.pending_ms, found.maintenance_ms, found.unconfirmed_ms].map(minutes),
      down: [found.down_min_ms, found.down_max_ms].map(minutes),
      outages: found.outages,
    }
  }

  test.each<[string, Incident[], Parameters<typeof figures>[1], Partial<ReturnType<typeof figures>>]>([
    ['nothing was down', [], {}, { min: 1, max: 1, observed: 1000, outages: 0 }],
    ['one outage: at least 35 min, at most 45', [outage], {}, { min: 0.955, max: 0.965, down: [35, 45], outages: 1 }],
    [
      'two outages add up',
      [outage, incident({ good: 300, since: 310, fail: 310, pass: 315, resolved: 316 })],
      {},
      { down: [35, 60], outages: 2 },
    ],
    ['an open outage lasts until now', [incident({ good: 890, since: 900 })], {}, { down: [100, 110], outages: 1 }],
    [
      'an outage that began before the period',
      [incident({ good: -30, since: -20, fail: 10, pass: 15, resolved: 16 })],
      {},
      { down: [10, 15] },
    ],
    [
      'an outage before the period is not its affair',
      [incident({ good: -30, since: -20, fail: -10, pass: -5, resolved: -4 })],
      {},
      { down: [0, 0], outages: 0 },
    ],
    [
      'its beginning is not known: from the first failing test',
      [incident({ good: null, since: 105, fail: 140, pass: 145, resolved: 147 })],
      {},
      { down: [35, 40] },
    ],
    [
      'before the first verified return nothing was observed',
      [],
      { watched: 400 },
      { observed: 600, left_out: [400, 0, 0], max: 1 },
    ],
    ['maintenance is left out', [], { maintenance: [span(100, 200)] }, { observed: 900, left_out: [0, 100, 0] }],
    [
      'an outage inside maintenance counts for nothing',
      [outage],
      { maintenance: [span(90, 150)] },
      { observed: 940, down: [0, 0], outages: 0, min: 1 },
    ],
    [
      'an outage that outlasts maintenance counts from its end',
      [outage],
      { maintenance: [span(90, 120)] },
      { observed: 970, down: [20, 25], outages: 1 },
    ],
    [
      'time that could not be judged is left out',
      [incident({ kind: 'unconfirmed', good: null, since: 500, resolved: 600 })],
      {},
      { observed: 900, left_out: [0, 0, 100], outages: 0 },
    ],
    [
      'undecided in maintenance is told once, as maintenance',
      [incident({ kind: 'unconfirmed', good: null, since: 500, resolved: 600 })],
      { maintenance: [span(550, 700)] },
      { observed: 800, left_out: [0, 150, 50] },
    ],
    [
      'a silence that was an outage in the end',
      [incident({ good: null, since: 600, opened: 500, fail: 640, pass: 650, resolved: 651 })],
      {},
      { left_out: [0, 0, 100], observed: 900, down: [40, 50], outages: 1 },
    ],
    [
      'an outage within a silence, which was heard of when that was over',
      [
        incident({ kind: 'unconfirmed', good: 499, since: 500, opened: 531, resolved: 600 }),
        incident({ good: 499, since: 520, opened: 600, fail: 540, pass: 560, resolved: 600 }),
      ],
      {},
      { left_out: [0, 0, 80], observed: 920, down: [20, 21], outages: 1 },
    ],
  ])('%s', (_, incidents, given, expected) => {
    expect(figures(incidents, given)).toMatchObject(expected)
  })

  test('of nothing observed is no number', () => {
    const found = availability(period, null, [], [])
    expect(found).toMatchObject({ min: null, max: null, observed_ms: 0, pending_ms: 1000 * minute, outages: 0 })
  })

  test('the stretches left out and the observed time make up the period', () => {
    const all = [outage, incident({ kind: 'unconfirmed', good: null, since: 500, resolved: 600 })]
    const found = availability(period, 50 * minute, all, [span(20, 60), span(590, 610)])
    expect(found.observed_ms + found.pending_ms + found.maintenance_ms + found.unconfirmed_ms).toBe(1000 * minute)
  })
})
