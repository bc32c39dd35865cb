/**
 * Slots: the fixed-rate timetable that coordinator and probe compute alike (DESIGN 3.2). Slot k of an assignment starts at
 * `epoch + k * period + phase`; a running or slow test moves nothing.
 */

export type Rate = {
  /** UTC, ms since 1970. */
  epoch_ms: number
  period_s: number
  phase_ms: number
}

/** The planned start of slot `k`, UTC in ms. */
export const slotStartMs = (rate: Rate, k: number): number => rate.epoch_ms + k * rate.period_s * 1000 + rate.phase_ms

/** The number of the first slot that starts at `atMs` or later. */
export const firstSlotFrom = (rate: Rate, atMs: number): number =>
  Math.ceil((atMs - rate.epoch_ms - rate.phase_ms) / (rate.period_s * 1000))
