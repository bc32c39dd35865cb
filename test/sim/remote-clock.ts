/** The estimator of the remote clock in worlds of its own: after each return it reads all that came before, and the oracle knows the truth. */
import { isoTime } from '../../common/durations.ts'
import { legRunOf, readLegs, windowMs } from '../../coordinator/core/legs.ts'
import type { Random } from './random.ts'
import { type ClockVerdict, judgeClock, type Witness } from './remote-clock-oracle.ts'
import { drawStretch } from './remote-clock-world.ts'

export type ClockCounts = { checked: number; afterUnnoticedStep: number; stepUnderWay: number; beyondDrift: number }
export type ClockViolation = { kind: 'clock_bound'; atMs: number; what: string }
export type ClockReport = ClockCounts & { violations: ClockViolation[] }

/** `read` stands for the product's, so that a broken one can be tried. */
export type ClockOptions = { log?: ((line: string) => void) | undefined; read?: typeof readLegs }

/** Each of up to 30 hours and 50 mails. */
const stretchesPerYear = 20
const counted: Record<Exclude<ClockVerdict['kind'], 'held' | 'wrong'>, keyof ClockCounts> = {
  unnoticed_step: 'afterUnnoticedStep',
  under_way: 'stepUnderWay',
  beyond_drift: 'beyondDrift',
}

export function simulateRemoteClock(random: Random, startMs: number, years: number, options: ClockOptions = {}): ClockReport {
  const report: ClockReport = { checked: 0, afterUnnoticedStep: 0, stepUnderWay: 0, beyondDrift: 0, violations: [] }
  const count = Math.ceil(years * stretchesPerYear)
  for (let index = 0; index < count; index++) {
    playStretch(report, random.stream(`stretch ${index}`), startMs + index * 2 * windowMs, options)
  }
  return report
}

function playStretch(report: ClockReport, random: Random, startMs: number, { log, read = readLegs }: ClockOptions): void {
  const { remote, passages } = drawStretch(random, startMs)
  const witnesses: Witness[] = []
  for (const passage of passages) {
    const nowMs = passage.returnedMs
    witnesses.push({ ...passage, run: legRunOf(passage.test) })
    const readAll = (of: readonly Witness[]) =>
      read(
        of.map(({ run }) => run),
        nowMs,
      )
    const heard = witnesses.filter(({ run }) => run.sent_ms >= nowMs - windowMs && !run.assumed && run.error_ms <= 1000)
    // Where no probe knows its own clock nothing is promised.
    if (heard.length === 0) continue
    const { clock, assumed } = readAll(witnesses)
    const verdict: ClockVerdict =
      clock === null || assumed
        ? { kind: 'wrong', what: `nothing is told, though ${heard.length} runs bound the clock` }
        : judgeClock(remote, heard, clock, (rest) => readAll(rest).clock)
    log?.(`${isoTime(nowMs)} remote clock ${clock?.offset_ms} ± ${clock?.error_ms} ms: ${verdict.kind}`)
    report.checked += 1
    if (verdict.kind === 'wrong') report.violations.push({ kind: 'clock_bound', atMs: nowMs, what: verdict.what })
    else if (verdict.kind !== 'held') report[counted[verdict.kind]] += 1
  }
}
