/**
 * Brings the tables to what this program expects: numbered files `NNNN-name.sql`, forward only, each in one transaction.
 *
 * Several coordinators may start at once: each step takes the lock, looks what is still to be done, does one file and commits.
 * A program that is older than the database refuses to start, because it would write rows that the newer one misreads.
 */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorMessage, MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Sql, SqlPool } from './connection.ts'
import { appRole, ownerRole } from './roles.ts'

export const migrationsFolder = join(import.meta.dirname, 'migrations')

export type Migration = { readonly version: number; readonly name: string; readonly text: string; readonly checksum: string }

/** Any number will do, as long as it stays: advisory locks are per database. */
const migrationLock = 20_070_711

/**
 * `sql` connects as a user that may take on the owner's role, with row-level security open (`app.customer` = `*`). Returns the
 * versions applied now. Throws DATABASE_TOO_NEW, MIGRATION_CHANGED or MIGRATION_FAILED.
 */
export async function migrate(sql: SqlPool, options: { folder?: string; logger: Logger }): Promise<number[]> {
  const migrations = await readMigrations(options.folder ?? migrationsFolder)
  const applied: number[] = []
  for (;;) {
    const migration = await sql.begin(async (transaction) => applyNext(transaction, migrations))
    if (migration === undefined) return applied
    applied.push(migration.version)
    options.logger.info({ migration: migration.name }, 'database migrated')
  }
}

/** Reads the folder. Throws MIGRATION_FAILED where the numbers are not 1, 2, 3, … */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
  return Promise.all(
    names.map(async (name, index) => {
      const version = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1])
      if (version !== index + 1) {
        throw new MailscoutError(
          'MIGRATION_FAILED',
          `${join(folder, name)}: expected a name like ${String(index + 1).padStart(4, '0')}-what.sql`,
        )
      }
      // A checkout may have changed the line ends.
      const text = (await readFile(join(folder, name), 'utf8')).replaceAll('\r\n', '\n')
      return { version, name, text, checksum: createHash('sha256').update(text).digest('hex') }
    }),
  )
}

type Recorded = { version: number; name: string; checksum: string }

async function applyNext(sql: Sql, migrations: Migration[]): Promise<Migration | undefined> {
  await sql`select pg_advisory_xact_lock(${migrationLock})`
  await sql`set local role ${sql(ownerRole)}`
  await sql`
    create table if not exists schema_migrations (
      version int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`
  const recorded = await sql<Recorded[]>`select version, name, checksum from schema_migrations order by version`
  refuseForeignHistory(recorded, migrations)

  const next = migrations[recorded.length]
  if (next === undefined) return undefined
  await sql.unsafe(next.text).catch((error: unknown) => {
    throw new MailscoutError('MIGRATION_FAILED', `${next.name}${lineOf(error, next.text)}: ${errorMessage(error)}`, {
      cause: error,
    })
  })
  await sql`insert into schema_migrations (version, name, checksum) values (${next.version}, ${next.name}, ${next.checksum})`
  // A migration may grant rights on all tables; this one is nobody else's.
  await sql`revoke all on schema_migrations from ${sql(appRole)}`
  return next
}

function refuseForeignHistory(recorded: Recorded[], migrations: Migration[]): void {
  const newest = recorded.at(-1)
  if (newest !== undefined && newest.version > migrations.length) {
    throw new MailscoutError(
      'DATABASE_TOO_NEW',
      `The database is at migration ${newest.name}, and this program knows only ${migrations.length}: start a newer Mailscout.`,
    )
  }
  for (const [index, row] of recorded.entries()) {
    const migration = migrations[index]
    if (row.version === migration?.version && row.checksum === migration.checksum) continue
    throw new MailscoutError(
      'MIGRATION_CHANGED',
      `The database was made with another ${row.name} than this program has: ` +
        'migrations are never edited; restore the file, or add a new one.',
    )
  }
}

/** PostgreSQL counts characters from 1 in the whole text. */
function lineOf(error: unknown, text: string): string {
  const position = Number((error as { position?: string }).position)
  return position > 0 ? ` line ${text.slice(0, position).split('\n').length}` : ''
}
