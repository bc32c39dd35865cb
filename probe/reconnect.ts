/**
 * When to dial which coordinator: each in turn, at once within a round, with a doubling pause between rounds; whoever refuses us by
 * policy is left alone for a while, because asking again soon changes nothing. Pure.
 */
import type { ErrorCode } from '../common/errors.ts'

const pauseMsMin = 1000
/** An outage that was not heard of counts from a coordinator's return, and a probe that then pauses keeps it waiting for the votes. */
const pauseMsMax = 10_000
/** Between two coordinators of one round: spreads the probes of a coordinator that died. */
const turnMsMax = 500
const refusalMs = 10 * 60_000
/** Two processes with one identity would otherwise take the session from each other for ever. */
const supersededMs = 60_000
/** A session that lasted so long was a good one: the next failure is the first again. */
const stableMs = 10_000

export type Attempts = {
  /** The address to dial next. */
  readonly next: number
  /** Ends in a row without a stable session. */
  readonly failures: number
  /** Until when each address is left alone, ms of the monotonic clock. */
  readonly heldUntilMs: readonly number[]
}

/** How a session or an attempt at one ended. */
export type End = { code: ErrorCode; openForMs: number }

/** What no repetition cures: the coordinator does not know us, or cannot prove that it belongs to our installation. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'PROBE_UNKNOWN',
  'VERSION_UNSUPPORTED',
  'ENROLMENT_REFUSED',
  'FORBIDDEN',
  'ISSUER_UNKNOWN',
  'SIGNATURE_INVALID',
  'CERTIFICATE_INVALID',
  'AUDIENCE_WRONG',
  'DOCUMENT_TYPE_WRONG',
  'DOCUMENT_REPLAYED',
])

export const isRefusal = (code: ErrorCode): boolean => refusals.has(code)

export const firstAttempt = (addresses: number): Attempts => ({ next: 0, failures: 0, heldUntilMs: Array(addresses).fill(0) })

export function afterEnd(attempts: Attempts, end: End, nowMs: number): Attempts {
  const { next, heldUntilMs } = attempts
  const held = heldUntilMs.map((untilMs, index) => {
    if (end.code === 'SESSION_SUPERSEDED') return nowMs + supersededMs
    return index === next && isRefusal(end.code) ? nowMs + refusalMs : untilMs
  })
  const failures = end.openForMs >= stableMs ? 1 : attempts.failures + 1
  return { next: (next + 1) % heldUntilMs.length, failures, heldUntilMs: held }
}

/** `random` is in [0, 1). */
export function planAttempt(attempts: Attempts, nowMs: number, random: number): { attempts: Attempts; delayMs: number } {
  const count = attempts.heldUntilMs.length
  const inTurn = attempts.heldUntilMs.map((_, offset) => (attempts.next + offset) % count)
  const holdMs = (index: number): number => Math.max(0, (attempts.heldUntilMs[index] ?? 0) - nowMs)
  const next = inTurn.find((index) => holdMs(index) === 0) ?? inTurn.reduce((a, b) => (holdMs(b) < holdMs(a) ? b : a))
  return {
    attempts: { ...attempts, next },
    delayMs: Math.round(Math.max(holdMs(next), pauseMs(attempts.failures, count, random))),
  }
}

function pauseMs(failures: number, addresses: number, random: number): number {
  if (failures === 0) return 0
  if (failures % addresses !== 0) return turnMsMax * random
  const round = failures / addresses
  return Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(round - 1, 16)) * (0.5 + random / 2)
}
