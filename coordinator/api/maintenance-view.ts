/** A maintenance window as the API takes and shows it: `starts_at` and `ends_at` for once, or `weekly`. */
import { type Static, Type } from 'typebox'
import { dayMs, isoTime } from '../../common/durations.ts'
import { isTimeZone } from '../core/local-time.ts'
import { nextOccurrence, type Schedule, weekdays, weeklyDurationMaxS } from '../core/maintenance.ts'
import type { MaintenanceWindowRow } from '../store/maintenance.ts'
import type { FieldFault } from './problem.ts'
import { Id, Name, oneOf, orNull, query, Seconds, Text, Time } from './schemas.ts'
import { isoOrNull } from './views.ts'

const Weekly = query({
  days: Type.Array(oneOf(...weekdays), { minItems: 1, maxItems: 7, uniqueItems: true }),
  start_time: Type.String({
    pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
    description:
      'a local time like 02:30; where the clocks skip it, it is what the old clocks would show; where it comes twice, the first',
  }),
  duration_s: Seconds(60, weeklyDurationMaxS),
  time_zone: Type.String({ maxLength: 64, description: 'an IANA time zone like Europe/Berlin' }),
})

/** What can be set. Which of them belong together is checked by `scheduleOf`. */
export const windowSettings = {
  name: Name,
  monitor_ids: Type.Union([Type.Array(Id, { minItems: 1, maxItems: 500, uniqueItems: true }), Type.Null()], {
    description: 'null or left out: all monitors of the customer, also those to come',
  }),
  starts_at: Time,
  ends_at: Time,
  weekly: Weekly,
}

export const MaintenanceWindow = Type.Object({
  id: Id,
  customer_id: Id,
  name: Text,
  monitor_ids: Type.Union([Type.Array(Id), Type.Null()]),
  starts_at: orNull(Time),
  ends_at: orNull(Time),
  weekly: Type.Union([Weekly, Type.Null()]),
  created_at: Time,
  active: Type.Boolean({ description: 'Now' }),
  next: Type.Union([Type.Object({ starts_at: Time, ends_at: Time }), Type.Null()], {
    description: 'Its present or next stretch; null where none comes any more',
  }),
})

export function showMaintenanceWindow(row: MaintenanceWindowRow): Static<typeof MaintenanceWindow> {
  const { id, customer_id, name, monitor_ids, schedule, created_at, now_ms } = row
  const next = nextOccurrence(row, now_ms)
  const once = schedule.kind === 'once' ? schedule : null
  return {
    id,
    customer_id,
    name,
    monitor_ids,
    starts_at: isoOrNull(once?.starts_ms ?? null),
    ends_at: isoOrNull(once?.ends_ms ?? null),
    weekly: schedule.kind === 'weekly' ? schedule.weekly : null,
    created_at: isoTime(created_at),
    active: next !== null && next.start_ms <= now_ms,
    next: next === null ? null : { starts_at: isoTime(next.start_ms), ends_at: isoTime(next.end_ms) },
  }
}

export type ScheduleRequest = { starts_at?: string; ends_at?: string; weekly?: Static<typeof Weekly> }

/** Longer silence would be forgotten. */
const onceDaysMax = 31

/** The schedule that the request means, or what is wrong with it. `before`: what a change leaves as it is. */
export function scheduleOf(request: ScheduleRequest, before: Schedule | null, nowMs: number): Schedule | FieldFault[] {
  const { starts_at, ends_at, weekly } = request
  const saysOnce = starts_at !== undefined || ends_at !== undefined
  if (weekly !== undefined && saysOnce) return [{ field: 'weekly', message: 'cannot stand beside starts_at and ends_at' }]
  if (weekly !== undefined) {
    if (isTimeZone(weekly.time_zone)) return { kind: 'weekly', weekly }
    return [{ field: 'weekly.time_zone', message: 'must be an IANA time zone like Europe/Berlin' }]
  }
  if (before !== null && !saysOnce) return before
  const once = before?.kind === 'once' ? before : null
  const starts_ms = starts_at === undefined ? once?.starts_ms : Date.parse(starts_at)
  const ends_ms = ends_at === undefined ? once?.ends_ms : Date.parse(ends_at)
  const missing = 'is missing: a window has starts_at and ends_at, or weekly'
  const faults: FieldFault[] = []
  const fault = (field: string, message: string) => faults.push({ field, message })
  if (starts_ms === undefined) fault('starts_at', missing)
  else if (Number.isNaN(starts_ms)) fault('starts_at', 'is no time')
  if (ends_ms === undefined) fault('ends_at', missing)
  else if (Number.isNaN(ends_ms)) fault('ends_at', 'is no time')
  else if (ends_ms <= nowMs) fault('ends_at', 'must be in the future: what has happened cannot become maintenance')
  if (faults.length > 0 || starts_ms === undefined || ends_ms === undefined) return faults
  if (ends_ms <= starts_ms) return [{ field: 'ends_at', message: 'must be after starts_at' }]
  if (ends_ms - starts_ms > onceDaysMax * dayMs)
    return [{ field: 'ends_at', message: `must be at most ${onceDaysMax} days after starts_at` }]
  return { kind: 'once', starts_ms, ends_ms }
}
