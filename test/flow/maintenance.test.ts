/** Tests run in maintenance and nobody is paged: incidents whose escalation waits for the end of it, on a real database. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hourMs, isoTime } from '../../common/durations.ts'
import { type Schedule, weekdays } from '../../coordinator/core/maintenance.ts'
import { escalateNext } from '../../coordinator/flow/escalate.ts'
import { endIncidentByHand } from '../../coordinator/flow/incident.ts'
import { holdStep } from '../../coordinator/store/incident-log.ts'
import { acknowledgeIncident } from '../../coordinator/store/incidents.ts'
import { loadEvidence, lockMonitor } from '../../coordinator/store/judging.ts'
import {
  endMaintenanceWindow,
  holdWindowsOfMonitor,
  insertMaintenanceWindow,
  replaceMaintenanceWindow,
  reviewHeldIncidents,
} from '../../coordinator/store/maintenance.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

/** The open period and the slow mark of the monitors here. */
const lookS = 300 + 120

type Announced = { monitorIds?: string[] | null; beginsInMs?: number; endsInMs?: number }

/** A monitor, and a window of its customer from an hour ago to an hour ahead, made two hours ago. */
async function inMaintenance(options: Parameters<typeof WatchedMonitor.create>[1] = {}, announced: Announced = {}) {
  await own.admin`update incidents set next_step_at = null where next_step_at is not null`
  const monitor = await WatchedMonitor.create(own, options)
  const id = newId()
  const settings = (endsInMs: number) => {
    const schedule: Schedule = {
      kind: 'once',
      starts_ms: Date.now() + (announced.beginsInMs ?? -hourMs),
      ends_ms: Date.now() + endsInMs,
    }
    return { id, customer_id: monitor.customerId, name: 'move', monitor_ids: announced.monitorIds ?? null, schedule }
  }
  await insertMaintenanceWindow(monitor.sql, settings(announced.endsInMs ?? hourMs))
  await own.admin`update maintenance_windows set valid_from = now() - interval '2 hours' where id = ${id}`
  return {
    monitor,
    /** The window ends in so many ms; what is held is looked at again. */
    change: async (endsInMs: number) => {
      await replaceMaintenanceWindow(monitor.sql, settings(endsInMs))
      await reviewHeldIncidents(monitor.sql, monitor.customerId)
    },
    remove: async () => {
      await endMaintenanceWindow(monitor.sql, monitor.customerId, id)
      await reviewHeldIncidents(monitor.sql, monitor.customerId)
    },
    /** As if the hour had passed, and the look at the monitor after it. */
    end: async () => {
      await own.admin`
        update maintenance_windows set schedule = jsonb_set(schedule, '{ends_ms}', to_jsonb(${Date.now() - lookS * 1000 - 1}::int8)) where id = ${id}`
      await monitor.passTime(3600 + lookS)
    },
    /** As if the look had passed since the window was changed or removed. */
    look: async () => {
      await own.admin`
        update maintenance_windows set valid_until = valid_until - ${lookS + 1} * interval '1 second' where id = ${id} and valid_until is not null`
      await monitor.passTime(lookS + 1)
    },
  }
}

const kinds = async (monitor: WatchedMonitor) => (await monitor.pages()).map(({ kind, step }) => `${kind} ${step}`)

/** Right now, one test after the other, with what proves the probes' health behind them. */
async function goDownAgain(monitor: WatchedMonitor): Promise<void> {
  const lost = { outcome: 'timeout', agoS: -200, tookS: 0 } as const
  const proved = { controls: [monitor.controlTrip(-300)] }
  await monitor.report('eu', [{ ...lost, cause: 'open' }], proved)
  await monitor.judge()
  await monitor.report('eu', [{ ...lost, agoS: -201, cause: 'retest', attempt: 2 }], proved)
  await monitor.report('us', [{ ...lost, ...(await monitor.job('us')) }], proved)
  await monitor.judge()
}

/** How many notices of the last hour the judgement counts. */
async function notices(monitor: WatchedMonitor): Promise<number> {
  const claimed = await lockMonitor(monitor.sql, monitor.customerId, monitor.id)
  if (claimed === null) throw new Error('the monitor has no state')
  return (await loadEvidence(monitor.sql, claimed)).told_ms.length
}

describe('an incident that opens in maintenance', () => {
  test('pages nobody before the window ends, and starts its escalation then', async () => {
    const { monitor, end } = await inMaintenance({ steps: [{ after_s: 0 }, { after_s: 300 }] })
    await monitor.goDown()
    expect(await monitor.incidents()).toMatchObject([{ kind: 'down', held: true, next_step: 0 }])
    expect(await monitor.events()).toEqual(['opened', 'page_suppressed_by_maintenance'])
    await monitor.passTime(3500)
    expect(await escalateNext(monitor.context)).toBe(false)
    await end()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0'])
    expect(await monitor.incidents()).toMatchObject([{ held: false, next_step: 1 }])
    expect(await escalateNext(monitor.context)).toBe(false)
    await monitor.passTime(300)
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0', 'down 1'])
  })

  test('the wait of a first step begins when the window ends', async () => {
    const { monitor, end } = await inMaintenance({ steps: [{ after_s: 120 }] })
    await monitor.goDown()
    await end()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual([])
    await monitor.passTime(110)
    expect(await escalateNext(monitor.context)).toBe(false)
    await monitor.passTime(10)
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0'])
  })

  test('and ends in it: nobody hears of it', async () => {
    const { monitor, end } = await inMaintenance()
    await monitor.goDown()
    await monitor.recover()
    expect(await monitor.incidents()).toMatchObject([{ resolved_at: expect.any(Number) }])
    await end()
    expect(await escalateNext(monitor.context)).toBe(false)
    expect(await kinds(monitor)).toEqual([])
    expect(await monitor.events()).toEqual(['opened', 'page_suppressed_by_maintenance', 'resolved'])
  })

  test('and ends in it is no notice: the next outage is told of as any other, and so is its end', async () => {
    const { monitor, end } = await inMaintenance()
    await monitor.goDown()
    await monitor.recover()
    await end()
    await goDownAgain(monitor)
    expect(await monitor.incidents()).toMatchObject([{ flapping: false }, { kind: 'down', flapping: false, resolved_at: null }])
    await own.admin`update pages set state = 'accepted' where incident_id in (select id from incidents where monitor_id = ${monitor.id})`
    await monitor.recover()
    expect(await kinds(monitor)).toEqual(['down 0', 'resolved 0'])
  })

  test('and outlasts it is a notice when its page goes out', async () => {
    const { monitor, end } = await inMaintenance()
    await monitor.goDown()
    expect(await notices(monitor)).toBe(0)
    await end()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await notices(monitor)).toBe(1)
    await own.admin`update pages set state = 'accepted' where incident_id in (select id from incidents where monitor_id = ${monitor.id})`
    await monitor.recover()
    expect(await notices(monitor)).toBe(2)
    await goDownAgain(monitor)
    expect(await monitor.incidents()).toMatchObject([{ flapping: false }, { flapping: true }])
  })

  test('and ends in it ends at once, also with two notices before it in the hour', async () => {
    const { monitor, end } = await inMaintenance({}, { beginsInMs: hourMs })
    await monitor.goDown()
    await own.admin`update pages set state = 'accepted' where incident_id in (select id from incidents where monitor_id = ${monitor.id})`
    await monitor.recover()
    expect(await notices(monitor)).toBe(2)
    await own.admin`
      update maintenance_windows set schedule = jsonb_set(schedule, '{starts_ms}', '0') where customer_id = ${monitor.customerId}`
    await goDownAgain(monitor)
    expect(await monitor.incidents()).toMatchObject([{}, { kind: 'down', flapping: true, held: true, resolved_at: null }])
    const passed = { outcome: 'ok', agoS: -260, tookS: 0, cause: 'open' } as const
    for (const region of ['eu', 'us', 'ap']) await monitor.report(region, [passed])
    await monitor.judge()
    expect(await monitor.incidents()).toMatchObject([{}, { flapping: true, resolved_at: expect.any(Number) }])
    await end()
    expect(await escalateNext(monitor.context)).toBe(false)
    expect(await kinds(monitor)).toEqual(['down 0', 'resolved 0'])
  })

  test('and outlasts it is one of a series no longer once the notices before it are an hour old', async () => {
    const { monitor, end } = await inMaintenance({}, { beginsInMs: hourMs })
    await monitor.goDown()
    await own.admin`update pages set state = 'accepted' where incident_id in (select id from incidents where monitor_id = ${monitor.id})`
    await monitor.recover()
    await own.admin`
      update maintenance_windows set schedule = jsonb_set(schedule, '{starts_ms}', '0') where customer_id = ${monitor.customerId}`
    await goDownAgain(monitor)
    await own.admin`update pages set created_at = created_at - interval '1 hour' where customer_id = ${monitor.customerId}`
    await own.admin`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
    await monitor.judge()
    expect(await monitor.incidents()).toMatchObject([{}, { flapping: false, resolved_at: null }])
    await end()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect((await monitor.pages()).at(-1)?.text).not.toContain('UNSTABLE')
  })

  test('and is acknowledged in it: nobody is paged afterwards', async () => {
    const { monitor, end } = await inMaintenance()
    const id = await monitor.goDown()
    expect(await acknowledgeIncident(monitor.sql, { customer_id: monitor.customerId, id }, 'Alice')).toBe(true)
    await end()
    expect(await escalateNext(monitor.context)).toBe(false)
    expect(await kinds(monitor)).toEqual([])
  })

  test('the window is deleted: the escalation starts after a look', async () => {
    const { monitor, remove, look } = await inMaintenance()
    await monitor.goDown()
    await remove()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual([])
    await look()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0'])
  })

  test('and ends as the window does: the look after it finds so, and nobody hears of it', async () => {
    const { monitor, remove, look } = await inMaintenance()
    await monitor.goDown()
    await remove()
    expect(await escalateNext(monitor.context)).toBe(true)
    await monitor.recover()
    await look()
    expect(await escalateNext(monitor.context)).toBe(false)
    expect(await kinds(monitor)).toEqual([])
  })

  test('the window is prolonged: so is the silence', async () => {
    const { monitor, change, end } = await inMaintenance()
    await monitor.goDown()
    await change(3 * hourMs)
    expect(await escalateNext(monitor.context)).toBe(true)
    const [incident] = await monitor.incidents()
    expect(Number(incident?.next_step_at) - Date.now()).toBeGreaterThan(2.9 * hourMs)
    expect(await kinds(monitor)).toEqual([])
    await own.admin`update incidents set next_step_at = now() where monitor_id = ${monitor.id}`
    await end()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0'])
  })
})

test('a window that is deleted at the very moment in which it holds an incident wakes it', async () => {
  const { monitor, remove, look } = await inMaintenance()
  const id = await monitor.goDown()
  await own.admin`update incidents set held = false, next_step = null, next_step_at = null where id = ${id}`
  const removal = Promise.withResolvers<void>()
  await monitor.sql.begin(async (sql) => {
    const [window] = await holdWindowsOfMonitor(sql, monitor.customerId, monitor.id)
    if (window?.schedule.kind !== 'once') throw new Error('the story has a window for once')
    const removed = remove()
    removed.then(removal.resolve, removal.reject)
    await expect.poll(async () => (await own.admin`select 1 from pg_locks where not granted`).length).toBeGreaterThan(0)
    await holdStep(sql, monitor.customerId, id, { step: 0, round: 0 }, window.schedule.ends_ms)
  })
  await removal.promise
  expect(await escalateNext(monitor.context)).toBe(true)
  await look()
  expect(await escalateNext(monitor.context)).toBe(true)
  expect(await kinds(monitor)).toEqual(['down 0'])
})

describe('an incident that is older than the window', () => {
  test('stops paging for so long, and goes on with the same step; the all-clear goes to who was told', async () => {
    const { monitor, end } = await inMaintenance({ steps: [{ after_s: 0 }, { after_s: 300 }] }, { beginsInMs: hourMs })
    await monitor.goDown()
    expect(await kinds(monitor)).toEqual(['down 0'])
    await own.admin`
      update maintenance_windows set schedule = jsonb_set(jsonb_set(schedule, '{starts_ms}', '0'), '{ends_ms}', to_jsonb(${Date.now() + hourMs}::int8))
      where customer_id = ${monitor.customerId}`
    await monitor.passTime(300)
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0'])
    await end()
    expect(await escalateNext(monitor.context)).toBe(true)
    expect(await kinds(monitor)).toEqual(['down 0', 'down 1'])
    await own.admin`update pages set state = 'accepted' where incident_id in (select id from incidents where monitor_id = ${monitor.id})`
    await monitor.recover()
    expect(await kinds(monitor)).toEqual(['down 0', 'down 1', 'resolved 0'])
  })
})

test('a window for other monitors holds nothing', async () => {
  const { monitor } = await inMaintenance({}, { monitorIds: [newId()] })
  await monitor.goDown()
  expect(await kinds(monitor)).toEqual(['down 0'])
  expect(await monitor.events()).not.toContain('page_suppressed_by_maintenance')
})

test('too few healthy vantages in maintenance: the operator is paged once it has ended', async () => {
  const { monitor, end } = await inMaintenance({ regions: ['eu', 'us'] })
  await monitor.report('eu', [{ outcome: 'timeout', agoS: 1260 }])
  await monitor.judge()
  await monitor.report('eu', [{ outcome: 'timeout', agoS: 600, cause: 'retest', attempt: 2 }])
  await monitor.judge()
  await own.admin`
    update monitor_states set state = jsonb_set(state, '{suspicion,deadline_ms}', to_jsonb(${Date.now() - 1000}::int8)), judge_at = now()
    where monitor_id = ${monitor.id}`
  await monitor.judge()
  expect(await monitor.incidents()).toMatchObject([{ kind: 'unconfirmed', held: true }])
  expect(await kinds(monitor)).toEqual([])
  await end()
  expect(await escalateNext(monitor.context)).toBe(true)
  expect(await kinds(monitor)).toEqual(['unconfirmed 0'])
  await monitor.passTime(86_400)
  expect(await escalateNext(monitor.context)).toBe(false)
})

describe('an outage that is heard of when it is over', () => {
  const minuteMs = 60_000
  /** Lost for 40 min until so long ago, in both regions; what was sent later returns. */
  const wasDown = async (monitor: WatchedMonitor, ...untilMin: number[]) => {
    const lost = (agoMin: number) => ({ outcome: 'timeout' as const, agoS: agoMin * 60, cause: 'open' as const })
    const back = (agoMin: number) => ({ outcome: 'ok' as const, agoS: agoMin * 60, cause: 'open' as const })
    const controls = Array.from({ length: 80 }, (_, nth) => monitor.controlTrip(nth * 300))
    for (const region of ['eu', 'us']) {
      const outages = untilMin.flatMap((end) => [...[end + 40, end + 25, end + 12].map(lost), ...[end, end - 10].map(back)])
      await monitor.report(region, [...outages, back(2)], { controls })
    }
    await monitor.judge()
  }
  /** A window of the monitor's customer, the minutes ago that it lasted, made long before. */
  const announce = async (monitor: WatchedMonitor, fromMin: number, toMin: number, validUntilMin?: number) => {
    const schedule: Schedule = {
      kind: 'once',
      starts_ms: Date.now() - fromMin * minuteMs,
      ends_ms: Date.now() - toMin * minuteMs,
    }
    const id = newId()
    await insertMaintenanceWindow(monitor.sql, {
      id,
      customer_id: monitor.customerId,
      name: 'night',
      monitor_ids: null,
      schedule,
    })
    await own.admin`
      update maintenance_windows set valid_from = now() - interval '1 day',
        valid_until = ${validUntilMin === undefined ? null : Date.now() - validUntilMin * minuteMs} where id = ${id}`
  }
  const told = async (monitor: WatchedMonitor) => ({
    pages: await kinds(monitor),
    suppressed: (await monitor.events()).filter((type) => type === 'page_suppressed_by_maintenance').length,
  })

  test.each([
    ['in it, all of it, is told to nobody, though the window is over', [180, 60], 0, 1],
    ['and outlasted it is told of', [180, 130], 1, 0],
    ['and began before it is told of', [130, 60], 1, 0],
  ] as const)('and was %s', async (_, [fromMin, toMin], pages, suppressed) => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    await announce(monitor, fromMin, toMin)
    await wasDown(monitor, 100)
    expect(await told(monitor)).toMatchObject({ pages: Array(pages).fill('past 0'), suppressed })
  })

  test('and outlasted a weekly window is told of', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    const start_time = isoTime(Date.now() - 180 * minuteMs).slice(11, 16)
    const weekly = { days: [...weekdays], start_time, duration_s: 50 * 60, time_zone: 'UTC' }
    const names = { id: newId(), customer_id: monitor.customerId, name: 'patches', monitor_ids: null }
    await insertMaintenanceWindow(monitor.sql, { ...names, schedule: { kind: 'weekly', weekly } })
    await own.admin`update maintenance_windows set valid_from = now() - interval '1 day' where id = ${names.id}`
    await wasDown(monitor, 100)
    expect(await told(monitor)).toMatchObject({ pages: ['past 0'], suppressed: 0 })
  })

  test('and was in a window that has been deleted since is told to nobody', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    await announce(monitor, 180, -60, 30)
    await wasDown(monitor, 100)
    expect(await told(monitor)).toMatchObject({ pages: [], suppressed: 1 })
  })

  test('in maintenance is told of when that ends', async () => {
    const { monitor } = await inMaintenance({ regions: ['eu', 'us'] })
    await wasDown(monitor, 100)
    expect(await told(monitor)).toMatchObject({ pages: ['past 0'], suppressed: 1 })
    const [page] = await monitor.pages()
    expect(Number(page?.due_at) - Date.now()).toBeGreaterThan(50 * minuteMs)
  })

  test('is no notice where maintenance keeps it from the customer: the third rings', async () => {
    const monitor = await WatchedMonitor.create(own, { regions: ['eu', 'us'] })
    await announce(monitor, 400, 160)
    await wasDown(monitor, 330, 250, 100)
    expect(await told(monitor)).toMatchObject({ pages: ['past 0'], suppressed: 2 })
  })
})

describe('the end of an outage', () => {
  test('is between the last failing test and the first passing one of the recovery', async () => {
    const monitor = await WatchedMonitor.create(own)
    await monitor.goDown()
    // One region passes at first, fails again, and then both pass.
    await monitor.report('eu', [
      { outcome: 'ok', agoS: -60, tookS: 0, cause: 'open' },
      { outcome: 'timeout', agoS: -120, tookS: 0, cause: 'open' },
    ])
    await monitor.judge()
    const told = { tookS: 0, cause: 'open' } as const
    for (const region of ['eu', 'us', 'ap'])
      await monitor.report(region, [{ outcome: 'ok', agoS: region === 'us' ? -185 : -190, ...told }])
    await monitor.judge()
    const [incident] = await monitor.incidents()
    expect(incident).toMatchObject({ resolved_at: expect.any(Number) })
    expect(Number(incident?.last_fail_at)).toBe(monitor.startMs + 120_000)
    expect(Number(incident?.first_pass_at)).toBe(monitor.startMs + 185_000)
  })

  test('by hand: the first passing test is not known', async () => {
    const monitor = await WatchedMonitor.create(own)
    const id = await monitor.goDown()
    const incident = { customer_id: monitor.customerId, id, monitor_id: monitor.id }
    await monitor.context.store.transaction((tx) => endIncidentByHand(monitor.context, tx, incident, 'resolved_by_hand'))
    const [ended] = await monitor.incidents()
    expect(ended).toMatchObject({ resolved_at: expect.any(Number), first_pass_at: null })
    expect(Number(ended?.last_fail_at)).toBeGreaterThanOrEqual(Number(ended?.since_at))
  })
})
