/** Which tests of a vantage a judgement reads: the query of coordinator/store/judging.ts, retold in memory. */
import type { TestFact } from '../../coordinator/core/verdict.ts'

const clockMarginMs = 10_000

/** With its start as it was told, by the probe's own clock. */
export type LoadedFact = TestFact & { told_ms: number }

/**
 * The newest five by the times as they were told, those of them that are not in the probe's future, and up to 60 of those since the question,
 * by right times. `lacksMs`: what is known of the probe's clock.
 */
export function loadedTests(
  tests: readonly LoadedFact[],
  { nowMs, lacksMs, sinceMs, periodS }: { nowMs: number; lacksMs: number; sinceMs: number; periodS: number },
): TestFact[] {
  const told = tests.toSorted((a, b) => b.told_ms - a.told_ms)
  const askedMs = sinceMs - (periodS + 300) * 1000 - Math.max(lacksMs, 0)
  const read = new Set([
    ...told.slice(0, 5),
    ...told.filter(({ told_ms }) => told_ms <= nowMs - lacksMs + clockMarginMs).slice(0, 5),
    ...told.filter(({ told_ms }) => told_ms >= askedMs).slice(0, 60),
  ])
  return [...read].sort((a, b) => b.started_ms - a.started_ms).map(({ told_ms: _, ...test }) => test)
}
