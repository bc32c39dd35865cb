/** The steps that each incident's escalation owed, by its policy and its log: when they were due, and when they were taken. */
import { roundGapS } from '../../coordinator/core/escalation.ts'
import {
  type History,
  type IncidentEvent,
  type Interval,
  intersect,
  longestServed,
  type Policy,
  type SeenIncident,
  serviceTimes,
} from './history.ts'

export type DueStep = {
  incident: SeenIncident
  step: number
  round: number
  dueMs: number
  /** Null: not before the escalation ended, or the run. */
  takenMs: number | null
  /** The longest time without interruption in which it was due and could have been taken. */
  servedMs: number
}

/** The fleet guard holds the first step of outages that come many at once; the bound of the core is checked in its own tests. */
export const heldUntilMs = (events: readonly IncidentEvent[]): number =>
  Math.max(
    0,
    ...events.filter(({ type }) => type === 'page_held_by_fleet_guard').map(({ detail }) => Date.parse(String(detail.until))),
  )

/** What ends an escalation before its last step. */
const endings = ['acknowledged', 'resolved', 'resolved_by_hand', 'monitor_deleted', 'target_changed']

export function stepsOf(history: History): DueStep[] {
  const service = serviceTimes(history)
  const policies = new Map(history.monitors.map(({ id, policy }) => [id, policy]))
  return history.incidents.flatMap((incident) => {
    const policy = policies.get(incident.monitorId)
    return policy === undefined ? [] : stepsOfIncident(incident, policy, history.endedMs, service)
  })
}

function stepsOfIncident(
  incident: SeenIncident,
  policy: Policy,
  endedMs: number,
  service: ReturnType<typeof serviceTimes>,
): DueStep[] {
  const { events } = incident
  const begun = incident.kind === 'down' ? (events.find(({ type }) => type === 'confirmed') ?? events[0]) : undefined
  if (begun === undefined) return []
  const overMs = events.find(({ type, atMs }) => endings.includes(type) && atMs >= begun.atMs)?.atMs ?? endedMs
  const able = intersect(service, goneTimes(events))
  const steps: DueStep[] = []
  let sinceMs = begun.atMs
  for (let round = 0; round <= policy.repeat; round++) {
    for (const [step, { after_s }] of policy.steps.entries()) {
      const askedMs = sinceMs + (after_s + (round > 0 && step === 0 ? roundGapS : 0)) * 1000
      const dueMs = round + step === 0 ? Math.max(askedMs, heldUntilMs(events)) : askedMs
      if (dueMs >= overMs) return steps
      const takenMs = events.find((event) => isStep(event, step, round))?.atMs ?? null
      steps.push({ incident, step, round, dueMs, takenMs, servedMs: longestServed(able, dueMs, takenMs ?? overMs) })
      if (takenMs === null) return steps
      sinceMs = takenMs
    }
  }
  return steps
}

/** Mail is gone, or nobody knows better: while it is back and only the all-clear waits, nobody is woken. */
function goneTimes(events: readonly IncidentEvent[]): Interval[] {
  const turns = events.filter(({ type }) => type === 'all_clear_waits' || type === 'fails_again')
  const begins = [0, ...turns.flatMap(({ type, atMs }) => (type === 'fails_again' ? [atMs] : []))]
  return begins.map((fromMs) => {
    const back = turns.find(({ type, atMs }) => type === 'all_clear_waits' && atMs >= fromMs)
    return { fromMs, toMs: back?.atMs ?? Number.POSITIVE_INFINITY }
  })
}

const isStep = ({ type, detail }: IncidentEvent, step: number, round: number): boolean =>
  (type === 'paged' || type === 'nobody_to_page') && detail.step === step && detail.round === round
