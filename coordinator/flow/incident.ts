/** What a decision does to the incident: open, confirm, resolve, each with its event and its pages, inside the judgement's transaction. */
import { isoTime } from '../../common/durations.ts'
import { uuidv7 } from '../../common/runtime.ts'
import type { Effect, MonitorState } from '../core/evidence.ts'
import { resolveByHand } from '../core/judgement.ts'
import type { ClaimedMonitor } from '../store/judging.ts'
import { endBlindSpell } from './blind-spell.ts'
import { findCause } from './cause.ts'
import type { FlowContext } from './context.ts'
import { pagePastOutage, startPaging } from './escalate.ts'
import { type Ending, logIncidentEvent, pageRecovery } from './page.ts'
import type { Transaction } from './store.ts'

type Opening = Extract<Effect, { kind: 'open_incident' }>
type Confirmation = Extract<Effect, { kind: 'confirm_incident' }>
type Past = Extract<Effect, { kind: 'past_incident' }>
type IncidentEnd = NonNullable<Parameters<Transaction['insertIncident']>[0]['end']>
type Resolution = Omit<Extract<Effect, { kind: 'resolve_incident' }>, 'kind'>

export async function openIncident(
  context: FlowContext,
  tx: Transaction,
  monitor: ClaimedMonitor,
  effect: Opening,
): Promise<string> {
  const id = await writeIncident(context, tx, monitor, effect.incident_kind, effect)
  await page(context, tx, monitor.customer_id, id, monitor.now_ms)
  return id
}

/** It was over before we heard of it: opened and resolved at once, with one notice. */
export async function recordPastIncident(
  context: FlowContext,
  tx: Transaction,
  monitor: ClaimedMonitor,
  effect: Past,
): Promise<void> {
  const { customer_id, now_ms } = monitor
  const end = { resolved_at: now_ms, last_fail_at: effect.last_fail_ms, first_pass_at: effect.first_pass_ms }
  const id = await writeIncident(context, tx, monitor, 'down', { ...effect, flapping: false }, end)
  await logIncidentEvent(context, tx, { customer_id, id }, now_ms, 'resolved', {
    over_before_heard: true,
    ended_at: isoTime(effect.ended_ms),
  })
  const incident = await tx.readIncident(customer_id, id)
  if (incident !== null) await pagePastOutage(context, tx, incident, effect, now_ms)
  await tx.announce('live', { kind: 'incident', customer_id, id })
}

async function writeIncident(
  context: FlowContext,
  tx: Transaction,
  monitor: ClaimedMonitor,
  kind: 'down' | 'unconfirmed',
  { since_ms, last_good_ms, flapping, votes }: Pick<Opening, 'since_ms' | 'last_good_ms' | 'flapping' | 'votes'>,
  end?: IncidentEnd,
): Promise<string> {
  const { customer_id, monitor_id, now_ms } = monitor
  const id = uuidv7(context.runtime)
  const cause = await findCause(tx, monitor, votes)
  const code = await freeCode(context, tx)
  const times = { since_at: since_ms, last_good_at: last_good_ms, opened_at: now_ms }
  const row = { id, customer_id, monitor_id, code, kind, ...times, flapping, cause, vantages: votes }
  await tx.insertIncident(end === undefined ? row : { ...row, end })
  const told = { kind, code, cause, votes, ...(flapping ? { flapping } : {}) }
  await logIncidentEvent(context, tx, { customer_id, id }, now_ms, 'opened', told)
  return id
}

export async function confirmOpenIncident(
  context: FlowContext,
  tx: Transaction,
  monitor: ClaimedMonitor,
  incidentId: string,
  effect: Confirmation,
): Promise<void> {
  const { customer_id } = monitor
  const { since_ms, last_good_ms, flapping, votes } = effect
  const cause = await findCause(tx, monitor, votes)
  const times = { since_at: since_ms, last_good_at: last_good_ms }
  await tx.confirmIncident({ customer_id, id: incidentId, ...times, flapping, cause, vantages: votes })
  await logIncidentEvent(context, tx, { customer_id, id: incidentId }, monitor.now_ms, 'confirmed', {
    cause,
    votes,
  })
  await page(context, tx, customer_id, incidentId, monitor.now_ms)
  await endBlindSpell(context, tx, monitor.now_ms)
}

/** Its page, when it comes, is that of any outage. */
export async function endSeries(tx: Transaction, { customer_id }: ClaimedMonitor, id: string): Promise<void> {
  await tx.endIncidentSeries(customer_id, id)
  await tx.announce('live', { kind: 'incident', customer_id, id })
}

/**
 * The votes say that mail is back, and the all-clear waits (core/flapping.ts): until it fails again no further step is due, which the
 * incident's log tells of.
 */
export async function noteReturn(
  context: FlowContext,
  tx: Transaction,
  { customer_id, state: before, now_ms }: ClaimedMonitor,
  incidentId: string | null,
  after: MonitorState,
): Promise<void> {
  if (incidentId === null || after.incident === null) return
  const isBack = after.incident.well_since_ms !== null
  const wasBack = before.incident !== null && before.incident.well_since_ms !== null
  if (isBack !== wasBack)
    await logIncidentEvent(context, tx, { customer_id, id: incidentId }, now_ms, isBack ? 'all_clear_waits' : 'fails_again', {})
}

export async function resolveOpenIncident(
  context: FlowContext,
  tx: Transaction,
  monitor: Pick<ClaimedMonitor, 'customer_id' | 'now_ms'>,
  incidentId: string,
  { votes, well_since_ms }: Resolution,
  by: Ending = 'resolved',
): Promise<void> {
  const { customer_id, now_ms } = monitor
  if (!(await tx.closeIncident(customer_id, incidentId, now_ms, by !== 'resolved'))) return
  const passing = votes.filter(({ vote }) => vote === 'pass').map(({ probe_id }) => probe_id)
  await tx.recordOutageEnd(customer_id, incidentId, passing)
  const cancelled = await tx.cancelPendingPages(customer_id, incidentId)
  await logIncidentEvent(context, tx, { customer_id, id: incidentId }, now_ms, by, { votes, pages_cancelled: cancelled.length })
  for (const id of cancelled) await tx.announce('live', { kind: 'page', customer_id, id })
  const incident = await tx.readIncident(customer_id, incidentId)
  if (incident !== null) await pageRecovery(context, tx, incident, { votes, wellSinceMs: well_since_ms ?? now_ms, by }, now_ms)
  if (incident?.kind === 'unconfirmed') await endBlindSpell(context, tx, now_ms)
  await tx.announce('live', { kind: 'incident', customer_id, id: incidentId })
}

async function page(context: FlowContext, tx: Transaction, customerId: string, incidentId: string, nowMs: number): Promise<void> {
  const incident = await tx.readIncident(customerId, incidentId)
  if (incident === null) return
  await startPaging(context, tx, incident, nowMs)
  await tx.announce('live', { kind: 'incident', customer_id: customerId, id: incidentId })
}

/** Letters and digits that cannot be mistaken for one another on the phone. */
const codeAlphabet = 'ABCDEFGHJKLMNPQRTUVWXYZ2346789'

async function freeCode({ runtime }: FlowContext, tx: Transaction): Promise<string> {
  for (;;) {
    const code = Array.from(runtime.randomBytes(4), (byte) => codeAlphabet[byte % codeAlphabet.length]).join('')
    if (await tx.codeIsFree(code)) return code
  }
}

/** Somebody looks after it: the escalation stops, and what no gateway has taken yet wakes nobody else. False where somebody had acknowledged it before, or it was over. */
export async function acknowledge(
  context: FlowContext,
  tx: Transaction,
  incident: { customer_id: string; id: string; monitor_id: string },
  by: string,
): Promise<boolean> {
  if (!(await tx.acknowledgeIncident(incident, by))) return false
  const { customer_id, id, monitor_id } = incident
  const cancelled = await tx.cancelUnheardPages(customer_id, id)
  await logIncidentEvent(context, tx, incident, await tx.nowMs(), 'acknowledged', { by, pages_cancelled: cancelled.length })
  for (const page of cancelled) await tx.announce('live', { kind: 'page', customer_id, id: page })
  await tx.announce('live', { kind: 'incident', customer_id, id, monitor_id })
  return true
}

/** Ends what is open of a monitor that goes. Locked first, then read: a judgement may be opening an incident at this moment. */
export async function endOpenIncident(
  context: FlowContext,
  tx: Transaction,
  { customer_id, monitor_id }: { customer_id: string; monitor_id: string },
  by: Exclude<Ending, 'resolved'>,
): Promise<void> {
  const id = (await tx.lockMonitor(customer_id, monitor_id))?.incident_id ?? null
  if (id !== null) await endIncidentByHand(context, tx, { customer_id, id, monitor_id }, by)
}

/**
 * Ends an open incident because a person says so, or because its monitor goes. What was known of the outage opens no new incident;
 * a further failing test does. False where it had ended before.
 */
export async function endIncidentByHand(
  context: FlowContext,
  tx: Transaction,
  incident: { customer_id: string; id: string; monitor_id: string },
  by: Exclude<Ending, 'resolved'>,
): Promise<boolean> {
  const monitor = await tx.lockMonitor(incident.customer_id, incident.monitor_id)
  if (monitor === null || monitor.incident_id !== incident.id) return false
  const state = resolveByHand(monitor.state, monitor.now_ms)
  await resolveOpenIncident(context, tx, monitor, incident.id, { votes: [], well_since_ms: null }, by)
  await tx.saveJudgement(monitor, { state, incidentId: null, quiet: false, awaitingProof: [], judgeAtMs: monitor.now_ms })
  await tx.announce('judge')
  await tx.announce('live', { kind: 'monitor', customer_id: incident.customer_id, id: incident.monitor_id })
  return true
}
