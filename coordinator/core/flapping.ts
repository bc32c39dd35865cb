/**
 * Flapping is a state, not a storm (DESIGN 3.3). A monitor that goes down for the third time of telling within an hour is unstable: its
 * incident stays open until mail has returned steadily, and in any hour at most three notices go out. The first word of trouble is never
 * held back; only the all-clear waits.
 */
import type { MonitorState, OpenIncident } from './evidence.ts'

/** Notices are counted over so long. */
const noticeWindowMs = 60 * 60_000
/** An unstable monitor must have been well for so long. */
const steadyMs = 30 * 60_000

/** With as many notices behind it in the window, an outage is one of a series. */
const noticesOfSeries = 2

type Noticed = Pick<MonitorState, 'notices_ms'>

const recent = ({ notices_ms }: Noticed, nowMs: number): number[] => notices_ms.filter((atMs) => atMs > nowMs - noticeWindowMs)

/** Notices no older than the window, newest first, with one that is given now. */
export const withNotice = (state: Noticed, nowMs: number): number[] => [nowMs, ...recent(state, nowMs)]

/** Whether an incident that opens now is one of a series. */
export const isSeries = (state: Noticed, nowMs: number): boolean => recent(state, nowMs).length >= noticesOfSeries

/**
 * From when on the end of the incident may be told, if mail returns until then: as the second notice of an hour at most, so that the
 * next outage can be the third; for an unstable monitor once it has been well for half an hour. `wellSinceMs`: the votes have
 * said without a break since then that it is over.
 */
export function allClearMs(incident: Pick<OpenIncident, 'flapping'>, { notices_ms }: Noticed, wellSinceMs: number): number {
  const secondNewestMs = notices_ms[1]
  const roomMs = secondNewestMs === undefined ? wellSinceMs : secondNewestMs + noticeWindowMs
  return Math.max(roomMs, wellSinceMs + (incident.flapping ? steadyMs : 0))
}
