/** The durable clock: the database's, which all coordinators share. */
import type { Part, Sql } from './connection.ts'

/** When a piece of work is due, and what time it is, both by the database's clock: a coordinator's own may be a minute off. */
export type Due = { due_ms: number; now_ms: number }

/** The earliest `time` of the rows that wait: `from` names their table and which of them do; null: none does. */
export async function earliestDue(sql: Sql, time: Part, from: Part): Promise<Due | null> {
  const [due] = await sql<Due[]>`select min(${time}) as due_ms, clock_timestamp() as now_ms from ${from} having count(*) > 0`
  return due ?? null
}

/** UTC ms at this moment, not at the start of the transaction. */
export async function databaseNowMs(sql: Sql): Promise<number> {
  const [row] = await sql<{ now: number }[]>`select clock_timestamp() as now`
  return row?.now ?? Number.NaN
}
