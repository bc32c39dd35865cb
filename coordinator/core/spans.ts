/** Stretches of time, from `start_ms` up to and not including `end_ms` (UTC ms). Infinity is allowed at both ends. */

export type Span = { start_ms: number; end_ms: number }

/** In order, without overlaps, empty ones left out; spans that touch become one. */
export function merged(spans: readonly Span[]): Span[] {
  const result: Span[] = []
  for (const span of spans.filter(isReal).toSorted((a, b) => a.start_ms - b.start_ms)) {
    const last = result.at(-1)
    if (last !== undefined && span.start_ms <= last.end_ms) last.end_ms = Math.max(last.end_ms, span.end_ms)
    else result.push({ start_ms: span.start_ms, end_ms: span.end_ms })
  }
  return result
}

/** What is left of `spans` (merged) inside the limits. */
export const within = (spans: readonly Span[], limits: Span): Span[] => spans.map((span) => clipped(span, limits)).filter(isReal)

/** What is left of `spans` (merged) without `holes` (merged). */
export function without(spans: readonly Span[], holes: readonly Span[]): Span[] {
  const result: Span[] = []
  for (const span of spans) {
    let startMs = span.start_ms
    for (const hole of within(holes, span)) {
      result.push({ start_ms: startMs, end_ms: hole.start_ms })
      startMs = hole.end_ms
    }
    result.push({ start_ms: startMs, end_ms: span.end_ms })
  }
  return result.filter(isReal)
}

/** How long they are together, in ms; they must be merged. */
export const lengthMs = (spans: readonly Span[]): number => spans.reduce((sum, span) => sum + span.end_ms - span.start_ms, 0)

export const clipped = (span: Span, limits: Span): Span => ({
  start_ms: Math.max(span.start_ms, limits.start_ms),
  end_ms: Math.min(span.end_ms, limits.end_ms),
})

const isReal = (span: Span): boolean => span.start_ms < span.end_ms
