/**
 * When many unrelated mail systems seem to fail at once, the likeliest fault is ours: the pages to customers wait for three minutes and the
 * operator is told. Then they go out, whatever the operator did: the guard ends by itself (DESIGN 3.3).
 */

/** `since_ms`: when the mass failure began; `seen_ms`: when one was seen last. Both null: there is none. */
export type FleetGuard = { since_ms: number | null; seen_ms: number | null }
/** Mail domains: with an open outage that began to be told of within the window, and all that are watched. */
export type Fleet = { failing: number; watched: number }

/** Outages that were opened within so long are at once. */
export const fleetWindowMs = 5 * 60_000
/** No page waits longer than this after the mass failure began. */
const holdMs = 3 * 60_000
/** A new mass failure, with a hold of its own, begins only after so long without one. */
const apartMs = 30 * 60_000
const failingMin = 5
const failingShare = 0.1

/** Asked as an outage is opened, which `fleet` includes. `holdUntilMs`: its page waits until then; `begins`: the operator is to be told. */
export function guardFleet(
  guard: FleetGuard,
  { failing, watched }: Fleet,
  nowMs: number,
): { guard: FleetGuard; holdUntilMs: number | null; begins: boolean } {
  const isMass = failing >= failingMin && failing >= watched * failingShare
  const isOver = guard.since_ms === null || guard.seen_ms === null || nowMs > guard.seen_ms + apartMs
  if (isOver && !isMass) return { guard: { since_ms: null, seen_ms: null }, holdUntilMs: null, begins: false }
  const sinceMs = isOver ? nowMs : (guard.since_ms ?? nowMs)
  const untilMs = sinceMs + holdMs
  return {
    guard: { since_ms: sinceMs, seen_ms: isMass ? nowMs : guard.seen_ms },
    holdUntilMs: nowMs < untilMs ? untilMs : null,
    begins: isOver,
  }
}
