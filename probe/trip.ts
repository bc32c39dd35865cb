/** What a trip is for: a test of a monitor, or a control trip to a reference. Fixed when it is written down. */
import { dayMs } from '../common/durations.ts'
import type {
  Assignment,
  ControlTrip,
  Job,
  LateReturn,
  MailRoute,
  Overdue,
  Reference,
  RouteTest,
  Target,
  TestPlan,
  TestResult,
} from '../common/wire/test.ts'
import type { ClockReading } from './clock.ts'
import type { Sequence } from './retest.ts'
import { type Course, type Instant, type RoundTrip, rttMs } from './round-trip.ts'

const durationMsMax = 30 * dayMs
/** A token is good for so long after the deadline: late mail is still to be recognised. */
const tokenLateS = 86_400

export type TestOrder = {
  kind: 'test'
  id: string
  plan: TestPlan
  cause: TestResult['cause']
  attempt: number
  generation: number | null
  jobId: string | null
  firstTestId: string | null
  /** The slot that this test takes, so that no other can. */
  slot: { assignmentId: string; number: number; atMs: number } | null
}

export type ControlOrder = { kind: 'control'; id: string; reference: Reference; timeoutMs: number }

/** A mail over one way to the target, without fallback: it is told of apart, and nothing follows from it here (DESIGN 3.3). */
export type RouteOrder = { kind: 'route'; id: string; plan: TestPlan; jobId: string; route: MailRoute }

export type TripOrder = TestOrder | ControlOrder | RouteOrder

export type Trip = { order: TripOrder; state: RoundTrip }

export const slotOrder = (id: string, assignment: Assignment, slot: number, slotAtMs: number): TestOrder => ({
  kind: 'test',
  id,
  plan: assignment.plan,
  cause: 'slot',
  attempt: 1,
  generation: assignment.generation,
  jobId: null,
  firstTestId: null,
  slot: { assignmentId: assignment.id, number: slot, atMs: slotAtMs },
})

/** The next test of a sequence, by the assignment that holds the monitor now. */
export const sequenceOrder = (id: string, assignment: Assignment, sequence: Sequence): TestOrder => ({
  kind: 'test',
  id,
  plan: assignment.plan,
  cause: sequence.cause,
  attempt: sequence.attempt,
  generation: assignment.generation,
  jobId: null,
  firstTestId: sequence.firstTestId,
  slot: null,
})

export const jobOrder = (id: string, job: Job): TestOrder => ({
  kind: 'test',
  id,
  plan: job.plan,
  cause: 'job',
  attempt: 1,
  generation: null,
  jobId: job.id,
  firstTestId: null,
  slot: null,
})

export const routeOrder = (id: string, job: Job, route: MailRoute): RouteOrder => ({
  kind: 'route',
  id,
  plan: job.plan,
  jobId: job.id,
  route,
})

export function targetOf(order: TripOrder): Target {
  if (order.kind === 'control') return order.reference
  return order.kind === 'route' ? { ...order.plan.target, host: order.route.mx } : order.plan.target
}

export function courseOf(order: TripOrder): Course {
  if (order.kind === 'control') {
    return { timeoutMs: order.timeoutMs, slowMs: order.timeoutMs, acceptEcho: false, kind: 'control' }
  }
  const { timeout_s, slow_s, accept_echo } = order.plan
  return { timeoutMs: timeout_s * 1000, slowMs: slow_s * 1000, acceptEcho: accept_echo, kind: order.kind }
}

/** When the token of a test's mail is good, in seconds since the epoch. */
export function tokenWindow(order: TripOrder, startedAt: Instant): { iat: number; exp: number } {
  const iat = Math.floor(startedAt.wallMs / 1000)
  const timeoutS = order.kind === 'control' ? Math.ceil(order.timeoutMs / 1000) : order.plan.timeout_s
  return { iat, exp: iat + timeoutS + tokenLateS }
}

/** The account of a test that is over. One that outlived a boot was not run, and nobody asks what happened beside it. */
export function resultOf(order: TestOrder, state: RoundTrip, clock: ClockReading | null, bootId: string): TestResult {
  const { ending, finishedAtMs, setMs, uptime } = timesOf(state)
  const back = backOf(state)
  return {
    id: order.id,
    monitor_id: order.plan.monitor_id,
    generation: order.generation,
    cause: order.cause,
    job_id: order.jobId,
    attempt: order.attempt,
    first_test_id: order.firstTestId,
    slot: order.slot?.number ?? null,
    slot_at: order.slot?.atMs ?? null,
    started_at: state.startedAt.wallMs,
    sent_at: state.sent === null ? null : wallOf(state, state.sent.at),
    returned_at: back === null ? null : wallOf(state, back.at),
    finished_at: finishedAtMs,
    outcome: ending.outcome,
    rtt_ms: back === null ? null : duration(rttMs(state, back)),
    stages: stagesOf(state),
    stamp_at: back?.stampAtMs ?? null,
    clock_offset_ms: clock === null || setMs === null ? null : clock.offsetMs + setMs,
    boot_id: bootId,
    started_uptime_ms: uptime.startedMs,
    finished_uptime_ms: uptime.finishedMs,
    detail: { ...ending.detail, ...(clock === null ? {} : { clock_error_ms: clock.errorMs }) },
  }
}

export function routeTestOf(order: RouteOrder, state: RoundTrip, clock: ClockReading | null): RouteTest {
  const { ending, finishedAtMs, setMs } = timesOf(state)
  const back = backOf(state)
  return {
    id: order.id,
    monitor_id: order.plan.monitor_id,
    job_id: order.jobId,
    route: order.route,
    started_at: state.startedAt.wallMs,
    returned_at: back === null ? null : wallOf(state, back.at),
    finished_at: finishedAtMs,
    outcome: ending.outcome,
    rtt_ms: back === null ? null : duration(rttMs(state, back)),
    clock_offset_ms: clock === null || setMs === null ? null : clock.offsetMs + setMs,
    detail: ending.detail,
  }
}

export function controlTripOf(order: ControlOrder, state: RoundTrip, bootId: string): ControlTrip {
  const { ending, finishedAtMs, uptime } = timesOf(state)
  const back = backOf(state)
  return {
    id: order.id,
    reference: order.reference.address,
    started_at: state.startedAt.wallMs,
    returned_at: back === null ? null : wallOf(state, back.at),
    finished_at: finishedAtMs,
    outcome: ending.outcome,
    rtt_ms: back === null ? null : duration(rttMs(state, back)),
    boot_id: bootId,
    started_uptime_ms: uptime.startedMs,
  }
}

export const overdueOf = (order: TestOrder, state: RoundTrip, nowMs: number): Overdue => ({
  test_id: order.id,
  monitor_id: order.plan.monitor_id,
  started_at: state.startedAt.wallMs,
  at: nowMs,
})

/** `rttMs` may come from the wall clock where the machine was started again in between; that can even be negative. */
export const lateReturnOf = (
  test: { id: string; monitorId: string },
  late: { returnedAtMs: number; rttMs: number; stampAtMs: number | null },
): LateReturn => ({
  test_id: test.id,
  monitor_id: test.monitorId,
  returned_at: late.returnedAtMs,
  rtt_ms: duration(late.rttMs),
  stamp_at: late.stampAtMs,
})

/** An echo that made the outcome is told as what came back; its missing stamp tells the rest. */
const backOf = (state: RoundTrip) => state.back ?? (state.ending?.outcome === 'echo' ? state.echo : null)

/** By the wall clock as it stood at the start: whoever set it meanwhile has not changed what came when. */
const wallOf = ({ startedAt }: RoundTrip, at: Instant): number =>
  Math.round(startedAt.wallMs + at.monotonicMs - startedAt.monotonicMs)

/** Both clocks are read in such steps. */
const readingMs = 2

/** `setMs`: by how much the wall clock was set since the start, in which what is known of it at the end is out; null where nobody can tell. */
function timesOf(state: RoundTrip) {
  const { startedAt, ending, resumed } = state
  if (ending === null) throw new TypeError('Only a trip that is over can be told')
  const { finishedAt } = ending
  if (resumed === 'new_boot') {
    const uptime = { startedMs: finishedAt.monotonicMs, finishedMs: finishedAt.monotonicMs }
    return { ending, finishedAtMs: Math.max(finishedAt.wallMs, startedAt.wallMs), setMs: null, uptime }
  }
  const uptime = { startedMs: startedAt.monotonicMs, finishedMs: finishedAt.monotonicMs }
  const goneMs = finishedAt.wallMs - finishedAt.monotonicMs - (startedAt.wallMs - startedAt.monotonicMs)
  const setMs = Math.abs(goneMs) <= readingMs ? 0 : goneMs
  return { ending, finishedAtMs: wallOf(state, finishedAt), setMs, uptime }
}

/**
 * The stages of the dialogue that got the mail out, or of the last one that failed; before it the wait since the start, where the
 * mail was not taken at the first attempt; after it the way back.
 */
function stagesOf(state: RoundTrip): TestResult['stages'] {
  const { sent, startedAt } = state
  const back = backOf(state)
  if (sent === null) return rounded(state.failure?.stages ?? [])
  const waitMs = sent.startedAt.monotonicMs - startedAt.monotonicMs
  const wait = state.attempts > 1 ? [{ name: 'wait', ms: waitMs }] : []
  const way = back === null ? [] : [{ name: 'return', ms: back.at.monotonicMs - sent.at.monotonicMs }]
  return rounded([...wait, ...sent.stages, ...way])
}

const rounded = (stages: TestResult['stages']) => stages.slice(0, 30).map(({ name, ms }) => ({ name, ms: duration(ms) }))

/**
 * A returned mail may be here before our own clock has been read after the final dot: such a duration is nothing, not less. The
 * other end is the bound of the wire, for a wall clock that was set in between.
 */
const duration = (ms: number): number => Math.min(durationMsMax, Math.max(0, Math.round(ms * 1000) / 1000))
