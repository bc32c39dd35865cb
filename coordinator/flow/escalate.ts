/** The steps of an incident's escalation, written as pages into the outbox in the transaction that takes the step. */
import { isoTime } from '../../common/durations.ts'
import { uuidv7 } from '../../common/runtime.ts'
import { firstStep, type StepCursor, stepAfter } from '../core/escalation.ts'
import type { VoteView } from '../core/evidence.ts'
import { maintenanceAt } from '../core/maintenance.ts'
import { closedText, downText, type PageFacts, resolvedText, unconfirmedResolvedText, unconfirmedText } from '../core/sms-text.ts'
import type { IncidentEventType, IncidentRow } from '../store/incident-log.ts'
import type { PageKind } from '../store/outbox.ts'
import type { FlowContext } from './context.ts'
import type { Transaction } from './store.ts'

/** Takes the step that has been due the longest; false where none is due. */
export async function escalateNext(context: FlowContext): Promise<boolean> {
  return await context.store.transaction(async (tx) => {
    const incident = await tx.claimDueStep()
    if (incident === null || incident.next_step === null || incident.next_round === null) return false
    const cursor = { step: incident.next_step, round: incident.next_round, due_ms: incident.next_step_at ?? 0 }
    const nowMs = await tx.nowMs()
    if (incident.held && cursor.step === 0 && cursor.round === 0) {
      // Nobody has been told yet: the escalation starts now that maintenance has ended.
      await tx.setNextStep(incident.customer_id, incident.id, null)
      await startPaging(context, tx, incident, nowMs)
    } else if (!(await isHeld(context, tx, incident, cursor, nowMs))) await takeStep(context, tx, incident, cursor, nowMs)
    return true
  })
}

/** Those whose affair it is are told, now or by due steps; in maintenance once it has ended, if the incident is still open then. */
export async function startPaging(context: FlowContext, tx: Transaction, incident: IncidentRow, nowMs: number): Promise<void> {
  if (await isHeld(context, tx, incident, { step: 0, round: 0 }, nowMs)) return
  if (incident.kind === 'down') await startEscalation(context, tx, incident, nowMs)
  else await pageOperator(context, tx, incident, nowMs)
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
  for (const { contact_method_id, address } of recipients) {
    await writePage(context, tx, incident, nowMs, {
      kind: 'down',
      text: downText(factsOf(incident, incident.vantages)),
      ...cursor,
      recipient: contact_method_id,
      contact_method_id,
      address,
    })
  }
  const { step: number, round } = cursor
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

/** Nobody can say whether the customer's mail works: that is the operator's affair. */
async function pageOperator(context: FlowContext, tx: Transaction, incident: IncidentRow, nowMs: number): Promise<void> {
  if (context.operatorPhone === null) {
    await logIncidentEvent(context, tx, incident, nowMs, 'nobody_to_page', { recipient: 'operator' })
    context.logger.error(
      { incident: incident.id, code: incident.code },
      'too few healthy vantages to decide, and no MAILSCOUT_OPERATOR_PHONE to page',
    )
    return
  }
  const text = unconfirmedText(factsOf(incident, incident.vantages))
  await writePage(context, tx, incident, nowMs, {
    kind: 'unconfirmed',
    text,
    step: 0,
    round: 0,
    recipient: 'operator',
    contact_method_id: null,
    address: context.operatorPhone,
  })
  await logIncidentEvent(context, tx, incident, nowMs, 'paged', { to: ['operator'] })
  await tx.announce('pages')
}

/** The votes show that mail returns, or somebody says so, or nobody wants to know any more. */
export type Ending = 'resolved' | 'resolved_by_hand' | 'monitor_deleted'

/** The all-clear, to those and only those who were told of the trouble. */
export async function pageRecovery(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  votes: VoteView[],
  nowMs: number,
  by: Ending,
): Promise<void> {
  const facts = { ...factsOf(incident, votes), resolved_ms: nowMs }
  const allClears: [PageKind, PageKind, string][] = [
    ['down', 'resolved', by === 'resolved' ? resolvedText(facts) : closedText(facts, by)],
    ['unconfirmed', 'unconfirmed_resolved', by === 'resolved' ? unconfirmedResolvedText(facts) : closedText(facts, by)],
  ]
  for (const [told, kind, text] of allClears) {
    for (const informed of await tx.readInformed(incident.customer_id, incident.id, told)) {
      await writePage(context, tx, incident, nowMs, { kind, text, step: 0, round: 0, ...informed })
    }
  }
  await tx.announce('pages')
}

type Draft = {
  kind: PageKind
  text: string
  step: number
  round: number
  recipient: string
  contact_method_id: string | null
  address: string
}

async function writePage(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  nowMs: number,
  draft: Draft,
): Promise<void> {
  const { customer_id, id: incident_id } = incident
  const { kind, text, step, round, recipient, contact_method_id, address } = draft
  const id = uuidv7(context.runtime)
  await tx.insertPage({
    id,
    customer_id,
    incident_id,
    kind,
    step,
    round,
    recipient,
    contact_method_id,
    address,
    text,
    due_at: nowMs,
  })
  await tx.announce('live', { kind: 'page', customer_id, id })
}

function factsOf(incident: IncidentRow, votes: VoteView[]): PageFacts {
  const regionsWith = (vote: VoteView['vote']) => [
    ...new Set(votes.filter((view) => view.vote === vote).map((view) => view.region)),
  ]
  return {
    monitor_name: incident.monitor_name,
    code: incident.code,
    cause: incident.cause.text,
    since_ms: incident.since_at,
    failing_regions: regionsWith('fail'),
    passing_regions: regionsWith('pass'),
  }
}

export async function logIncidentEvent(
  { runtime }: Pick<FlowContext, 'runtime'>,
  tx: Transaction,
  incident: { customer_id: string; id: string },
  atMs: number,
  type: IncidentEventType,
  detail: Record<string, unknown>,
): Promise<void> {
  await tx.insertIncidentEvent({
    id: uuidv7(runtime),
    customer_id: incident.customer_id,
    incident_id: incident.id,
    at_ms: atMs,
    type,
    detail,
  })
}
