/** Cursors are opaque to callers: base64url of the last row's place in the order. */
import type { Paging } from '../store/paging.ts'
import type { ResultsBefore } from '../store/results.ts'
import { fieldFault } from './problem.ts'
import { uuidPattern } from './schemas.ts'

const limitDefault = 50
const uuid = new RegExp(uuidPattern)

export type PageQuery = { limit?: number; cursor?: string }

export const pagingOf = (query: PageQuery): Paging => ({
  before: query.cursor === undefined ? undefined : readIdCursor(query.cursor),
  limit: query.limit ?? limitDefault,
})

export const limitOf = (query: PageQuery): number => query.limit ?? limitDefault

/** Cuts the row that was read too many, which only tells that there are more. */
export function pageOf<Row extends { id: string }, View>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => View,
  cursorOf: (row: Row) => string = (row) => writeIdCursor(row.id),
): { data: View[]; next_cursor: string | null } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { data: shown.map(view), next_cursor: rows.length > limit && last !== undefined ? cursorOf(last) : null }
}

export const writeIdCursor = (id: string): string => encode(`i ${id}`)
export const writeResultCursor = (row: ResultsBefore): string => encode(`r ${row.started_at} ${row.id}`)

export function readIdCursor(cursor: string): string {
  const [kind, id, ...rest] = decode(cursor)
  if (kind !== 'i' || id === undefined || !uuid.test(id) || rest.length > 0) throw invalid()
  return id
}

export function readResultCursor(cursor: string): ResultsBefore {
  const [kind, time, id, ...rest] = decode(cursor)
  if (kind !== 'r' || time === undefined || !/^\d{1,13}$/.test(time) || id === undefined || !uuid.test(id) || rest.length > 0)
    throw invalid()
  return { started_at: Number(time), id }
}

const encode = (text: string): string => Buffer.from(text).toString('base64url')
const decode = (cursor: string): string[] => Buffer.from(cursor, 'base64url').toString().split(' ')
const invalid = () => fieldFault('cursor', 'is not one that this list has given: take next_cursor as it is, or leave it out')
