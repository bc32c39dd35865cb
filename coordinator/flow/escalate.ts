/** The steps of an incident's escalation, written as pages into the outbox in the transaction that takes the step. */
import { isoTime } from '../../common/durations.ts'
import { firstStep, type StepCursor, stepAfter } from '../core/escalation.ts'
import type { Effect } from '../core/evidence.ts'
import { maintenanceAt } from '../core/maintenance.ts'
import { downText, pastText } from '../core/sms-text.ts'
import type { IncidentRow } from '../store/incident-log.ts'
import { pageUnjudged } from './blind-spell.ts'
import type { FlowContext } from './context.ts'
import { guardedUntil } from './fleet.ts'
import { factsOf, logIncidentEvent, writePages } from './page.ts'
import type { Transaction } from './store.ts'

/** Takes the step that has been due the longest; false where none is due. */
export async function escalateNext(context: FlowContext): Promise<boolean> {
  return await context.store.transaction(async (tx) => {
    const incident = await tx.claimDueStep()
    if (incident === null || incident.next_step === null || incident.next_round === null) return false
    const cursor = { step: incident.next_step, round: incident.next_round, due_ms: incident.next_step_at ?? 0 }
    const nowMs = await tx.nowMs()
    if (incident.held && cursor.step === 0 && cursor.round === 0) {
      // Nobody has been told yet: the escalation starts now that what held it has ended.
      await tx.setNextStep(incident.customer_id, incident.id, null)
      await startPaging(context, tx, incident, nowMs)
    } else if (!(await isHeld(context, tx, incident, cursor, nowMs))) await takeStep(context, tx, incident, cursor, nowMs)
    return true
  })
}

/**
 * Those whose affair it is are told, now or by due steps; in maintenance, or while the fleet guard holds pages, once that has ended, if the
 * incident is still open then.
 */
export async function startPaging(context: FlowContext, tx: Transaction, incident: IncidentRow, nowMs: number): Promise<void> {
  if (await isHeld(context, tx, incident, { step: 0, round: 0 }, nowMs)) return
  if (incident.kind !== 'down') return await pageUnjudged(context, tx, incident, nowMs)
  const untilMs = await guardedUntil(context, tx, incident, nowMs)
  if (untilMs === null) await startEscalation(context, tx, incident, nowMs)
  else await tx.holdStep(incident.customer_id, incident.id, { step: 0, round: 0 }, untilMs)
}

/** In maintenance nobody is paged: the step is put off until it ends, and the log says so. */
async function isHeld(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  step: Pick<StepCursor, 'step' | 'round'>,
  nowMs: number,
): Promise<boolean> {
  const { customer_id, id, monitor_id } = incident
  const maintenance = maintenanceAt(await tx.holdWindowsOfMonitor(customer_id, monitor_id), nowMs)
  if (maintenance === null) return false
  await tx.holdStep(customer_id, id, step, maintenance.ends_ms)
  const detail = { window_id: maintenance.id, until: isoTime(maintenance.ends_ms) }
  await logIncidentEvent(context, tx, incident, nowMs, 'page_suppressed_by_maintenance', detail)
  return true
}

/** The first step, taken in the transaction that opens the incident where it is due at once. */
async function startEscalation(context: FlowContext, tx: Transaction, incident: IncidentRow, nowMs: number): Promise<void> {
  const policy = await tx.readMonitorPolicy(incident.customer_id, incident.monitor_id)
  const first = policy === null ? null : firstStep(policy, nowMs)
  if (first === null) {
    await logIncidentEvent(context, tx, incident, nowMs, 'no_policy', {})
    context.logger.error(
      { incident: incident.id },
      'an incident has opened and the monitor has no escalation policy: nobody is paged',
    )
    return
  }
  if (first.due_ms <= nowMs) await takeStep(context, tx, incident, first, nowMs)
  else await tx.setNextStep(incident.customer_id, incident.id, first)
}

async function takeStep(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  cursor: StepCursor,
  nowMs: number,
): Promise<void> {
  const policy = await tx.readMonitorPolicy(incident.customer_id, incident.monitor_id)
  const step = policy?.steps[cursor.step]
  const recipients = step === undefined ? [] : await tx.readRecipients(incident.customer_id, step.contact_ids)
  const { step: number, round } = cursor
  const text = downText(factsOf(incident, incident.vantages))
  await writePages(context, tx, incident, nowMs, { kind: 'down', text, step: number, round }, recipients)
  if (recipients.length === 0) await logIncidentEvent(context, tx, incident, nowMs, 'nobody_to_page', { step: number, round })
  else
    await logIncidentEvent(context, tx, incident, nowMs, 'paged', {
      step: number,
      round,
      to: recipients.map((recipient) => recipient.contact_name),
    })
  const next = policy === null ? null : stepAfter(policy, cursor, nowMs)
  await tx.setNextStep(incident.customer_id, incident.id, next)
  if (next === null) await logIncidentEvent(context, tx, incident, nowMs, 'policy_exhausted', {})
  await tx.announce('pages')
}

/**
 * One notice to those whom its first step would have told; in maintenance, then or now, none, nor where the hour has its notices. It is
 * over, so nothing can take the notice back: where the fleet guard holds it, it is written now and due then.
 */
export async function pagePastOutage(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  { ended_ms, withheld }: Pick<Extract<Effect, { kind: 'past_incident' }>, 'ended_ms' | 'withheld'>,
  nowMs: number,
): Promise<void> {
  const { customer_id, monitor_id } = incident
  const windows = await tx.holdWindowsOfMonitor(customer_id, monitor_id)
  const maintenance = maintenanceAt(windows, incident.since_at) ?? maintenanceAt(windows, nowMs)
  if (maintenance !== null) {
    const detail = { window_id: maintenance.id }
    return await logIncidentEvent(context, tx, incident, nowMs, 'page_suppressed_by_maintenance', detail)
  }
  if (withheld) return await logIncidentEvent(context, tx, incident, nowMs, 'page_suppressed_by_flapping', {})
  const dueMs = (await guardedUntil(context, tx, incident, nowMs)) ?? nowMs
  const policy = await tx.readMonitorPolicy(customer_id, monitor_id)
  const recipients = await tx.readRecipients(customer_id, policy?.steps[0]?.contact_ids ?? [])
  const text = pastText({ ...factsOf(incident, incident.vantages), ended_ms })
  await writePages(context, tx, incident, dueMs, { kind: 'past', text, step: 0, round: 0 }, recipients)
  const to = recipients.map((recipient) => recipient.contact_name)
  await logIncidentEvent(context, tx, incident, nowMs, to.length === 0 ? 'nobody_to_page' : 'paged', { kind: 'past', to })
  await tx.announce('pages')
}
