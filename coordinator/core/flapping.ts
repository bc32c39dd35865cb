/**
 * Flapping is a state, not a storm (DESIGN 3.3). A monitor that goes down for the third time of telling within an hour is unstable: its
 * incident stays open until mail has returned steadily, and in any hour at most three notices go out. The first word of trouble is never
 * held back; only the all-clear waits.
 */
import type { Effect, Evidence, OpenIncident } from './evidence.ts'

/** Notices are counted over so long: those that the customer was given. What maintenance held until it was over is none. */
export const noticeWindowMs = 60 * 60_000
/** An unstable monitor must have been well for so long. */
const steadyMs = 30 * 60_000

/** With as many notices behind it in the window, an outage is one of a series. */
const noticesOfSeries = 2

type Told = Pick<Evidence, 'told_ms'>

const recent = ({ told_ms }: Told, nowMs: number): number[] => told_ms.filter((atMs) => atMs > nowMs - noticeWindowMs)

/**
 * Whether an incident that opens now is one of a series. What is over already wakes nobody then: as an all-clear it is the second notice
 * of an hour at most, so that the next outage can be the third.
 */
export const isSeries = (told: Told, nowMs: number): boolean => recent(told, nowMs).length >= noticesOfSeries

/** An outage that nobody has been told of is unstable by the notices before its own: once they are an hour old, it is like any other. */
export const isSeriesOver = (
  incident: Pick<OpenIncident, 'flapping'>,
  evidence: Pick<Evidence, 'told_ms' | 'incident_told'>,
  nowMs: number,
): boolean => incident.flapping && !evidence.incident_told && !isSeries(evidence, nowMs)

/**
 * From when on the end of the incident may be told, if mail returns until then: as the second notice of an hour at most, so that the
 * next outage can be the third; for an unstable monitor once it has been well for half an hour. Of what nobody was told there is no
 * all-clear: it ends at once, or the end of maintenance would tell of an outage that is over. `wellSinceMs`: the votes have said without a
 * break since then that it is over.
 */
export function allClearMs(
  incident: Pick<OpenIncident, 'flapping'>,
  { told_ms, incident_told }: Pick<Evidence, 'told_ms' | 'incident_told'>,
  wellSinceMs: number,
): number {
  if (!incident_told) return wellSinceMs
  const secondNewestMs = told_ms[1]
  const roomMs = secondNewestMs === undefined ? wellSinceMs : secondNewestMs + noticeWindowMs
  return Math.max(roomMs, wellSinceMs + (incident.flapping ? steadyMs : 0))
}

/** With what is about to be told at this moment: the next turn of the judgement counts it too. */
export const withNotices = (evidence: Evidence, effects: readonly Effect[], nowMs: number): Evidence => {
  const told = effects.filter(
    (effect) =>
      effect.kind === 'confirm_incident' ||
      (effect.kind === 'past_incident' && !effect.withheld) ||
      (effect.kind === 'resolve_incident' && effect.well_since_ms !== null) ||
      (effect.kind === 'open_incident' && effect.incident_kind === 'down'),
  )
  return told.length === 0 ? evidence : { ...evidence, told_ms: [...told.map(() => nowMs), ...evidence.told_ms] }
}
