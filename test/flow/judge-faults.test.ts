/** What happens to due work when the database goes away in the middle of it: it is due still, and taken as soon as the database is back. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgeNext } from '../../coordinator/flow/judge.ts'
import type { Store, Transaction } from '../../coordinator/flow/store.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

/** A store of which an operation is played by the test. */
const playing = (store: Store, played: Partial<Transaction>): Store => ({
  transaction: (work) => store.transaction((tx) => work({ ...tx, ...played })),
})

/** As a crash of the server does. */
const cutConnections = () => own.admin`
  select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'mailscout system'`

const suspected = async () => {
  await own.admin`update monitor_states set judge_at = null`
  const monitor = await WatchedMonitor.create(own)
  await monitor.report('us', [{ outcome: 'timeout', agoS: 600 }])
  return monitor
}

test('a judgement that the database interrupts is made again as soon as it is back', async () => {
  const monitor = await suspected()
  const { context } = monitor
  const interrupted: Store = {
    transaction: (work) =>
      context.store.transaction((tx) =>
        work({
          ...tx,
          async loadEvidence(claimed) {
            await cutConnections()
            return await tx.loadEvidence(claimed)
          },
        }),
      ),
  }
  await expect(judgeNext({ ...context, store: interrupted })).rejects.toThrow()
  expect(await judgeNext(context)).toBe(true)
  expect((await monitor.state()).decision).toBe('suspected')
})

test('a judgement that fails by itself is left alone for a while, so that the others get their turn', async () => {
  const monitor = await suspected()
  const { context } = monitor
  const failing = playing(context.store, { loadEvidence: () => Promise.reject(new Error('no such evidence')) })
  await expect(judgeNext({ ...context, store: failing })).rejects.toThrow('no such evidence')
  expect(await judgeNext(context)).toBe(false)
  await monitor.passTime(60)
  expect(await judgeNext(context)).toBe(true)
})
