/** What a story of the judgement may set: the rules, how mail fares, who is there. */
import type { Outcome } from '../../common/wire/test.ts'
import type { MonitorRules } from '../../coordinator/core/evidence.ts'
import type { FailureDomain } from '../../coordinator/core/failure-domain.ts'

export const defaultRules: MonitorRules = {
  period_s: 1200,
  timeout_s: 600,
  slow_s: 120,
  retest_wait_s: 30,
  hard_confirm_s: 180,
  open_period_s: 300,
  vantages: 3,
  quorum: 2,
  mode: 'seed',
}

/**
 * How one test ends, and how long that takes, in seconds. `lost` mail is waited for until the timeout, `late` mail comes back after it;
 * `nameless`: DNS does not answer.
 */
export type Fate = 'ok' | 'slow' | 'lost' | 'late' | 'refused' | 'unreachable' | 'deferred' | 'nameless' | 'blocked' | 'not_run'

export type Setting = {
  regions?: string[]
  rules?: Partial<MonitorRules>
  /** What becomes of a mail that this region sends at this second. */
  mail?: (region: string, at: number) => Fate
  /** The probe's control trips return: it can prove its health. */
  proves?: (region: string, at: number) => boolean
  /** The probe is connected. Otherwise it tests on, and delivers when it is back. */
  linked?: (region: string, at: number) => boolean
  /** The probe works at all. */
  alive?: (region: string, at: number) => boolean
  /** It was retired, and there is no other to take its place. */
  retired?: (region: string, at: number) => boolean
  /** A coordinator works. */
  coordinating?: (at: number) => boolean
  /** Nobody is paged: who is to hear of an outage hears of it when this ends. */
  maintained?: (at: number) => boolean
  /** What is known of the probe beside other monitors. */
  contradicted?: (region: string, at: number) => { contradicted: number; monitors_held: number }
  /** Probes that stand by. */
  pool?: string[]
  /** The monitor has returned before. */
  watched?: boolean
  domainOf?: (region: string) => FailureDomain
}

/** So long after the timeout late mail comes back. */
export const lateMs = 90_000

/** How long a test takes that ends so. */
export function fateMs(fate: Fate, { slow_s, timeout_s }: MonitorRules): number {
  const seconds: Record<Fate, number> = {
    ok: Math.min(4, slow_s / 2),
    slow: (slow_s + timeout_s) / 2,
    lost: timeout_s,
    late: timeout_s,
    unreachable: timeout_s,
    deferred: timeout_s,
    nameless: timeout_s,
    refused: 1,
    blocked: 1,
    not_run: 0,
  }
  return seconds[fate] * 1000
}

export const outcomeOf: Record<Fate, Outcome> = {
  ok: 'ok',
  slow: 'slow',
  lost: 'timeout',
  late: 'timeout',
  refused: 'refused',
  unreachable: 'unreachable',
  deferred: 'deferred',
  nameless: 'dns',
  blocked: 'blocked',
  not_run: 'not_run',
}
