/** The outbox: a page is written once, and what is claimed is what the caller gets to know of, whatever plan the planner chooses. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimDuePages, insertPage } from '../../coordinator/store/outbox.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { newId, WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

test('a claim takes no more pages than it was asked for, however the planner runs it', async () => {
  const monitor = await WatchedMonitor.create(own, { steps: [{ after_s: 0 }] })
  const incidentId = await monitor.goDown()
  await own.admin`
    insert into pages (customer_id, id, incident_id, kind, step, round, recipient, address, text, due_at)
    select ${monitor.customerId}, gen_random_uuid(), ${incidentId}, 'down', n, 0, n::text, '+6140000' || n, 'x', now()
    from generate_series(1000, 1009) as n`
  const claimed = await own.database.system.begin(async (sql) => {
    // Without these, a join that runs its inner side once a row is what remains.
    for (const way of ['hashjoin', 'mergejoin', 'hashagg', 'sort', 'material']) await sql.unsafe(`set local enable_${way} = off`)
    return await claimDuePages(sql, newId(), 1, 60_000, [])
  })
  const [{ sending } = { sending: -1 }] = await own.admin<{ sending: number }[]>`
    select count(*)::int as sending from pages where state = 'sending'`
  expect(claimed).toHaveLength(1)
  expect(sending).toBe(1)
})

test('a page is written once, however often its step is taken', async () => {
  const monitor = await WatchedMonitor.create(own, { steps: [{ after_s: 600 }] })
  const page = {
    customer_id: monitor.customerId,
    incident_id: await monitor.goDown(),
    kind: 'down' as const,
    step: 0,
    round: 0,
    recipient: monitor.methodId,
    contact_method_id: monitor.methodId,
    address: '+61400000001',
    text: 'DOWN',
    due_at: Date.now(),
  }
  const write = (changes: { round?: number } = {}) => insertPage(monitor.sql, { ...page, id: newId(), ...changes })
  expect([await write(), await write(), await write({ round: 1 })]).toEqual([true, false, true])
})
