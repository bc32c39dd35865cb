/** Local times of IANA time zones as instants, right over the changes of the clocks. Pure: zone and instant are always given. */
import { dayMs, minuteMs } from '../../common/durations.ts'

/** Kept, because making one takes some hundred times longer than using it. A zone has many spellings, so their number is bounded. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  if (formats.size >= zonesKeptMax) {
    formats.clear()
    offsets.clear()
  }
  formats.set(timeZone, made)
  return made
}

/** The name is one that this machine's time zone data know: `Australia/Sydney`, `UTC`; never a bare offset such as `+10:00`. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return false
  try {
    formatOf(name)
    return true
  } catch {
    return false
  }
}

/** How far the zone's clocks are ahead of UTC at that instant, in ms. Throws RangeError for an unknown zone. */
export function offsetMs(timeZone: string, atMs: number): number {
  const dayStartMs = Math.floor(atMs / dayMs) * dayMs
  const before = offsetAtDay(timeZone, dayStartMs)
  // No zone changes its clocks twice within two days.
  return before === offsetAtDay(timeZone, dayStartMs + dayMs) ? before : readOffset(timeZone, atMs)
}

/** The offsets at the midnights of UTC, by zone: a year of windows asks for them many thousand times. */
const offsets = new Map<string, Map<number, number>>()
const daysKeptMax = 2_000
const zonesKeptMax = 600

function offsetAtDay(timeZone: string, dayStartMs: number): number {
  const days = offsets.get(timeZone) ?? new Map<number, number>()
  const known = days.get(dayStartMs)
  if (known !== undefined) return known
  const offset = readOffset(timeZone, dayStartMs)
  if (days.size >= daysKeptMax) days.clear()
  offsets.set(timeZone, days.set(dayStartMs, offset))
  return offset
}

function readOffset(timeZone: string, atMs: number): number {
  const wholeMs = Math.floor(atMs / 1000) * 1000
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(wholeMs)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
  const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
  return local - wholeMs
}

/** The zone's calendar day at that instant, as its midnight written in UTC. */
export const localDayMs = (timeZone: string, atMs: number): number =>
  Math.floor((atMs + offsetMs(timeZone, atMs)) / dayMs) * dayMs

/**
 * The instant at which the zone's clocks show `minutes` after midnight of that day (`localDayMs`). As in RFC 5545, 3.3.5: a time
 * that comes twice is the first of the two, one that is skipped is told by the clocks as they were before the change (02:30 is
 * then what they show as 03:30).
 */
export function instantOf(timeZone: string, dayStartMs: number, minutes: number): number {
  const wallMs = dayStartMs + minutes * minuteMs
  const before = offsetMs(timeZone, wallMs - dayMs)
  const after = offsetMs(timeZone, wallMs + dayMs)
  if (before === after) return wallMs - before
  const shown = (offset: number) => offsetMs(timeZone, wallMs - offset) === offset
  return !shown(before) && shown(after) ? wallMs - after : wallMs - before
}
