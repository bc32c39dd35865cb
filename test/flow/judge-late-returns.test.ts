/** A late mail annotates and never rewrites a verdict: the log of the open incident tells of it, and its cause is looked at again. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LateReturn } from '../../common/wire/test.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { type Row, type Told, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
let monitor: WatchedMonitor
beforeAll(async () => {
  own = await freshDatabase()
})
beforeEach(async () => {
  monitor = await WatchedMonitor.create(own)
})
afterAll(() => own?.drop())

const synchronised = { clock_offset_ms: 0, detail: { clock_error_ms: 8 } }
const lostOf = (told: Partial<Told>): Told => ({ outcome: 'timeout', agoS: 600, ...synchronised, ...told })

/** The customer's mail is down; the clock of the responder is known from a mail that came back before. */
async function goDown(): Promise<void> {
  const startedMs = monitor.startMs - 1900_000
  await monitor.report('ap', [
    { outcome: 'ok', agoS: 1900, tookS: 1, cause: 'open', stamp_at: startedMs + 1400, ...synchronised, sent_at: startedMs + 100 },
  ])
  await monitor.report('eu', [lostOf({ agoS: 1230 })])
  await monitor.judge()
  await monitor.report('eu', [lostOf({ cause: 'retest', attempt: 2 })])
  for (const region of ['us', 'ap']) await monitor.report(region, [lostOf(await monitor.job(region))])
  await monitor.judge()
}

const incident = async (): Promise<Row> => (await monitor.incidents())[0] ?? {}
const votes = async () => (await incident()).vantages as { region: string; test_id: string }[]

/** The mail behind the region's vote is back after 15 minutes; where it was stamped at once, it was held on its way back. */
async function returned(region: string, changes: Partial<LateReturn> = {}): Promise<LateReturn> {
  const test_id = (await votes()).find((vote) => vote.region === region)?.test_id ?? ''
  const startedMs = monitor.startMs - 600_000
  return {
    test_id,
    monitor_id: monitor.id,
    returned_at: startedMs + 900_000,
    rtt_ms: 900_000,
    stamp_at: startedMs + 898_000,
    ...changes,
  }
}

async function tell(region: string, lates: LateReturn[]): Promise<void> {
  await monitor.report(region, [], { lates })
  await monitor.judge()
}

const lines = () => own.admin<{ detail: Row }[]>`
  select e.detail from incident_events e join incidents i on i.id = e.incident_id
  where i.monitor_id = ${monitor.id} and e.type = 'returned_late' order by e.id`

describe('a mail behind an open incident that comes back late', () => {
  test('is told of in the log, and the cause says so; the decision and what was sent stay', async () => {
    await goDown()
    const [page] = await monitor.pages()
    expect(page?.text).toContain('mail accepted, not back in 10 min')
    await tell('eu', [await returned('eu')])
    expect(await monitor.events()).toEqual(['opened', 'paged', 'policy_exhausted', 'returned_late'])
    const eu = monitor.probe('eu').id
    expect((await lines())[0]?.detail).toMatchObject({ region: 'eu', probe_id: eu, rtt_ms: 900_000, late_ms: 300_000 })
    expect(await incident()).toMatchObject({
      resolved_at: null,
      cause: { outcome: 'timeout', place: 'returned_late', text: 'mail comes back late, after 15 min' },
      vantages: [{ vote: 'fail' }, { vote: 'fail' }, { vote: 'fail' }],
    })
    expect((await monitor.state()).decision).toBe('down')
    expect(await monitor.pages()).toEqual([page])
  })

  test('is held on its way back where the two clocks tell', async () => {
    await goDown()
    await tell('us', [await returned('us', { stamp_at: monitor.startMs - 600_000 + 3000 })])
    expect((await lines())[0]?.detail).toMatchObject({
      stamp_at: new Date(monitor.startMs - 597_000).toISOString(),
      place: 'return_leg',
      outbound_ms: { min: expect.any(Number), max: expect.any(Number) },
      return_ms: { min: expect.any(Number) },
    })
    expect((await incident()).cause).toMatchObject({ place: 'return_leg', text: 'mail late on its way back, after 15 min' })
  })

  test('has one line, however often it is told of, and each of several has its own', async () => {
    await goDown()
    const late = await returned('eu')
    await tell('eu', [late, late])
    await tell('eu', [late])
    await tell('us', [await returned('us')])
    await own.admin`update monitor_states set judge_at = now(), returned_late = true where monitor_id = ${monitor.id}`
    await monitor.judge()
    expect((await lines()).map(({ detail }) => detail.region)).toEqual(['eu', 'us'])
  })

  test('that was back before the incident opened is in its cause from the beginning', async () => {
    await monitor.report('eu', [lostOf({ agoS: 1230 })])
    await monitor.judge()
    const retest = monitor.result(lostOf({ cause: 'retest', attempt: 2 }))
    const late = { monitor_id: monitor.id, test_id: retest.id, returned_at: retest.started_at + 601_000, rtt_ms: 601_000 }
    await monitor.report('eu', [retest], { lates: [{ ...late, stamp_at: retest.started_at + 300 }] })
    await monitor.report('us', [lostOf(await monitor.job('us'))])
    await monitor.judge()
    expect((await incident()).cause).toMatchObject({ place: 'returned_late' })
  })
})

describe('no line', () => {
  test('of a mail that stands behind nothing, or that another probe claims', async () => {
    await goDown()
    await tell('eu', [await returned('eu', { test_id: monitor.id })])
    await tell('us', [await returned('eu')])
    expect(await lines()).toEqual([])
    expect((await incident()).cause).toMatchObject({ place: 'accepted_then_lost' })
  })

  test('in an incident that is over', async () => {
    await goDown()
    const late = await returned('eu')
    await monitor.recover()
    expect((await incident()).resolved_at).not.toBeNull()
    await tell('eu', [late])
    expect(await lines()).toEqual([])
  })
})
