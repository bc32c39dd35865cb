/** From the batch of a probe to the incident and its pages, on a real database. */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judgeNext } from '../../coordinator/flow/judge.ts'
import { markForJudging } from '../../coordinator/store/ingest.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

const lostAtSlot = { outcome: 'timeout', agoS: 1230 } as const
const lostRetest = { outcome: 'timeout', agoS: 600, cause: 'retest', attempt: 2 } as const

describe('from results to an incident', () => {
  test('a lost mail asks the other vantages; two that agree open one incident with its page, in one transaction', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.report('eu', [lostAtSlot])
    await monitor.judge()
    expect(await monitor.askedRegions()).toEqual(['ap', 'us'])
    expect((await monitor.state()).decision).toBe('suspected')

    await monitor.report('us', [{ outcome: 'timeout', agoS: 600, ...(await monitor.job('us')) }])
    await monitor.judge()
    expect(await monitor.incidents()).toEqual([])

    await monitor.report('eu', [lostRetest])
    await monitor.judge()
    const [incident] = await monitor.incidents()
    expect(incident).toMatchObject({ kind: 'down', resolved_at: null, since_at: monitor.startMs - 1230_000 })
    expect(incident?.cause).toEqual({
      outcome: 'timeout',
      place: 'accepted_then_lost',
      text: 'mail accepted, not back in 10 min',
    })
    expect(await monitor.events()).toEqual(['opened', 'paged', 'policy_exhausted'])
    const pages = await monitor.pages()
    expect(pages).toMatchObject([{ kind: 'down', state: 'pending', address: '+61400000001', step: 0, round: 0 }])
    expect(pages[0]?.text).toMatch(
      /^DOWN Mail of Example since \d\d:\d\d UTC .*: mail accepted, not back in 10 min\. Agreed: eu, us\. Code \w{4}$/,
    )
    expect((await monitor.state()).decision).toBe('down')
  })

  test('a silence that turns out to be an outage began after the last good test, as far as is known', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'], settings: { period_s: 1200 } })
    await monitor.sql`update assignments set assigned_at = now() - interval '1 day' where monitor_id = ${monitor.id}`
    await monitor.report('eu', [{ outcome: 'ok', agoS: 4000, cause: 'open' }])
    await monitor.report('us', [{ outcome: 'ok', agoS: 3900, cause: 'open' }])
    await monitor.sql`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
    await monitor.judge()
    expect(await monitor.incidents()).toMatchObject([{ kind: 'unconfirmed' }])
    await monitor.goDown()
    const [incident] = await monitor.incidents()
    expect(incident).toMatchObject({ kind: 'down', last_good_at: monitor.startMs - 3_900_000 })
  })

  test('the log tells of the decision with the votes that made it', async () => {
    const lines: { votes: { region: string; vote: string }[]; to: string }[] = []
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    monitor.context.logger = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line)) })
    await monitor.goDown()
    const down = lines.find(({ to }) => to === 'down')
    expect(down?.votes.map(({ region, vote }) => `${region} ${vote}`)).toEqual(['eu fail', 'us fail'])
  })

  test('judging again and again adds nothing', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.goDown()
    const before = [await monitor.events(), await monitor.pages(), await monitor.askedRegions()]
    for (let i = 0; i < 3; i++) {
      await own.database.system`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
      expect(await monitor.judge()).toBe(1)
    }
    expect([await monitor.events(), await monitor.pages(), await monitor.askedRegions()]).toEqual(before)
    expect(await monitor.incidents()).toHaveLength(1)
  })

  test('a judgement that cannot be committed has paged nobody', async () => {
    const monitor = await WatchedMonitor.create(own)
    await own.admin.unsafe(`
      create function full_disk() returns trigger language plpgsql as $$ begin raise 'no space left on device'; end $$;
      create trigger full_disk before update on monitor_states for each row when (new.decision = 'down') execute function full_disk()`)
    await expect(monitor.goDown()).rejects.toThrow('no space left')
    expect([await monitor.incidents(), await monitor.pages()]).toEqual([[], []])
    await own.admin`drop function full_disk cascade`
    await monitor.passTime(60)
    await monitor.judge()
    expect(await monitor.pages()).toMatchObject([{ kind: 'down', step: 0 }])
  })

  test('two workers at once judge a monitor once', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.report('eu', [lostAtSlot])
    const other = { ...monitor.context, coordinatorId: newId() }
    const judged = await Promise.all([judgeNext(monitor.context), judgeNext(other), judgeNext(monitor.context), judgeNext(other)])
    expect(judged.filter(Boolean)).toHaveLength(1)
    expect(await monitor.askedRegions()).toEqual(['ap', 'us'])
  })

  test('a judgement that fails lets the others have their turn', async () => {
    const poisoned = await WatchedMonitor.create(own)
    const monitor = await WatchedMonitor.create(own)
    await own.admin`update monitor_states set state = '{"watched": true, "settled": null}', judge_at = now() - interval '1 hour' where monitor_id = ${poisoned.id}`
    await monitor.report('eu', [lostAtSlot])
    await expect(judgeNext(monitor.context)).rejects.toThrow()
    await monitor.judge()
    expect((await monitor.state()).decision).toBe('suspected')
    expect((await poisoned.state()).judge_at).toBeGreaterThan(Date.now() + 30_000)
    await own.admin`update monitor_states set judge_at = null where monitor_id = ${poisoned.id}`
  })

  test('the end of the trouble resolves the incident and tells those who were paged', async () => {
    const monitor = await WatchedMonitor.create(own)
    const incidentId = await monitor.goDown()
    await own.admin`update pages set state = 'accepted' where incident_id = ${incidentId}`
    await monitor.recover()
    expect(await monitor.incidents()).toMatchObject([{ resolved_at: expect.any(Number), next_step: null }])
    expect(await monitor.pages()).toMatchObject([
      { kind: 'down' },
      { kind: 'resolved', text: expect.stringMatching(/^UP Mail of Example/) },
    ])
    expect(await monitor.state()).toMatchObject({ decision: 'up', quiet: true })
  })
})

describe('marks', () => {
  test('a quiet monitor is not judged by good results, and is by others', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.report('eu', [{ outcome: 'ok', agoS: 1230 }])
    expect(await monitor.judge()).toBe(0)
    await monitor.report('eu', [{ outcome: 'slow', agoS: 1230, tookS: 200 }])
    expect(await monitor.judge()).toBe(1)
  })

  test('a judgement waits for a batch that is about to be committed, also where its monitor is due already', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.report('eu', [lostAtSlot])
    const told = [{ customer_id: monitor.customerId, monitor_id: monitor.id }]
    await own.database.system.begin(async (sql) => {
      await markForJudging(sql, { probeId: monitor.probe('us').id, told, troubled: told, returned: [], late: [], proved: false })
      expect(await judgeNext(monitor.context)).toBe(false)
    })
    expect(await judgeNext(monitor.context)).toBe(true)
  })

  test('proof of health releases the votes that waited for it', async () => {
    const monitor = await WatchedMonitor.create(own)
    const now = { agoS: 600, tookS: 599.5 }
    await monitor.report('eu', [{ outcome: 'timeout', ...now }], { controls: [] })
    await monitor.judge()
    expect((await monitor.state()).awaiting_proof).toEqual([monitor.probe('eu').id])
    await monitor.report('eu', [], { controls: [monitor.controlTrip(700)] })
    await monitor.judge()
    expect((await monitor.state()).awaiting_proof).toEqual([monitor.probe('eu').id])
    await monitor.report('eu', [], { controls: [monitor.controlTrip(60)] })
    await monitor.judge()
    expect((await monitor.state()).awaiting_proof).toEqual([])
  })

  test('a return from the same mail domain proves nothing, one from another does', async () => {
    const monitor = await WatchedMonitor.create(own)
    const neighbour = await WatchedMonitor.create(own, { settings: { target: { address: 'other@CUSTOMER.example' } } })
    const elsewhere = await WatchedMonitor.create(own, { settings: { target: { address: 'scout@elsewhere.example' } } })
    const eu = monitor.probe('eu')
    const prove = async (other: WatchedMonitor) => {
      const passed = other.result({ outcome: 'ok', agoS: 1 })
      await own.admin`insert into jobs (customer_id, id, monitor_id, probe_id, cause, expires_at)
        values (${other.customerId}, ${passed.id}, ${other.id}, ${eu.id}, 'confirm', now())`
      await monitor.report('eu', [{ ...passed, cause: 'job', job_id: passed.id, generation: null, slot: null, slot_at: null }], {
        controls: [],
      })
      await monitor.judge()
    }
    await monitor.report('eu', [{ outcome: 'timeout', agoS: 600, tookS: 599.5, cause: 'open' }], { controls: [] })
    await monitor.judge()
    await prove(neighbour)
    expect((await monitor.state()).awaiting_proof).toEqual([eu.id])
    await prove(elsewhere)
    expect((await monitor.state()).awaiting_proof).toEqual([])
  })
})

describe('what is not taken', () => {
  test('a batch that comes twice is inserted once, and judged to the same', async () => {
    const monitor = await WatchedMonitor.create(own)
    const result = monitor.result(lostAtSlot)
    await monitor.report('eu', [result, result])
    await monitor.judge()
    await monitor.report('eu', [result])
    await monitor.judge()
    const [{ count } = { count: 0 }] = await own.admin<
      { count: number }[]
    >`select count(*) from results where monitor_id = ${monitor.id}`
    expect(count).toBe(1)
    expect(await monitor.askedRegions()).toEqual(['ap', 'us'])
  })

  test('a batch that cannot be written is not acknowledged', async () => {
    const monitor = await WatchedMonitor.create(own)
    await own.admin.unsafe(`
      create function full_disk() returns trigger language plpgsql as $$ begin raise 'no space left on device'; end $$;
      create trigger full_disk before insert on results for each row execute function full_disk()`)
    const acknowledged = monitor.report('eu', [lostAtSlot])
    await expect(acknowledged).rejects.toThrow('no space left')
    await own.admin`drop function full_disk cascade`
  })

  test.each([
    ['a generation that it did not hold', (m: WatchedMonitor) => ({ ...m.result(lostAtSlot), generation: 2 })],
    ['a slot that starts at another time', (m: WatchedMonitor) => ({ ...m.result(lostAtSlot), slot: 99 })],
    ['a job that it was not given', (m: WatchedMonitor) => ({ ...m.result(lostRetest), cause: 'job' as const, job_id: newId() })],
    ['another monitor', (m: WatchedMonitor) => ({ ...m.result(lostAtSlot), monitor_id: newId() })],
  ])('a result for %s is refused with RESULT_FOREIGN, and the rest of the batch is taken', async (_, foreign) => {
    const monitor = await WatchedMonitor.create(own)
    const strange = foreign(monitor)
    const refused = await monitor.report('eu', [strange, monitor.result({ outcome: 'ok', agoS: 1230 })])
    expect(refused).toMatchObject([{ id: strange.id, code: 'RESULT_FOREIGN' }])
    const rows = await own.admin`select id from results where monitor_id = ${monitor.id}`
    expect(rows).toHaveLength(1)
  })

  test('a note of a mail that is late or overdue is refused from who never tested that monitor', async () => {
    const monitor = await WatchedMonitor.create(own)
    const stranger = await WatchedMonitor.create(own)
    const note = { test_id: newId(), monitor_id: monitor.id, started_at: monitor.startMs, at: monitor.startMs }
    const refused = await stranger.report('eu', [], { overdues: [note] })
    expect(refused).toMatchObject([{ id: note.test_id, code: 'RESULT_FOREIGN' }])
  })
})

describe('times of several machines', () => {
  test('a probe whose clock is known to be behind has its votes counted', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.report('eu', [lostAtSlot])
    await monitor.judge()
    // By its own clock, an hour behind, it tested long before the suspicion.
    const behind = { clock_offset_ms: 3_600_000, outcome: 'timeout', agoS: 600 + 3600 } as const
    await monitor.report('us', [{ ...behind, ...(await monitor.job('us')) }], { controls: [monitor.controlTrip(0)] })
    await monitor.report('eu', [lostRetest])
    await monitor.judge()
    expect((await monitor.state()).decision).toBe('down')
  })

  test('a probe whose clock is ahead, and does not know it, opens no question in the future', async () => {
    const monitor = await WatchedMonitor.create(own)
    // By its own clock, 500 s ahead, the test that it tells of ends in 500 s.
    await monitor.report('eu', [{ outcome: 'timeout', agoS: 600 - 500, tookS: 600, cause: 'open' }])
    await monitor.judge()
    const [{ since } = { since: 0 }] = await own.admin<{ since: number }[]>`
      select (state->'suspicion'->>'since_ms')::float8 as since from monitor_states where monitor_id = ${monitor.id}`
    expect(since - (Date.now() - 600_000)).toBeGreaterThan(-10_000)
    expect(since - (Date.now() - 600_000)).toBeLessThan(10_000)
  })
})
