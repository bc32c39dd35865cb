/**
 * Mail of a monitor goes elsewhere from now on. No mail has come back from there, so nobody has proved that we may mail there, and what was
 * known of the old target says nothing of the new one: the monitor is `pending`, as a new one is (DESIGN 1).
 */
import { initialMonitorState } from '../core/judgement.ts'
import type { FlowContext } from './context.ts'
import { resolveOpenIncident } from './incident.ts'
import type { Transaction } from './store.ts'

/** Ends what is open about the old target, with a word to whoever was told of it. */
export async function moveTarget(
  context: FlowContext,
  tx: Transaction,
  named: { customer_id: string; monitor_id: string },
): Promise<void> {
  const monitor = await tx.lockMonitor(named.customer_id, named.monitor_id)
  if (monitor === null) return
  const { incident_id, now_ms } = monitor
  if (incident_id !== null)
    await resolveOpenIncident(context, tx, monitor, incident_id, { votes: [], well_since_ms: null }, 'target_changed')
  const state = initialMonitorState(now_ms)
  await tx.saveJudgement(monitor, { state, incidentId: null, quiet: false, awaitingProof: [], judgeAtMs: now_ms })
  context.logger.info({ monitor: named.monitor_id, incident: incident_id }, 'the target has changed: pending again')
}
