/** The estimator of the remote clock in worlds of its own: after each return it reads all that came before, and the oracle knows the truth. */
import { isoTime } from '../../common/durations.ts'
import { legRunOf, readLegs, windowMs } from '../../coordinator/core/legs.ts'
import type { Random } from './random.ts'
import { type ClockVerdict, judgeClock, type Witness } from './remote-clock-oracle.ts'
import { drawStretch } from './remote-clock-world.ts'

export type ClockCounts = { checked: number; afterUnnoticedStep: number; stepUnderWay: number; beyondDrift: number }
export type ClockViolation = { kind: 'clock_bound'; atMs: number; what: string }
export type ClockReport = ClockCounts & { violations: ClockViolation[] }

/** Each of up to 30 hours and 50 mails. */
const stretchesPerYear = 20
const counted: Record<Exclude<ClockVerdict['kind'], 'held' | 'wrong'>, keyof ClockCounts> = {
  unnoticed_step: 'afterUnnoticedStep',
  under_way: 'stepUnderWay',
  beyond_drift: 'beyondDrift',
}

export function simulateRemoteClock(random: Random, startMs: number, years: number, log?: (line: string) => void): ClockReport {
  const report: ClockReport = { checked: 0, afterUnnoticedStep: 0, stepUnderWay: 0, beyondDrift: 0, violations: [] }
  const count = Math.ceil(years * stretchesPerYear)
  for (let index = 0; index < count; index++) {
    playStretch(report, random.stream(`stretch ${index}`), startMs + index * 2 * windowMs, log)
  }
  return report
}

function playStretch(report: ClockReport, random: Random, startMs: number, log?: (line: string) => void): void {
  const { remote, passages } = drawStretch(random, startMs)
  const witnesses: Witness[] = []
  for (const passage of passages) {
    witnesses.push({ ...passage, run: legRunOf(passage.test) })
    const { clock, assumed } = readLegs(
      witnesses.map(({ run }) => run),
      passage.returnedMs,
    )
    // Where no probe knows its own clock nothing is promised.
    if (clock === null || assumed) continue
    const oldestMs = passage.returnedMs - windowMs
    const heard = witnesses.filter(({ run }) => run.sent_ms >= oldestMs && !run.assumed && run.error_ms <= 1000)
    const verdict = judgeClock(remote, heard, clock)
    log?.(`${isoTime(clock.at_ms)} remote clock ${clock.offset_ms} ± ${clock.error_ms} ms: ${verdict.kind}`)
    if (verdict.kind === 'held' || verdict.kind === 'wrong') report.checked += 1
    else report[counted[verdict.kind]] += 1
    if (verdict.kind === 'wrong') report.violations.push({ kind: 'clock_bound', atMs: clock.at_ms, what: verdict.what })
  }
}
