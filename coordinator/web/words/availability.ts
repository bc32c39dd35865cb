/** Availability as one line: an interval, because tests are moments. */
import { formatDuration, hourMs, minuteMs } from '../../../common/durations.ts'
import type { Availability, Outage } from '../api/resources.ts'
import { timeOf, utc } from './time.ts'

/** `99.93–99.95 % in the last 30 days, 2 outages`; `leftOut` says what does not count. */
export function availabilityWords(found: Availability): { text: string; leftOut: string | null } {
  const { availability_min, availability_max, outages, pending_s, observed_s } = found
  if (availability_min === null || availability_max === null) return { text: 'Nothing has been observed yet', leftOut: null }
  const days = Math.round((timeOf(found.to) - timeOf(found.from)) / (24 * hourMs))
  const asked = days === 1 ? 'in the last day' : `in the last ${days} days`
  const period = pending_s * 1000 > hourMs ? `in the ${formatDuration(observed_s * 1000)} observed so far` : asked
  const counted = outages === 0 ? 'no outage' : outages === 1 ? '1 outage' : `${outages} outages`
  return { text: `${percent(availability_min, availability_max)} available ${period}, ${counted}`, leftOut: leftOutWords(found) }
}

function leftOutWords({ maintenance_s, unconfirmed_s }: Availability): string | null {
  const parts: [number, string][] = [
    [maintenance_s, 'of maintenance'],
    [unconfirmed_s, 'that could not be judged'],
  ]
  const told = parts.filter(([s]) => s * 1000 >= minuteMs).map(([s, what]) => `${formatDuration(s * 1000)} ${what}`)
  return told.length === 0 ? null : `without ${told.join(' and ')}`
}

/** Always rounded down: an outage never disappears in a 100 %. */
function percent(min: number, max: number): string {
  const [low, high] = [min, max].map((share) => {
    const hundredths = Math.floor(share * 10_000 + 1e-9)
    return hundredths === 10_000 ? '100' : (hundredths / 100).toFixed(2)
  })
  return low === high ? `${low}\u00a0%` : `${low}–${high}\u00a0%`
}

/** `Began between 03:00 UTC and 03:02 UTC, ended between 03:40 UTC and 03:42 UTC`. */
export function outageWords(outage: Outage, nowMs: number): string {
  const between = (earliest: string | null, latest: string) =>
    earliest === null ? `by ${utc(latest, nowMs, true)}` : `between ${utc(earliest, nowMs, true)} and ${utc(latest, nowMs, true)}`
  const began = `Began ${between(outage.earliest_start_at, outage.latest_start_at)}`
  return outage.latest_end_at === null ? began : `${began}, ended ${between(outage.earliest_end_at, outage.latest_end_at)}`
}
