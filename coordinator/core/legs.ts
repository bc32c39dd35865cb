/**
 * Legs: how long a mail was on its way out and how long on its way back. They come from two clocks, the probe's and the responder's,
 * and nobody has ever compared the two; causality bounds their difference. A mail cannot be stamped before it left nor after it came
 * back, so that every run says, for theta = responder's clock − UTC,
 *
 *   stamp − returned − error  <=  theta  <=  stamp + resolution − sent + error
 *
 * Theta belongs to the responder's machine and not to the path: the quickest way out of one run and the quickest way back of another,
 * from whichever vantage, bound it together. What remains unknown is half of what even the quickest mails needed. Legs are therefore
 * intervals. They never enter any alarm rule, so that a clock that lies can spoil nothing but its own legs.
 */
import { dayMs, formatDuration, minuteMs, secondMs } from '../../common/durations.ts'

/** A test as far as legs need it. Times are the probe's wall clock, `rtt_ms` its monotonic one. */
export type StampedTest = {
  id: string
  started_at: number
  /** Not later than the last byte left. */
  sent_at: number
  returned_at: number
  rtt_ms: number
  /** The responder's first stamp. */
  stamp_at: number
  clock_offset_ms: number | null
  clock_error_ms: number | null
}

/** One mail's bound on the remote clock. Times are UTC in ms, as far as the probe knows it. */
export type LegRun = {
  id: string
  sent_ms: number
  /** From the last byte to the return, monotonic. */
  transit_ms: number
  /** By the responder's clock. */
  stamp_ms: number
  /** The most by which `sent_ms` may be wrong. */
  error_ms: number
  /** The probe did not know its own clock's error: `assumedErrorMs` stands in, and nothing is guaranteed. */
  assumed: boolean
}

export type RemoteClock = {
  /** How far it is ahead of UTC at `at_ms`: truly within `offset_ms` ± `error_ms`, if it was not set unnoticed since `since_ms`. */
  offset_ms: number
  error_ms: number
  at_ms: number
  /** The runs that agree, and when the oldest of them was sent. */
  run_ids: ReadonlySet<string>
  since_ms: number
  /** Somebody has set it just before `since_ms`, by at least this: positive is forward. */
  step_ms: number | null
}

export type Interval = { min: number; max: number }
export type Legs = { outbound_ms: Interval; return_ms: Interval }

/**
 * `known`: an ordinary mail's legs can be told apart · `unknown`: the bound is wider than half its way, or nothing was stamped yet ·
 * `suppressed`: every probe's own clock may be off by more than a second.
 */
export type LegsState = 'known' | 'unknown' | 'suppressed'

export type LegsReading = {
  state: LegsState
  clock: RemoteClock | null
  /** No probe knew its own clock's error. */
  assumed: boolean
  notice: string | null
  legs: ReadonlyMap<string, Legs>
}

export const windowMs = dayMs
/** An ordinary quartz: 0.18 s in an hour. */
const driftPpm = 50
/** Stamps are milliseconds, cut off. */
const stampResolutionMs = 1
/** Our own times are whole milliseconds: a start and an arrival are each wrong by up to one. */
const ownResolutionMs = 2
/** A machine that synchronises its clock at all is hardly further off. */
export const assumedErrorMs = 100
const errorMsMax = secondMs
/** From here on signatures (DKIM), Kerberos and one-time passwords suffer. */
const noticeMs = 30 * secondMs

const driftMs = (durationMs: number): number => (Math.abs(durationMs) * driftPpm) / 1e6

/**
 * A wall clock that was set during the test shows in the two durations; it may be wrong by so much. What the probe knows of its clock it
 * knows of one moment of the test: on the whole way from there to the others its quartz drifts. An offset without its error is no reading of
 * NTP, but what the coordinator has estimated from a batch (core/probe-clock.ts): nothing bounds how wrong that is.
 */
export function legRunOf(test: StampedTest): LegRun {
  const setMs = Math.abs(test.returned_at - test.started_at - test.rtt_ms)
  const ownErrorMs = test.clock_error_ms ?? (test.clock_offset_ms === null ? assumedErrorMs : Number.POSITIVE_INFINITY)
  const assumed = test.clock_offset_ms === null || test.clock_error_ms === null
  return {
    id: test.id,
    sent_ms: test.sent_at + (test.clock_offset_ms ?? 0),
    transit_ms: Math.max(0, test.rtt_ms - (test.sent_at - test.started_at)),
    stamp_ms: test.stamp_at,
    error_ms: ownErrorMs + ownResolutionMs + setMs + driftMs(test.rtt_ms),
    assumed,
  }
}

/** Everything that the runs say at `nowMs`, in any order. Those that are older than the window count for nothing. */
export function readLegs(runs: readonly LegRun[], nowMs: number): LegsReading {
  const recent = runs.filter((run) => run.sent_ms >= nowMs - windowMs)
  const usable = recent.filter((run) => run.error_ms <= errorMsMax)
  const measured = usable.filter((run) => !run.assumed)
  // One probe that does not know its own clock must not spoil what the others know.
  const chosen = measured.length > 0 ? measured : usable
  const clock = estimateRemoteClock(chosen)
  if (clock === null) {
    const state = recent.length > 0 ? 'suppressed' : 'unknown'
    return { state, clock, assumed: false, notice: null, legs: new Map() }
  }
  const agreeing = chosen.filter((run) => clock.run_ids.has(run.id))
  const legs = new Map<string, Legs>()
  for (const run of agreeing) {
    const found = legsOf(run, clock)
    if (found !== null) legs.set(run.id, found)
  }
  const assumed = measured.length === 0
  return {
    state: clock.error_ms <= median(agreeing.map((run) => run.transit_ms)) / 2 ? 'known' : 'unknown',
    clock,
    assumed,
    notice: noticeOf(clock, assumed),
    legs,
  }
}

/**
 * From the newest run back, as long as all agree: the first that contradicts newer ones was stamped before somebody set the clock, and
 * everything older with it. The clock was set between it and the oldest run that it contradicts; what returned between those two agrees
 * with both and may be from before, so that it does not count either. Null without a run.
 *
 * The true offset is within the bound under this premise: between `since_ms` and `at_ms` the remote clock was not set unnoticed, and it
 * drifted by no more than 50 ppm; and each probe's clock was within the error that it reported. Runs that agree cannot show a step: one
 * that is smaller than the runs' ways leave room for contradicts none, and the bound may then be wrong by as much as the step. Nor can
 * a mail tell that was under way while the clock was set: back later than one that was stamped after it, it is taken for the newer, until
 * one is back that contradicts it.
 */
export function estimateRemoteClock(runs: readonly LegRun[]): RemoteClock | null {
  const newestFirst = runs.toSorted((a, b) => returnedMs(b) - returnedMs(a))
  const [newest] = newestFirst
  if (newest === undefined) return null
  let agreed: Bounds = everything
  let sinceMs = returnedMs(newest)
  for (const [index, run] of newestFirst.entries()) {
    // Two runs are compared over the time between them: the drift since would let a step be forgotten that was once noticed.
    const thenMs = returnedMs(run)
    const { low, high } = boundsOf(run, thenMs)
    agreed = widened(agreed, driftMs(sinceMs - thenMs))
    sinceMs = thenMs
    if (disagree({ low, high }, agreed)) {
      const stepMs = low > agreed.high ? agreed.high - low : agreed.low - high
      const oldest = newestFirst.slice(0, index).findLastIndex((newer) => disagree({ low, high }, boundsOf(newer, thenMs)))
      // By less than what a fraction is rounded by they may agree one by one: then only the newest is sure.
      return clockOf(newestFirst.slice(0, Math.max(0, oldest) + 1), stepMs)
    }
    agreed = intersection(agreed, { low, high })
  }
  return clockOf(newestFirst, null)
}

function clockOf(agreeing: readonly LegRun[], stepMs: number | null): RemoteClock {
  const atMs = Math.max(...agreeing.map(returnedMs))
  const { low, high } = agreeing.map((run) => boundsOf(run, atMs)).reduce(intersection, everything)
  return {
    offset_ms: (low + high) / 2,
    error_ms: (high - low) / 2,
    at_ms: atMs,
    run_ids: new Set(agreeing.map(({ id }) => id)),
    since_ms: Math.min(...agreeing.map((run) => run.sent_ms)),
    step_ms: stepMs,
  }
}

/** The bound on the offset at another instant: clocks drift. */
export const errorAt = (clock: RemoteClock, atMs: number): number => clock.error_ms + driftMs(atMs - clock.at_ms)

/** Null while the bound is wider than half the way: then nothing can be said that is not known from the round trip alone. */
export function legsOf(run: LegRun, clock: RemoteClock): Legs | null {
  const clockErrorMs = errorAt(clock, run.sent_ms)
  if (clockErrorMs > run.transit_ms / 2) return null
  const clip = (ms: number): number => Math.min(run.transit_ms, Math.max(0, ms))
  const outMs = run.stamp_ms - run.sent_ms - clock.offset_ms
  const min = clip(outMs - clockErrorMs - run.error_ms)
  const max = clip(outMs + stampResolutionMs + clockErrorMs + run.error_ms)
  return { outbound_ms: { min, max }, return_ms: { min: run.transit_ms - max, max: run.transit_ms - min } }
}

const returnedMs = (run: LegRun): number => run.sent_ms + run.transit_ms

type Bounds = { low: number; high: number }
const everything: Bounds = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
const widened = ({ low, high }: Bounds, byMs: number): Bounds => ({ low: low - byMs, high: high + byMs })
const disagree = (a: Bounds, b: Bounds): boolean => a.low > b.high || a.high < b.low
const intersection = (a: Bounds, b: Bounds): Bounds => ({ low: Math.max(a.low, b.low), high: Math.min(a.high, b.high) })

/** What one run says of the remote clock at `atMs`. Its stamp was made at some time on its way. */
function boundsOf(run: LegRun, atMs: number): Bounds {
  const slackMs = run.error_ms + driftMs(run.transit_ms) + driftMs(atMs - returnedMs(run))
  return { low: run.stamp_ms - returnedMs(run) - slackMs, high: run.stamp_ms + stampResolutionMs - run.sent_ms + slackMs }
}

function noticeOf({ offset_ms, error_ms }: RemoteClock, assumed: boolean): string | null {
  if (Math.abs(offset_ms) - error_ms <= noticeMs) return null
  const sizeMs = Math.round(Math.abs(offset_ms) / secondMs) * secondMs
  const size = sizeMs < 10 * minuteMs ? `${sizeMs / secondMs} s` : formatDuration(sizeMs)
  const doubt = assumed ? ', as seen by probes that do not check their own clock' : ''
  return `your server's clock is ${size} ${offset_ms > 0 ? 'ahead' : 'behind'}${doubt}`
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
