/** The checks of the runs with real processes can fail: a history in which all is well, and what each spoiled thing in it is called. */
import { describe, expect, test } from 'vitest'
import { judge } from '../kills/checks.ts'
import type { History, IncidentEvent, SeenIncident, SeenPage, Sms } from '../kills/history.ts'
import { drawBlows } from '../kills/plan.ts'
import { Random } from '../sim/random.ts'

const periodMs = 10_000
const phone = '+61400000000'
const second = '+61400000001'

const incident: SeenIncident = {
  id: 'incident',
  monitorId: 'monitor',
  code: 'K7QX',
  kind: 'down',
  sinceMs: 102_000,
  openedMs: 120_000,
  resolvedMs: 150_000,
  flapping: false,
  events: [
    { type: 'opened', atMs: 120_000, detail: {} },
    { type: 'paged', atMs: 120_000, detail: { step: 0, round: 0 } },
    { type: 'paged', atMs: 126_100, detail: { step: 1, round: 0 } },
    { type: 'resolved', atMs: 150_000, detail: {} },
  ],
}

const page = (id: string, kind: string, to: string, writtenMs: number, step = 0): SeenPage => ({
  id,
  incidentId: 'incident',
  kind,
  step,
  round: 0,
  to,
  state: 'accepted',
  writtenMs,
})

const sms = (pageId: string, to: string, text: string, atMs: number): Sms => ({
  atMs,
  pageId,
  to,
  text,
  behaviour: 'accept',
  sent: true,
})

/** Two coordinators, one of which is killed while the second step falls due; one probe; one outage of which everybody is told. */
const well: History = {
  endedMs: 300_000,
  coordinators: {
    a: [{ startedMs: 0, readyMs: 1_000, endedMs: null }],
    b: [
      { startedMs: 0, readyMs: 1_000, endedMs: 125_000 },
      { startedMs: 127_000, readyMs: 128_000, endedMs: null },
    ],
  },
  database: [{ startedMs: 0, readyMs: 500, endedMs: null }],
  probes: { probe: [{ startedMs: 2_000, readyMs: 3_000, endedMs: 300_000 }] },
  monitors: [
    {
      id: 'monitor',
      name: 'broken-1 1',
      system: 'broken-1',
      periodMs,
      boundMs: 40_000,
      policy: { steps: [{ after_s: 0 }, { after_s: 6 }], repeat: 0 },
    },
  ],
  outages: { 'broken-1': [{ fromMs: 100_000, toMs: 145_000 }] },
  acknowledged: Array.from({ length: 28 }, (_, slot) => ({ id: `result ${slot}`, monitorId: 'monitor', atMs: slot * periodMs })),
  refused: [],
  results: Array.from({ length: 28 }, (_, slot) => ({
    id: `result ${slot}`,
    monitorId: 'monitor',
    probeId: 'probe',
    cause: 'slot',
    slotMs: 5_000 + slot * periodMs,
    outcome: 'ok',
  })),
  incidents: [incident],
  pages: [
    page('first', 'down', phone, 120_000),
    page('then', 'down', second, 126_100, 1),
    page('clear', 'resolved', phone, 150_000),
    page('clear too', 'resolved', second, 150_000),
  ],
  sms: [
    sms('first', phone, 'DOWN broken-1 1. Code K7QX', 120_050),
    sms('then', second, 'DOWN broken-1 1. Code K7QX', 126_150),
    sms('clear', phone, 'UP broken-1 1. Code K7QX', 150_050),
    sms('clear too', second, 'UP broken-1 1. Code K7QX', 150_050),
  ],
  unexpectedEnds: [],
}

const spoiled = (changes: Partial<History>): string[] => [...new Set(judge({ ...well, ...changes }).map(({ check }) => check))]
const withIncident = (changes: Partial<SeenIncident>) => ({ incidents: [{ ...incident, ...changes }] })

test('a history in which all is well has no fault', () => {
  expect(judge(well)).toEqual([])
})

describe('results', () => {
  test('one that was acknowledged and is not there is lost', () => {
    const acknowledged = [...well.acknowledged, { id: 'gone', monitorId: 'monitor', atMs: 5 }]
    expect(spoiled({ acknowledged })).toEqual(['an acknowledged result is lost'])
  })

  test.each([
    ['the same result twice', 'result 3'],
    ['a slot tested twice', 'another'],
  ])('%s', (_, id) => {
    const [, , , third] = well.results
    if (third === undefined) throw new Error('no such result')
    expect(spoiled({ results: [...well.results, { ...third, id }] })).toEqual(['a result is there twice'])
  })

  test('a slot without a result is missed, unless its probe was away', () => {
    const results = well.results.filter(({ id }) => id !== 'result 7')
    const acknowledged = well.acknowledged.filter(({ id }) => id !== 'result 7')
    expect(spoiled({ results, acknowledged })).toEqual(['a slot was missed'])
    const probes = {
      probe: [
        { startedMs: 2_000, readyMs: 3_000, endedMs: 76_000 },
        { startedMs: 76_500, readyMs: 77_000, endedMs: 300_000 },
      ],
    }
    expect(spoiled({ results, acknowledged, probes })).toEqual([])
  })

  test('one that was refused', () => {
    expect(spoiled({ refused: [{ id: 'x', code: 'RESULT_FOREIGN', detail: '' }] })).toEqual(['a record was refused'])
  })
})

describe('pages', () => {
  const again = (text: string, pageId = 'first'): Sms => sms(pageId, phone, text, 124_000)

  test('a second SMS of the same page is marked, or a fault', () => {
    expect(spoiled({ sms: [...well.sms, again('(repeat) DOWN broken-1 1. Code K7QX')] })).toEqual([])
    expect(spoiled({ sms: [...well.sms, again('DOWN broken-1 1. Code K7QX')] })).toEqual(['an unmarked SMS came twice'])
  })

  test.each(['DOWN', 'UNSTABLE'])('a second round rings once more with the words %s, and the first only once', (word) => {
    const text = `${word} broken-1 1. Code K7QX`
    const pages = [...well.pages, { ...page('round', 'down', phone, 124_000), round: 1 }]
    const rung = [...well.sms.map((one) => (one.pageId === 'first' ? { ...one, text } : one)), again(text, 'round')]
    const monitors = well.monitors.map((monitor) => ({ ...monitor, policy: { ...monitor.policy, repeat: 1 } }))
    expect(spoiled({ pages, sms: rung, monitors })).not.toContain('an unmarked SMS came twice')
    expect(spoiled({ pages, sms: rung })).toContain('an unmarked SMS came twice')
  })

  test('a page of the same kind, step, round and phone is a double, whatever its id', () => {
    const pages = [...well.pages, { ...page('other', 'down', phone, 121_000), state: 'cancelled' }]
    expect(spoiled({ pages })).toEqual(['an unmarked SMS came twice'])
  })

  test.each([
    ['fails again is taken then', 175_000, 176_000, []],
    ['fails again is late', 140_000, 176_000, ['a due step was late']],
  ])('a step that falls due while mail is back, and is taken after it %s', (_when, failsMs, takenMs, faults) => {
    const [opened, first] = incident.events
    const back = { type: 'all_clear_waits', atMs: 124_000, detail: {} }
    const again = { type: 'fails_again', atMs: failsMs, detail: {} }
    const taken = { type: 'paged', atMs: takenMs, detail: { step: 1, round: 0 } }
    const events = [opened, first, back, again, taken] as IncidentEvent[]
    const found = spoiled({ ...withIncident({ events, resolvedMs: null, flapping: true }) })
    expect(found.filter((check) => check === 'a due step was late')).toEqual(faults)
  })

  test('one that nobody hands over is late, and so nobody was told', () => {
    const rest = well.sms.filter(({ pageId }) => !['first', 'then'].includes(pageId))
    expect(spoiled({ sms: rest })).toEqual(['a page was late at the gateway', 'an incident was not told of'])
  })

  test.each([
    ['while the DOWN was on its way to the same phone may wait behind it', 140_000, 190_000, []],
    ['long after the DOWN was handed over waits for nothing', 120_050, 190_000, ['a page was late at the gateway']],
    ['waits no longer than that', 140_000, 210_000, ['a page was late at the gateway']],
  ])('an all-clear that is written %s', (_when, toldMs, clearMs, faults) => {
    const moved = well.sms.map((one) => (one.pageId === 'clear' ? { ...one, atMs: clearMs } : one))
    const again = sms('first', phone, '(repeat) DOWN broken-1 1. Code K7QX', toldMs)
    expect(spoiled({ sms: [...moved, again] }).filter((check) => check === 'a page was late at the gateway')).toEqual(faults)
  })

  test('an all-clear that does not come to a phone that rang', () => {
    expect(spoiled({ pages: well.pages.filter(({ id }) => id !== 'clear too') })).toEqual(['an all-clear is missing'])
  })

  test.each([
    ['while its page is held is told to nobody', 125_000, []],
    ['long after its page was due was told to nobody', 141_000, ['a due step was late', 'an incident was not told of']],
  ])('an incident that a person takes on %s', (_when, acknowledgedMs, faults) => {
    const [opened, , , resolved] = incident.events
    const held = { type: 'page_held_by_fleet_guard', atMs: 120_000, detail: { until: new Date(130_000).toISOString() } }
    const events = [opened, held, { type: 'acknowledged', atMs: acknowledgedMs, detail: {} }, resolved] as IncidentEvent[]
    expect(spoiled({ ...withIncident({ events }), pages: [], sms: [] })).toEqual(faults)
  })

  test('an incident that opens although no mail was out of order', () => {
    expect(spoiled({ outages: {} })).toEqual(['a page although the mail worked'])
    expect(spoiled({ outages: { 'broken-1': [{ fromMs: 20_000, toMs: 90_000 }] } })).toContain('a page although the mail worked')
  })

  test('an outage of which nobody hears within the bound', () => {
    expect(spoiled({ incidents: [], pages: [], sms: [] })).toEqual(['an outage was told of late or never'])
  })
})

describe('steps', () => {
  const taken = (atMs: number) =>
    withIncident({ events: incident.events.map((event) => (event.detail.step === 1 ? { ...event, atMs } : event)) })

  test('one that is taken 5 s after somebody could is late', () => {
    expect(spoiled(taken(130_900))).toEqual([])
    expect(spoiled(taken(131_200))).toEqual(['a due step was late'])
  })

  test('the time in which nobody could take it does not count', () => {
    const coordinators = { a: [{ startedMs: 0, readyMs: 1_000, endedMs: 120_500 }], b: well.coordinators.b ?? [] }
    expect(spoiled({ coordinators, ...taken(132_900) })).toEqual([])
    expect(spoiled({ coordinators, ...taken(133_100) })).toEqual(['a due step was late'])
  })

  test('one that is never taken', () => {
    const events = incident.events.filter(({ detail }) => detail.step !== 1)
    expect(spoiled(withIncident({ events }))).toEqual(['a due step was late'])
    const acknowledged = { type: 'acknowledged', atMs: 123_000, detail: {} }
    expect(spoiled(withIncident({ events: [...events.slice(0, 2), acknowledged, ...events.slice(2)] }))).toEqual([])
  })

  test('a step that the fleet guard holds is due when it lets go', () => {
    const held = (until: number) => ({
      events: [
        incident.events[0] as IncidentEvent,
        { type: 'page_held_by_fleet_guard', atMs: 120_000, detail: { until: new Date(until).toISOString() } },
        { type: 'resolved', atMs: 150_000, detail: {} },
      ],
    })
    const unheard = (until: number) => spoiled({ ...withIncident(held(until)), pages: [], sms: [] })
    expect(unheard(160_000)).toEqual([])
    expect(unheard(130_000)).toEqual(['a due step was late', 'an incident was not told of'])
  })

  test('an incident that is open when all mail has long worked is stuck', () => {
    const events = incident.events.filter(({ type }) => type !== 'resolved')
    expect(spoiled(withIncident({ resolvedMs: null, events }))).toEqual(['an incident is stuck'])
    expect(spoiled(withIncident({ resolvedMs: null, events, flapping: true }))).toEqual([])
  })
})

test('a service that was hardly ever there', () => {
  const briefly = Object.fromEntries(
    Object.entries(well.coordinators).map(([name, [first]]) => [
      name,
      first === undefined ? [] : [{ ...first, endedMs: 50_000 }],
    ]),
  )
  expect(spoiled({ coordinators: briefly })).toContain('too little was served to judge by')
})

test('a process that ends by itself', () => {
  expect(spoiled({ unexpectedEnds: ['coordinator-a ended by itself'] })).toEqual(['a process ended by itself'])
})

test('the plan kills as often as it is told, in bursts with rests between, and is the same for the same seed', () => {
  const blows = drawBlows(new Random(7n), 1000, 2_300)
  const kills = { a: 1, b: 1, both: 2, probe: 0, database: 0 }
  expect(blows.reduce((sum, { target }) => sum + kills[target], 0)).toBe(1000)
  const seconds = blows.reduce((sum, { pauseMs }) => sum + pauseMs, 0) / 1000
  expect(seconds).toBeGreaterThan(1_900)
  expect(seconds).toBeLessThan(2_700)
  for (const target of Object.keys(kills)) expect(blows.some((blow) => blow.target === target)).toBe(true)
  expect(blows.filter(({ pauseMs }) => pauseMs > 10_000).length).toBeGreaterThan(50)
  expect(drawBlows(new Random(7n), 1000, 2_300)).toEqual(blows)
})
