/** The steps of an incident's escalation, written as pages into the outbox in the transaction that takes the step. */
import { isoTime } from '../../common/durations.ts'
import { firstStep, passedSteps, type StepCursor, stepAfter, type TakenStep } from '../core/escalation.ts'
import type { Effect } from '../core/evidence.ts'
import { isSeries } from '../core/flapping.ts'
import { freshLookMs, lastEnded, maintenanceAt, maintenanceOver } from '../core/maintenance.ts'
import { downText, pastText } from '../core/sms-text.ts'
import type { IncidentEventType, IncidentRow } from '../store/incident-log.ts'
import { pageUnjudged } from './blind-spell.ts'
import type { FlowContext } from './context.ts'
import { guardedUntil } from './fleet.ts'
import { factsOf, logIncidentEvent, writePages } from './page.ts'
import type { Transaction } from './store.ts'

/** Takes the step that has been due the longest; false where none is due. */
export async function escalateNext(context: FlowContext): Promise<boolean> {
  return await context.store.transaction(async (tx) => {
    const incident = await tx.claimDueStep()
    if (incident === null) return false
    const nowMs = await tx.nowMs()
    if (incident.amended) {
      await catchUp(context, tx, incident, nowMs)
      return true
    }
    if (incident.next_step === null || incident.next_round === null) return false
    const cursor = { step: incident.next_step, round: incident.next_round, due_ms: incident.next_step_at ?? 0 }
    if (incident.held && cursor.step === 0 && cursor.round === 0) {
      // Nobody has been told yet: the escalation starts now that what held it has ended.
      await tx.setNextStep(incident.customer_id, incident.id, null)
      await startPaging(context, tx, incident, nowMs)
    } else if (!(await isHeld(context, tx, incident, cursor, nowMs))) await takeStep(context, tx, incident, cursor, nowMs)
    return true
  })
}

/**
 * Policy or contacts have changed since paging began: whose turn has been by what holds now, and who has had no page of this incident, is
 * paged at once; the next step follows from the last that was taken. Whoever has had one is not paged again by this.
 */
async function catchUp(context: FlowContext, tx: Transaction, incident: IncidentRow, nowMs: number): Promise<void> {
  const { customer_id, id, monitor_id, next_step } = incident
  const paged = await tx.readPaged(customer_id, id)
  const last = lastTaken(paged)
  if (last === null) {
    await tx.setNextStep(customer_id, id, null)
    return await startPaging(context, tx, incident, nowMs, incident.held ? nowMs : (incident.down_at ?? nowMs))
  }
  if (await isHeld(context, tx, incident, last, nowMs)) return
  const policy = await tx.readMonitorPolicy(customer_id, monitor_id)
  const known = new Set(paged.map(({ address }) => address))
  const to: string[] = []
  for (const { step, round, contact_ids } of policy === null ? [] : passedSteps(policy, last)) {
    const recipients = (await tx.readRecipients(customer_id, contact_ids)).filter(({ address }) => !known.has(address))
    const text = downText(factsOf(incident, incident.vantages))
    await writePages(context, tx, incident, nowMs, { kind: 'down', text, step, round }, recipients)
    for (const { address, contact_name } of recipients) {
      known.add(address)
      to.push(contact_name)
    }
  }
  await logIncidentEvent(context, tx, incident, nowMs, 'policy_changed', { to })
  if (policy === null) await logIncidentEvent(context, tx, incident, nowMs, 'no_policy', {})
  const next = policy === null ? null : stepAfter(policy, last, last.taken_ms)
  await tx.setNextStep(customer_id, id, next)
  if (next === null && policy !== null && next_step !== null)
    await logIncidentEvent(context, tx, incident, nowMs, 'policy_exhausted', {})
  await tx.announce('pages')
}

/** Pages in the order of their steps. */
function lastTaken(paged: readonly { step: number; round: number; written_ms: number }[]): TakenStep | null {
  const last = paged.at(-1)
  const first = paged.find(({ step, round }) => step === last?.step && round === last.round)
  return first === undefined ? null : { step: first.step, round: first.round, taken_ms: first.written_ms }
}

/**
 * Those whose affair it is are told, now or by due steps; in maintenance, or while the fleet guard holds pages, once that has ended, if the
 * incident is still open then. The wait of the first step counts from `fromMs`.
 */
export async function startPaging(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  nowMs: number,
  fromMs = nowMs,
): Promise<void> {
  if (await isHeld(context, tx, incident, { step: 0, round: 0 }, nowMs)) return
  if (incident.kind !== 'down') return await pageUnjudged(context, tx, incident, nowMs)
  const untilMs = await guardedUntil(context, tx, incident, nowMs)
  if (untilMs === null) await startEscalation(context, tx, incident, nowMs, fromMs)
  else await tx.holdStep(incident.customer_id, incident.id, { step: 0, round: 0 }, untilMs)
}

/**
 * In maintenance nobody is paged: the step is put off until it ends, and the log says so. Of an outage that began in it nobody is woken
 * before a fresh look at what is so since then, too.
 */
async function isHeld(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  step: Pick<StepCursor, 'step' | 'round'>,
  nowMs: number,
): Promise<boolean> {
  const { customer_id, id, monitor_id } = incident
  const maintenance = maintenanceAt(await tx.holdWindowsOfMonitor(customer_id, monitor_id), nowMs)
  const untilMs = maintenance?.ends_ms ?? (await lookedAtMs(tx, incident, nowMs))
  if (untilMs === null) return false
  await tx.holdStep(customer_id, id, step, untilMs)
  const detail = { ...(maintenance === null ? {} : { window_id: maintenance.id }), until: isoTime(untilMs) }
  await logIncidentEvent(context, tx, incident, nowMs, 'page_suppressed_by_maintenance', detail)
  return true
}

/** Until when the look at a monitor takes whose maintenance has just ended; null: it has ended before, or there was none. */
async function lookedAtMs(tx: Transaction, incident: IncidentRow, nowMs: number): Promise<number | null> {
  const { customer_id, monitor_id, since_at } = incident
  const history = await tx.windowHistory(customer_id, monitor_id, since_at, nowMs)
  const endedMs = lastEnded(history, { start_ms: since_at, end_ms: nowMs })
  const untilMs = endedMs === null ? nowMs : endedMs + freshLookMs(incident)
  return untilMs > nowMs ? untilMs : null
}

/** The first step, taken in the transaction that opens the incident where it is due at once. */
async function startEscalation(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  nowMs: number,
  fromMs: number,
): Promise<void> {
  const policy = await tx.readMonitorPolicy(incident.customer_id, incident.monitor_id)
  const first = policy === null ? null : firstStep(policy, fromMs)
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
 * One notice to those whom its first step would have told; none where all of it was in maintenance, or the hour has its notices. It is
 * over, so nothing can take the notice back: where maintenance or the fleet guard holds it, it is written now and due then.
 */
export async function pagePastOutage(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  { ended_ms, withheld }: Pick<Extract<Effect, { kind: 'past_incident' }>, 'ended_ms' | 'withheld'>,
  nowMs: number,
): Promise<void> {
  const { customer_id, monitor_id } = incident
  const say = (type: IncidentEventType, detail = {}) => logIncidentEvent(context, tx, incident, nowMs, type, detail)
  // What was maintenance then: of windows that are over, or have been changed since, too.
  const history = await tx.windowHistory(customer_id, monitor_id, incident.since_at, ended_ms)
  const then = maintenanceOver(history, { start_ms: incident.since_at, end_ms: ended_ms })
  if (then !== null) return await say('page_suppressed_by_maintenance', { window_id: then.id })
  // Of several that are told of at once, those that maintenance keeps from the customer are no notices.
  if (withheld && isSeries({ told_ms: await tx.listNotices(incident) }, nowMs)) return await say('page_suppressed_by_flapping')
  const now = maintenanceAt(await tx.holdWindowsOfMonitor(customer_id, monitor_id), nowMs)
  if (now !== null) await say('page_suppressed_by_maintenance', { window_id: now.id, until: isoTime(now.ends_ms) })
  const dueMs = Math.max(now?.ends_ms ?? nowMs, (await guardedUntil(context, tx, incident, nowMs)) ?? nowMs)
  const policy = await tx.readMonitorPolicy(customer_id, monitor_id)
  const recipients = await tx.readRecipients(customer_id, policy?.steps[0]?.contact_ids ?? [])
  const text = pastText({ ...factsOf(incident, incident.vantages), ended_ms })
  await writePages(context, tx, incident, dueMs, { kind: 'past', text, step: 0, round: 0 }, recipients)
  const to = recipients.map((recipient) => recipient.contact_name)
  await say(to.length === 0 ? 'nobody_to_page' : 'paged', { kind: 'past', to })
  await tx.announce('pages')
}
