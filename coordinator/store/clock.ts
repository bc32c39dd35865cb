/** The durable clock: the database's, which all coordinators share. */
import type { Sql } from './connection.ts'

/** When a piece of work is due, and what time it is, both by the database's clock: a coordinator's own may be a minute off. */
export type Due = { due_ms: number; now_ms: number }

/** UTC ms at this moment, not at the start of the transaction. */
export async function databaseNowMs(sql: Sql): Promise<number> {
  const [row] = await sql<{ now: number }[]>`select clock_timestamp() as now`
  return row?.now ?? Number.NaN
}
