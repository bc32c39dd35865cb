/**
 * The database as the rest of the coordinator sees it.
 *
 *   wait until it is there → roles → migrations → pools that work as `mailscout_app`
 *
 * How values look in rows and parameters: connection.ts. `now()` in SQL is the durable clock; several coordinators share it.
 */
import { errorMessage, MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { type Runtime, sleep } from '../../common/runtime.ts'
import { connect, type DatabaseAddress, describeAddress, type Sql, type SqlPool } from './connection.ts'
import { isConnectionFault } from './faults.ts'
import { migrate } from './migrate.ts'
import { appRole, prepareRoles } from './roles.ts'

export type Database = {
  /** For the flows, which work for all customers. */
  readonly system: SqlPool
  /**
   * One transaction that sees and writes this customer's rows only. For everything that is done in a customer's name, so that
   * even a query without a condition cannot show foreign rows.
   */
  asCustomer<T>(customerId: string, work: (sql: Sql) => Promise<T>): Promise<T>
  /**
   * Calls back for each notification. Those sent while the connection was down are lost: `onListening` is called when it stands,
   * the first time and again after every loss, and is the moment to look at the tables. The returned function ends it.
   */
  listen(channel: string, onPayload: (payload: string) => void, onListening?: () => void): Promise<() => Promise<void>>
  notify(channel: string, payload?: string): Promise<void>
  /** The database's clock, ms since the epoch. */
  nowMs(): Promise<number>
  /** Resolves where the database answers within 2 s, else throws DATABASE_UNAVAILABLE. */
  ping(): Promise<void>
  close(): Promise<void>
}

export type DatabaseOptions = {
  address: DatabaseAddress
  logger: Logger
  runtime: Runtime
  /** Another folder of migrations, for tests. */
  migrations?: string
  /** How long to wait for a server that is not up yet, as when both are started together. */
  waitMs?: number
  systemConnectionsMax?: number
  customerConnectionsMax?: number
}

const waitMsDefault = 60_000
const waitPauseMsMax = 2_000
const pingMsMax = 2_000
/** Statements of the flows are small, but a claim may wait behind a checkpoint on a slow disk. */
const systemStatementMsMax = 30_000
/** A person waits for these. */
const customerStatementMsMax = 10_000
/** Rows are locked for milliseconds; who waits longer waits for something that hangs. */
const lockMsMax = 10_000
const migrationLockMsMax = 5 * 60_000
const closeSecondsMax = 5

/**
 * Throws DATABASE_UNAVAILABLE where it cannot be reached in `waitMs`, CONFIG_INVALID where it refuses us, and the errors of
 * roles and migrations.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { address, logger } = options
  if (typeof address === 'string' && !URL.canParse(address)) {
    throw new MailscoutError('CONFIG_INVALID', 'DATABASE_URL must look like postgres://user:password@host:5432/database')
  }
  const migrations = options.migrations === undefined ? {} : { folder: options.migrations }
  const preparing = connect(address, {
    name: 'migration',
    connectionsMax: 1,
    customer: '*',
    statementMsMax: 0,
    lockMsMax: migrationLockMsMax,
  })
  try {
    await waitUntilThere(preparing, options)
    await prepareRoles(preparing)
    await migrate(preparing, { ...migrations, logger })
  } finally {
    await preparing.end({ timeout: closeSecondsMax })
  }
  return assemble(options)
}

function assemble({ address, runtime, ...limits }: DatabaseOptions): Database {
  const session = { role: appRole, lockMsMax }
  const system = connect(address, {
    ...session,
    name: 'system',
    customer: '*',
    connectionsMax: limits.systemConnectionsMax ?? 10,
    statementMsMax: systemStatementMsMax,
  })
  const customers = connect(address, {
    ...session,
    name: 'customer',
    connectionsMax: limits.customerConnectionsMax ?? 5,
    statementMsMax: customerStatementMsMax,
  })
  return {
    system,
    asCustomer: (customerId, work) => asCustomer(customers, customerId, work),
    async listen(channel, onPayload, onListening) {
      const { unlisten } = await system.listen(channel, onPayload, onListening)
      return unlisten
    },
    async notify(channel, payload = '') {
      await system.notify(channel, payload)
    },
    nowMs: () => readNow(system),
    ping: () => ping(system, address, runtime),
    async close() {
      await Promise.all([system.end({ timeout: closeSecondsMax }), customers.end({ timeout: closeSecondsMax })])
    },
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

async function asCustomer<T>(pool: SqlPool, customerId: string, work: (sql: Sql) => Promise<T>): Promise<T> {
  // Anything else could be `*`, which opens all rows; and the policies compare with the text form of a uuid, in small letters.
  if (!uuid.test(customerId))
    throw new MailscoutError('REQUEST_INVALID', 'customer_id must be a UUID in small letters', { field: 'customer_id' })
  return await pool.begin(async (sql) => {
    // `true`: until the end of this transaction. A setting for the session would reach whoever gets the connection next.
    await sql`select set_config('app.customer', ${customerId}, true)`
    return await work(sql)
  })
}

async function readNow(sql: Sql): Promise<number> {
  const [row] = await sql<{ now: number }[]>`select now()`
  return row?.now ?? Number.NaN
}

async function ping(sql: Sql, address: DatabaseAddress, runtime: Runtime): Promise<void> {
  const answer = sql`select 1`.then(
    () => undefined,
    (error: unknown) => error ?? new Error('failed'),
  )
  let cancel = () => {}
  const bound = new Promise<Error>((resolve) => {
    cancel = runtime.setTimer(pingMsMax, () => resolve(new Error(`no answer within ${pingMsMax / 1000} s`)))
  })
  const fault = await Promise.race([answer, bound])
  cancel()
  if (fault !== undefined) throw unavailable(address, fault)
}

/** Tries until the server answers; only "not there" is waited for, a refusal is final. */
async function waitUntilThere(sql: Sql, { address, logger, runtime, waitMs = waitMsDefault }: DatabaseOptions): Promise<void> {
  const deadlineMs = runtime.monotonicMs() + waitMs
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, waitPauseMsMax)) {
    try {
      await sql`select 1`
      return
    } catch (error) {
      if (!isConnectionFault(error)) {
        throw new MailscoutError(
          'CONFIG_INVALID',
          `The database at ${describeAddress(address)} refuses us: ${errorMessage(error)}`,
          {
            cause: error,
          },
        )
      }
      if (runtime.monotonicMs() + pauseMs > deadlineMs) throw unavailable(address, error)
      logger.warn({ reason: errorMessage(error) }, `waiting for the database at ${describeAddress(address)}`)
      await sleep(runtime, pauseMs)
    }
  }
}

const unavailable = (address: DatabaseAddress, cause: unknown) =>
  new MailscoutError(
    'DATABASE_UNAVAILABLE',
    `The database at ${describeAddress(address)} does not answer: ${errorMessage(cause)}`,
    { cause },
  )
