/** A transaction whose connection goes away: it fails for who asked for it, and for nobody else. */
import { once } from 'node:events'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { connect, type Sql, type SqlPool } from '../../coordinator/store/connection.ts'
import { isConnectionFault } from '../../coordinator/store/faults.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { DatabaseRelay } from '../support/database-relay.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
  await own.admin`create table marks (mark text not null)`
})
afterAll(async () => await own?.drop())

async function behindRelay(statement: string | null): Promise<{ relay: DatabaseRelay; pool: SqlPool }> {
  const relay = await DatabaseRelay.before(own.address, statement)
  const pool = connect(relay.url, { connectionsMax: 1, name: 'relayed', statementMsMax: 10_000, lockMsMax: 10_000 })
  onTestFinished(async () => {
    await pool.end({ timeout: 1 })
    relay.close()
  })
  return { relay, pool }
}

const mark = (sql: Sql, text: string) => sql`insert into marks values (${text})`

/** Where the fault were thrown in nobody's turn, as postgres.js does it, it would end the process: vitest tells of it. */
const failed = async (transaction: Promise<unknown>): Promise<unknown> =>
  transaction.then(
    () => expect.unreachable('committed'),
    (error: unknown) => error,
  )

test.each([
  ['before its first statement', 'begin'],
  ['in a statement', 'insert into marks'],
  ['in the commit', 'commit'],
])('the database goes away %s: the fault is of the connection, and the next transaction succeeds', async (_when, statement) => {
  const { relay, pool } = await behindRelay(statement)
  expect(await failed(pool.begin((sql) => mark(sql, statement)))).toSatisfy(isConnectionFault)
  expect(relay.refusing).not.toBeNull()
  expect(await pool.begin(async (sql) => [...(await mark(sql, 'next')), 'done'])).toEqual(['done'])
  expect(await own.admin`select mark from marks where mark = ${statement}`).toEqual([])
})

test.each([
  ['and it has another statement', (sql: Sql) => mark(sql, 'orphan')],
  ['and it has nothing more to do', async () => 'value'],
  [
    'and it fails for another reason',
    async () => {
      throw new Error('the work failed')
    },
  ],
])('the database goes away while the work waits for something else, %s: the same', async (_what, rest) => {
  const { relay, pool } = await behindRelay(null)
  const transaction = pool.begin(async (sql) => {
    await mark(sql, 'orphan')
    await relay.drop()
    // The pool hears of it in a turn of its own.
    await once(AbortSignal.timeout(50), 'abort')
    return await rest(sql)
  })
  expect(await failed(transaction)).toSatisfy(isConnectionFault)
  await once(AbortSignal.timeout(50), 'abort')
  expect(await pool.begin(async (sql) => (await sql`select 1 as one`).count)).toBe(1)
  expect(await own.admin`select mark from marks where mark = 'orphan'`).toEqual([])
})

test('a transaction that fails by itself is rolled back, and its error is the one that is told', async () => {
  const { pool } = await behindRelay(null)
  const transaction = pool.begin(async (sql) => {
    await mark(sql, 'rolled back')
    throw new Error('changed my mind')
  })
  await expect(transaction).rejects.toThrow('changed my mind')
  expect(await own.admin`select mark from marks where mark = 'rolled back'`).toEqual([])
})
