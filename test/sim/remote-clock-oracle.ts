/**
 * What a reading of the remote clock is worth, computed from what truly happened and by none of the product's rules: from when each mail
 * was really stamped, how long each of its ways really was, and how far the clock was really ahead.
 */
import { hourMs } from '../../common/durations.ts'
import { errorAt, type LegRun, type RemoteClock } from '../../coordinator/core/legs.ts'
import type { Passage, RemoteTruth, Step } from './remote-clock-world.ts'

/** A mail that the estimate could use, as it was and as it is told. */
export type Witness = Passage & { run: LegRun }

/**
 * `held`: the true offset is within the bound, as it must be · `wrong`: it is not, or a step was seen that was none, or one was not seen
 * that had to be · `unnoticed_step`: a true step that contradicts nothing lies between a stamp that counts and now · `under_way`: so does
 * one that does contradict, but a mail that was under way meanwhile was taken for the newer · `beyond_drift`: the clock keeps to no bound.
 */
export type ClockVerdict = { kind: 'held' | 'unnoticed_step' | 'under_way' | 'beyond_drift' } | { kind: 'wrong'; what: string }

/** The drift that the promise allows for. */
const allowedPpm = 50
/** Times are whole milliseconds, cut off: a stamp, a start, an arrival. */
const roundingMs = 4
const toleranceMs = 0.01

/** `witnesses`: all that the window holds and whose probes know their own clock. */
export function judgeClock(remote: RemoteTruth, witnesses: readonly Witness[], clock: RemoteClock): ClockVerdict {
  if (remote.beyond) return { kind: 'beyond_drift' }
  const used = witnesses.filter(({ id }) => clock.run_ids.has(id))
  const stamps = (of: readonly Witness[]): number[] => of.map(({ stampedMs }) => stampedMs)
  const nowMs = Math.max(clock.at_ms, ...stamps(used))
  const firstMs = Math.min(...stamps(used))
  const between = remote.stepsWithin(Math.min(...stamps(witnesses)), Math.max(...stamps(witnesses)))
  if (clock.step_ms !== null && between.length === 0)
    return { kind: 'wrong', what: `a step of ${clock.step_ms} ms that was none` }
  if (used.length < witnesses.length && clock.step_ms === null)
    return { kind: 'wrong', what: 'runs were left out without a step' }
  const [step] = remote.stepsWithin(firstMs, nowMs).slice(-1)
  if (step !== undefined) return judgeStep(remote, witnesses, used, step)

  for (const atMs of [nowMs, nowMs + hourMs]) {
    if (remote.stepsWithin(firstMs, atMs).length > 0) continue
    const offMs = Math.abs(remote.aheadMs(atMs) - clock.offset_ms)
    const boundMs = errorAt(clock, atMs)
    if (offMs > boundMs + toleranceMs) return { kind: 'wrong', what: `${offMs} ms off, bound ${boundMs} ms, ${used.length} runs` }
  }
  return { kind: 'held' }
}

/** A true step lies between the stamps that count and now. */
function judgeStep(remote: RemoteTruth, witnesses: readonly Witness[], used: readonly Witness[], step: Step): ClockVerdict {
  const told = `a step of ${step.byMs} ms at ${new Date(step.atMs).toISOString()}`
  if (used.some((a) => used.some((b) => mustContradict(remote, a, b)))) {
    return { kind: 'wrong', what: `${told} was not noticed, though there is no room for it` }
  }
  const shown = used.flatMap((a) =>
    witnesses.filter((b) => mustContradict(remote, a, b) && isOnly(remote, step, a.stampedMs, b.stampedMs)).map((b) => [a, b]),
  )
  if (shown.length === 0) return { kind: 'unnoticed_step' }
  const late = overtaken(remote, witnesses)
  const excused = shown.every((pair) => late.some(({ returnedMs }) => pair.some((witness) => returnedMs >= witness.returnedMs)))
  return excused ? { kind: 'under_way' } : { kind: 'wrong', what: `${told} was put before mails that it came after` }
}

/** Those that were stamped before a step and seem to be back later than one that was stamped after it. */
const overtaken = (remote: RemoteTruth, witnesses: readonly Witness[]): Witness[] =>
  witnesses.filter((late) =>
    witnesses.some(
      (other) =>
        remote.stepsWithin(late.stampedMs, other.stampedMs).length > 0 &&
        late.returnedMs + late.run.error_ms + other.run.error_ms >= other.returnedMs,
    ),
  )

/** The clock was so much different at the two stamps that the true ways and errors leave no room for one offset. */
function mustContradict(remote: RemoteTruth, a: Witness, b: Witness): boolean {
  const [older, newer] = a.stampedMs <= b.stampedMs ? [a, b] : [b, a]
  const stepMs = remote.aheadMs(newer.stampedMs) - remote.aheadMs(older.stampedMs)
  const [low, high] = stepMs > 0 ? [older, newer] : [newer, older]
  const waysMs = low.stampedMs - low.sentMs + (high.returnedMs - high.stampedMs)
  const spanMs = Math.max(a.returnedMs, b.returnedMs) - Math.min(a.sentMs, b.sentMs)
  const sinceMs = Math.max(0, ...[a, b].map(({ run }) => run.error_ms))
  const driftsMs = (2 * allowedPpm * (spanMs + sinceMs)) / 1e6
  return Math.abs(stepMs) > waysMs + 2 * (a.run.error_ms + b.run.error_ms) + 2 * driftsMs + roundingMs
}

const isOnly = (remote: RemoteTruth, step: Step, aMs: number, bMs: number): boolean => {
  const [found, more] = remote.stepsWithin(Math.min(aMs, bMs), Math.max(aMs, bMs))
  return found === step && more === undefined
}
