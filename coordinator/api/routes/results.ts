import { Type } from 'typebox'
import type { Legs } from '../../core/legs.ts'
import { listResults } from '../../store/results.ts'
import { type ApiContext, type ApiServer, read } from '../context.ts'
import { limitOf, pageOf, readResultCursor, writeResultCursor } from '../cursor.ts'
import { loadLegs } from '../monitor-legs.ts'
import { fieldFault } from '../problem.ts'
import { ById, listOf, pagingQuery, query, Time } from '../schemas.ts'
import { Result, showResult } from '../views.ts'
import { knownMonitor } from './monitors.ts'

const ResultQuery = query({ ...pagingQuery, since: Type.Optional(Time) })

export function registerResults(app: ApiServer, context: ApiContext): void {
  app.get(
    '/monitors/:id/results',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['monitors'],
        summary: 'By their start',
        params: ById,
        querystring: ResultQuery,
        response: { 200: listOf(Result) },
      },
    },
    async (request) => {
      const { since, cursor } = request.query
      const limit = limitOf(request.query)
      const whose = request.identity.customer_id
      const before = cursor === undefined ? undefined : readResultCursor(cursor)
      let legs: ReadonlyMap<string, Legs> = new Map()
      const rows = await read(context, whose, async (sql) => {
        const monitor = await knownMonitor(sql, whose, request.params.id)
        const found = await listResults(sql, monitor, {
          sinceMs: since === undefined ? undefined : readTime(since),
          before,
          limit,
        })
        // On which leg a mail was late is worth reading a day of tests for, and seldom asked.
        if (found.some((row) => row.late_rtt_ms !== null)) legs = (await loadLegs(sql, monitor)).reading.legs
        return found
      })
      return pageOf(rows, limit, (row) => showResult(row, legs.get(row.id) ?? null), writeResultCursor)
    },
  )
}

/** A leap second has the right form and is no time that we know; nothing was tested before 1970. */
export function readTime(text: string): number {
  const timeMs = Date.parse(text)
  if (Number.isNaN(timeMs)) throw fieldFault('since', 'must be a UTC time in ISO 8601, like 2026-11-23T15:33:48.123Z')
  return Math.max(0, timeMs)
}
