/** The little line beside a monitor: its last tests in order, equally spaced; failures are ticks at the top. Pure. */
import type { Result } from '../api/resources.ts'
import { pointKind } from './chart-data.ts'

export type Sparkline = {
  /** SVG path data: one stroke per unbroken run of one vantage's round trips; together they would zigzag with the distances. */
  line: string
  /** The last round trip, to be marked; null when the last test did not come back. */
  last: { x: number; y: number } | null
  failures: number[]
  count: number
}

export type SparklineSize = { width: number; height: number; countMax: number }

const round = (value: number): number => Math.round(value * 10) / 10

export function sparkline(results: readonly Result[], size: SparklineSize, acceptEcho = false): Sparkline {
  const shown = results.filter((result) => pointKind(result.outcome, acceptEcho) !== 'void').slice(-size.countMax)
  const times = shown.map((result) => (pointKind(result.outcome, acceptEcho) === 'time' ? result.rtt_ms : null))
  const known = times.filter((ms): ms is number => ms !== null)
  const scale = logScale(known, size.height)
  // The newest test stands at the right edge; a short history does not stretch over the whole width.
  const step = size.countMax > 1 ? (size.width - 4) / (size.countMax - 1) : 0
  const x = (index: number): number => round(size.width - 2 - (shown.length - 1 - index) * step)
  const line = [...new Set(shown.map((result) => result.probe_id))].map((probeId) => {
    let path = ''
    let drawing = false
    for (const [index, ms] of times.entries()) {
      if (shown[index]?.probe_id !== probeId) continue
      if (ms !== null) path += `${drawing ? 'L' : 'M'}${x(index)} ${scale(ms)}`
      drawing = ms !== null
    }
    return path
  })
  const lastMs = times.at(-1)
  return {
    line: line.join(''),
    last: lastMs === null || lastMs === undefined ? null : { x: x(times.length - 1), y: scale(lastMs) },
    failures: shown.flatMap((result, index) => (pointKind(result.outcome, acceptEcho) === 'failed' ? [x(index)] : [])),
    count: shown.length,
  }
}

/** Logarithmic, and never finer than a factor of four over the height: noise must not look like mountains. */
function logScale(known: readonly number[], height: number): (ms: number) => number {
  const positive = known.filter((ms) => ms > 0).map(Math.log)
  const low = positive.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
  const high = positive.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
  const centre = (low + high) / 2
  const span = Math.max(high - low, Math.log(4))
  const top = 7
  const bottom = height - 4
  return (ms) => round(ms > 0 ? bottom - ((Math.log(ms) - centre) / span + 0.5) * (bottom - top) : bottom)
}
