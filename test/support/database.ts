/** A database of its own for each test file, migrated, in about 50 ms. For tests under test/flow and test/e2e. */
import { inject } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { connect, type DatabaseAddress, type SqlPool } from '../../coordinator/store/connection.ts'
import { type Database, openDatabase } from '../../coordinator/store/database.ts'
import { adminSession, inDatabase } from './database-address.ts'

export type TestDatabase = {
  readonly database: Database
  /** As the connecting user, beyond row-level security: to prepare or to look from outside. */
  readonly admin: SqlPool
  /** For a second coordinator, or another process. */
  readonly address: DatabaseAddress
  /** Call it in `afterAll`: closes the connections and drops the database. */
  drop(): Promise<void>
}

let count = 0

export async function freshDatabase(): Promise<TestDatabase> {
  const empty = await emptyDatabase(inject('databaseTemplate'))
  const database = await openDatabase({ address: empty.address, logger: silentLogger, runtime: systemRuntime })
  return {
    ...empty,
    database,
    async drop() {
      await database.close()
      await empty.drop()
    },
  }
}

/** A database without our tables (or with those of `template`), for tests of the preparation itself. */
export async function emptyDatabase(template = 'template0'): Promise<Omit<TestDatabase, 'database'>> {
  const server = inject('databaseServer')
  const name = `mailscout_test_${process.pid}_${++count}`
  const maker = connect(server, adminSession)
  await maker.unsafe(`create database ${name} template ${template}`)
  const address = inDatabase(server, name)
  const admin = connect(address, adminSession)
  return {
    admin,
    address,
    async drop() {
      await admin.end({ timeout: 1 })
      await maker.unsafe(`drop database if exists ${name} with (force)`)
      await maker.end({ timeout: 1 })
    },
  }
}
