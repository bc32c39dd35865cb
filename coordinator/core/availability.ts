/**
 * How much of a period mail was available, as an interval. Tests are moments: an outage began at some time after the last good test
 * was sent and before the first failing one was, and ended likewise. What nobody could know (before the first verified return,
 * while too few probes could decide) and what was announced (maintenance) is left out, and stated.
 */
import { lengthMs, merged, type Span, within, without } from './spans.ts'

/** The times of an incident, UTC ms; the starts of tests, by the database's clock. */
export type Incident = {
  kind: 'down' | 'unconfirmed'
  last_good_ms: number | null
  since_ms: number
  opened_ms: number
  last_fail_ms: number | null
  first_pass_ms: number | null
  resolved_ms: number | null
}

/** Where an outage began and where it ended; null: not known, or not yet. */
export type OutageBounds = {
  earliest_start_ms: number | null
  latest_start_ms: number
  earliest_end_ms: number | null
  latest_end_ms: number | null
}

export function outageBounds(incident: Omit<Incident, 'kind' | 'opened_ms'>): OutageBounds {
  const { last_good_ms, since_ms, last_fail_ms, first_pass_ms, resolved_ms } = incident
  const ended = resolved_ms !== null
  return {
    // A good test that was sent after the first failing one says nothing of the beginning.
    earliest_start_ms: last_good_ms !== null && last_good_ms < since_ms ? last_good_ms : null,
    latest_start_ms: since_ms,
    earliest_end_ms: ended ? Math.max(last_fail_ms ?? since_ms, since_ms) : null,
    // Ended by hand before a test has passed: the word of who ended it.
    latest_end_ms: ended ? Math.max(first_pass_ms ?? resolved_ms, last_fail_ms ?? since_ms, since_ms) : null,
  }
}

export type Availability = {
  /** Share of the observed time, 0 to 1; null where nothing was observed. */
  min: number | null
  max: number | null
  observed_ms: number
  /** Left out of the observed time: before the first verified return (of each target), announced, and undecided for want of healthy probes. */
  pending_ms: number
  maintenance_ms: number
  unconfirmed_ms: number
  down_min_ms: number
  down_max_ms: number
  /** Outages that touch the observed time. */
  outages: number
}

export type Period = Span

/** `period` must not reach into the future. `maintenance` and `pendingAgain`: merged. An open incident is down until the period ends. */
export function availability(
  period: Period,
  watchedSinceMs: number | null,
  incidents: readonly Incident[],
  maintenance: readonly Span[],
  pendingAgain: readonly Span[] = [],
): Availability {
  const everWatched = within([{ start_ms: watchedSinceMs ?? Number.POSITIVE_INFINITY, end_ms: Number.POSITIVE_INFINITY }], period)
  const watched = without(everWatched, pendingAgain)
  const announced = without(watched, maintenance)
  const outages = incidents.filter((incident) => incident.kind === 'down').map(outageBounds)
  // What was heard later of a silence, that mail was gone in it, is known.
  const undecided = without(merged(incidents.flatMap(unconfirmedSpans)), merged(outages.map(surely)))
  const observed = without(announced, undecided)
  const downFor = (spanOf: (bounds: OutageBounds) => Span) =>
    lengthMs(observed) - lengthMs(without(observed, merged(outages.map(spanOf))))
  const observedMs = lengthMs(observed)
  const downMinMs = downFor(surely)
  const downMaxMs = downFor(perhaps)
  return {
    min: observedMs === 0 ? null : 1 - downMaxMs / observedMs,
    max: observedMs === 0 ? null : 1 - downMinMs / observedMs,
    observed_ms: observedMs,
    pending_ms: lengthMs([period]) - lengthMs(watched),
    maintenance_ms: lengthMs(watched) - lengthMs(announced),
    unconfirmed_ms: lengthMs(announced) - observedMs,
    down_min_ms: downMinMs,
    down_max_ms: downMaxMs,
    outages: outages.filter((bounds) => touches(observed, perhaps(bounds))).length,
  }
}

const surely = (bounds: OutageBounds): Span => ({
  start_ms: bounds.latest_start_ms,
  end_ms: bounds.earliest_end_ms ?? Number.POSITIVE_INFINITY,
})

const perhaps = (bounds: OutageBounds): Span => ({
  start_ms: bounds.earliest_start_ms ?? bounds.latest_start_ms,
  end_ms: bounds.latest_end_ms ?? Number.POSITIVE_INFINITY,
})

/** Also a single failing test, whose certain length is nothing, is an outage where it was observed. */
const touches = (observed: readonly Span[], { start_ms, end_ms }: Span): boolean =>
  observed.some((span) => start_ms < span.end_ms && span.start_ms < Math.max(end_ms, start_ms + 1))

/** Nobody could tell: from the first failing test, or from where all fell silent, until the votes decided. */
function unconfirmedSpans({ kind, since_ms, opened_ms, resolved_ms }: Incident): Span[] {
  if (kind === 'unconfirmed') return [{ start_ms: since_ms, end_ms: resolved_ms ?? Number.POSITIVE_INFINITY }]
  // A silence that turned out to be an outage: what came before its first failing test stays undecided.
  return [{ start_ms: opened_ms, end_ms: since_ms }]
}
