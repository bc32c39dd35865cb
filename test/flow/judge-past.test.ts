/** An outage that was over before we heard of it, told in several batches: by real ingest on a real database, judged after each of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TestResult } from '../../common/wire/test.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

const minute = 60
const periodS = 20 * minute
const lostS = 10 * minute

/** Every 20 min from 7 h ago: what the region tested in the absence, a letter a test: `x` is lost, `.` returns. */
const spooled = (monitor: WatchedMonitor, fates: string, phaseMin: number): TestResult[] =>
  [...fates].map((fate, nth) => {
    const agoS = 7 * 3600 - phaseMin * minute - nth * periodS
    return monitor.result(
      fate === 'x' ? { outcome: 'timeout', agoS, tookS: lostS, cause: 'open' } : { outcome: 'ok', agoS, cause: 'open' },
    )
  })

/** Each result in a batch of its own, with the control trips of its time; the regions take turns, and each batch is judged. */
async function tellByTurns(monitor: WatchedMonitor, ...told: [region: string, results: TestResult[]][]): Promise<void> {
  const longest = Math.max(...told.map(([, { length }]) => length))
  for (let nth = 0; nth < longest; nth += 1) {
    for (const [region, results] of told) {
      const result = results[nth]
      if (result === undefined) continue
      const agoS = (monitor.startMs - result.started_at) / 1000
      await monitor.report(region, [result], { controls: [agoS - 110, agoS - 560].map((ago) => monitor.controlTrip(ago)) })
      await monitor.judge()
    }
  }
}

/** One before each test of the absence has ended. */
const controlsOf = (monitor: WatchedMonitor) => Array.from({ length: 60 }, (_, nth) => monitor.controlTrip(7 * 3600 - nth * 420))

/** Nothing more has come for as long as an answer may take. */
async function waitForNoMore(monitor: WatchedMonitor): Promise<void> {
  await own.admin`
    update monitor_states set judge_at = now(), state = jsonb_set(state, '{late,seen_ms}', to_jsonb(${Date.now() - 700_000}::int8))
    where monitor_id = ${monitor.id} and state->'late' <> 'null'`
  await monitor.judge()
}

/** Minutes since the first test of the absence, 7 h ago. */
const minuteOf = ({ startMs }: WatchedMonitor, atMs: unknown) => (Number(atMs) - startMs) / 60_000 + 7 * 60

const kinds = async (monitor: WatchedMonitor) => (await monitor.pages()).map(({ kind }) => kind)
const count = async (monitor: WatchedMonitor, type: string) => (await monitor.events()).filter((event) => event === type).length

describe('what was over before we heard of it, told a result at a time beside a region that was there', () => {
  test.each(['seed', 'fast', 'hedged'] as const)('is one outage with one notice: in mode %s', async (mode) => {
    const monitor = await WatchedMonitor.create(own, { settings: { mode } })
    // ap gets through all the time, and has no say: two regions of three lose every mail for five hours.
    await monitor.report('ap', spooled(monitor, '.....................', 13))
    await monitor.judge()
    await tellByTurns(
      monitor,
      ['eu', spooled(monitor, 'xxxxxxxxxxxxxxx......', 0)],
      ['us', spooled(monitor, 'xxxxxxxxxxxxxxx......', 6)],
    )
    const pages = await monitor.pages()
    expect(pages).toMatchObject([{ kind: 'past', text: expect.stringMatching(/^WAS DOWN .* for 5 h, heard only now/) }])
    expect(await count(monitor, 'opened')).toBe(1)
    expect((await monitor.state()).state).toMatchObject({ decision: 'up', late: null })
  })

  test('is one outage with one notice where one vantage is the quorum', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'], settings: { quorum: 1, mode: 'fast' } })
    await monitor.report('us', spooled(monitor, '.....................', 13))
    await monitor.judge()
    await tellByTurns(monitor, ['eu', spooled(monitor, 'xxxxxxxxxxxxxxx......', 0)])
    expect(await kinds(monitor)).toEqual(['past'])
    expect(await count(monitor, 'opened')).toBe(1)
  })

  test('and was many outages wakes nobody more than twice an hour; the log has the others', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'], settings: { quorum: 1, mode: 'fast' } })
    await monitor.report('us', spooled(monitor, '.....................', 13))
    await monitor.judge()
    // The link breaks again after each result.
    for (const result of spooled(monitor, 'x.x.x.x.x.x.x.x.x....', 0)) {
      await tellByTurns(monitor, ['eu', [result]])
      await waitForNoMore(monitor)
    }
    expect(await kinds(monitor)).toEqual(['past', 'past'])
    const told = await count(monitor, 'opened')
    expect(told).toBeGreaterThan(3)
    expect(await count(monitor, 'page_suppressed_by_flapping')).toBe(told - 2)
    expect(await count(monitor, 'resolved')).toBe(told)
  })
})

describe('more than one outage in one absence', () => {
  test('is told one by one, each with its own record', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    for (const [region, phaseMin] of [
      ['eu', 0],
      ['us', 6],
    ] as const)
      await monitor.report(region, spooled(monitor, 'xxx.....xxx..........', phaseMin), { controls: controlsOf(monitor) })
    await monitor.judge()
    expect(await kinds(monitor)).toEqual(['past', 'past'])
    const times = (await monitor.incidents()).map(({ since_at, last_fail_at, first_pass_at }) =>
      [since_at, last_fail_at, first_pass_at].map((atMs) => Math.round(minuteOf(monitor, atMs))),
    )
    expect(times).toEqual([
      [0, 46, 60],
      [160, 206, 220],
    ])
    expect((await monitor.state()).state).toMatchObject({ decision: 'up', late: null })
  })

  test('is told also beside one that goes on, with two notices before it in the log alone', async () => {
    const monitor = await WatchedMonitor.create(own)
    const tell = async (region: string, fates: string, phaseMin: number) => {
      await monitor.report(region, spooled(monitor, fates, phaseMin), { controls: controlsOf(monitor) })
      await monitor.judge()
    }
    await tell('eu', 'xxx...........xxxxxxx', 0)
    await tell('us', 'xxx...xxx.....xxxxxxx', 6)
    expect(await kinds(monitor)).toEqual(['past', 'down'])
    await tell('ap', 'xxx...xxx.....xxxxxxx', 13)
    expect(await kinds(monitor)).toEqual(['past', 'down'])
    expect(await count(monitor, 'page_suppressed_by_flapping')).toBe(1)
    const since = (await monitor.incidents()).map(({ since_at, resolved_at }) => [
      Math.round(minuteOf(monitor, since_at)),
      resolved_at === null,
    ])
    expect(since).toEqual([
      [0, false],
      [280, true],
      [126, false],
    ])
    expect((await monitor.state()).state).toMatchObject({ decision: 'down', late: null })
  })
})

describe('the record of what was over before we heard of it', () => {
  test('has it end when the customer is told it did, though one region fails on by itself', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.report('ap', spooled(monitor, 'xxxxxx...............', 13))
    await monitor.report('us', spooled(monitor, 'xxxxxx...............', 6), { controls: controlsOf(monitor) })
    await monitor.report('eu', spooled(monitor, 'xxxxxxxxxxxxxxxxxxxxx', 0), { controls: controlsOf(monitor) })
    await monitor.judge()
    const [past] = await monitor.incidents()
    expect(await kinds(monitor)).toEqual(['past'])
    expect(minuteOf(monitor, past?.since_at)).toBeCloseTo(0)
    expect(minuteOf(monitor, past?.last_fail_at)).toBeCloseTo(113)
    expect(minuteOf(monitor, past?.first_pass_at)).toBeCloseTo(126)
  })
})
