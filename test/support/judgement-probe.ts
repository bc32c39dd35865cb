/** The probes of a story of the judgement: what each has tested, and the tests that a failing one brings about (probe/retest.ts). */
import type { MonitorRules, VantageEvidence } from '../../coordinator/core/evidence.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'

export type Probe = {
  region: string
  planned: boolean
  phase: number
  tests: TestFact[]
  overdue: { test_id: string; started_ms: number }[]
  spool: (() => boolean)[]
  proofMs: number | null
  lastSeenMs: number
  connectedMs: number
  slot: number | null
  passedMs: number | null
  /** The probe's own re-tests: the failing first test, until a test passes. */
  sequence: { first: string; next: 'retest' | 'open' } | null
}

export type Ended = Omit<TestFact, 'doubted' | 'proved' | 'proved_since'>

export const makeProbe = (region: string, planned: boolean, phase: number, startMs: number): Probe => ({
  region,
  planned,
  phase,
  tests: [],
  overdue: [],
  spool: [],
  proofMs: null,
  lastSeenMs: startMs,
  connectedMs: startMs,
  slot: null,
  passedMs: null,
  sequence: null,
})

/** What is known of it beside its place, its link and its other monitors. */
export const evidenceOf = (
  probe: Probe,
  assignedMs: number,
): Omit<VantageEvidence, 'domain' | 'lost' | 'contradicted' | 'monitors_held'> => ({
  probe_id: probe.region,
  region: probe.region,
  planned: probe.planned,
  assigned_ms: assignedMs,
  tests: probe.tests
    .toSorted((a, b) => b.started_ms - a.started_ms)
    .map((test) => ({ ...test, proved_since: probe.proofMs !== null && probe.proofMs >= test.started_ms })),
  overdue: probe.overdue,
  slot_started_ms: probe.slot,
  connected_ms: probe.connectedMs,
  passed_ms: probe.passedMs,
})

/** One re-test after a failing slot, then the faster rhythm until a test passes. Returns what starts next, and when. */
export function goOn(
  probe: Probe,
  test: Ended,
  passes: boolean,
  rules: MonitorRules,
): { cause: 'retest' | 'open'; atMs: number } | null {
  if (test.cause === 'job' || test.outcome === 'blocked' || test.outcome === 'not_run') return null
  if (passes) probe.sequence = null
  else if (probe.sequence === null && test.cause === 'slot') {
    probe.sequence = { first: test.id, next: 'retest' }
    const soonest = test.finished_ms + rules.retest_wait_s * 1000
    const confirmed = test.started_ms + rules.hard_confirm_s * 1000
    const hard = test.outcome === 'refused' || test.outcome === 'bounced' || test.outcome === 'dns'
    return { cause: 'retest', atMs: hard ? Math.max(soonest, confirmed) : soonest }
  } else if (test.cause === 'retest') {
    probe.sequence = { first: test.id, next: 'open' }
    return { cause: 'open', atMs: Math.max(test.started_ms + rules.open_period_s * 1000, test.finished_ms) }
  }
  return null
}
