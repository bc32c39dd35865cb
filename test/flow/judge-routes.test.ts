/** Routes: surveyed every hour by one vantage after the other, shown and told of, and never a vote. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Outcome, ResultDetail, RouteTest } from '../../common/wire/test.ts'
import type { Refusal } from '../../coordinator/flow/ingest.ts'
import { ingestRouteTests } from '../../coordinator/flow/route-tests.ts'
import { surveyNext } from '../../coordinator/flow/surveys.ts'
import { moveTarget } from '../../coordinator/flow/target.ts'
import { transactionOn } from '../../coordinator/store/flow-store.ts'
import { tidyUp } from '../../coordinator/store/housekeeping.ts'
import { insertJob } from '../../coordinator/store/judging.ts'
import { deleteMonitor } from '../../coordinator/store/monitors.ts'
import { readJobsToSend } from '../../coordinator/store/probe-link.ts'
import { leaveTarget } from '../../coordinator/store/targets.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { healthy, recordingLogger } from '../support/probe-parts.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let api: TestApi
let monitor: WatchedMonitor
beforeAll(async () => {
  api = await startTestApi()
})
beforeEach(async () => {
  monitor = await WatchedMonitor.create(api)
})
afterAll(() => api?.stop())

const due = () => monitor.sql`update route_surveys set due_at = now() where monitor_id = ${monitor.id}`
const nextDueS = async () => {
  const [row] = await monitor.sql<{ in_s: number }[]>`
    select extract(epoch from due_at - now())::float8 as in_s from route_surveys where monitor_id = ${monitor.id}`
  return row?.in_s
}
type Order = { id: string; region: string; cause: string }
const orders = async (): Promise<Order[]> => [
  ...(await monitor.sql<Order[]>`
    select j.id, p.region, j.cause from jobs j join probes p on p.id = j.probe_id where j.monitor_id = ${monitor.id} order by j.created_at, j.id`),
]

/** The survey that is due now; undefined where nobody is asked. */
async function survey(): Promise<Order | undefined> {
  const before = await orders()
  await due()
  while (await surveyNext(monitor.context)) {}
  return (await orders())[before.length]
}

type Told = { mx?: string; family?: 'ipv4' | 'ipv6'; outcome: Outcome; agoS?: number; detail?: ResultDetail }

const routeTest = (
  job_id: string,
  { mx = 'mx2.customer.example', family = 'ipv4', outcome, agoS = 60, detail = {} }: Told,
): RouteTest => {
  const started_at = Date.now() - agoS * 1000
  const passes = outcome === 'ok'
  return {
    id: newId(),
    monitor_id: monitor.id,
    job_id,
    route: { mx, family },
    started_at,
    returned_at: passes ? started_at + 900 : null,
    finished_at: started_at + 1000,
    outcome,
    rtt_ms: passes ? 900 : null,
    clock_offset_ms: null,
    detail,
  }
}

/** One more survey, and what its probe says. */
async function tell(...told: Told[]): Promise<Refusal[]> {
  const order = await survey()
  if (order === undefined) throw new Error('nobody was asked')
  const routes = told.map((each) => routeTest(order.id, each))
  return await monitor.report(order.region, [], { routes, controls: [] })
}

const shown = async () => (await api.operator('GET', `/v1/monitors/${monitor.id}`)).body
const words = '550 5.7.1 Relay access denied'
const refused = (agoS: number): Told => ({
  outcome: 'refused',
  agoS,
  detail: { server_words: words, mx: 'mx2.customer.example' },
})

describe('a survey', () => {
  test('is ordered from one vantage, and the next, within the hour after, from another', async () => {
    const [first, second, third] = [await survey(), await survey(), await survey()]
    expect(first).toMatchObject({ cause: 'routes' })
    expect(new Set([first?.region, second?.region, third?.region])).toEqual(new Set(['eu', 'us', 'ap']))
    expect(await nextDueS()).toBeGreaterThan(0)
    expect(await nextDueS()).toBeLessThanOrEqual(3600)
  })

  test('is ordered once, however many coordinators there are', async () => {
    await due()
    await Promise.all([1, 2, 3].map(() => surveyNext(monitor.context)))
    expect(await orders()).toHaveLength(1)
  })

  test('reaches its probe as a job like others, with the plan', async () => {
    const order = await survey()
    const probe = monitor.probe(order?.region ?? '')
    expect(await readJobsToSend(monitor.sql, probe.id)).toMatchObject([
      { id: order?.id, cause: 'routes', plan: { monitor_id: monitor.id, target: { address: 'scout@customer.example' } } },
    ])
  })

  test.each<[string, () => PromiseLike<unknown>]>([
    ['before the first return', async () => (monitor = await WatchedMonitor.create(api, { watched: false }))],
    [
      'while a question is open',
      async () => {
        await monitor.report('eu', [{ outcome: 'timeout', agoS: 1230 }])
        await monitor.judge()
      },
    ],
    ['in an incident', () => monitor.goDown()],
    ['where all vantages are lost', () => monitor.sql`update probes set last_seen_at = now() - interval '2 minutes'`],
    ['that nobody could order for an hour', async () => {}],
  ])('is not made %s', async (what, arrange) => {
    await arrange()
    const before = (await orders()).length
    await due()
    if (what === 'that nobody could order for an hour')
      await monitor.sql`update route_surveys set due_at = now() - interval '1 hour' where monitor_id = ${monitor.id}`
    while (await surveyNext(monitor.context)) {}
    expect(await orders()).toHaveLength(before)
    expect(await nextDueS()).toBeGreaterThan(0)
  })

  test('is not made of a monitor that is deleted', async () => {
    await deleteMonitor(monitor.sql, monitor.customerId, monitor.id)
    expect(await nextDueS()).toBeUndefined()
  })
})

describe('what a survey finds', () => {
  test('is shown by route; one that two surveys in a row find failing is a notice, and nobody is paged', async () => {
    const well: Told = { mx: 'mx1.customer.example', outcome: 'ok', agoS: 7200 }
    expect(await tell(well, refused(7200))).toEqual([])
    expect(await shown()).toMatchObject({
      notices: [],
      routes: [
        { mx: 'mx1.customer.example', family: 'ipv4', standing: 'ok', failing_since: null, outcome: 'ok', words: null },
        { mx: 'mx2.customer.example', standing: 'unknown', passed_at: null, outcome: 'refused', words },
      ],
    })
    await tell({ ...well, agoS: 3600 }, refused(3600))
    const { notices, routes, decision } = await shown()
    expect(routes).toMatchObject([{ standing: 'ok' }, { standing: 'failing' }])
    expect(notices).toEqual([
      {
        kind: 'route_failing',
        probe_id: expect.any(String),
        region: expect.any(String),
        since: routes[1].failing_since,
        text: expect.stringMatching(
          /^mx2\.customer\.example over IPv4 has not taken mail since .* UTC .*, last tried from \w+: 550 5\.7\.1 Relay access denied; mail still arrives by other routes$/,
        ),
      },
    ])
    expect(Date.now() - Date.parse(routes[1].failing_since) - 7_200_000).toBeLessThan(60_000)
    expect([decision, await monitor.incidents(), await monitor.pages()]).toEqual(['up', [], []])
    await tell({ mx: 'MX2.customer.example', outcome: 'ok' })
    expect(await shown()).toMatchObject({
      notices: [],
      routes: [{}, { mx: 'mx2.customer.example', standing: 'ok', words: null }],
    })
  })

  test('is told of in the log when a route begins to fail and when it works again, once each', async () => {
    const { logger, lines } = recordingLogger()
    const context = { database: monitor.context.database, logger }
    for (const outcome of ['ok', 'refused', 'refused', 'timeout', 'ok', 'ok'] as const) {
      const order = await survey()
      const routes = [routeTest(order?.id ?? '', { outcome, agoS: 30 })]
      await ingestRouteTests(context, monitor.probe(order?.region ?? ''), { routes, health: healthy })
    }
    expect(lines.map(({ msg }) => msg)).toEqual([
      'a route to a mail system fails; nobody is paged',
      'a route to a mail system works again',
    ])
  })

  test('counts once, however often it is told', async () => {
    const order = await survey()
    const routes = [routeTest(order?.id ?? '', refused(60))]
    for (const _ of [1, 2, 3]) await monitor.report(order?.region ?? '', [], { routes, controls: [] })
    expect(await monitor.sql`select id from route_tests where monitor_id = ${monitor.id}`).toHaveLength(1)
    expect((await shown()).notices).toEqual([])
  })

  test('is read in the order in which it was sent, however late it is told', async () => {
    await tell({ outcome: 'ok', agoS: 60 })
    await tell(refused(7200))
    await tell(refused(3600))
    expect((await shown()).routes).toMatchObject([{ standing: 'ok' }])
  })

  test('is dated by our clock, where that of the probe is known to be wrong', async () => {
    const order = await survey()
    const routes = [{ ...routeTest(order?.id ?? '', { outcome: 'ok', agoS: 3600 }), clock_offset_ms: 600_000 }]
    await monitor.report(order?.region ?? '', [], { routes, controls: [] })
    const ageMs = Date.now() - Date.parse((await shown()).routes[0].tested_at)
    expect(Math.round(ageMs / 60_000)).toBe(50)
  })

  test('is forgotten with the target, and what comes in of the old one afterwards is left out', async () => {
    await tell({ outcome: 'ok' })
    const order = await survey()
    await monitor.sql.begin(async (sql) => {
      await moveTarget(monitor.context, transactionOn(sql), { customer_id: monitor.customerId, monitor_id: monitor.id })
      await sql`update monitors set generation = 2, target_generation = 2 where id = ${monitor.id}`
      await leaveTarget(sql, { customer_id: monitor.customerId, monitor_id: monitor.id })
    })
    const late = [routeTest(order?.id ?? '', { outcome: 'refused' })]
    expect(await monitor.report(order?.region ?? '', [], { routes: late, controls: [] })).toEqual([])
    expect((await shown()).routes).toEqual([])
  })

  test('is gone after a day in which no survey has found the route', async () => {
    await tell({ outcome: 'ok' })
    await monitor.sql`update routes set tested_at = now() - interval '25 hours' where monitor_id = ${monitor.id}`
    expect((await shown()).routes).toEqual([])
    await monitor.sql`update routes set tested_at = now() - interval '3 days' where monitor_id = ${monitor.id}`
    await monitor.admin`update route_tests set started_at = now() - interval '32 days' where monitor_id = ${monitor.id}`
    expect(await tidyUp(monitor.sql)).toMatchObject({ routes: 1, route_tests: 1 })
  })

  test('is seen by its customer alone', async () => {
    await tell({ outcome: 'ok' })
    const { database } = monitor.context
    const counted = (customerId: string) =>
      database.asCustomer(customerId, (sql) => sql`select from route_tests union all select from routes`)
    expect(await counted(monitor.customerId)).toHaveLength(2)
    expect(await counted(newId())).toHaveLength(0)
  })
})

describe('a test of a route never votes', () => {
  /** Everything that a judgement, a leg or a figure of availability is made from. */
  const traces = async () => {
    const [row] = await monitor.sql`
      select (select count(*) from results where monitor_id = ${monitor.id}) as results,
        (select count(*) from late_returns where monitor_id = ${monitor.id}) as lates,
        (select count(*) from overdues where monitor_id = ${monitor.id}) as overdues,
        (select count(*) from probe_failures where monitor_id = ${monitor.id}) as failures,
        (select count(*) from probe_proofs where domain = 'customer.example') as proofs,
        (select count(*) from incidents where monitor_id = ${monitor.id}) as incidents`
    return row
  }
  const none = { results: 0, lates: 0, overdues: 0, failures: 0, proofs: 0, incidents: 0 }

  test('however many fail, over all routes and from all regions', async () => {
    await monitor.sql`delete from probe_proofs`
    const before = await monitor.state()
    for (const outcome of ['timeout', 'refused', 'bounced', 'timeout', 'refused', 'unreachable'] as const)
      expect(await tell({ outcome }, { mx: 'mx1.customer.example', outcome }, { family: 'ipv6', outcome: 'blocked' })).toEqual([])
    expect(await traces()).toEqual(none)
    expect(await monitor.judge()).toBe(0)
    expect(await monitor.state()).toEqual(before)
    await monitor.sql`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
    await monitor.judge()
    expect(await monitor.state()).toMatchObject({ decision: 'up', state: { suspicion: null, incident: null, blocked: {} } })
    expect((await shown()).verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual(['no_data', 'no_data', 'no_data'])
  })

  test('nor is one that passes a first return, or a proof of its probe', async () => {
    monitor = await WatchedMonitor.create(api, { watched: false })
    await monitor.sql`delete from probe_proofs`
    const given = { id: newId(), customer_id: monitor.customerId, monitor_id: monitor.id, expires_in_ms: 90_000 }
    await insertJob(monitor.sql, { ...given, probe_id: monitor.probe('eu').id, cause: 'routes' })
    const routes = [routeTest(given.id, { outcome: 'ok' })]
    expect(await monitor.report('eu', [], { routes, controls: [] })).toEqual([])
    await monitor.judge()
    expect(await traces()).toEqual(none)
    expect((await monitor.state()).decision).toBe('pending')
    expect((await shown()).routes).toMatchObject([{ standing: 'ok' }])
  })

  test('nor does one end an incident', async () => {
    const order = await survey()
    await monitor.goDown()
    const routes = [routeTest(order?.id ?? '', { outcome: 'ok', agoS: 0 })]
    await monitor.report(order?.region ?? '', [], { routes, controls: [] })
    await monitor.judge()
    expect((await monitor.state()).decision).toBe('down')
  })

  test('and is refused where a probe calls it a result', async () => {
    const order = await survey()
    const { id, region } = { id: '', region: 'eu', ...order }
    const claimed = { cause: 'job', job_id: id, generation: null } as const
    expect(await monitor.report(region, [{ outcome: 'timeout', agoS: 60, ...claimed }])).toMatchObject([
      { code: 'RESULT_FOREIGN' },
    ])
    expect(await traces()).toMatchObject({ results: 0, failures: 0 })
  })

  test('and is refused of a survey that another probe was given', async () => {
    const order = await survey()
    const other = order?.region === 'eu' ? 'us' : 'eu'
    const routes = [routeTest(order?.id ?? '', { outcome: 'ok' })]
    expect(await monitor.report(other, [], { routes, controls: [] })).toMatchObject([{ code: 'RESULT_FOREIGN' }])
    expect((await shown()).routes).toEqual([])
  })
})
