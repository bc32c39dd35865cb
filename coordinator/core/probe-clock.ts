/** What the clock of a probe lacks where the probe does not know, as one whose way to NTP is blocked: its batches tell. */

/** A batch is sealed by the clock of the probe as it is sent. Both in ms since 1970, the first by that clock. */
export type Journey = { sealedAtMs: number; receivedAtMs: number }

/** The moment of sealing is told in whole seconds, rounded down. */
const sealedWithinMs = 1000
/** So long a batch may well be on its way: a clock that seems to lack no more is taken for right. */
const wayMsMax = 5000

/** A clock may be ahead by so much, or be put right by so much too far, and nobody knows. Its slot then seems to be due after its own test. */
export const unnoticedMs = wayMsMax + sealedWithinMs

/** To be added to the times of that clock; null where it seems right. Wrong by the time on the way: no bound can rest on it. */
export function estimateLackMs({ sealedAtMs, receivedAtMs }: Journey): number | null {
  const seemsMs = receivedAtMs - sealedAtMs - sealedWithinMs / 2
  return Math.abs(seemsMs) <= wayMsMax ? null : seemsMs
}
