/** Writing pages into the outbox, each with its line in the incident's log, in the transaction of the change that causes them. */
import { uuidv7 } from '../../common/runtime.ts'
import type { VoteView } from '../core/evidence.ts'
import { closedText, type PageFacts, resolvedText, unconfirmedResolvedText } from '../core/sms-text.ts'
import type { IncidentEventType, IncidentRow, Recipient } from '../store/incident-log.ts'
import type { PageKind } from '../store/outbox.ts'
import type { FlowContext } from './context.ts'
import type { Transaction } from './store.ts'

/** To the operator: our own trouble, or nobody can say whether the customer's mail works. */
export async function pageOperator(
  context: FlowContext,
  tx: Transaction,
  incident: Pick<IncidentRow, 'customer_id' | 'id' | 'code'>,
  nowMs: number,
  { kind, text, round = 0 }: { kind: PageKind; text: string; round?: number },
): Promise<void> {
  if (context.operatorPhone === null) {
    await logIncidentEvent(context, tx, incident, nowMs, 'nobody_to_page', { recipient: 'operator', kind })
    context.logger.error(
      { incident: incident.id, code: incident.code, kind },
      'the operator should be paged, and MAILSCOUT_OPERATOR_PHONE is not set',
    )
    return
  }
  await writePage(context, tx, incident, nowMs, {
    kind,
    text,
    step: 0,
    round,
    recipient: 'operator',
    contact_method_id: null,
    address: context.operatorPhone,
  })
  await logIncidentEvent(context, tx, incident, nowMs, 'paged', { kind, to: ['operator'] })
  await tx.announce('pages')
}

/** The votes show that mail returns, or somebody says so, or nobody wants to know any more. */
export type Ending = 'resolved' | 'resolved_by_hand' | 'monitor_deleted' | 'target_changed'

/** All gateways in a row have answered by then, or none does. */
const tellingMsMax = 45_000

/** The all-clear, to those and only those who were told of the trouble. */
export async function pageRecovery(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  { votes, wellSinceMs, by }: { votes: VoteView[]; wellSinceMs: number; by: Ending },
  nowMs: number,
): Promise<void> {
  const facts = { ...factsOf(incident, votes), resolved_ms: wellSinceMs }
  const allClears: [PageKind, PageKind, string][] = [
    ['down', 'resolved', by === 'resolved' ? resolvedText(facts) : closedText(facts, by)],
    ['unconfirmed', 'unconfirmed_resolved', by === 'resolved' ? unconfirmedResolvedText(facts) : closedText(facts, by)],
  ]
  for (const [told, kind, text] of allClears) await pageWhoHeard(context, tx, incident, told, nowMs, { kind, text })
  await tx.announce('pages')
}

/** To those who were told of the trouble, after it where they are being told at this moment. */
export async function pageWhoHeard(
  context: FlowContext,
  tx: Transaction,
  incident: Pick<IncidentRow, 'customer_id' | 'id'>,
  told: PageKind,
  nowMs: number,
  draft: Pick<Draft, 'kind' | 'text'>,
): Promise<void> {
  for (const informed of await tx.readInformed(incident.customer_id, incident.id, told)) {
    const { being_told, ...recipient } = informed
    const dueMs = being_told ? nowMs + tellingMsMax : nowMs
    await writePage(context, tx, incident, dueMs, { ...draft, step: 0, round: 0, ...recipient })
  }
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

/** The same page to each of them, to be sent from then on. */
export async function writePages(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  dueMs: number,
  draft: Pick<Draft, 'kind' | 'text' | 'step' | 'round'>,
  recipients: readonly Recipient[],
): Promise<void> {
  for (const { contact_method_id, address } of recipients)
    await writePage(context, tx, incident, dueMs, { ...draft, recipient: contact_method_id, contact_method_id, address })
}

async function writePage(
  context: FlowContext,
  tx: Transaction,
  incident: Pick<IncidentRow, 'customer_id' | 'id'>,
  dueMs: number,
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
    due_at: dueMs,
  })
  await tx.announce('live', { kind: 'page', customer_id, id })
}

export function factsOf(incident: IncidentRow, votes: VoteView[]): PageFacts {
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
    flapping: incident.flapping,
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
