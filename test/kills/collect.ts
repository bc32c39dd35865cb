/** What is to be seen of a run at its end: by the public API, the gateway's record, and what was acknowledged on the wire. */
import type { History, IncidentEvent, Interval, SeenIncident, SeenPage, SeenResult } from './history.ts'
import type { Installation } from './installation.ts'

type Incident = {
  id: string
  monitor_id: string
  code: string
  kind: SeenIncident['kind']
  since_at: string
  opened_at: string
  resolved_at: string | null
  flapping: boolean
}
type Event = { type: string; at: string; detail: IncidentEvent['detail'] }
type Page = { id: string; incident_id: string; kind: string; step: number; round: number; address: string; state: string }
type Result = { id: string; monitor_id: string; probe_id: string; cause: string; slot_at: string | null; outcome: string }

export async function collect(
  installation: Installation,
  outages: ReadonlyMap<string, Interval[]>,
  unexpectedEnds: readonly string[],
): Promise<History> {
  const { api, coordinators, database, gateway, monitors, probes, wire } = installation
  const endedMs = Math.min(...[...probes.values()].map((probe) => probe.lives.at(-1)?.endedMs ?? Date.now()))
  const results: SeenResult[] = []
  for (const { id } of monitors) results.push(...(await api.all<Result>(`/v1/monitors/${id}/results`)).map(seenResult))
  const incidents: SeenIncident[] = []
  for (const incident of await api.all<Incident>('/v1/incidents')) {
    incidents.push(seenIncident(incident, await api.all<Event>(`/v1/incidents/${incident.id}/events`)))
  }
  const pages = (await api.all<Page>('/v1/pages')).map(seenPage)
  return {
    endedMs,
    coordinators: { a: coordinators.a.lives, b: coordinators.b.lives },
    database: database.lives,
    probes: Object.fromEntries([...probes].map(([id, { lives }]) => [id, lives])),
    monitors,
    outages: Object.fromEntries(outages),
    acknowledged: [...wire.acknowledged.values()],
    refused: wire.refused,
    results,
    incidents,
    pages,
    sms: gateway.record,
    unexpectedEnds,
  }
}

const timeOrNull = (text: string | null): number | null => (text === null ? null : Date.parse(text))

const seenResult = ({ id, monitor_id, probe_id, cause, slot_at, outcome }: Result): SeenResult => ({
  id,
  monitorId: monitor_id,
  probeId: probe_id,
  cause,
  slotMs: timeOrNull(slot_at),
  outcome,
})

const seenIncident = (incident: Incident, events: Event[]): SeenIncident => ({
  id: incident.id,
  monitorId: incident.monitor_id,
  code: incident.code,
  kind: incident.kind,
  sinceMs: Date.parse(incident.since_at),
  openedMs: Date.parse(incident.opened_at),
  resolvedMs: timeOrNull(incident.resolved_at),
  flapping: incident.flapping,
  events: events.map(({ type, at, detail }) => ({ type, atMs: Date.parse(at), detail })),
})

/** A page's id is a UUIDv7 (RFC 9562 §5.7): its first 48 bits are the time at which the row was made. */
const seenPage = ({ id, incident_id, kind, step, round, address, state }: Page): SeenPage => ({
  id,
  incidentId: incident_id,
  kind,
  step,
  round,
  to: address,
  state,
  writtenMs: Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16),
})
