/** Who is there: since when a coordinator could receive results, and when a probe was last heard. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimDueMonitor, loadEvidence } from '../../coordinator/store/judging.ts'
import { beat, touchSession } from '../../coordinator/store/probe-link.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
let monitor: WatchedMonitor
beforeAll(async () => {
  own = await freshDatabase()
  monitor = await WatchedMonitor.create(own)
})
afterAll(() => own?.drop())

const evidence = () =>
  own.database.system.begin(async (sql) => {
    await sql`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
    const claimed = await claimDueMonitor(sql)
    if (claimed === null) throw new Error('nothing is due')
    return await loadEvidence(sql, claimed)
  })
const observedForMs = async () => Date.now() - (await evidence()).observing_since_ms

describe('observing', () => {
  const sinceDay = async (seenAgoS: number) => {
    await own.admin`delete from coordinators`
    await own.admin`
      insert into coordinators values (${monitor.context.coordinatorId}, now() - interval '1 day', now() - ${seenAgoS} * interval '1 second')`
  }

  test('goes back to the start of whoever has beaten ever since', async () => {
    await sinceDay(1)
    await beat(own.database.system, monitor.context.coordinatorId)
    await beat(own.database.system, newId())
    expect(await observedForMs()).toBeGreaterThan(86_000_000)
  })

  test('starts anew after a break, also of a coordinator that went on without its database', async () => {
    await sinceDay(60)
    await beat(own.database.system, monitor.context.coordinatorId)
    expect(await observedForMs()).toBeLessThan(10_000)
  })

  test('has only just begun where nobody has beaten of late', async () => {
    await sinceDay(60)
    expect(await observedForMs()).toBeLessThan(10_000)
  })
})

describe('a probe', () => {
  const session = newId()
  const lost = async () => (await evidence()).vantages.find(({ region }) => region === 'eu')?.lost
  const heard = (agoS: number) =>
    own.admin`update probes set session_id = ${session}, last_seen_at = now() - ${agoS} * interval '1 second' where id = ${monitor.probe('eu').id}`

  test('is lost a minute after it was last heard, however long its link looks open', async () => {
    await heard(90)
    expect(await touchSession(own.database.system, monitor.probe('eu').id, session, 70_000)).toBe(true)
    expect(await lost()).toBe(true)
    await touchSession(own.database.system, monitor.probe('eu').id, session, 1_000)
    expect(await lost()).toBe(false)
    await touchSession(own.database.system, monitor.probe('eu').id, session, 70_000)
    expect(await lost()).toBe(false)
  })

  test('is not touched by a session that another has superseded', async () => {
    await heard(90)
    expect(await touchSession(own.database.system, monitor.probe('eu').id, newId(), 0)).toBe(false)
    expect(await lost()).toBe(true)
  })
})
