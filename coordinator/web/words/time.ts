/** Times and amounts as the dashboard writes them: UTC always, numbers short enough to compare at a glance. */
import { dayMs, formatDuration, hourMs, minuteMs, secondMs } from '../../../common/durations.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (amount: number): string => String(amount).padStart(2, '0')

export const timeOf = (time: string | number | null | undefined): number =>
  typeof time === 'number' ? time : time === null || time === undefined ? Number.NaN : Date.parse(time)

/** `03:12`, or `03:12:09` with seconds. */
export function clockTime(time: string | number, seconds = false): string {
  const date = new Date(timeOf(time))
  if (Number.isNaN(date.getTime())) return '–'
  const minutes = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
  return seconds ? `${minutes}:${two(date.getUTCSeconds())}` : minutes
}

/** `22 Nov`; with the year when it is not that of `nowMs`. */
export function dayOf(time: string | number, nowMs: number): string {
  const date = new Date(timeOf(time))
  if (Number.isNaN(date.getTime())) return '–'
  const day = `${date.getUTCDate()} ${months[date.getUTCMonth()]}`
  return date.getUTCFullYear() === new Date(nowMs).getUTCFullYear() ? day : `${day} ${date.getUTCFullYear()}`
}

/** `03:12 UTC` today, `22 Nov 03:12 UTC` on another day; the time never breaks before UTC. */
export function utc(time: string | number | null | undefined, nowMs: number, seconds = false): string {
  const timeMs = timeOf(time)
  if (Number.isNaN(timeMs)) return '–'
  const sameDay = Math.floor(timeMs / dayMs) === Math.floor(nowMs / dayMs)
  return `${sameDay ? '' : `${dayOf(timeMs, nowMs)} `}${clockTime(timeMs, seconds)}\u00a0UTC`
}

/** `12 s ago`: one unit, because an age is read at a glance. A time a little ahead of us is `just now`: clocks differ. */
export function ago(time: string | number | null | undefined, nowMs: number): string {
  const timeMs = timeOf(time)
  if (Number.isNaN(timeMs)) return 'never'
  const ageMs = nowMs - timeMs
  if (ageMs < -5 * secondMs) return `in ${oneUnit(-ageMs)}`
  return ageMs < 2 * secondMs ? 'just now' : `${oneUnit(ageMs)} ago`
}

/** How long, in two units (`1 h 4 min`), seconds only within the first ten minutes: they stop to matter. */
export function howLong(durationMs: number): string {
  if (durationMs < 10 * minuteMs) return formatDuration(durationMs)
  return formatDuration(Math.floor(durationMs / minuteMs) * minuteMs)
}

function oneUnit(durationMs: number): string {
  if (durationMs < minuteMs) return `${Math.floor(durationMs / secondMs)} s`
  if (durationMs < hourMs) return `${Math.floor(durationMs / minuteMs)} min`
  if (durationMs < 2 * dayMs) return `${Math.floor(durationMs / hourMs)} h`
  return `${Math.floor(durationMs / dayMs)} d`
}

/** A measured time with two to three digits: `840 ms`, `4.2 s`, `42 s`, `2 min 5 s`. */
export function measured(durationMs: number | null | undefined): string {
  if (durationMs === null || durationMs === undefined || !Number.isFinite(durationMs)) return '–'
  if (durationMs < 10) return `${Math.max(0, durationMs).toFixed(durationMs < 1 ? 1 : 0)} ms`
  if (durationMs < 999.5) return `${Math.round(durationMs)} ms`
  if (durationMs < 9950) return `${(durationMs / secondMs).toFixed(1)} s`
  return formatDuration(Math.round(durationMs / secondMs) * secondMs)
}

/** As `measured`, never with two units: for a place of five characters. */
export function measuredShort(durationMs: number): string {
  if (durationMs < 99_500) return durationMs < 9950 ? measured(durationMs) : `${Math.round(durationMs / secondMs)} s`
  return durationMs < hourMs ? `${(durationMs / minuteMs).toFixed(1)} min` : `${(durationMs / hourMs).toFixed(1)} h`
}

/** How a clock goes, from what must be added to it: `3 ms behind`, `1.2 s ahead`. A sign alone would leave open which way. */
export function clockOffset(offsetMs: number | null | undefined): string {
  if (offsetMs === null || offsetMs === undefined || !Number.isFinite(offsetMs)) return '–'
  const size = Math.abs(offsetMs)
  if (size < 0.5) return '±0 ms'
  return `${size < 1 ? '1 ms' : measured(size)} ${offsetMs < 0 ? 'ahead' : 'behind'}`
}

/** A configured length of time in words: `20 min`, `30 s`, `6 min 40 s`. */
export const seconds = (lengthS: number): string => formatDuration(lengthS * secondMs)
