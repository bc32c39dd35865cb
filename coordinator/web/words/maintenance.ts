/** Maintenance in words. It is calm: tests run, and nobody is paged. */
import { dayMs } from '../../../common/durations.ts'
import type { MaintenanceWindow, Monitor } from '../api/resources.ts'
import { clockTime, seconds, timeOf, utc } from './time.ts'
import type { Mark } from './verdicts.ts'

/** Also where the coordinator has not yet told that it is over. */
export const inMaintenance = (monitor: Pick<Monitor, 'maintenance'>, nowMs: number): boolean =>
  monitor.maintenance !== null && timeOf(monitor.maintenance.ends_at) > nowMs

/** `Maintenance until 04:00 UTC`; null outside of it. */
export function maintenanceMark(monitor: Pick<Monitor, 'maintenance'>, nowMs: number): Mark | null {
  if (monitor.maintenance === null || !inMaintenance(monitor, nowMs)) return null
  const word = `Maintenance until ${utc(monitor.maintenance.ends_at, nowMs)}`
  return {
    tone: 'idle',
    shape: 'pause',
    word,
    meaning: 'Tests run, and nobody is paged. What is still down when it ends is told then.',
  }
}

const dayNames = {
  mon: 'Monday',
  tue: 'Tuesday',
  wed: 'Wednesday',
  thu: 'Thursday',
  fri: 'Friday',
  sat: 'Saturday',
  sun: 'Sunday',
}
const days = Object.keys(dayNames) as (keyof typeof dayNames)[]

/** `Every Saturday and Sunday at 22:00 for 2 h, Australia/Sydney`, or `Once, for 2 h`. */
export function scheduleWords({ weekly, starts_at, ends_at }: MaintenanceWindow): string {
  if (weekly === null) return `Once, for ${seconds((timeOf(ends_at) - timeOf(starts_at)) / 1000)}`
  const chosen = days.filter((day) => weekly.days.includes(day)).map((day) => dayNames[day])
  const which = chosen.length === 7 ? 'day' : joined(chosen)
  return `Every ${which} at ${weekly.start_time} for ${seconds(weekly.duration_s)}, ${weekly.time_zone}`
}

const joined = (names: string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`

/** `now, until 04:00 UTC` · `next 28 Nov 11:00 UTC to 13:00 UTC`; null where none comes any more. */
export function nextWords({ next }: MaintenanceWindow, nowMs: number): string | null {
  if (next === null || timeOf(next.ends_at) <= nowMs) return null
  if (timeOf(next.starts_at) <= nowMs) return `now, until ${utc(next.ends_at, nowMs)}`
  const sameDay = Math.floor(timeOf(next.starts_at) / dayMs) === Math.floor(timeOf(next.ends_at) / dayMs)
  const end = sameDay ? `${clockTime(next.ends_at)}\u00a0UTC` : utc(next.ends_at, nowMs)
  return `next ${utc(next.starts_at, nowMs)} to ${end}`
}
