/** The one place where the dashboard's picture changes. Pure. */
import type { Incident, Result } from '../api/resources.ts'
import { incidentNews } from '../words/sentence.ts'
import type { Action, Announcement, Picture, State, StreamEvent } from './state.ts'

/** Enough for a day of a monitor at five-second steps from one vantage; older ones fall out. */
export const resultsPerMonitorMax = 17_280
/** Pages beyond this are history, which the API lists. */
export const pagesMax = 200

export function reduce(state: State, action: Action): State {
  switch (action.type) {
    case 'connecting':
      return { ...state, link: { state: 'connecting', liveAtMs: state.link.liveAtMs } }
    case 'load_started':
      return { ...state, duringLoad: [] }
    case 'load_failed':
      return { ...state, duringLoad: null }
    case 'loaded':
      return applyPicture(state, action.picture)
    case 'live':
      return { ...state, link: { state: 'live', liveAtMs: action.nowMs } }
    case 'lost':
      return {
        ...state,
        duringLoad: null,
        link: { state: 'lost', liveAtMs: state.link.liveAtMs, retryAtMs: action.retryAtMs, sentence: action.sentence },
      }
    case 'events':
      return applyEvents(state, action.events, action.nowMs)
    case 'results_loaded':
      return { ...state, results: withResults(state.results, action.monitorId, action.results) }
    case 'incidents_loaded':
      return { ...state, incidents: withAll(state.incidents, action.incidents) }
    case 'pages_loaded':
      return { ...state, pages: withAll(state.pages, action.pages) }
  }
}

/** The loaded picture replaces everything, then what arrived meanwhile is applied once more: it may be newer. */
function applyPicture(state: State, picture: Picture): State {
  const before = state.loaded ? state.incidents : null
  const loaded: State = {
    ...state,
    loaded: true,
    loads: state.loads + 1,
    complete: picture.complete,
    me: picture.me,
    customers: byId(picture.customers),
    monitors: byId(picture.monitors),
    // Nobody deletes these, and a view may have loaded older ones.
    incidents: withAll(state.incidents, picture.incidents),
    pages: newestPages(withAll(state.pages, picture.pages)),
    probes: picture.probes === null ? null : byId(picture.probes),
    duringLoad: null,
    lastResultAtMs: newest(
      state.lastResultAtMs,
      picture.monitors.flatMap((monitor) => monitor.verdicts.map((verdict) => verdict.at)),
    ),
  }
  const current = (state.duringLoad ?? []).reduce(applyEvent, loaded)
  return { ...current, announcement: announce(state.announcement, before, current.incidents) }
}

function applyEvents(state: State, events: readonly StreamEvent[], nowMs: number): State {
  if (events.length === 0) return state
  const applied = events.reduce(applyEvent, state)
  return {
    ...applied,
    duringLoad: state.duringLoad === null ? null : [...state.duringLoad, ...events],
    link: applied.link.state === 'live' ? { state: 'live', liveAtMs: nowMs } : applied.link,
    announcement: announce(state.announcement, state.loaded ? state.incidents : null, applied.incidents),
  }
}

function applyEvent(state: State, event: StreamEvent): State {
  switch (event.kind) {
    case 'result':
      return applyResult(state, event.resource)
    case 'monitor':
      return { ...state, monitors: withOne(state.monitors, event.resource) }
    case 'incident':
      return { ...state, incidents: withOne(state.incidents, event.resource) }
    case 'page':
      return { ...state, pages: newestPages(withOne(state.pages, event.resource)) }
    case 'probe':
      return { ...state, probes: withOne(state.probes ?? new Map(), event.resource) }
  }
}

function applyResult(state: State, result: Result): State {
  const watched = state.results.has(result.monitor_id)
  return {
    ...state,
    monitors: withReturn(state.monitors, result),
    results: watched ? withResults(state.results, result.monitor_id, [result]) : state.results,
    lastResultAtMs: newest(state.lastResultAtMs, [result.returned_at ?? result.sent_at ?? result.started_at]),
  }
}

/**
 * A mail that came back settles its vantage's verdict, as core/verdict.ts says; so ages are fresh although the coordinator
 * tells a monitor only when its decision changes. What a failure counts for only the coordinator can say.
 */
function withReturn(monitors: State['monitors'], result: Result): State['monitors'] {
  const monitor = monitors.get(result.monitor_id)
  const at = result.returned_at
  if (monitor === undefined || at === null || (result.outcome !== 'ok' && result.outcome !== 'slow')) return monitors
  const verdict = result.outcome === 'ok' ? ('pass' as const) : ('slow' as const)
  const reason = result.outcome === 'ok' ? 'returned' : 'returned_slow'
  const verdicts = monitor.verdicts.map((known) =>
    known.probe_id === result.probe_id && (known.at === null || Date.parse(known.at) < Date.parse(at))
      ? { ...known, verdict, reason, at, rtt_ms: result.rtt_ms }
      : known,
  )
  return withOne(monitors, { ...monitor, verdicts })
}

/** The instant that a result is shown at: when its mail was sent, or when the test began if none was. */
export const resultTimeMs = (result: Result): number => Date.parse(result.sent_at ?? result.started_at)

/** Adds or replaces results by id, in order of time, and lets the oldest go beyond the limit. */
export function mergeResults(known: readonly Result[], added: readonly Result[]): readonly Result[] {
  const merged = new Map(known.map((result) => [result.id, result]))
  for (const result of added) merged.set(result.id, result)
  return [...merged.values()].sort((a, b) => resultTimeMs(a) - resultTimeMs(b)).slice(-resultsPerMonitorMax)
}

function withResults(all: State['results'], monitorId: string, added: readonly Result[]): State['results'] {
  return new Map(all).set(monitorId, mergeResults(all.get(monitorId) ?? [], added))
}

type Identified = { id: string }
const byId = <T extends Identified>(items: readonly T[]): ReadonlyMap<string, T> => new Map(items.map((item) => [item.id, item]))
const withOne = <T extends Identified>(all: ReadonlyMap<string, T>, item: T) => new Map(all).set(item.id, item)
const withAll = <T extends Identified>(all: ReadonlyMap<string, T>, items: readonly T[]) => new Map([...all, ...byId(items)])

function newestPages<T extends { due_at: string }>(pages: Map<string, T>): ReadonlyMap<string, T> {
  if (pages.size <= pagesMax) return pages
  return new Map([...pages].sort(([, a], [, b]) => b.due_at.localeCompare(a.due_at)).slice(0, pagesMax))
}

function newest(knownMs: number | null, times: readonly (string | null)[]): number | null {
  return times.reduce<number | null>((latestMs, time) => {
    const timeMs = time === null ? Number.NaN : Date.parse(time)
    return Number.isNaN(timeMs) || (latestMs !== null && latestMs >= timeMs) ? latestMs : timeMs
  }, knownMs)
}

/** Incidents that opened, were acknowledged or ended since `before`; null before the first picture, which is no news. */
function announce(
  last: Announcement,
  before: ReadonlyMap<string, Incident> | null,
  after: ReadonlyMap<string, Incident>,
): Announcement {
  if (before === null || before === after) return last
  const news = [...after.values()].flatMap((incident) => incidentNews(before.get(incident.id), incident))
  return news.length === 0 ? last : { serial: last.serial + 1, text: news.join(' ') }
}
