import { type Static, Type } from 'typebox'
import { isoTime } from '../../../common/durations.ts'
import { errorAt, type Legs } from '../../core/legs.ts'
import type { StampedTestRow } from '../../store/legs.ts'
import { type ApiContext, type ApiServer, read } from '../context.ts'
import { loadLegs, type MonitorLegs } from '../monitor-legs.ts'
import { ById, Id, Num, oneOf, orNull, pagingQuery, query, Text, Time } from '../schemas.ts'
import { isoOrNull } from '../views.ts'
import { knownMonitor } from './monitors.ts'
import { readTime } from './results.ts'

const Interval = Type.Union([Type.Object({ min: Num, max: Num }), Type.Null()])

const LegsOfTest = Type.Object({
  result_id: Id,
  probe_id: Id,
  region: Text,
  sent_at: Time,
  outbound_ms: Interval,
  return_ms: Interval,
})

const LegsAnswer = Type.Object({
  monitor_id: Id,
  state: oneOf('known', 'unknown', 'suppressed'),
  offset_ms: orNull(
    Type.Number({
      description:
        "The server's clock is ahead of UTC by this: within error_ms, if it was not set unnoticed since `since` and drifts by no more than 50 ppm",
    }),
  ),
  error_ms: orNull(Num),
  error_assumed: Type.Boolean({ description: 'No probe knew the error of its own clock: nothing is guaranteed' }),
  since: orNull(Type.String({ format: 'date-time', description: 'Since when no test shows that somebody has set that clock' })),
  step_ms: orNull(Type.Number({ description: 'Just before `since` it was set, forward if positive, by at least this' })),
  runs: Type.Integer({ description: 'Tests that bound the clock' }),
  notice: orNull(Text),
  data: Type.Array(LegsOfTest),
})

const LegsQuery = query({ limit: pagingQuery.limit, since: Type.Optional(Time) })

export function registerLegs(app: ApiServer, context: ApiContext): void {
  app.get(
    '/monitors/:id/legs',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['monitors'],
        summary: "The server's clock, and how long mails were on their way out and back, of the last 24 hours",
        params: ById,
        querystring: LegsQuery,
        response: { 200: LegsAnswer },
      },
    },
    async (request) => {
      const { since, limit = 50 } = request.query
      const whose = request.identity.customer_id
      const sinceMs = since === undefined ? 0 : readTime(since)
      return read(context, whose, async (sql) => {
        const monitor = await knownMonitor(sql, whose, request.params.id)
        const found = await loadLegs(sql, monitor)
        const shown = found.tests.filter((test) => test.started_at >= sinceMs).slice(0, limit)
        return showLegs(monitor.id, found, shown)
      })
    },
  )
}

function showLegs(
  monitor_id: string,
  { reading: { state, clock, assumed, notice, legs }, nowMs }: MonitorLegs,
  shown: StampedTestRow[],
): Static<typeof LegsAnswer> {
  return {
    monitor_id,
    state,
    offset_ms: clock === null ? null : tenths(clock.offset_ms),
    error_ms: clock === null ? null : tenths(errorAt(clock, nowMs)),
    error_assumed: assumed,
    since: isoOrNull(clock?.since_ms ?? null),
    step_ms: clock?.step_ms == null ? null : tenths(clock.step_ms),
    runs: clock?.run_ids.size ?? 0,
    notice,
    data: shown.map((test) => showTest(test, legs.get(test.id))),
  }
}

const showTest = (test: StampedTestRow, legs: Legs | undefined): Static<typeof LegsOfTest> => ({
  result_id: test.id,
  probe_id: test.probe_id,
  region: test.region,
  sent_at: isoTime(test.sent_at),
  outbound_ms: legs === undefined ? null : interval(legs.outbound_ms),
  return_ms: legs === undefined ? null : interval(legs.return_ms),
})

const interval = ({ min, max }: { min: number; max: number }) => ({ min: tenths(min), max: tenths(max) })
const tenths = (ms: number): number => Math.round(ms * 10) / 10
