/** The remote clock and the legs in words: never a bare number, always with its bound. */

import { minuteMs, secondMs } from '../../../common/durations.ts'
import type { Interval, LegsReading } from '../api/resources.ts'
import { howLong, measured } from './time.ts'

/** `94 s ahead, ± 0.6 s`; null where no mail was stamped yet. */
export function clockWords({ offset_ms, error_ms }: LegsReading): string | null {
  if (offset_ms === null || error_ms === null) return null
  const bound = `± ${measured(error_ms)}`
  if (Math.abs(offset_ms) <= error_ms) return `right, as far as can be told (${bound})`
  return `${size(Math.abs(offset_ms))} ${offset_ms > 0 ? 'ahead' : 'behind'}, ${bound}`
}

/** Seconds as long as they can be compared with the notice. */
function size(ms: number): string {
  if (ms < 10 * secondMs) return measured(ms)
  return ms < 10 * minuteMs ? `${Math.round(ms / secondMs)} s` : howLong(ms)
}

/** Why there are no legs to see, or what the bars mean. */
export function legsExplanation({ state, runs }: LegsReading): string {
  if (state === 'suppressed') return "The probes' own clocks are off by more than a second: their legs would mean nothing."
  if (runs === 0) return 'No mail came back with a stamp in the last 24 hours.'
  if (state === 'unknown')
    return 'Two clocks that nobody has compared: the split of an ordinary mail cannot be told yet, only that of one that was held.'
  return 'Two clocks that nobody has compared: where the bar is pale, out and back cannot be told apart.'
}

/** `0.3 to 1.4 s`, or one number where both ends read the same. */
export function intervalWords({ min, max }: Interval): string {
  const [low, high] = [measured(min), measured(max)]
  if (low === high) return low
  const unit = / (ms|s)$/.exec(high)?.[0]
  return unit !== undefined && low.endsWith(unit) && !low.includes('min') && !high.includes('min')
    ? `${low.slice(0, -unit.length)} to ${high}`
    : `${low} to ${high}`
}
