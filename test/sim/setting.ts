/** What a simulated world is made of, and what goes wrong in it: plain data, drawn from a seed or written by hand. True time in ms. */
import type { TestPlan } from '../../common/wire/test.ts'
import type { MonitorRules } from '../../coordinator/core/evidence.ts'
import type { FailureDomain } from '../../coordinator/core/failure-domain.ts'
import type { CrashPoint } from './life.ts'
import type { ClockSetting } from './machine-clock.ts'

export type ProbeSetting = { id: string; domain: FailureDomain; clock: ClockSetting }

/** How long the ways take when all is well, in ms. */
export type Pace = {
  dialogue: { median: number; sigma: number }
  leg: { median: number; sigma: number }
  link: { median: number; sigma: number }
  /** From a mark to its judgement. */
  judging: { median: number; sigma: number }
  /** From the return of a link or a coordinator to an open session. */
  reconnect: { low: number; high: number }
}

/** Of mails in good times. */
export type Chances = {
  /** Lost without a trace. */
  lost: number
  /** On the way for minutes, up to a day. */
  late: number
  /** Returned twice. */
  doubled: number
  /** An attempt to send that fails for the moment. */
  hiccup: number
  /** A batch that is committed, and whose acknowledgement is lost. */
  unacknowledged: number
}

export type WorldSetting = {
  startMs: number
  rules: MonitorRules
  /** Those that hold the monitor from the start, in the order of their phases, then those that stand by. */
  probes: ProbeSetting[]
  /** The clock of the machine on which the responder runs. */
  responder: { driftPpm: number; aheadMs: number }
  references: number
  /** A server that has not seen (sender, address, recipient) puts the mail off for so long; null where it does not. */
  greylistMs: number | null
  /** The probes test many monitors: one of those soon proves the health of a probe, without a control trip. */
  busy: boolean
  pace: Pace
  chances: Chances
}

/** What the customer's mail system does wrong; `regions` null means to everybody. */
export type MailFault =
  | 'dropped'
  | 'closed'
  | 'refused'
  | 'deferred'
  | 'tls'
  | 'auth'
  | 'dns_missing'
  | 'dns_silent'
  | 'swallowed'
  | 'bounced'
  | 'held'
  | 'unstamped'
  /** The responder gets the mail and answers; the answer is lost on its way, or waits until the trouble is over. */
  | 'return_lost'
  | 'return_held'

export type Trouble = { fromMs: number; toMs: number } & (
  | { kind: 'mail'; fault: MailFault; regions: readonly string[] | null }
  /** The customer's system loses a part of the mails: neither an outage nor none. */
  | { kind: 'brownout'; share: number }
  /** The customer's server refuses the addresses of these probes by policy: it says so, puts them off, or sends a bounce. */
  | { kind: 'blocked'; way: 'refused' | 'deferred' | 'bounced'; regions: readonly string[] | null }
  /** The next mail of this probe is lost, or late by `lateMs`. */
  | { kind: 'glitch'; probe: string; lateMs: number | null }
  | { kind: 'greylist_forgotten' }
  /** At a point between what it writes down and what it does, or at any moment. */
  | { kind: 'crash'; probe: string; reboot: boolean; at?: CrashPoint }
  /** The probe reaches nobody. */
  | { kind: 'uplink'; probe: string }
  /** The link is cut, or only its way from the coordinator to the probe. */
  | { kind: 'link'; probe: string; direction: 'both' | 'orders' }
  /** What should come back to the probe waits outside, or is lost there. */
  | { kind: 'inbox'; probe: string; loses: boolean }
  | { kind: 'clock'; probe: string; byMs: number }
  | { kind: 'references' }
  /** The clock of the responder's machine is set so much ahead or back. */
  | { kind: 'responder_clock'; byMs: number }
  /** What the responder remembers is lost, and it can remember nothing. */
  | { kind: 'responder_state' }
  | { kind: 'coordinator' }
)

export const isActive = (trouble: Trouble, atMs: number): boolean => trouble.fromMs <= atMs && atMs < trouble.toMs

export const meets = ({ regions }: { regions: readonly string[] | null }, region: string): boolean =>
  regions === null || regions.includes(region)

/** Trouble of one kind, for the same probe where it is a probe's. */
export const isSameKind = (a: Trouble, b: Trouble): boolean =>
  a.kind === b.kind && ('probe' in a ? a.probe : '') === ('probe' in b ? b.probe : '')

export const describeTrouble = ({ fromMs, toMs, ...what }: Trouble): string =>
  `${Object.values(what).map(String).join(' ')} for ${Math.round((toMs - fromMs) / 1000)} s`

export const planOf = ({ rules }: WorldSetting): TestPlan => ({
  monitor_id: 'monitor-1',
  kind: 'roundtrip',
  target: { address: 'scout@customer.example' },
  period_s: rules.period_s,
  timeout_s: rules.timeout_s,
  slow_s: rules.slow_s,
  retest_wait_s: rules.retest_wait_s,
  hard_confirm_s: rules.hard_confirm_s,
  open_period_s: rules.open_period_s,
  accept_echo: false,
})
