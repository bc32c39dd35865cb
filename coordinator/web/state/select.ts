/** Questions that views ask of the state. Pure. */
import type { Decision, Incident, Monitor, Page, Probe } from '../api/resources.ts'
import type { State } from './state.ts'

/** Worst first: what a person must look at stands on top. */
export const decisionsBySeverity: readonly Decision[] = ['down', 'unconfirmed', 'suspected', 'partial', 'slow', 'pending', 'up']

/** What is in maintenance need not be looked at, but is told before what is simply well. */
const severity = ({ decision, maintenance }: Monitor): number => {
  const place = decisionsBySeverity.indexOf(maintenance === null ? decision : 'pending')
  return place < 0 ? decisionsBySeverity.length : place
}

export function monitorsInOrder(monitors: Iterable<Monitor>): Monitor[] {
  return [...monitors].sort((a, b) => severity(a) - severity(b) || compareText(a.name, b.name) || compareText(a.id, b.id))
}

export const openIncidents = (state: State): Incident[] =>
  [...state.incidents.values()]
    .filter((incident) => incident.resolved_at === null)
    .sort((a, b) => compareText(b.opened_at, a.opened_at))

export const incidentsOf = (state: State, monitorId: string): Incident[] =>
  [...state.incidents.values()]
    .filter((incident) => incident.monitor_id === monitorId)
    .sort((a, b) => compareText(b.opened_at, a.opened_at))

export const pagesInOrder = (pages: Iterable<Page>): Page[] =>
  [...pages].sort((a, b) => compareText(b.accepted_at ?? b.due_at, a.accepted_at ?? a.due_at) || compareText(b.id, a.id))

export const pagesOf = (state: State, incidentId: string): Page[] =>
  pagesInOrder([...state.pages.values()].filter((page) => page.incident_id === incidentId))

const probeStates: readonly Probe['state'][] = ['lost', 'pending', 'connected', 'retired']

export const probesInOrder = (probes: Iterable<Probe>): Probe[] =>
  [...probes].sort(
    (a, b) =>
      probeStates.indexOf(a.state) - probeStates.indexOf(b.state) ||
      compareText(a.region, b.region) ||
      compareText(a.name, b.name),
  )

/** Matches every word of the search in name, address, decision or customer. */
export function searchMonitors(monitors: readonly Monitor[], search: string, customerName: (id: string) => string): Monitor[] {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
  if (words.length === 0) return [...monitors]
  return monitors.filter((monitor) => {
    const text = [monitor.name, monitor.target.address, monitor.decision, monitor.kind, customerName(monitor.customer_id)]
      .join(' ')
      .toLowerCase()
    return words.every((word) => text.includes(word))
  })
}

/** By code unit: the order must not depend on the language of the device. */
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
