/**
 * Whether mail that fails for one probe returns to others. One such mail system is between the two of them; many of them speak against
 * the probe (verdict.ts, failsWidely). Times are UTC ms, of right clocks.
 */
import type { Outcome } from '../../common/wire/test.ts'
import { isPass } from './verdict.ts'

/** The newest failing test of a probe for one monitor, and what the monitor's vantages have said last. */
export type ProbeFailure = {
  probe_id: string
  region: string
  /** Of the mail system that failed. */
  domain: string
  started_ms: number
  /** Mail that the probe itself has sent there since then has come back. */
  returned_since: boolean
  others: { region: string; outcome: Outcome; started_ms: number }[]
}

/** So far back a failure counts; who still fails then has failed again. */
export const contradictionWindowMs = 60 * 60_000

/** Mail of another region, sent no earlier, has come back: the newest word from there, as it may have failed again since. */
export const isContradicted = ({ region, started_ms, returned_since, others }: ProbeFailure): boolean =>
  !returned_since && others.some((other) => other.region !== region && isPass(other.outcome) && other.started_ms >= started_ms)

/** By probe: how many mail domains fail for it alone. */
export function countContradicted(failures: readonly ProbeFailure[]): Map<string, number> {
  const contradicted = Map.groupBy(failures.filter(isContradicted), ({ probe_id }) => probe_id)
  return new Map(Array.from(contradicted, ([probe, found]) => [probe, new Set(found.map(({ domain }) => domain)).size]))
}
