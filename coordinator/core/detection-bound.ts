/**
 * The promise: from the start of an outage until the SMS is accepted by the gateway it takes at most D = g + T + x + budget
 * (DESIGN 1), for the vantages that watch: g is the largest gap between their starts. A hard failure says so at once and must last, so
 * that where T + x is shorter than that, the wait for it stands instead. The contract's bound is that of all planned vantages; while
 * some are away a larger one holds, and none where the rest is no quorum. A mass failure may hold the page for three minutes more
 * (fleet-guard.ts).
 */
import type { Mode } from './evidence.ts'
import { type FailureDomain, witnesses } from './failure-domain.ts'
import { phaseMs } from './placement.ts'
import type { Verdict } from './verdict.ts'

export type Timing = {
  period_s: number
  timeout_s: number
  slow_s: number
  retest_wait_s: number
  hard_confirm_s: number
  vantages: number
  quorum: number
  mode: Mode
}

/**
 * Start jitter (3), decision (2), gateway and failover (20), in seconds; 5 are left for a machine that is busy. A slot that starts later
 * than that is not in it: for that slot its vantage was away (probe/timetable.ts).
 */
export const detectionBudgetS = 30

/** A vantage whose word counts. `start_ms`: when in the period its slots start; vantages of one `witness` share their fate. */
export type Watcher = { start_ms: number; witness: number }

/** A vantage as it stands: `start_ms` is when in the period its slots start, by the true time as far as it is known. */
export type StandingVantage = { start_ms: number; domain: FailureDomain; lost: boolean; verdict: Verdict }

/** The contract's bound in seconds: all planned vantages are well. */
export function detectionBoundS(timing: Timing): number {
  return boundS(timing, plannedWatchers(timing)) ?? Number.POSITIVE_INFINITY
}

/** The bound in seconds for an outage that begins while these watch; null: they are too few to make the quorum. */
export function boundS(timing: Timing, watchers: readonly Watcher[]): number | null {
  const inTurn = watchers.toSorted((a, b) => a.start_ms - b.start_ms)
  const quorumWaitS = slotsOfQuorumS(timing, inTurn)
  if (quorumWaitS === null) return null
  const confirmed = timing.timeout_s + confirmationS(timing, quorumWaitS)
  return largestGapS(timing, inTurn) + Math.max(confirmed, timing.hard_confirm_s) + detectionBudgetS
}

/** Those that can tell of an outage now: connected, and with a last word that counted. */
export function watchersNow(standing: readonly StandingVantage[]): Watcher[] {
  const groups = witnesses(standing.map(({ domain }) => domain))
  return standing.flatMap(({ start_ms, lost, verdict }, index) =>
    lost || verdict === 'abstain' || verdict === 'no_data' ? [] : [{ start_ms, witness: groups[index] ?? index }],
  )
}

function plannedWatchers({ period_s, vantages }: Timing): Watcher[] {
  return Array.from({ length: vantages }, (_, index) => ({ start_ms: phaseMs(period_s, index, vantages), witness: index }))
}

function confirmationS(timing: Timing, quorumWaitS: number): number {
  const { timeout_s: timeout, slow_s: slow, retest_wait_s: wait, vantages } = timing
  const mode = vantages === 1 ? 'seed' : timing.mode
  if (mode === 'seed') return wait + timeout
  return mode === 'fast' ? Math.min(quorumWaitS, timeout) : Math.min(slow, quorumWaitS, timeout)
}

/** The last of a period is followed by the first of the next. */
function largestGapS({ period_s }: Timing, inTurn: readonly Watcher[]): number {
  const gaps = inTurn.map(({ start_ms }, index) => {
    const next = inTurn[index + 1]?.start_ms ?? (inTurn[0]?.start_ms ?? 0) + period_s * 1000
    return next - start_ms
  })
  return Math.max(...gaps) / 1000
}

/** The longest that it takes, from one slot, until as many witnesses as the quorum needs have had theirs: (k - 1) g where evenly spread. */
function slotsOfQuorumS({ period_s, quorum }: Timing, inTurn: readonly Watcher[]): number | null {
  if (new Set(inTurn.map(({ witness }) => witness)).size < quorum) return null
  const nextPeriod = inTurn.map((watcher) => ({ ...watcher, start_ms: watcher.start_ms + period_s * 1000 }))
  const twice = [...inTurn, ...nextPeriod]
  const waits = inTurn.map((first, index) => {
    const seen = new Set<number>()
    const last = twice.slice(index).find(({ witness }) => seen.add(witness).size >= quorum)
    return last === undefined ? 0 : last.start_ms - first.start_ms
  })
  return Math.max(...waits) / 1000
}
