/** What a probe is told to test, and what it says of a test. */
import { type Static, Type } from 'typebox'
import { serverWordsMax } from '../limits.ts'
import { DurationMs, HostName, literals, MailAddress, nullable, Port, strict, TimeMs, Uuid } from './schema.ts'

export const Target = strict({
  address: MailAddress,
  /** Where to connect instead of the MX of the address's domain. */
  host: Type.Optional(HostName),
  port: Type.Optional(Port),
  /** `opportunistic` (the default) encrypts where offered, as mail servers do; `required` also verifies the certificate. */
  tls: Type.Optional(literals('opportunistic', 'required', 'never')),
})
export type Target = Static<typeof Target>

const Seconds = Type.Integer({ minimum: 1, maximum: 7 * 86_400 })

export const TestPlan = strict({
  monitor_id: Uuid,
  kind: Type.Literal('roundtrip'),
  target: Target,
  period_s: Seconds,
  timeout_s: Seconds,
  slow_s: Seconds,
  retest_wait_s: Seconds,
  hard_confirm_s: Type.Integer({ minimum: 0, maximum: 3600 }),
  open_period_s: Seconds,
  accept_echo: Type.Boolean(),
})
export type TestPlan = Static<typeof TestPlan>

/** The standing order that gives a monitor to a probe (DESIGN 3.2). */
export const Assignment = strict({
  id: Uuid,
  generation: Type.Integer({ minimum: 1 }),
  epoch_ms: TimeMs,
  phase_ms: Type.Integer({ minimum: 0 }),
  first_slot: Type.Integer({ minimum: 0 }),
  /** The last slot that this assignment runs; null while it has no end. */
  last_slot: nullable(Type.Integer({ minimum: -1 })),
  plan: TestPlan,
})
export type Assignment = Static<typeof Assignment>

/** `routes`: one mail over each way to the target. What becomes of those never votes. */
export const JobCause = literals('confirm', 'open', 'test_now', 'routes')
export type JobCause = Static<typeof JobCause>

/** A one-off order. It must start before the document's `exp`. */
export const Job = strict({ id: Uuid, cause: JobCause, plan: TestPlan })
export type Job = Static<typeof Job>

/** Where a control trip goes (DESIGN 2, control trip). */
export const Reference = strict({ address: MailAddress, host: Type.Optional(HostName), port: Type.Optional(Port) })
export type Reference = Static<typeof Reference>

export const outcomes = [
  'ok',
  'slow',
  'timeout',
  'echo',
  'bounced',
  'refused',
  'deferred',
  'unreachable',
  'tls',
  'dns',
  'auth',
  'blocked',
  'not_run',
] as const
export const Outcome = literals(...outcomes)
export type Outcome = (typeof outcomes)[number]

/** Why the test ran: its slot, the probe's own re-test, the faster rhythm after a lost re-test, or a job. */
export const TestCause = literals('slot', 'retest', 'open', 'job')
export type TestCause = Static<typeof TestCause>

export const Stage = strict({ name: Type.String({ maxLength: 20 }), ms: DurationMs })
export type Stage = Static<typeof Stage>

const Words = Type.String({ maxLength: serverWordsMax })

export const ResultDetail = strict({
  /** What the mail server said, in its own words. */
  server_words: Type.Optional(Words),
  /** The stage of the dialogue that failed. */
  stage: Type.Optional(Type.String({ maxLength: 20 })),
  /** The mail server spoken to, name and address. */
  mx: Type.Optional(Type.String({ maxLength: 255 })),
  address: Type.Optional(Type.String({ maxLength: 64 })),
  attempts: Type.Optional(Type.Integer({ minimum: 0 })),
  /** A bounce's status and diagnostic. */
  dsn_status: Type.Optional(Type.String({ maxLength: 20 })),
  dsn_words: Type.Optional(Words),
  /** Why the outcome is what it is, for people. */
  reason: Type.Optional(Words),
  clock_suspect: Type.Optional(Type.Boolean()),
  /** Delay between the responder's stamps where a delivery was repeated. */
  first_stamp_at: Type.Optional(TimeMs),
  /** The most that `clock_offset_ms` may be wrong by. */
  clock_error_ms: Type.Optional(Type.Number({ minimum: 0, maximum: 1e12 })),
  via: Type.Optional(literals('smtp', 'imap')),
  responder_version: Type.Optional(Type.String({ maxLength: 40 })),
})
export type ResultDetail = Static<typeof ResultDetail>

/** Milliseconds since the machine of the probe booted, by a clock that nobody can set. */
const UptimeMs = Type.Number({ minimum: 0, maximum: 1e12 })
export const BootId = Type.String({ minLength: 1, maxLength: 64, pattern: '^[\\w.:-]+$' })

/** The probe's account of one test. Times are the probe's wall clock; `rtt_ms` is monotonic (DESIGN 3.4). */
export const TestResult = strict({
  id: Uuid,
  monitor_id: Uuid,
  generation: nullable(Type.Integer({ minimum: 1 })),
  cause: TestCause,
  job_id: nullable(Uuid),
  attempt: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  /** Of a re-test: the failing first test. */
  first_test_id: nullable(Uuid),
  slot: nullable(Type.Integer({ minimum: 0 })),
  slot_at: nullable(TimeMs),
  started_at: TimeMs,
  /** When the last byte of the mail had left. */
  sent_at: nullable(TimeMs),
  returned_at: nullable(TimeMs),
  finished_at: TimeMs,
  outcome: Outcome,
  rtt_ms: nullable(DurationMs),
  stages: Type.Array(Stage, { maxItems: 30 }),
  stamp_at: nullable(TimeMs),
  clock_offset_ms: nullable(Type.Number({ minimum: -1e12, maximum: 1e12 })),
  /** The boot under which it ended, and its times by that boot's clock: what else the probe did meanwhile is known by these alone. */
  boot_id: BootId,
  started_uptime_ms: UptimeMs,
  finished_uptime_ms: UptimeMs,
  detail: ResultDetail,
})
export type TestResult = Static<typeof TestResult>

/** One way to a target: a mail server, spoken to over one address family. */
export const MailRoute = strict({ mx: HostName, family: literals('ipv4', 'ipv6') })
export type MailRoute = Static<typeof MailRoute>

/**
 * A mail that was sent over one route alone, without the fallback of a mail server. No `TestResult`, and told apart from them: nothing that
 * votes is made of it (DESIGN 3.3).
 */
export const RouteTest = strict({
  id: Uuid,
  monitor_id: Uuid,
  /** The survey: the tests of all routes of one job. */
  job_id: Uuid,
  route: MailRoute,
  started_at: TimeMs,
  returned_at: nullable(TimeMs),
  finished_at: TimeMs,
  outcome: Outcome,
  rtt_ms: nullable(DurationMs),
  clock_offset_ms: nullable(Type.Number({ minimum: -1e12, maximum: 1e12 })),
  detail: ResultDetail,
})
export type RouteTest = Static<typeof RouteTest>

/** A mail that is merely slow so far, told at the slow mark. */
export const Overdue = strict({ test_id: Uuid, monitor_id: Uuid, started_at: TimeMs, at: TimeMs })
export type Overdue = Static<typeof Overdue>

/** A mail that came back after its test had ended: a record of its own, which rewrites nothing. */
export const LateReturn = strict({
  test_id: Uuid,
  monitor_id: Uuid,
  returned_at: TimeMs,
  rtt_ms: DurationMs,
  stamp_at: nullable(TimeMs),
})
export type LateReturn = Static<typeof LateReturn>

/** A round trip to a reference mail system: the probe's proof of its own health. */
export const ControlTrip = strict({
  id: Uuid,
  reference: MailAddress,
  started_at: TimeMs,
  returned_at: nullable(TimeMs),
  finished_at: TimeMs,
  outcome: Outcome,
  rtt_ms: nullable(DurationMs),
  boot_id: BootId,
  started_uptime_ms: UptimeMs,
})
export type ControlTrip = Static<typeof ControlTrip>

export const Health = strict({
  version: Type.String({ maxLength: 40 }),
  inbox_ok: Type.Boolean(),
  inbox_detail: Type.String({ maxLength: 200 }),
  spool_depth: Type.Integer({ minimum: 0 }),
  tests_running: Type.Integer({ minimum: 0 }),
  clock_offset_ms: nullable(Type.Number({ minimum: -1e12, maximum: 1e12 })),
  clock_error_ms: nullable(Type.Number({ minimum: 0, maximum: 1e12 })),
})
export type Health = Static<typeof Health>
