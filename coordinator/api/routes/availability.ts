import { type Static, Type } from 'typebox'
import { dayMs, isoTime } from '../../../common/durations.ts'
import { availability, type Availability as Found, type Period } from '../../core/availability.ts'
import { maintenanceSpans } from '../../core/maintenance.ts'
import { windowHistory } from '../../store/maintenance.ts'
import { incidentsBetween, incidentsMax, watchedSince } from '../../store/outages.ts'
import { pendingAgain } from '../../store/targets.ts'
import { type ApiContext, type ApiServer, read } from '../context.ts'
import { fieldFault } from '../problem.ts'
import { ById, Num, orNull, query, Time } from '../schemas.ts'
import { knownMonitor } from './monitors.ts'

const Availability = Type.Object({
  from: Time,
  to: Time,
  availability_min: orNull(Type.Number({ description: 'Share of the observed time, 0 to 1; null where nothing was observed' })),
  availability_max: orNull(Num),
  outages: Type.Integer({ description: 'Those that touch the observed time' }),
  observed_s: Type.Number({ description: 'The period without what is left out: the next three' }),
  pending_s: Type.Number({ description: 'Before the first verified return, also that of a new target' }),
  maintenance_s: Num,
  unconfirmed_s: Type.Number({ description: 'Too few healthy probes could decide' }),
  down_min_s: Type.Number({ description: 'From the first failing test to the last' }),
  down_max_s: Type.Number({ description: 'From the last good test before to the first good one after' }),
})

const daysDefault = 30
const daysMax = 366

export function registerAvailability(app: ApiServer, context: ApiContext): void {
  app.get(
    '/monitors/:id/availability',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['monitors'],
        summary: 'An interval, because tests are moments: the outage began and ended between them. Without `from`: 30 days',
        params: ById,
        querystring: query({ from: Type.Optional(Time), to: Type.Optional(Time) }),
        response: { 200: Availability },
      },
    },
    async (request) => {
      const whose = request.identity.customer_id
      return read(context, whose, async (sql) => {
        const { id, customer_id, now_ms } = await knownMonitor(sql, whose, request.params.id)
        const period = periodOf(request.query, now_ms)
        const incidents = await incidentsBetween(sql, customer_id, id, period.start_ms, period.end_ms)
        if (incidents.length >= incidentsMax)
          throw fieldFault('from', `is too early: there are more than ${incidentsMax} incidents since; ask for less at a time`)
        const windows = await windowHistory(sql, customer_id, id, period.start_ms, period.end_ms)
        const since = await watchedSince(sql, customer_id, id)
        const pending = await pendingAgain(sql, customer_id, id)
        return show(period, availability(period, since, incidents, maintenanceSpans(windows, period), pending))
      })
    },
  )
}

/** Nobody can tell of the future: a period ends now at the latest. */
function periodOf({ from, to }: { from?: string; to?: string }, nowMs: number): Period {
  const end_ms = Math.min(to === undefined ? nowMs : readTime('to', to), nowMs)
  const start_ms = from === undefined ? end_ms - daysDefault * dayMs : readTime('from', from)
  if (start_ms >= end_ms) throw fieldFault('from', 'must be before to, and in the past')
  if (end_ms - start_ms > daysMax * dayMs) throw fieldFault('from', `must be at most ${daysMax} days before to`)
  return { start_ms, end_ms }
}

/** A leap second has the right form and is no time that we know. */
function readTime(field: string, text: string): number {
  const timeMs = Date.parse(text)
  if (Number.isNaN(timeMs)) throw fieldFault(field, 'must be a UTC time in ISO 8601, like 2026-11-23T15:33:48.123Z')
  return Math.max(0, timeMs)
}

const show = (period: Period, found: Found): Static<typeof Availability> => ({
  from: isoTime(period.start_ms),
  to: isoTime(period.end_ms),
  availability_min: found.min,
  availability_max: found.max,
  outages: found.outages,
  observed_s: found.observed_ms / 1000,
  pending_s: found.pending_ms / 1000,
  maintenance_s: found.maintenance_ms / 1000,
  unconfirmed_s: found.unconfirmed_ms / 1000,
  down_min_s: found.down_min_ms / 1000,
  down_max_s: found.down_max_ms / 1000,
})
