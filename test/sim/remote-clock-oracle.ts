/**
 * What a reading of the remote clock is worth, computed from what truly happened and by none of the product's rules: from when each mail
 * was really stamped, how long each of its ways really was, and how far the clock was really ahead.
 *
 * The bound is promised where nobody set the clock unnoticed in the span of the estimate, so that an estimate may be wrong where a step
 * lies between a stamp that counts and now; even then by no more than what the clock was set by, and only where no mail had to show the
 * step. Everything else is the product's fault.
 */
import { hourMs } from '../../common/durations.ts'
import { errorAt, type LegRun, type RemoteClock } from '../../coordinator/core/legs.ts'
import type { Passage, RemoteTruth, Step } from './remote-clock-world.ts'

/** A mail that the estimate could use, as it was and as it is told. */
export type Witness = Passage & { run: LegRun }

/** What is told of the clock where nothing but these had come back. */
export type Reread = (witnesses: readonly Witness[]) => RemoteClock | null

/**
 * `held`: the true offset is within the bound. It is not, and need not be: `unnoticed_step`: since a stamp that counts the clock was set,
 * which contradicts nothing · `under_way`: it was set, and a mail under way meanwhile was taken for newer than one that was stamped after
 * it; without such mails the step is noticed · `beyond_drift`: the clock keeps to no bound. `wrong`: nothing excuses it, or a step was
 * seen that was none, or one was not seen that had to be.
 */
export type ClockVerdict = { kind: 'held' | 'unnoticed_step' | 'under_way' | 'beyond_drift' } | { kind: 'wrong'; what: string }

/** The drift that the promise allows for. */
const allowedPpm = 50
/** Times are whole milliseconds, cut off: a stamp, a start, an arrival. */
const roundingMs = 4
const toleranceMs = 0.01

/** `witnesses`: all that the window holds and whose probes know their own clock. */
export function judgeClock(remote: RemoteTruth, witnesses: readonly Witness[], clock: RemoteClock, reread: Reread): ClockVerdict {
  const used = witnesses.filter(({ id }) => clock.run_ids.has(id))
  if (used.length === 0 || used.length < clock.run_ids.size) return wrong('it rests on runs that must not count')
  const stamps = used.map(({ stampedMs }) => stampedMs)
  const nowMs = Math.max(clock.at_ms, ...stamps)
  for (const atMs of [nowMs, nowMs + hourMs]) {
    const movedMs = Math.max(...stamps.map((stampedMs) => Math.abs(changedMs(remote, stampedMs, atMs))))
    const [offMs, boundMs] = [offBy(remote, clock, atMs), errorAt(clock, atMs)]
    if (offMs > boundMs + movedMs + toleranceMs) {
      return wrong(`${offMs} ms off, bound ${boundMs} ms, ${used.length} runs, the clock was set by ${movedMs} ms`)
    }
  }
  const isWithin = offBy(remote, clock, nowMs) <= errorAt(clock, nowMs) + toleranceMs
  // Such a clock shows steps where it has none.
  if (remote.beyond) return { kind: isWithin ? 'held' : 'beyond_drift' }
  const fault = faultOfSteps(remote, witnesses, used, clock)
  if (fault !== null) return wrong(fault)
  const shown = remote
    .stepsWithin(Math.min(...stamps), nowMs)
    .map((step) => ({ step, pairs: pairsThatShow(remote, step, used, witnesses) }))
    .filter(({ pairs }) => pairs.length > 0)
  for (const { step, pairs } of shown) {
    if (!isExcused(remote, pairs, witnesses, reread)) return wrong(`${stepText(step)} was put before mails that it came after`)
  }
  if (isWithin) return { kind: 'held' }
  return { kind: shown.length > 0 ? 'under_way' : 'unnoticed_step' }
}

const wrong = (what: string): ClockVerdict => ({ kind: 'wrong', what })
const stepText = ({ byMs, atMs }: Step): string => `a step of ${byMs} ms at ${new Date(atMs).toISOString()}`
const offBy = (remote: RemoteTruth, clock: RemoteClock, atMs: number): number => Math.abs(remote.aheadMs(atMs) - clock.offset_ms)

/** By how much the clock was set between two moments, backwards in time too; what it drifts as well, where that is beyond all bounds. */
function changedMs(remote: RemoteTruth, fromMs: number, toMs: number): number {
  if (remote.beyond) return remote.aheadMs(toMs) - remote.aheadMs(fromMs)
  if (toMs < fromMs) return -changedMs(remote, toMs, fromMs)
  return remote.stepsWithin(fromMs, toMs).reduce((sum, { byMs }) => sum + byMs, 0)
}

/**
 * A step that was told and was none, or not of this size and direction between two mails as they came back; runs that were left out without
 * one; runs that count though they contradict.
 */
function faultOfSteps(
  remote: RemoteTruth,
  witnesses: readonly Witness[],
  used: readonly Witness[],
  { step_ms: toldMs }: RemoteClock,
): string | null {
  const left = witnesses.filter((witness) => !used.includes(witness))
  if (toldMs === null && left.length > 0) return 'runs were left out without a step'
  if (toldMs !== null) {
    const isSoLarge = (setMs: number): boolean => setMs !== 0 && setMs / Math.sign(toldMs) >= Math.abs(toldMs) - toleranceMs
    const isTrue = left.some((old) =>
      witnesses.some(
        (newer) => toldReturnMs(newer) >= toldReturnMs(old) && isSoLarge(changedMs(remote, old.stampedMs, newer.stampedMs)),
      ),
    )
    if (!isTrue) return `a step of ${toldMs} ms that was none`
  }
  const room = used.every((a, index) => used.slice(index + 1).every((b) => !mustContradict(remote, a, b)))
  return room ? null : 'a step was not noticed, though there is no room for it'
}

type Pair = readonly [Witness, Witness]

/** One that counts and one from the other side of the step and of no other, between which there is no room for one offset. */
const pairsThatShow = (remote: RemoteTruth, step: Step, used: readonly Witness[], witnesses: readonly Witness[]): Pair[] =>
  used.flatMap((a) =>
    witnesses
      .filter((b) => isOnly(remote, step, a.stampedMs, b.stampedMs) && mustContradict(remote, a, b))
      .map((b): Pair => [a, b]),
  )

/**
 * From the newest run back to the older one of each pair there is a mail that was under way over a step, and without all such mails the
 * same rules make no mistake: it is they that hide the step.
 */
function isExcused(remote: RemoteTruth, pairs: readonly Pair[], witnesses: readonly Witness[], reread: Reread): boolean {
  const isHidden = (pair: Pair): boolean => {
    const fromMs = Math.min(...pair.map(toldReturnMs))
    return (
      overtaken(
        remote,
        witnesses.filter((witness) => toldReturnMs(witness) >= fromMs),
      ).length > 0
    )
  }
  if (!pairs.every(isHidden)) return false
  const late = overtaken(remote, witnesses)
  const rest = witnesses.filter((witness) => !late.includes(witness))
  const clock = reread(rest)
  return clock !== null && judgeClock(remote, rest, clock, reread).kind !== 'wrong'
}

/** Those that were stamped before a step and are back, as is told, no earlier than one that was stamped after it. */
const overtaken = (remote: RemoteTruth, witnesses: readonly Witness[]): Witness[] =>
  witnesses.filter((late) =>
    witnesses.some(
      (other) => remote.stepsWithin(late.stampedMs, other.stampedMs).length > 0 && toldReturnMs(late) >= toldReturnMs(other),
    ),
  )

const toldReturnMs = ({ run }: Witness): number => run.sent_ms + run.transit_ms

/** The clock was so much different at the two stamps that the true ways and errors leave no room for one offset. */
function mustContradict(remote: RemoteTruth, a: Witness, b: Witness): boolean {
  const [older, newer] = a.stampedMs <= b.stampedMs ? [a, b] : [b, a]
  const stepMs = remote.aheadMs(newer.stampedMs) - remote.aheadMs(older.stampedMs)
  const [low, high] = stepMs > 0 ? [older, newer] : [newer, older]
  const waysMs = low.stampedMs - low.sentMs + (high.returnedMs - high.stampedMs)
  // What is told of the start of the one way and of the end of the other is wrong by this, which the errors told allow for and which may
  // take room or give it: an end is also wrong by what its probe's clock was set by before the last byte left.
  const wrongMs = toldReturnMs(high) - high.returnedMs - (low.run.sent_ms - low.sentMs)
  const spanMs = Math.max(a.returnedMs, b.returnedMs) - Math.min(a.sentMs, b.sentMs)
  const driftsMs = (2 * allowedPpm * spanMs) / 1e6
  return Math.abs(stepMs) > waysMs + wrongMs + a.run.error_ms + b.run.error_ms + 2 * driftsMs + roundingMs
}

const isOnly = (remote: RemoteTruth, step: Step, aMs: number, bMs: number): boolean => {
  const [found, more] = remote.stepsWithin(Math.min(aMs, bMs), Math.max(aMs, bMs))
  return found === step && more === undefined
}
