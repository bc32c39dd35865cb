/**
 * The probe's one database: what must survive a restart stands here. Every module makes its own tables; this file opens, versions
 * and closes the database, and gives all of them one transaction.
 */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errorMessage, MailscoutError } from '../common/errors.ts'

/** Raised when a table changes in a way that an older probe would misread. */
const storeVersion = 1

export type Store = {
  readonly database: DatabaseSync
  /**
   * Runs `work` so that all of it is durable when this returns, or none of it when it throws. A call within a call joins the outer
   * transaction. `work` must be synchronous.
   */
  transaction<T>(work: () => T): T
  close(): void
}

/** Throws STORE_UNREADABLE. `:memory:` gives a database that lasts as long as the process. */
export function openStore(path: string): Store {
  try {
    const database = openDatabase(path)
    checkVersion(database, path)
    return storeOver(database)
  } catch (error) {
    if (error instanceof MailscoutError) throw error
    throw new MailscoutError(
      'STORE_UNREADABLE',
      `${path} cannot be opened (${errorMessage(error)}). If it is damaged, move it away: only unsent results are lost`,
      { cause: error },
    )
  }
}

function openDatabase(path: string): DatabaseSync {
  if (path !== ':memory:') {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // Made here, because SQLite would make it readable for everybody; it gives -wal and -shm the same mode.
    closeSync(openSync(path, 'a', 0o600))
  }
  const database = new DatabaseSync(path, { timeout: 5000 })
  // FULL: a result that was put is on the disk, at 4,400 a second far more than a probe needs.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
  return database
}

function checkVersion(database: DatabaseSync, path: string): void {
  const found = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0)
  if (found > storeVersion) {
    throw new MailscoutError('STORE_UNREADABLE', `${path} was written by a newer version of Mailscout: start that version again`)
  }
  if (found < storeVersion) database.exec(`PRAGMA user_version = ${storeVersion}`)
}

function storeOver(database: DatabaseSync): Store {
  let depth = 0
  return {
    database,
    transaction(work) {
      if (depth > 0) return work()
      database.exec('BEGIN IMMEDIATE')
      depth = 1
      try {
        const value = work()
        database.exec('COMMIT')
        return value
      } catch (error) {
        // A failed COMMIT may have rolled back by itself already.
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      } finally {
        depth = 0
      }
    },
    close: () => database.close(),
  }
}
