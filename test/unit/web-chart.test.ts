/** What the chart and the little lines draw. */
import { describe, expect, it } from 'vitest'
import {
  chartData,
  chartSummary,
  incidentSpans,
  pointKind,
  seriesOf,
  windowFor,
  yRange,
} from '../../coordinator/web/charts/chart-data.ts'
import { sparkline } from '../../coordinator/web/charts/sparkline.ts'
import { roundTripTicks, timeLabels, timeTicks } from '../../coordinator/web/charts/ticks.ts'
import { at, lost, nightMs, sampleIncident, sampleMonitor, sampleProbe, sampleResult } from '../support/web-samples.ts'

const monitor = sampleMonitor()

describe('series', () => {
  it('stand in an order that does not move, and keep vantages of the past', () => {
    const past = sampleResult({ probe_id: 'p9', region: 'ap' })
    expect(seriesOf(monitor, [past], [sampleProbe({ id: 'p9', name: 'ap-1' })]).map(({ label }) => label)).toEqual([
      'ap',
      'eu',
      'us',
    ])
  })
  it('name the probe where two share a region', () => {
    const shared = sampleMonitor({ verdicts: monitor.verdicts.map((verdict) => ({ ...verdict, region: 'eu' })) })
    expect(seriesOf(shared, [], []).map(({ label }) => label)).toEqual(['eu · eu-1', 'eu · us-1'])
  })
})

describe('chart data', () => {
  const series = seriesOf(monitor, [], [])
  const results = [
    sampleResult({ id: '1', sent_at: at(300), probe_id: 'p1', rtt_ms: 900 }),
    lost({ id: '2', sent_at: at(200), probe_id: 'p2' }),
    sampleResult({ id: '3', sent_at: at(100), probe_id: 'p1', outcome: 'not_run', rtt_ms: null }),
    sampleResult({ id: '4', sent_at: at(50), probe_id: 'gone' }),
  ]

  it('breaks the line of a vantage at its failures and leaves out the tests of others', () => {
    const data = chartData(results, series, nightMs - 3_600_000, false)
    expect(data.columns).toEqual([
      [900, null, null],
      [null, null, null],
    ])
    expect(data.points.map(({ kind }) => kind)).toEqual(['time', 'failed', 'void'])
    expect(chartSummary(data, series, 'the last hour')).toBe('3 tests from 2 vantages in the last hour, 1 failed.')
  })
  it('breaks it from the last time to the next, also where others were tested in between', () => {
    const stretch = [
      sampleResult({ id: '1', sent_at: at(300), probe_id: 'p1', rtt_ms: 10 }),
      sampleResult({ id: '2', sent_at: at(290), probe_id: 'p2', rtt_ms: 20 }),
      sampleResult({ id: '3', sent_at: at(200), probe_id: 'p1', rtt_ms: 11 }),
      sampleResult({ id: '4', sent_at: at(190), probe_id: 'p2', rtt_ms: 21 }),
      lost({ id: '5', sent_at: at(100), probe_id: 'p1' }),
      sampleResult({ id: '6', sent_at: at(90), probe_id: 'p2', rtt_ms: 22 }),
      sampleResult({ id: '7', sent_at: at(50), probe_id: 'p1', rtt_ms: 12 }),
    ]
    expect(chartData(stretch, series, nightMs - 3_600_000, false).columns).toEqual([
      [10, undefined, 11, null, null, null, 12],
      [undefined, 20, undefined, 21, undefined, 22, undefined],
    ])
  })
  it('begins with the window', () => expect(chartData(results, series, nightMs - 150_000, false).points).toHaveLength(1))
  it('takes an unstamped return as a failure, except where a plain forward is enough', () => {
    expect(pointKind('echo', false)).toBe('failed')
    expect(pointKind('echo', true)).toBe('time')
    expect(pointKind('blocked', true)).toBe('void')
  })
  it('opens with a window of some twenty tests', () => {
    expect([5, 60, 300, 1200, 86_400].map(windowFor)).toEqual([900, 3600, 21_600, 21_600, 86_400])
  })
  it('shades incidents as far as they reach into the window', () => {
    const fromMs = nightMs - 3_600_000
    const incidents = [sampleIncident({ since_at: at(7200) }), sampleIncident({ since_at: at(9000), resolved_at: at(8000) })]
    expect(incidentSpans(incidents, fromMs, nightMs)).toEqual([{ fromS: fromMs / 1000, toS: nightMs / 1000, open: true }])
  })
})

describe('the scale', () => {
  const limits = { slowMs: 120_000, timeoutMs: 600_000 }
  const points = chartData(
    [sampleResult({ rtt_ms: 800 }), sampleResult({ id: '2', rtt_ms: 40_000 })],
    seriesOf(monitor, [], []),
    0,
    false,
  ).points

  it('when logarithmic always shows both limits', () => {
    expect(yRange(points, limits, 'log')).toEqual({ minMs: 400, maxMs: 750_000, scale: 'log' })
    expect(yRange([], limits, 'log').maxMs).toBeGreaterThan(600_000)
  })
  it('when linear fits the data', () => {
    expect(yRange(points, limits, 'linear').maxMs).toBe(50_000)
    expect(yRange([], limits, 'linear').maxMs).toBe(120_000)
  })
})

describe('ticks', () => {
  it('of round trips are steps of a clock, as many as fit', () => {
    expect(roundTripTicks(400, 750_000, 8, 'log')).toEqual([500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000])
    expect(roundTripTicks(400, 750_000, 5, 'log')).toEqual([1000, 10_000, 60_000, 600_000])
    expect(roundTripTicks(0, 50_000, 6, 'linear')).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000])
    expect(roundTripTicks(5, 5, 6, 'linear')).toEqual([])
  })
  it('of time are round in UTC, with the day where it begins', () => {
    const ticks = timeTicks(nightMs / 1000 - 21_600, nightMs / 1000, 7)
    expect(timeLabels(ticks, nightMs)).toEqual(['22:00', '23:00', '23 Nov', '01:00', '02:00', '03:00'])
  })
})

describe('the little line', () => {
  const size = { width: 104, height: 40, countMax: 11 }
  const passing = (count: number) => Array.from({ length: count }, (_, index) => sampleResult({ id: `${index}`, rtt_ms: 1000 }))

  it('stands at the right and does not stretch a short history', () => {
    expect(sparkline(passing(3), size)).toMatchObject({ line: 'M82 21.5L92 21.5L102 21.5', last: { x: 102, y: 21.5 }, count: 3 })
  })
  it('breaks at a failure and marks it', () => {
    const results = [...passing(2), lost({ id: 'x' }), sampleResult({ id: 'y' })]
    expect(sparkline(results, size)).toMatchObject({ line: 'M72 21.5L82 21.5M102 21.5', failures: [92] })
  })
  it('draws each vantage by itself', () => {
    const results = [
      sampleResult({ id: '1' }),
      sampleResult({ id: '2', probe_id: 'p2' }),
      sampleResult({ id: '3' }),
      sampleResult({ id: '4', probe_id: 'p2' }),
    ]
    expect(sparkline(results, size).line).toBe('M72 21.5L92 21.5M82 21.5L102 21.5')
  })
  it('is empty without tests, and has no end after a failure', () => {
    expect(sparkline([], size)).toEqual({ line: '', last: null, failures: [], count: 0 })
    expect(sparkline([lost()], size).last).toBeNull()
  })
  it('leaves out tests that count for nothing', () =>
    expect(sparkline([sampleResult({ outcome: 'blocked', rtt_ms: null })], size).count).toBe(0))
})
