/** What the flows level counts besides ../totals.ts. */
import { maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import type { OutageAccount } from '../oracle.ts'
import type { FlowHistory } from './history.ts'
import { isMarked } from './messages.ts'
import { rungInMaintenance } from './oracle.ts'
import { emptySilences, type Silence, silencesOf } from './silence.ts'

export type FlowTotals = {
  incidents: number
  /** What gateways took, and how many of them were marked as repeats. */
  messages: number
  repeats: number
  coordinator_crashes: number
  /** Messages of trouble that rang in a window, all for pages that had been in the outbox before it. */
  rung_in_maintenance: number
  /** Incidents of which no phone was told, by the reason. */
  told_to_nobody: Record<Silence, number>
  /** Outages whose bound counts from a later moment, by what was not there until then. */
  later_because: Record<Missing, number>
}

type Missing = 'vantages' | 'coordinators' | 'gateways' | 'maintenance'

export const emptyFlowTotals = (): FlowTotals => ({
  incidents: 0,
  messages: 0,
  repeats: 0,
  coordinator_crashes: 0,
  rung_in_maintenance: 0,
  told_to_nobody: emptySilences(),
  later_because: { vantages: 0, coordinators: 0, gateways: 0, maintenance: 0 },
})

/** Adds one stretch to the totals. */
export function addHistory(
  totals: FlowTotals,
  history: FlowHistory,
  outages: readonly OutageAccount[],
  gatewaysWorkAt: (atMs: number) => boolean,
): void {
  totals.incidents += history.incidents.length
  totals.messages += history.taken.length
  totals.repeats += history.taken.filter(({ text }) => isMarked(text)).length
  totals.rung_in_maintenance += rungInMaintenance(history)
  for (const silence of history.rested ? silencesOf(history) : []) totals.told_to_nobody[silence] += 1
  for (const { must } of outages)
    if (must?.countedFrom === 'later') totals.later_because[missingUntil(history, must.fromMs, gatewaysWorkAt)] += 1
}

export function addFlowTotals(totals: FlowTotals, run: FlowTotals): void {
  totals.incidents += run.incidents
  totals.messages += run.messages
  totals.repeats += run.repeats
  totals.coordinator_crashes += run.coordinator_crashes
  totals.rung_in_maintenance += run.rung_in_maintenance
  for (const silence of Object.keys(run.told_to_nobody) as Silence[])
    totals.told_to_nobody[silence] += run.told_to_nobody[silence]
  for (const missing of Object.keys(run.later_because) as Missing[]) totals.later_because[missing] += run.later_because[missing]
}

/** The premise that came last. */
function missingUntil(history: FlowHistory, fromMs: number, gatewaysWorkAt: (atMs: number) => boolean): Missing {
  const beforeMs = fromMs - 1
  if (!history.upSpans.some((span) => span.fromMs <= beforeMs && beforeMs < span.toMs)) return 'coordinators'
  if (maintenanceAt(history.windows, beforeMs) !== null) return 'maintenance'
  return gatewaysWorkAt(beforeMs) ? 'vantages' : 'gateways'
}
