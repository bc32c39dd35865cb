/**
 * Maintenance windows: stretches announced beforehand in which tests run and nobody is paged. A window holds from when it was made
 * or last changed, never backwards: what was an outage yesterday stays one.
 */
import { dayMs, secondMs } from '../../common/durations.ts'
import { instantOf, localDayMs } from './local-time.ts'
import { clipped, lengthMs, merged, type Span, within } from './spans.ts'

/** Sunday first, as the calendar of JavaScript counts. */
export const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const
export type Weekday = (typeof weekdays)[number]

/** `start_time` is local, `02:30`; the length is in real seconds, also where the clocks change meanwhile. */
export type WeeklySchedule = { days: Weekday[]; start_time: string; duration_s: number; time_zone: string }
export type Schedule = { kind: 'once'; starts_ms: number; ends_ms: number } | { kind: 'weekly'; weekly: WeeklySchedule }

export type MaintenanceWindow = {
  id: string
  schedule: Schedule
  /** This version of the window holds within these limits; null: it is the one in force. */
  valid_from_ms: number
  valid_until_ms: number | null
}

/** `ends_ms` is the end of maintenance, not of one window: where another goes on, it is the other's. */
export type Maintenance = { id: string; started_ms: number; ends_ms: number }

/** So far ahead is looked for the end of maintenance: windows that follow each other without a gap for longer end here. */
export const lookAheadMs = 40 * dayMs
/** The longest weekly window: it must end before it begins again. */
export const weeklyDurationMaxS = 6 * 86_400

/** The maintenance at this instant, or null. The window named is the one that lasts longest. */
export function maintenanceAt(windows: readonly MaintenanceWindow[], atMs: number): Maintenance | null {
  const current = longestAt(windows, atMs)
  if (current === null) return null
  const visibleMs = atMs + lookAheadMs
  let endsMs = current.end_ms
  while (endsMs < visibleMs) {
    const next = longestAt(windows, endsMs)
    if (next === null) break
    endsMs = next.end_ms
  }
  return { id: current.id, started_ms: current.start_ms, ends_ms: Math.min(endsMs, visibleMs) }
}

/** The maintenance that the whole stretch lies in, or null. */
export function maintenanceOver(windows: readonly MaintenanceWindow[], { start_ms, end_ms }: Span): Maintenance | null {
  const found = maintenanceAt(windows, start_ms)
  return found !== null && end_ms <= found.ends_ms ? found : null
}

/**
 * Until when nobody is paged after maintenance: every vantage has sent a mail since then, and what works has come back slowly at the most. No
 * longer than the timeout, within which any outage is found. Most maintenance is over just in time.
 */
export const freshLookMs = (times: { open_period_s: number; slow_s: number; timeout_s: number }): number =>
  Math.min(times.open_period_s + times.slow_s, times.timeout_s) * secondMs

/** When maintenance last ended in between, or null. */
export function lastEnded(windows: readonly MaintenanceWindow[], { start_ms, end_ms }: Span): number | null {
  const ends = maintenanceSpans(windows, { start_ms, end_ms }).map((span) => span.end_ms)
  return ends.findLast((endedMs) => endedMs > start_ms && endedMs <= end_ms) ?? null
}

function longestAt(windows: readonly MaintenanceWindow[], atMs: number): (Span & { id: string }) | null {
  const range = { start_ms: atMs, end_ms: atMs + 1 }
  const spans = windows.flatMap((window) => spansOf(window, range).map((span) => ({ ...span, id: window.id })))
  return spans.toSorted((a, b) => b.end_ms - a.end_ms)[0] ?? null
}

/** When maintenance next begins or ends after `fromMs`; null: not as far as can be seen. */
export function nextChange(windows: readonly MaintenanceWindow[], fromMs: number): number | null {
  const range = { start_ms: fromMs, end_ms: fromMs + lookAheadMs }
  // A weekly window that holds only from later on is seen as far as its first stretch.
  const seen = ({ schedule, valid_from_ms }: MaintenanceWindow): Span =>
    schedule.kind === 'once' ? always : { start_ms: fromMs, end_ms: Math.max(range.end_ms, valid_from_ms + 9 * dayMs) }
  const spans = merged(windows.flatMap((window) => spansOf(window, seen(window))))
  const changes = spans.flatMap((span) => [span.start_ms, span.end_ms]).filter((ms) => ms > fromMs)
  const next = changes[0]
  return next === undefined || (next >= range.end_ms && maintenanceAt(windows, fromMs) !== null) ? null : next
}

/** The window's present or next stretch, or null where none comes any more. */
export function nextOccurrence(window: MaintenanceWindow, fromMs: number): Span | null {
  const range = { start_ms: fromMs, end_ms: fromMs + 9 * dayMs }
  return spansOf(window, window.schedule.kind === 'once' ? always : range).find((span) => span.end_ms > fromMs) ?? null
}

/** How much of the range was or will be maintenance, in ms. */
export const overlapMs = (windows: readonly MaintenanceWindow[], fromMs: number, toMs: number): number =>
  lengthMs(within(maintenanceSpans(windows, { start_ms: fromMs, end_ms: toMs }), { start_ms: fromMs, end_ms: toMs }))

/** All maintenance that touches the range, merged; not cut to it. */
export const maintenanceSpans = (windows: readonly MaintenanceWindow[], range: Span): Span[] =>
  merged(windows.flatMap((window) => spansOf(window, range)))

const always: Span = { start_ms: Number.NEGATIVE_INFINITY, end_ms: Number.POSITIVE_INFINITY }

/** The stretches of one window that touch the range, as far as this version of it holds. */
function spansOf({ schedule, valid_from_ms, valid_until_ms }: MaintenanceWindow, range: Span): Span[] {
  const valid = { start_ms: valid_from_ms, end_ms: valid_until_ms ?? Number.POSITIVE_INFINITY }
  const spans =
    schedule.kind === 'once'
      ? [{ start_ms: schedule.starts_ms, end_ms: schedule.ends_ms }]
      : weeklySpans(schedule.weekly, clipped(valid, range))
  return spans
    .map((span) => clipped(span, valid))
    .filter((span) => span.start_ms < span.end_ms && span.start_ms < range.end_ms && range.start_ms < span.end_ms)
}

function weeklySpans({ days, start_time, duration_s, time_zone }: WeeklySchedule, range: Span): Span[] {
  if (range.start_ms >= range.end_ms) return []
  const chosen = new Set(days)
  const minutes = minutesOf(start_time)
  const spans: Span[] = []
  // A day more at both ends: local days begin up to 14 hours away from those of UTC.
  const firstDayMs = localDayMs(time_zone, range.start_ms - duration_s * secondMs) - dayMs
  for (let day = firstDayMs; day <= range.end_ms + dayMs; day += dayMs) {
    const weekday = weekdays[new Date(day).getUTCDay()]
    if (weekday === undefined || !chosen.has(weekday)) continue
    const start_ms = instantOf(time_zone, day, minutes)
    spans.push({ start_ms, end_ms: start_ms + duration_s * secondMs })
  }
  return spans
}

function minutesOf(startTime: string): number {
  const [hours = '0', minutes = '0'] = startTime.split(':')
  return Number(hours) * 60 + Number(minutes)
}
