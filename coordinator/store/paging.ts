/**
 * Lists are read newest first and in pages. Every id that the coordinator makes is a UUIDv7, which sorts by the time it was made
 * in: the id alone is the order, and the primary key its index. Results are ordered by their start, which probes tell.
 */
import type { Sql } from './connection.ts'

export type Paging = {
  /** The id of the last row already shown. */
  before: string | undefined
  /** One more is read, so that the caller knows whether there is another page. */
  limit: number
}

/** Whose rows: one customer's, or with null all of them (the operator). */
export type Whose = string | null

/**
 * The first wall between customers; row-level security is the second, but it cannot use an index. `column` is ours, never a
 * user's text.
 */
export const ofCustomer = (sql: Sql, whose: Whose, column = 'customer_id') =>
  whose === null ? sql`true` : sql`${sql(column)} = ${whose}`

export const olderThan = (sql: Sql, { before }: Paging, column = 'id') =>
  before === undefined ? sql`true` : sql`${sql(column)} < ${before}`

/** The row of a statement that always gives one. */
export function only<T>(rows: readonly T[]): T {
  const [row] = rows
  if (row === undefined) throw new Error('the statement gave no row')
  return row
}
