/** When a mail that was not taken is tried again inside the test's one deadline, as a mail server would (DESIGN 3.3). */

const offsetsMs = [30_000, 90_000, 210_000, 330_000, 450_000, 570_000]
/** The timeout that those offsets are made for. */
const fullTimeoutMs = 600_000
/** Beyond them, the pace of a mail server's queue. */
const queuePaceMs = 300_000
const apartMsMin = 1000

/** Offsets from the start of the test, whole ms; for a shorter timeout in proportion, but at least a second apart. */
export function retryOffsetsMs(timeoutMs: number): number[] {
  const scale = Math.min(1, timeoutMs / fullTimeoutMs)
  const offsets: number[] = []
  for (const offset of offsetsMs) offsets.push(Math.max(Math.round(offset * scale), (offsets.at(-1) ?? 0) + apartMsMin))
  for (let next = fullTimeoutMs + queuePaceMs; next < timeoutMs; next += queuePaceMs) offsets.push(next)
  return offsets.filter((offset) => offset < timeoutMs)
}
