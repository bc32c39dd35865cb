/**
 * The promise: from the start of an outage until the SMS is accepted by the gateway it takes at most D = g + T + x + budget
 * (DESIGN 1). A hard failure says so at once and must last, so that where T + x is shorter than that, the wait for it stands instead.
 * It holds while at least `quorum` planned vantages are healthy and connected.
 */
import type { Mode } from './evidence.ts'

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

/** Start jitter, decision, gateway and failover, in seconds. */
export const detectionBudgetS = 30

/** The bound in seconds. */
export function detectionBoundS(timing: Timing): number {
  const gap = timing.period_s / timing.vantages
  return gap + Math.max(timing.timeout_s + confirmationS(timing, gap), timing.hard_confirm_s) + detectionBudgetS
}

function confirmationS(timing: Timing, gap: number): number {
  const { timeout_s: timeout, slow_s: slow, retest_wait_s: wait, quorum, vantages } = timing
  const mode = vantages === 1 ? 'seed' : timing.mode
  if (mode === 'seed') return wait + timeout
  const peersBySlot = (quorum - 1) * gap
  return mode === 'fast' ? Math.min(peersBySlot, timeout) : Math.min(slow, peersBySlot, timeout)
}
