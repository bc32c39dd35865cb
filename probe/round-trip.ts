/**
 * One round trip, pure: begin ─► sending ⇄ waiting ─► out ─► over. Time, the dialogue's end and mail come in as events; what is to
 * be done goes out as effects; the state is plain data that survives in the journal (DESIGN 3.1, 3.3).
 *
 * The round-trip time runs from the start of the test, which is the start of the first attempt, to the arrival of the returned mail,
 * as users of such systems know it (receive time − start time): a server that first puts us off is slow, and the stages say where
 * the time went. All of it is counted on the monotonic clock.
 */
import type { Outcome, ResultDetail, Stage } from '../common/wire/test.ts'
import { budgetMs, controlMarkOf, deadlineOf, slowMarkOf, wasTakenTooLate } from './marks.ts'
import { retryOffsetsMs } from './retry.ts'

export type Instant = { wallMs: number; monotonicMs: number }

/** What one round trip is measured by. */
export type Course = {
  /** The one deadline, from the start. */
  timeoutMs: number
  slowMs: number
  acceptEcho: boolean
  /** A control trip proves the others' health and asks for no proof of its own; nor does the test of a route, which never votes. */
  kind: 'test' | 'control' | 'route'
}

/** A dialogue that ended in acceptance, or whose end was lost after the final dot: then the mail must not go out twice. */
export type Sent = {
  startedAt: Instant
  /** When the last byte had left. */
  at: Instant
  stages: Stage[]
  detail: ResultDetail
}

/** An attempt that failed. It ends the test at once where it is `permanent`, otherwise it is tried again until the deadline. */
export type Failure = {
  outcome: 'refused' | 'blocked' | 'deferred' | 'unreachable' | 'tls' | 'dns' | 'auth' | 'not_run'
  permanent: boolean
  /** We gave it up because the time was over: what the server said in an earlier attempt says more. */
  cutOff?: boolean
  stages: Stage[]
  detail: ResultDetail
}

/** A mail of ours that came back. `at` is when its connection was opened, or when the mailbox got it. */
export type Back = { at: Instant; stampAtMs: number | null; detail: ResultDetail }

export type Ending = { outcome: Outcome; finishedAt: Instant; hard: boolean; detail: ResultDetail }

export type RoundTrip = {
  readonly course: Course
  readonly phase: 'sending' | 'waiting' | 'out' | 'over'
  readonly startedAt: Instant
  readonly attempts: number
  /** Monotonic; null where no further attempt fits into the time. */
  readonly retryAtMs: number | null
  readonly sent: Sent | null
  readonly failure: Failure | null
  readonly back: Back | null
  /** A copy without a stamp came back. The stamped one may still come, so that only the deadline makes this the outcome. */
  readonly echo: Back | null
  /** What a delivery status notification said of a delay: evidence, not a verdict. */
  readonly notice: ResultDetail | null
  readonly told: { readonly slow: boolean; readonly control: boolean }
  /** The probe was started again meanwhile. Under a new boot neither clock goes on as it did. */
  readonly resumed?: 'same_boot' | 'new_boot'
  readonly ending: Ending | null
}

export type TripEvent =
  | { kind: 'sent'; attempt: number; sent: Sent }
  | { kind: 'failed'; attempt: number; failure: Failure }
  | { kind: 'returned'; back: Back }
  | { kind: 'echo'; back: Back }
  | { kind: 'bounce'; blocked: boolean; detail: ResultDetail }
  | { kind: 'delayed'; detail: ResultDetail }
  | { kind: 'timer' }
  /** The process was started again. */
  | { kind: 'resume'; sameBoot: boolean }
  /** It is not run after all; nothing has been sent. */
  | { kind: 'refuse'; reason: string }

export type TripEffect =
  /** Make attempt number `attempt`; it must have come to an end after `budgetMs`. */
  | { kind: 'send'; attempt: number; budgetMs: number }
  | { kind: 'report_overdue' }
  /** See to it that a control trip is started at `sinceMs` (monotonic) or later. */
  | { kind: 'control_trip'; sinceMs: number }
  | { kind: 'report_result'; ending: Ending }

export type TripReason =
  | 'begun'
  | 'accepted'
  | 'retry_planned'
  | 'no_retry_left'
  | 'mark_passed'
  | 'returned_while_sending'
  | 'echo_held'
  | 'delay_noted'
  | 'resumed'
  | 'ended'
  | 'nothing_to_do'

export type Step = { state: RoundTrip; effects: TripEffect[]; reason: TripReason }

/** A mail may be back before the server has answered the final dot; the stages of that dialogue are worth so long a wait. */
const answerWaitMs = 5000
const failingOutcomes: readonly Outcome[] = [
  'timeout',
  'echo',
  'bounced',
  'refused',
  'deferred',
  'unreachable',
  'tls',
  'dns',
  'auth',
]
/** True for what speaks against the mail system; `blocked` and `not_run` speak about us. */
export const isFailing = (outcome: Outcome): boolean => failingOutcomes.includes(outcome)

export function begin(course: Course, now: Instant): Step {
  const state: RoundTrip = {
    course,
    phase: 'waiting',
    startedAt: now,
    attempts: 0,
    retryAtMs: now.monotonicMs,
    sent: null,
    failure: null,
    back: null,
    echo: null,
    notice: null,
    told: { slow: false, control: false },
    ending: null,
  }
  const { effects, ...first } = atMarks(state, [], now)
  // Under way with the test, to be lost in the same gap of our own inbox, which may be over at the slow mark.
  const control = course.kind === 'test' ? [{ kind: 'control_trip' as const, sinceMs: now.monotonicMs }] : []
  return { ...first, effects: [...effects, ...control], reason: 'begun' }
}

export function step(state: RoundTrip, event: TripEvent, now: Instant): Step {
  if (state.phase === 'over') return { state, effects: [], reason: 'nothing_to_do' }
  if (event.kind === 'resume') return resume(state, event.sameBoot, now)
  if (now.monotonicMs >= deadlineOf(state) && !arrivedInTime(state, event)) return endAtDeadline(remembering(state, event), now)
  switch (event.kind) {
    case 'sent':
      return event.attempt === state.attempts ? accepted(state, event.sent, now) : goOn(state, 'nothing_to_do', now)
    case 'failed':
      return event.attempt === state.attempts ? failed(state, event.failure, now) : goOn(state, 'nothing_to_do', now)
    case 'returned':
      return returned(state, event.back, now)
    case 'echo':
      if (state.course.acceptEcho) return returned(state, event.back, now)
      return goOn({ ...state, echo: state.echo ?? event.back }, 'echo_held', now)
    case 'bounce':
      return end(state, { outcome: event.blocked ? 'blocked' : 'bounced', hard: !event.blocked, detail: event.detail }, now)
    case 'delayed':
      return goOn({ ...state, notice: event.detail }, 'delay_noted', now)
    case 'timer':
      return timer(state, now)
    case 'refuse':
      return end({ ...state, attempts: 0 }, { outcome: 'not_run', hard: false, detail: { reason: event.reason } }, now)
  }
}

/** When `step` wants a timer event, monotonic; null once it is over. */
export function nextWakeAt(state: RoundTrip): number | null {
  if (state.phase === 'over') return null
  const deadline = deadlineOf(state)
  if (state.back !== null) return Math.min(deadline, state.back.at.monotonicMs + answerWaitMs)
  const marks = [
    deadline,
    state.phase === 'waiting' ? (state.retryAtMs ?? deadline) : deadline,
    state.told.slow ? deadline : slowMarkOf(state),
    state.told.control ? deadline : controlMarkOf(state),
  ]
  return Math.min(...marks)
}

/** Between arrival and start, on the monotonic clock of the one boot that saw both. */
export const rttMs = (state: RoundTrip, back: Back): number => back.at.monotonicMs - state.startedAt.monotonicMs

/** Mail that arrived in time counts, even where this process got round to it a moment too late; a bounce says more than silence. */
function arrivedInTime(state: RoundTrip, event: TripEvent): boolean {
  if (event.kind === 'returned' || event.kind === 'echo') return event.back.at.monotonicMs < deadlineOf(state)
  return event.kind === 'bounce'
}

function accepted(state: RoundTrip, sent: Sent, now: Instant): Step {
  const next: RoundTrip = { ...state, phase: 'out', sent, retryAtMs: null }
  return next.back === null ? goOn(next, 'accepted', now) : endReturned(next, next.back, now)
}

function failed(state: RoundTrip, failure: Failure, now: Instant): Step {
  const next: RoundTrip = { ...state, failure: lastWord(state, failure) }
  // A verified return proves more than the end of a dialogue.
  if (next.back !== null) return endReturned(next, next.back, now)
  if (failure.permanent) {
    const hard = failure.outcome === 'refused' || failure.outcome === 'dns'
    return end(next, { outcome: failure.outcome, hard, detail: failure.detail }, now)
  }
  const elapsedMs = now.monotonicMs - state.startedAt.monotonicMs
  const offsetMs = retryOffsetsMs(state.course.timeoutMs).find((offset) => offset > elapsedMs)
  const retryAtMs = offsetMs === undefined ? null : state.startedAt.monotonicMs + offsetMs
  return goOn({ ...next, phase: 'waiting', retryAtMs }, retryAtMs === null ? 'no_retry_left' : 'retry_planned', now)
}

function returned(state: RoundTrip, back: Back, now: Instant): Step {
  const next: RoundTrip = { ...state, back: state.back ?? back }
  return state.phase === 'sending' ? goOn(next, 'returned_while_sending', now) : endReturned(next, back, now)
}

function timer(state: RoundTrip, now: Instant): Step {
  const { back } = state
  if (back !== null && now.monotonicMs >= back.at.monotonicMs + answerWaitMs) return endReturned(state, back, now)
  return goOn(state, 'nothing_to_do', now)
}

/** A dialogue that was cut off leaves open whether the mail is out: it is not sent twice, and proves nothing. */
function resume(before: RoundTrip, sameBoot: boolean, now: Instant): Step {
  const state: RoundTrip = { ...before, resumed: sameBoot ? 'same_boot' : 'new_boot' }
  const notRun = (reason: string) => end(state, { outcome: 'not_run', hard: false, detail: { reason } }, now)
  if (state.back !== null) return endReturned(state, state.back, now)
  if (!sameBoot) return notRun('The machine of the probe was started again during this test.')
  if (state.phase === 'sending') return notRun('The probe stopped while it was sending this mail.')
  if (now.monotonicMs >= deadlineOf(state)) return notRun('The probe was not running at the deadline of this test.')
  return goOn(state, 'resumed', now)
}

function goOn(state: RoundTrip, reason: TripReason, now: Instant): Step {
  const step = atMarks(state, [], now)
  return { ...step, reason: reason === 'nothing_to_do' && step.effects.length > 0 ? 'mark_passed' : reason }
}

/** Does what the clock asks for: the next attempt, the word that it is slow, the control trips. */
function atMarks(state: RoundTrip, effects: TripEffect[], now: Instant): Omit<Step, 'reason'> {
  if (state.back !== null) return { state, effects }
  let next = state
  const nowMs = now.monotonicMs
  if (next.phase === 'waiting' && next.retryAtMs !== null && nowMs >= next.retryAtMs) {
    const attempt = next.attempts + 1
    next = { ...next, phase: 'sending', attempts: attempt, retryAtMs: null }
    effects.push({ kind: 'send', attempt, budgetMs: budgetMs(state.course, deadlineOf(state) - nowMs) })
  }
  const isTest = next.course.kind === 'test'
  if (!next.told.slow && nowMs >= slowMarkOf(next)) {
    next = { ...next, told: { ...next.told, slow: true } }
    if (isTest) effects.push({ kind: 'report_overdue' }, { kind: 'control_trip', sinceMs: nowMs })
  }
  if (!next.told.control && nowMs >= controlMarkOf(next)) {
    next = { ...next, told: { ...next.told, control: true } }
    if (isTest) effects.push({ kind: 'control_trip', sinceMs: nowMs })
  }
  return { state: next, effects }
}

/** What an event that came at the deadline itself still adds to the account. */
function remembering(state: RoundTrip, event: TripEvent): RoundTrip {
  if (event.kind === 'sent' && event.attempt === state.attempts) return { ...state, phase: 'out', sent: event.sent }
  if (event.kind === 'failed' && event.attempt === state.attempts) return { ...state, failure: lastWord(state, event.failure) }
  return state
}

const lastWord = (state: RoundTrip, failure: Failure): Failure => (failure.cutOff ? (state.failure ?? failure) : failure)

function endAtDeadline(state: RoundTrip, now: Instant): Step {
  if (state.back !== null) return endReturned(state, state.back, now)
  if (state.echo !== null) {
    const reason = 'The mail came back without the stamp of a responder.'
    return end(state, { outcome: 'echo', hard: false, detail: { ...state.echo.detail, reason } }, now)
  }
  if (state.phase === 'out' && state.resumed !== undefined) {
    // Whoever brought it back meanwhile met a closed door, and comes again when this test is over.
    const reason = 'The probe was started again while the mail was on its way: it may have come back to a closed door.'
    return end(state, { outcome: 'not_run', hard: false, detail: { reason, ...state.sent?.detail, ...state.notice } }, now)
  }
  if (state.phase === 'out' && !wasTakenTooLate(state)) {
    const reason = 'The mail was accepted and did not come back in time.'
    return end(state, { outcome: 'timeout', hard: false, detail: { reason, ...state.sent?.detail, ...state.notice } }, now)
  }
  const stillSending = { reason: 'The first attempt to send the mail was still under way at the deadline.' }
  const { outcome, detail } = state.failure ?? { outcome: 'unreachable', detail: stillSending }
  return end(state, { outcome, hard: false, detail: { ...detail, ...state.notice } }, now)
}

function endReturned(state: RoundTrip, back: Back, now: Instant): Step {
  const outcome = rttMs(state, back) >= state.course.slowMs ? 'slow' : 'ok'
  return end(state, { outcome, hard: false, detail: { ...state.sent?.detail, ...back.detail } }, now)
}

function end(state: RoundTrip, how: Omit<Ending, 'finishedAt'>, now: Instant): Step {
  const ending: Ending = { ...how, finishedAt: now, detail: { ...how.detail, attempts: state.attempts } }
  const effects: TripEffect[] = [{ kind: 'report_result', ending }]
  if (state.course.kind === 'test' && isFailing(ending.outcome)) {
    effects.push({ kind: 'control_trip', sinceMs: state.startedAt.monotonicMs })
  }
  return { state: { ...state, phase: 'over', retryAtMs: null, ending }, effects, reason: 'ended' }
}
