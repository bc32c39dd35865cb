/**
 * How every connection to PostgreSQL is made, and how its values look in our code.
 *
 * - Times (timestamptz) are numbers: milliseconds since the epoch, whole, both in rows and in parameters. The database keeps
 *   microseconds, which are cut off on the way out: compare times inside SQL, or by `>=` and `<`, never by `=`. ±Infinity is
 *   PostgreSQL's `infinity`.
 * - int8 (bigint columns, count(*)) is a number; a value beyond 2^53 is an error, never a rounded number.
 * - numeric is text, because it has no safe number: write `sum(x)::float8` or `::int8`.
 * - date is text, `2026-11-23`. A timestamp without time zone is not used.
 * - jsonb takes and gives any JSON value: pass the value (or `sql.json(value)`), never a stringified one, which would be stored
 *   as one JSON string.
 * - Arrays of text, numbers, uuids and times are passed as they are with a cast:
 *   `unnest(${ids}::uuid[], ${times}::timestamptz[])`.
 *   Arrays of booleans need `sql.array(values, 16)`; lists of JSON documents go in as one document:
 *   `jsonb_to_recordset(${sql.json(rows)})`.
 */
import postgres from 'postgres'
import { isoTime } from '../../common/durations.ts'
import { type Begin, careful } from './transaction.ts'

/** What runs statements, on a pool or inside a transaction. */
export type Sql = postgres.ISql
/** A pool: also `begin`, whose transactions survive their connection. */
export type SqlPool = Omit<postgres.Sql, 'begin'> & Sql & { readonly begin: Begin }
/** A piece of a statement, to be set into others. */
export type Part = postgres.PendingQuery<postgres.Row[]>

/** A URL, or the socket of the embedded server (the host is the folder of the socket). */
export type DatabaseAddress =
  | string
  | { readonly host: string; readonly port: number; readonly user: string; readonly database: string }

export type Session = {
  connectionsMax: number
  /** What `pg_stat_activity` shows. */
  name: string
  /** The role that the session works as; the connecting user itself where absent. */
  role?: string
  /** What row-level security lets through: `*` for all customers; nobody's rows where absent. */
  customer?: '*'
  statementMsMax: number
  lockMsMax: number
}

const connectSecondsMax = 10
/** After a lost connection: soon again, because due pages wait, and never more than a second apart. */
const reconnectSeconds = (retries: number) => Math.min(0.05 * 2 ** retries, 1)
/** A transaction that lost its program must not hold its locks for long. */
const idleInTransactionMsMax = 30_000

export function connect(address: DatabaseAddress, session: Session): SqlPool {
  const options: postgres.Options<Record<never, never>> = {
    max: session.connectionsMax,
    connect_timeout: connectSecondsMax,
    idle_timeout: 300,
    backoff: reconnectSeconds,
    onnotice: () => {},
    types: columnTypes,
    connection: {
      application_name: `mailscout ${session.name}`,
      TimeZone: 'UTC',
      DateStyle: 'ISO',
      statement_timeout: session.statementMsMax,
      lock_timeout: session.lockMsMax,
      idle_in_transaction_session_timeout: idleInTransactionMsMax,
      ...(session.role === undefined ? {} : { role: session.role }),
      ...(session.customer === undefined ? {} : { 'app.customer': session.customer }),
    },
  }
  const pool = typeof address === 'string' ? postgres(address, options) : postgres({ ...options, ...address })
  return Object.assign(pool, { begin: careful(pool.begin) })
}

/** The object identifiers of PostgreSQL's own types (pg_type.dat) never change. */
const columnTypes = {
  time: { to: 1184, from: [1184], serialize: serializeTime, parse: parseTime },
  int8: { to: 20, from: [20], serialize: (value: number | bigint) => value.toString(), parse: parseInt8 },
  dateText: { to: 1082, from: [1082, 1114], serialize: (value: string) => value, parse: (text: string) => text },
}

export function serializeTime(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'infinity'
  if (ms === Number.NEGATIVE_INFINITY) return '-infinity'
  if (typeof ms !== 'number' || Number.isNaN(ms))
    throw new TypeError(`A time is a number of ms since the epoch, not ${String(ms)}`)
  return isoTime(ms)
}

/** Reads `2026-11-23 20:20:11.123456+00`, the only form there is under DateStyle ISO and TimeZone UTC. */
export function parseTime(text: string): number {
  if (text === 'infinity') return Number.POSITIVE_INFINITY
  if (text === '-infinity') return Number.NEGATIVE_INFINITY
  const ms = Date.parse(text.replace(' ', 'T').replace(/\+00$/, 'Z'))
  if (Number.isNaN(ms)) throw new RangeError(`PostgreSQL gave a time that cannot be read: ${text}`)
  return ms
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`PostgreSQL gave an int8 beyond 2^53: ${text}`)
  return value
}

/** The address without its password, for messages. */
export function describeAddress(address: DatabaseAddress): string {
  if (typeof address !== 'string') return `${address.host} (database ${address.database})`
  if (!URL.canParse(address)) return 'DATABASE_URL'
  const { hostname, port, pathname } = new URL(address)
  return `${hostname}:${port === '' ? '5432' : port} (database ${pathname.slice(1)})`
}
