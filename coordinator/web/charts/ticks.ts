/** Where the axes have their lines. Steps are those of clocks (1, 2, 5, 10, 30 s, 1 min …), not powers of ten. Pure. */
import { clockTime, dayOf, measured } from '../words/time.ts'

export type YScale = 'log' | 'linear'

/** Milliseconds, from fine to coarse: an axis takes the finest that fits. */
const roundTripSteps = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000,
  1_800_000, 3_600_000, 7_200_000, 14_400_000, 43_200_000, 86_400_000,
]
const middleSteps = [
  1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 43_200_000,
]
const coarseSteps = [1, 10, 100, 1000, 10_000, 60_000, 600_000, 3_600_000, 43_200_000]
/** Seconds. */
const timeSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400]

/** At most `countMax` lines between two round-trip times in milliseconds. */
export function roundTripTicks(minMs: number, maxMs: number, countMax: number, scale: YScale): number[] {
  return scale === 'log' ? logTicks(minMs, maxMs, countMax) : linearTicks(minMs, maxMs, countMax)
}

function logTicks(minMs: number, maxMs: number, countMax: number): number[] {
  const within = (steps: readonly number[]) => steps.filter((step) => step >= minMs && step <= maxMs)
  return [roundTripSteps, middleSteps].map(within).find((ticks) => ticks.length <= countMax) ?? within(coarseSteps)
}

function linearTicks(minMs: number, maxMs: number, countMax: number): number[] {
  const step = roundTripSteps.find((candidate) => (maxMs - minMs) / candidate <= countMax) ?? maxMs - minMs
  return multiples(minMs, maxMs, step)
}

/** Round instants between two times in seconds since the epoch, at most `countMax`. */
export function timeTicks(minS: number, maxS: number, countMax: number): number[] {
  const step = timeSteps.find((candidate) => (maxS - minS) / candidate <= countMax) ?? 86_400
  return multiples(minS, maxS, step)
}

function multiples(min: number, max: number, step: number): number[] {
  if (!(step > 0) || !(max > min)) return []
  const first = Math.ceil(min / step)
  return Array.from({ length: Math.max(0, Math.floor(max / step) - first + 1) }, (_, index) => (first + index) * step)
}

export const roundTripLabel = (ms: number): string => (ms === 0 ? '0' : measured(ms).replace(/^(\d+)\.0 s$/, '$1 s'))

/** The hour and minute; the day where it begins; seconds only where lines are closer than a minute. */
export function timeLabels(ticksS: readonly number[], nowMs: number): string[] {
  const close = ticksS.some((tick) => tick % 60 !== 0)
  return ticksS.map((tick) => (tick % 86_400 === 0 ? dayOf(tick * 1000, nowMs) : clockTime(tick * 1000, close)))
}
