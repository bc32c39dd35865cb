/** What a decision does to the incident: open, confirm, resolve, each with its event and its pages, inside the judgement's transaction. */
import { uuidv7 } from '../../common/runtime.ts'
import { type Cause, describeCause, leadingFailures } from '../core/cause.ts'
import type { Effect, VoteView } from '../core/evidence.ts'
import { resolveByHand } from '../core/judgement.ts'
import { announce } from '../store/announce.ts'
import type { Sql } from '../store/connection.ts'
import { closeIncident, codeIsFree, confirmIncident, insertIncident, readIncident } from '../store/incident-log.ts'
import { type ClaimedMonitor, lockMonitor, saveJudgement } from '../store/judging.ts'
import { recordOutageEnd } from '../store/outages.ts'
import { cancelPendingPages } from '../store/outbox.ts'
import { readTestEvidence } from '../store/results.ts'
import type { FlowContext } from './context.ts'
import { type Ending, logIncidentEvent, pageRecovery, startPaging } from './escalate.ts'

type Opening = Extract<Effect, { kind: 'open_incident' }>
type Confirmation = Extract<Effect, { kind: 'confirm_incident' }>

export async function openIncident(context: FlowContext, sql: Sql, monitor: ClaimedMonitor, effect: Opening): Promise<string> {
  const { customer_id, monitor_id } = monitor
  const id = uuidv7(context.runtime)
  const cause = await findCause(sql, monitor, effect.votes)
  const code = await freeCode(context, sql)
  await insertIncident(sql, {
    id,
    customer_id,
    monitor_id,
    code,
    kind: effect.incident_kind,
    since_at: effect.since_ms,
    last_good_at: effect.last_good_ms,
    opened_at: monitor.now_ms,
    cause,
    vantages: effect.votes,
  })
  await logIncidentEvent(context, sql, { customer_id, id }, monitor.now_ms, 'opened', {
    kind: effect.incident_kind,
    code,
    cause,
    votes: effect.votes,
  })
  await page(context, sql, customer_id, id, monitor.now_ms)
  return id
}

export async function confirmOpenIncident(
  context: FlowContext,
  sql: Sql,
  monitor: ClaimedMonitor,
  incidentId: string,
  effect: Confirmation,
): Promise<void> {
  const { customer_id } = monitor
  const cause = await findCause(sql, monitor, effect.votes)
  await confirmIncident(sql, { customer_id, id: incidentId, since_at: effect.since_ms, cause, vantages: effect.votes })
  await logIncidentEvent(context, sql, { customer_id, id: incidentId }, monitor.now_ms, 'confirmed', {
    cause,
    votes: effect.votes,
  })
  await page(context, sql, customer_id, incidentId, monitor.now_ms)
}

export async function resolveOpenIncident(
  context: FlowContext,
  sql: Sql,
  monitor: Pick<ClaimedMonitor, 'customer_id' | 'now_ms'>,
  incidentId: string,
  votes: VoteView[],
  by: Ending = 'resolved',
): Promise<void> {
  const { customer_id, now_ms } = monitor
  if (!(await closeIncident(sql, customer_id, incidentId, now_ms))) return
  const passing = votes.filter(({ vote }) => vote === 'pass').map(({ probe_id }) => probe_id)
  await recordOutageEnd(sql, customer_id, incidentId, passing)
  const cancelled = await cancelPendingPages(sql, customer_id, incidentId)
  await logIncidentEvent(context, sql, { customer_id, id: incidentId }, now_ms, by, { votes, pages_cancelled: cancelled.length })
  for (const id of cancelled) await announce(sql, 'live', { kind: 'page', customer_id, id })
  const incident = await readIncident(sql, customer_id, incidentId)
  if (incident !== null) await pageRecovery(context, sql, incident, votes, now_ms, by)
  await announce(sql, 'live', { kind: 'incident', customer_id, id: incidentId })
}

async function page(context: FlowContext, sql: Sql, customerId: string, incidentId: string, nowMs: number): Promise<void> {
  const incident = await readIncident(sql, customerId, incidentId)
  if (incident === null) return
  await startPaging(context, sql, incident, nowMs)
  await announce(sql, 'live', { kind: 'incident', customer_id: customerId, id: incidentId })
}

/** The failure that most vantages report, in words, with what the mail server said to one of them. */
async function findCause(sql: Sql, monitor: ClaimedMonitor, votes: VoteView[]): Promise<Cause> {
  const failures = leadingFailures(votes)
  const testIds = failures.flatMap(({ test_id }) => test_id ?? [])
  return describeCause(failures, await readTestEvidence(sql, monitor.customer_id, testIds), monitor.rules.timeout_s)
}

/** Letters and digits that cannot be mistaken for one another on the phone. */
const codeAlphabet = 'ABCDEFGHJKLMNPQRTUVWXYZ2346789'

async function freeCode({ runtime }: FlowContext, sql: Sql): Promise<string> {
  for (;;) {
    const code = Array.from(runtime.randomBytes(4), (byte) => codeAlphabet[byte % codeAlphabet.length]).join('')
    if (await codeIsFree(sql, code)) return code
  }
}

/**
 * Ends an open incident because a person says so, or because its monitor goes. What was known of the outage opens no new incident;
 * a further failing test does. False where it had ended before.
 */
export async function endIncidentByHand(
  context: FlowContext,
  sql: Sql,
  incident: { customer_id: string; id: string; monitor_id: string },
  by: Exclude<Ending, 'resolved'>,
): Promise<boolean> {
  const monitor = await lockMonitor(sql, incident.customer_id, incident.monitor_id)
  if (monitor === null || monitor.incident_id !== incident.id) return false
  const state = resolveByHand(monitor.state, monitor.now_ms)
  await resolveOpenIncident(context, sql, monitor, incident.id, [], by)
  await saveJudgement(sql, monitor, { state, incidentId: null, quiet: false, awaitingProof: [], judgeAtMs: monitor.now_ms })
  await announce(sql, 'judge')
  await announce(sql, 'live', { kind: 'monitor', customer_id: incident.customer_id, id: incident.monitor_id })
  return true
}
