/** The durable clock: the database's, which all coordinators share. */
import type { Sql } from './connection.ts'

/** UTC ms at this moment, not at the start of the transaction. */
export async function databaseNowMs(sql: Sql): Promise<number> {
  const [row] = await sql<{ now: number }[]>`select clock_timestamp() as now`
  return row?.now ?? Number.NaN
}
