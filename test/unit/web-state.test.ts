/** How the dashboard's picture changes, and how it stays live. */
import { describe, expect, it } from 'vitest'
import { serverClockOffsetMs } from '../../coordinator/web/api/client.ts'
import { createStreamParser } from '../../coordinator/web/api/event-stream.ts'
import { readStreamMessage, retryDelayMs } from '../../coordinator/web/api/live.ts'
import { mergeResults, pagesMax, reduce, resultsPerMonitorMax } from '../../coordinator/web/state/reduce.ts'
import {
  monitorsInOrder,
  openIncidents,
  pagesInOrder,
  probesInOrder,
  searchMonitors,
} from '../../coordinator/web/state/select.ts'
import { type Action, initialState, type Picture, type State, type StreamEvent } from '../../coordinator/web/state/state.ts'
import {
  at,
  lost,
  nightMs,
  sampleIncident,
  sampleMonitor,
  samplePage,
  sampleProbe,
  sampleResult,
} from '../support/web-samples.ts'

const picture = (given: Partial<Picture> = {}): Picture => ({
  me: { scope: 'operator', customer_id: null, version: '0.1.0' },
  customers: [],
  monitors: [sampleMonitor()],
  incidents: [],
  pages: [],
  probes: [sampleProbe()],
  complete: true,
  ...given,
})

const play = (...actions: Action[]): State => actions.reduce(reduce, initialState)
const events = (...list: StreamEvent[]): Action => ({ type: 'events', events: list, nowMs: nightMs })
const loaded = (given: Partial<Picture> = {}): Action => ({ type: 'loaded', picture: picture(given) })

describe('the picture', () => {
  it('takes a changed monitor from the stream', () => {
    const state = play(loaded(), events({ kind: 'monitor', resource: sampleMonitor({ decision: 'down' }) }))
    expect(state.monitors.get('m1')?.decision).toBe('down')
  })

  it('is not set back by a load that began before an event', () => {
    const state = play(
      { type: 'load_started' },
      events({ kind: 'monitor', resource: sampleMonitor({ decision: 'down' }) }),
      loaded(),
    )
    expect(state.monitors.get('m1')?.decision).toBe('down')
    expect(state.duringLoad).toBeNull()
  })

  it('forgets a monitor that is gone at the next load', () => {
    expect(play(loaded(), loaded({ monitors: [] })).monitors.size).toBe(0)
  })

  it('keeps old incidents that a view has loaded', () => {
    const state = play(
      loaded(),
      { type: 'incidents_loaded', incidents: [sampleIncident({ id: 'old', resolved_at: at(1) })] },
      loaded(),
    )
    expect(state.incidents.has('old')).toBe(true)
  })

  it('gathers nothing for a load that has failed', () => {
    const state = play({ type: 'load_started' }, { type: 'load_failed' }, events({ kind: 'monitor', resource: sampleMonitor() }))
    expect(state.duringLoad).toBeNull()
  })

  it('keeps results only of monitors that a view shows', () => {
    const ignored = play(loaded(), events({ kind: 'result', resource: sampleResult() }))
    expect(ignored.results.size).toBe(0)
    const shown = play(
      loaded(),
      { type: 'results_loaded', monitorId: 'm1', results: [] },
      events({ kind: 'result', resource: sampleResult() }),
    )
    expect(shown.results.get('m1')).toHaveLength(1)
  })

  it('freshens a verdict by a mail that came back, and leaves a failure to the coordinator', () => {
    const fresh = play(loaded(), events({ kind: 'result', resource: sampleResult({ outcome: 'slow', rtt_ms: 130_000 }) }))
    expect(fresh.monitors.get('m1')?.verdicts[0]).toMatchObject({ verdict: 'slow', at: at(9), rtt_ms: 130_000 })
    const failing = play(loaded(), events({ kind: 'result', resource: lost() }))
    expect(failing.monitors.get('m1')?.verdicts[0]).toMatchObject({ verdict: 'pass', at: at(60) })
    const older = play(loaded(), events({ kind: 'result', resource: sampleResult({ returned_at: at(500) }) }))
    expect(older.monitors.get('m1')?.verdicts[0]).toMatchObject({ at: at(60), rtt_ms: 900 })
  })

  it('lets the oldest pages go', () => {
    const many = Array.from({ length: pagesMax + 5 }, (_, index) => samplePage({ id: `s${index}`, due_at: at(1000 - index) }))
    const state = play(loaded({ pages: many }))
    expect(state.pages.size).toBe(pagesMax)
    expect(state.pages.has('s0')).toBe(false)
  })

  it('tells a screen reader of an incident that opens, and not of those that were open before', () => {
    const open = sampleIncident()
    expect(play(loaded({ incidents: [open] })).announcement).toEqual({ serial: 0, text: '' })
    const state = play(loaded(), events({ kind: 'incident', resource: open }))
    expect(state.announcement.text).toContain('Incident K7QX')
    expect(reduce(state, events({ kind: 'incident', resource: open })).announcement.serial).toBe(1)
  })

  it('hears of an incident that opened while the connection was lost', () => {
    const state = play(loaded(), { type: 'lost', retryAtMs: nightMs, sentence: '' }, loaded({ incidents: [sampleIncident()] }))
    expect(state.announcement.serial).toBe(1)
  })

  it('remembers since when it is not live', () => {
    const state = play({ type: 'live', nowMs: nightMs }, { type: 'lost', retryAtMs: nightMs + 1000, sentence: 'away' })
    expect(state.link).toEqual({ state: 'lost', liveAtMs: nightMs, retryAtMs: nightMs + 1000, sentence: 'away' })
    expect(reduce(state, { type: 'connecting' }).link.liveAtMs).toBe(nightMs)
  })
})

describe('results', () => {
  it('are merged by id, in the order of time, within their limit', () => {
    const merged = mergeResults(
      [sampleResult({ id: 'b', sent_at: at(5) })],
      [sampleResult({ id: 'a', sent_at: at(50) }), lost({ id: 'b', sent_at: at(5) })],
    )
    expect(merged.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual(['a ok', 'b timeout'])
    const many = Array.from({ length: resultsPerMonitorMax + 1 }, (_, index) =>
      sampleResult({ id: `${index}`, sent_at: at(index) }),
    )
    expect(mergeResults([], many)).toHaveLength(resultsPerMonitorMax)
  })
})

describe('orders', () => {
  it('put what is worst on top', () => {
    const monitors = [
      sampleMonitor({ id: '1', decision: 'up' }),
      sampleMonitor({ id: '2', decision: 'down' }),
      sampleMonitor({ id: '3', decision: 'slow' }),
    ]
    expect(monitorsInOrder(monitors).map(({ decision }) => decision)).toEqual(['down', 'slow', 'up'])
    expect(probesInOrder([sampleProbe(), sampleProbe({ id: 'p2', state: 'lost' })]).map(({ id }) => id)).toEqual(['p2', 'p1'])
  })
  it('put what is newest on top', () => {
    const state = play(
      loaded({
        incidents: [
          sampleIncident(),
          sampleIncident({ id: 'i2', opened_at: at(1) }),
          sampleIncident({ id: 'i3', resolved_at: at(2) }),
        ],
      }),
    )
    expect(openIncidents(state).map(({ id }) => id)).toEqual(['i2', 'i1'])
    expect(pagesInOrder([samplePage(), samplePage({ id: 's2', accepted_at: null, due_at: at(5) })]).map(({ id }) => id)).toEqual([
      's2',
      's1',
    ])
  })
  it('find monitors by every word of a search', () => {
    const monitors = [sampleMonitor({ name: 'Perth' }), sampleMonitor({ id: 'm2', name: 'Sydney', decision: 'down' })]
    const found = (search: string) => searchMonitors(monitors, search, () => 'Acme').map(({ name }) => name)
    expect(found('')).toEqual(['Perth', 'Sydney'])
    expect(found('acme DOWN')).toEqual(['Sydney'])
    expect(found('scout@example.com perth')).toEqual(['Perth'])
  })
})

describe('the event stream', () => {
  it('is read however it is cut', () => {
    const text = ': ping\n\nevent: monitor\r\ndata: {"id":\r\ndata: "m1"}\r\n\r\ndata: plain\n\nevent: empty\n\n'
    for (let size = 1; size <= text.length; size += 1) {
      const parse = createStreamParser()
      const messages = Array.from({ length: Math.ceil(text.length / size) }, (_, index) =>
        parse(text.slice(index * size, (index + 1) * size)),
      ).flat()
      expect(messages).toEqual([
        { event: 'monitor', data: '{"id":\n"m1"}' },
        { event: 'message', data: 'plain' },
      ])
    }
  })
  it('refuses a message without end', () => expect(() => createStreamParser()('x'.repeat(2 ** 20 + 1))).toThrow(RangeError))
  it.each(['{', '{"no":"id"}', 'null', '7'])('skips what is no resource: %s', (data) => {
    expect(readStreamMessage({ event: 'monitor', data })).toEqual([])
  })
  it('skips events that it does not know', () => expect(readStreamMessage({ event: 'weather', data: '{"id":"1"}' })).toEqual([]))
  it('waits longer after each failure, to half a minute and a bit', () => {
    expect([1, 2, 3, 4, 5, 6, 40].map((failures) => retryDelayMs(failures, 0))).toEqual([
      1000, 2000, 4000, 8000, 16_000, 30_000, 30_000,
    ])
    expect(retryDelayMs(6, 0.999)).toBeLessThanOrEqual(37_500)
  })
})

describe("the coordinator's clock", () => {
  it.each([
    ['Mon, 23 Nov 2026 03:26:14 GMT', nightMs + 400, 0],
    ['Mon, 23 Nov 2026 03:26:14 GMT', nightMs - 60_000, 60_500],
    [null, nightMs, undefined],
    ['yesterday', nightMs, undefined],
  ])('by Date %s on a device at %s is ahead by %s', (date, deviceMs, offsetMs) => {
    expect(serverClockOffsetMs(date, deviceMs, deviceMs)).toBe(offsetMs)
  })
})
