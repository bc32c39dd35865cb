/** An incident as its commits told of it, with its whole log. */
import type { VoteView } from '../../../coordinator/core/evidence.ts'
import type { Page } from '../pages.ts'
import type { StoredEvent, StoredIncident } from './store.ts'

/** `at_ms` is what the log says, by whatever clock; `committedMs` is when it became true. */
export type ToldEvent = Pick<StoredEvent, 'type' | 'at_ms' | 'detail'> & { committedMs: number }

export type ToldIncident = { code: string; kind: StoredIncident['kind']; openedMs: number; pages: Page[]; events: ToldEvent[] }

export const newIncident = ({ code, kind }: StoredIncident, { at_ms }: StoredEvent): ToldIncident => ({
  code,
  kind,
  openedMs: at_ms,
  pages: [],
  events: [],
})

/** Each decision that wakes somebody is a page to the oracle; it ends with the incident, or with the next one. */
export function addEvent(
  incident: ToldIncident,
  { kind, since_at, last_good_at }: StoredIncident,
  event: StoredEvent,
  atMs: number,
): void {
  const { type, detail } = event
  incident.kind = kind
  incident.events.push({ ...event, committedMs: atMs })
  if (type !== 'opened' && type !== 'confirmed' && type !== 'resolved') return
  for (const page of incident.pages) page.resolvedMs ??= atMs
  if (type === 'resolved') {
    // Opened and resolved at once.
    if (detail.over_before_heard === true) for (const page of incident.pages) page.kind = 'past'
    return
  }
  const start = { sinceMs: since_at, lastGoodMs: last_good_at }
  incident.pages.push({ atMs, kind, ...start, votes: detail.votes as VoteView[], resolvedMs: null })
}
