/** What the dashboard knows, and what can happen to it. */
import type { Customer, Incident, Me, Monitor, Page, Probe, Result } from '../api/resources.ts'

export type StreamEvent =
  | { kind: 'result'; resource: Result }
  | { kind: 'monitor'; resource: Monitor }
  | { kind: 'incident'; resource: Incident }
  | { kind: 'page'; resource: Page }
  | { kind: 'probe'; resource: Probe }

/** The connection to the coordinator. `liveAtMs` is when the picture was last known to be complete. */
export type Link =
  | { state: 'connecting'; liveAtMs: number | null }
  | { state: 'live'; liveAtMs: number }
  | { state: 'lost'; liveAtMs: number | null; retryAtMs: number; sentence: string }

export type Picture = {
  me: Me
  customers: Customer[]
  monitors: Monitor[]
  incidents: Incident[]
  pages: Page[]
  /** null where this key may not see the probes. */
  probes: Probe[] | null
  /** False when there are more monitors than the dashboard holds. */
  complete: boolean
}

export type Announcement = { serial: number; text: string }

export type State = {
  link: Link
  loaded: boolean
  /** Counts complete loads: results that a view holds may have a gap before each, so it loads them again. */
  loads: number
  complete: boolean
  me: Me | null
  customers: ReadonlyMap<string, Customer>
  monitors: ReadonlyMap<string, Monitor>
  incidents: ReadonlyMap<string, Incident>
  pages: ReadonlyMap<string, Page>
  probes: ReadonlyMap<string, Probe> | null
  /** Results by monitor, oldest first, only of monitors that a view asked for. */
  results: ReadonlyMap<string, readonly Result[]>
  /** Events that arrived while a load was under way: the loaded picture may be older than they are. */
  duringLoad: readonly StreamEvent[] | null
  lastResultAtMs: number | null
  /** What a screen reader is told. */
  announcement: Announcement
}

export type Action =
  | { type: 'connecting' }
  | { type: 'load_started' }
  | { type: 'load_failed' }
  | { type: 'loaded'; picture: Picture }
  | { type: 'live'; nowMs: number }
  | { type: 'lost'; retryAtMs: number; sentence: string }
  | { type: 'events'; events: readonly StreamEvent[]; nowMs: number }
  | { type: 'results_loaded'; monitorId: string; results: readonly Result[] }
  | { type: 'incidents_loaded'; incidents: readonly Incident[] }
  | { type: 'pages_loaded'; pages: readonly Page[] }

export const initialState: State = {
  link: { state: 'connecting', liveAtMs: null },
  loaded: false,
  loads: 0,
  complete: true,
  me: null,
  customers: new Map(),
  monitors: new Map(),
  incidents: new Map(),
  pages: new Map(),
  probes: null,
  results: new Map(),
  duringLoad: null,
  lastResultAtMs: null,
  announcement: { serial: 0, text: '' },
}
