/**
 * Where simulated probes die between what they write down and what they do about it. Every point is met about as often as any other,
 * though a probe comes past some of them far more rarely.
 */
import { secondMs } from '../../common/durations.ts'
import { type CrashPoint, crashPoints } from './life.ts'
import { Random } from './random.ts'
import type { Trouble } from './setting.ts'

export type CrashCounts = Record<CrashPoint, number>

/** A test comes past a commit four times, past most others once or twice, past these only where mail was lost, late or asked for. */
const weights: Partial<Record<CrashPoint, number>> = {
  commit: 0.5,
  begun: 2,
  sent: 2,
  markReturned: 10,
  noted: 10,
  saveSequence: 8,
  dropSequence: 40,
  'job taken': 20,
}
/**
 * Of each point that is passed; a test passes some twenty. In most worlds few die or none: where probes die all the time, the bound of
 * an outage seldom counts from its start.
 */
const chances = [0, 0, 0, 0, 1 / 5000, 1 / 5000, 1 / 1000, 1 / 250]

export const emptyCrashCounts = (): CrashCounts => Object.fromEntries(crashPoints.map((point) => [point, 0])) as CrashCounts

export class ProbeCrashes {
  readonly counts = emptyCrashCounts()
  /** Until then they die: nobody dies while the world is made, and each stretch comes to rest. */
  untilMs = Number.NEGATIVE_INFINITY
  readonly #random: Random
  readonly #chance: number

  /** `random` null where no probe dies at a point. */
  constructor(random: Random | null) {
    this.#random = random ?? new Random(0n)
    this.#chance = random?.pick(chances) ?? 0
  }

  /** A probe passes this point: how it dies here, null where it goes on. */
  strike(probe: string, point: CrashPoint, nowMs: number): Extract<Trouble, { kind: 'crash' }> | null {
    if (this.#chance === 0 || nowMs >= this.untilMs) return null
    if (!this.#random.chance(this.#chance * (weights[point] ?? 1))) return null
    this.counts[point] += 1
    const reboot = this.#random.chance(0.2)
    const toMs = Math.round(nowMs + this.#random.spread(secondMs, 600 * secondMs))
    return { kind: 'crash', probe, reboot, at: point, fromMs: nowMs, toMs }
  }
}
