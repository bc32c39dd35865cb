/** What the control trips beside a test say of the probe's own health: coordinator/store/proofs.ts, retold in memory. */
import { controlTurnMs } from '../../common/limits.ts'
import { proofWaitMs } from '../../coordinator/core/verdict.ts'

/** `elsewhere`: mail that the probe sent to another monitor at the same time has come back. */
export type ControlFact = { reference: string; startedMs: number; returned: boolean; elsewhere: boolean }

/** A pair starts at one moment. */
const pairMs = 1000

export function besideTest(
  test: { startedMs: number; finishedMs: number },
  trips: readonly ControlFact[],
): { doubted: boolean; proved: boolean } {
  const isBeside = ({ startedMs }: ControlFact) => startedMs >= test.startedMs && startedMs <= test.finishedMs + proofWaitMs
  const sinceMs = test.startedMs - controlTurnMs
  const near = trips.filter(({ startedMs }) => startedMs >= sinceMs - pairMs && startedMs <= test.finishedMs + proofWaitMs)
  const returns = near.filter(({ returned }) => returned)
  const isDoubt = (lost: ControlFact): boolean => {
    if (lost.returned || lost.startedMs < sinceMs || lost.startedMs > test.finishedMs) return false
    const answersNext = returns.some(
      (next) => next.reference === lost.reference && next.startedMs > lost.startedMs && isBeside(next),
    )
    const partnerReturned = returns.some(
      ({ reference, startedMs }) => reference !== lost.reference && Math.abs(startedMs - lost.startedMs) <= pairMs,
    )
    return answersNext || !(partnerReturned || lost.elsewhere)
  }
  return { doubted: near.some(isDoubt), proved: returns.some(isBeside) }
}
