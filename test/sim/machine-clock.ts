/** The two clocks of one machine, against true time in ms: the wall clock may be wrong and may jump, the monotonic one only drifts. */
import { hourMs } from '../../common/durations.ts'

export type ClockSetting = {
  /** Parts in a million that the quartz runs too fast. */
  driftPpm: number
  /** What the wall clock is ahead of true time. */
  aheadMs: number
  /** The error of what NTP says of it; null where NTP does not answer. */
  readingErrorMs: number | null
}

/** As probe/clock.ts: the offset is asked for every hour, and known to be another as soon as somebody sets the clock. */
const readEveryMs = hourMs

export class MachineClock {
  readonly #setting: ClockSetting
  readonly #bootedMs: number
  #aheadMs: number
  #setMs: number
  #readMs: number
  #reading: number

  constructor(setting: ClockSetting, bootedMs: number) {
    this.#setting = setting
    this.#bootedMs = bootedMs
    this.#aheadMs = setting.aheadMs
    this.#setMs = bootedMs
    this.#readMs = bootedMs
    this.#reading = -setting.aheadMs + this.#readingErrorMs
  }

  wallMs(trueMs: number): number {
    return Math.floor(trueMs + this.#ahead(trueMs))
  }

  monotonicMs(trueMs: number): number {
    return (trueMs - this.#bootedMs) * (1 + this.#setting.driftPpm / 1e6)
  }

  /** True time at a reading of the wall clock, if it is not set before. */
  trueOfWall(wallMs: number): number {
    const drift = this.#setting.driftPpm / 1e6
    return this.#setMs + (wallMs - this.#setMs - this.#aheadMs) / (1 + drift)
  }

  trueOfMonotonic(monotonicMs: number): number {
    return this.#bootedMs + monotonicMs / (1 + this.#setting.driftPpm / 1e6)
  }

  /** What the probe knows that its wall clock lacks. */
  reading(trueMs: number): { offsetMs: number; errorMs: number } | null {
    if (this.#setting.readingErrorMs === null) return null
    return { offsetMs: this.#offsetMs(trueMs), errorMs: Math.abs(this.#readingErrorMs) }
  }

  #offsetMs(trueMs: number): number {
    if (trueMs - this.#readMs >= readEveryMs) {
      this.#readMs = trueMs - ((trueMs - this.#readMs) % readEveryMs)
      this.#reading = -this.#ahead(this.#readMs) + this.#readingErrorMs
    }
    return this.#reading
  }

  /** Sets the wall clock forward or back. */
  jump(trueMs: number, byMs: number): void {
    this.#reading = this.#offsetMs(trueMs) - byMs
    this.#aheadMs = this.#ahead(trueMs) + byMs
    this.#setMs = trueMs
  }

  /** Somebody has set the wall clock as it was meant to be, and asked NTP again. */
  mend(trueMs: number): void {
    this.#aheadMs = this.#setting.aheadMs
    this.#setMs = trueMs
    this.#readMs = trueMs
    this.#reading = -this.#aheadMs + this.#readingErrorMs
  }

  get #readingErrorMs(): number {
    return this.#setting.readingErrorMs ?? 0
  }

  #ahead(trueMs: number): number {
    return this.#aheadMs + ((trueMs - this.#setMs) * this.#setting.driftPpm) / 1e6
  }
}
