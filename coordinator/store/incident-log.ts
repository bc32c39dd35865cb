/** Opening, changing and ending incidents, with the event that tells of it. Reading for people is in incidents.ts. */
import type { Cause } from '../core/cause.ts'
import type { EscalationPolicy, StepCursor } from '../core/escalation.ts'
import type { VoteView } from '../core/evidence.ts'
import { type Due, earliestDue } from './clock.ts'
import type { Sql } from './connection.ts'

/** The closed list of what an incident's log can say. The absence of a page is logged too. */
export type IncidentEventType =
  | 'opened'
  | 'confirmed'
  | 'returned_late'
  | 'paged'
  | 'page_suppressed_by_maintenance'
  | 'page_suppressed_by_flapping'
  | 'page_suppressed_by_blind_spell'
  | 'page_held_by_fleet_guard'
  | 'nobody_to_page'
  | 'no_policy'
  | 'policy_exhausted'
  | 'policy_changed'
  | 'page_accepted'
  | 'page_failed'
  | 'page_cancelled'
  | 'all_clear_waits'
  | 'fails_again'
  | 'acknowledged'
  | 'resolved'
  | 'resolved_by_hand'
  | 'monitor_deleted'
  | 'target_changed'

export type IncidentRow = {
  customer_id: string
  id: string
  monitor_id: string
  monitor_name: string
  /** Of the monitor, as they are set now. */
  open_period_s: number
  slow_s: number
  timeout_s: number
  code: string
  kind: 'down' | 'unconfirmed'
  since_at: number
  opened_at: number
  /** When it was decided that the mail is down: as it was opened, or confirmed later. */
  down_at: number | null
  acknowledged_at: number | null
  resolved_at: number | null
  cause: Cause
  vantages: VoteView[]
  next_step: number | null
  next_round: number | null
  next_step_at: number | null
  /** The next step, or the page to the operator, waits for the end of maintenance, or for the fleet guard. */
  held: boolean
  /** Policy or contacts have changed since paging began, and nobody has looked yet who should have been told by now. */
  amended: boolean
  /** It was not the votes that ended it. */
  closed: boolean
  /** One of a series: it stays open until mail has returned steadily. */
  flapping: boolean
}

export async function insertIncident(
  sql: Sql,
  incident: {
    id: string
    customer_id: string
    monitor_id: string
    code: string
    kind: 'down' | 'unconfirmed'
    since_at: number
    last_good_at: number | null
    opened_at: number
    flapping: boolean
    cause: Cause
    vantages: VoteView[]
    /** It was over before it was heard of: it is written beside one that may be open, and is open itself at no time. */
    end?: { resolved_at: number; last_fail_at: number; first_pass_at: number | null }
  },
): Promise<void> {
  const { resolved_at, last_fail_at, first_pass_at } = incident.end ?? {
    resolved_at: null,
    last_fail_at: null,
    first_pass_at: null,
  }
  await sql`
    insert into incidents (customer_id, id, monitor_id, code, kind, since_at, last_good_at, opened_at, down_at, flapping, cause, vantages,
      resolved_at, last_fail_at, first_pass_at)
    values (${incident.customer_id}, ${incident.id}, ${incident.monitor_id}, ${incident.code}, ${incident.kind}, ${incident.since_at},
      ${incident.last_good_at}, ${incident.opened_at}, ${incident.kind === 'down' ? incident.opened_at : null}, ${incident.flapping},
      ${sql.json(incident.cause)}, ${sql.json(incident.vantages)}, ${resolved_at}, ${last_fail_at}, ${first_pass_at})`
}

/** Codes in use by open incidents, so that a new one is unmistakable on the phone. */
export async function codeIsFree(sql: Sql, code: string): Promise<boolean> {
  const rows = await sql`select 1 from incidents where code = ${code} and resolved_at is null`
  return rows.length === 0
}

/**
 * The incident becomes the customer's: whoever acknowledged the question has not acknowledged the answer. Where no good test is known any
 * more, the one that was known when it opened stays, unless it was sent after what is now known to have failed first: then it says nothing.
 */
export async function confirmIncident(
  sql: Sql,
  incident: {
    customer_id: string
    id: string
    since_at: number
    last_good_at: number | null
    flapping: boolean
    cause: Cause
    vantages: VoteView[]
  },
): Promise<void> {
  await sql`
    update incidents set kind = 'down', down_at = now(), acknowledged_at = null, acknowledged_by = null, since_at = ${incident.since_at},
      last_good_at = coalesce(${incident.last_good_at}, case when last_good_at < ${incident.since_at} then last_good_at end), flapping = ${incident.flapping},
      cause = ${sql.json(incident.cause)}, vantages = ${sql.json(incident.vantages)}
    where customer_id = ${incident.customer_id} and id = ${incident.id}`
}

/** Nobody was told while it was one of a series. */
export async function endIncidentSeries(sql: Sql, customerId: string, incidentId: string): Promise<void> {
  await sql`update incidents set flapping = false where customer_id = ${customerId} and id = ${incidentId}`
}

/** What is known of the trouble has changed; what was decided and sent has not. */
export async function setIncidentCause(sql: Sql, customerId: string, incidentId: string, cause: Cause): Promise<void> {
  await sql`update incidents set cause = ${sql.json(cause)} where customer_id = ${customerId} and id = ${incidentId}`
}

/** Ends the incident and its escalation; false where it had ended before. `closed`: it was not the votes that ended it. */
export async function closeIncident(
  sql: Sql,
  customerId: string,
  incidentId: string,
  atMs: number,
  closed = false,
): Promise<boolean> {
  const { count } = await sql`
    update incidents set resolved_at = ${atMs}, closed = ${closed}, next_step = null, next_round = null, next_step_at = null
    where customer_id = ${customerId} and id = ${incidentId} and resolved_at is null`
  return count > 0
}

export async function setNextStep(sql: Sql, customerId: string, incidentId: string, next: StepCursor | null): Promise<void> {
  await sql`
    update incidents set next_step = ${next?.step ?? null}, next_round = ${next?.round ?? null}, next_step_at = ${next?.due_ms ?? null},
      held = false, amended = false
    where customer_id = ${customerId} and id = ${incidentId}`
}

/**
 * Policy or contacts of these monitors have changed: the next step of an incident that nobody has acknowledged is due now, to see who should
 * have been told. What waits for the end of maintenance, or for the fleet guard, waits on.
 */
export async function amendPaging(sql: Sql, customerId: string, monitorIds: string[]): Promise<void> {
  await sql`
    update incidents set amended = true, next_step_at = case when held then next_step_at else now() end
    where customer_id = ${customerId} and monitor_id = any(${monitorIds}::uuid[]) and kind = 'down'
      and resolved_at is null and acknowledged_at is null`
}

/** Whom the steps of the incident have paged, and when. */
export function readPaged(
  sql: Sql,
  customerId: string,
  incidentId: string,
): Promise<{ step: number; round: number; address: string; written_ms: number }[]> {
  return sql<{ step: number; round: number; address: string; written_ms: number }[]>`
    select step, round, address, created_at as written_ms from pages
    where customer_id = ${customerId} and incident_id = ${incidentId} and kind = 'down' order by round, step, created_at, id`
}

/** The step waits until `untilMs`, when maintenance ends. */
export async function holdStep(
  sql: Sql,
  customerId: string,
  incidentId: string,
  { step, round }: Pick<StepCursor, 'step' | 'round'>,
  untilMs: number,
): Promise<void> {
  await sql`
    update incidents set next_step = ${step}, next_round = ${round}, next_step_at = ${untilMs}, held = true
    where customer_id = ${customerId} and id = ${incidentId}`
}

/** Incidents with what their pages need to know of the monitor. */
const incidentRows = (sql: Sql) => sql`
  select i.*, m.name as monitor_name, m.open_period_s, m.slow_s, m.timeout_s
  from incidents i join monitors m on m.customer_id = i.customer_id and m.id = i.monitor_id`

export async function readIncident(sql: Sql, customerId: string, incidentId: string): Promise<IncidentRow | null> {
  const [row] = await sql<IncidentRow[]>`
    ${incidentRows(sql)}
    where i.customer_id = ${customerId} and i.id = ${incidentId}`
  return row ?? null
}

/** Nobody is woken while mail is back and only the all-clear waits: what falls due then is due when it fails again. */
const mailIsGone = (sql: Sql) => sql`
  not exists (select from monitor_states s where s.customer_id = i.customer_id and s.monitor_id = i.monitor_id
    and s.state #>> '{incident,well_since_ms}' is not null)`

/**
 * Locks the incident whose next step has been due the longest; not its key, so that who pages for a blind spell that it began need not
 * wait for it.
 */
export async function claimDueStep(sql: Sql): Promise<IncidentRow | null> {
  const [row] = await sql<IncidentRow[]>`
    ${incidentRows(sql)}
    where i.next_step_at <= now() and i.resolved_at is null and m.deleted_at is null and ${mailIsGone(sql)}
    order by i.next_step_at limit 1 for no key update of i skip locked`
  return row ?? null
}

export const nextStepDue = (sql: Sql): Promise<Due | null> =>
  earliestDue(
    sql,
    sql`next_step_at`,
    sql`incidents i where next_step_at is not null and ${mailIsGone(sql)}
    and exists (select from monitors m where m.customer_id = i.customer_id and m.id = i.monitor_id and m.deleted_at is null)`,
  )

export async function readMonitorPolicy(sql: Sql, customerId: string, monitorId: string): Promise<EscalationPolicy | null> {
  const [row] = await sql<EscalationPolicy[]>`
    select p.steps, p.repeat from monitors m join escalation_policies p on p.customer_id = m.customer_id and p.id = m.escalation_policy_id
    where m.customer_id = ${customerId} and m.id = ${monitorId}`
  return row ?? null
}

export type Recipient = { contact_method_id: string; address: string; contact_name: string }

export function readRecipients(sql: Sql, customerId: string, contactIds: string[]): Promise<Recipient[]> {
  return sql<Recipient[]>`
    select m.id as contact_method_id, m.address, c.name as contact_name
    from contact_methods m join contacts c on c.customer_id = m.customer_id and c.id = m.contact_id
    where m.customer_id = ${customerId} and m.contact_id = any(${contactIds}::uuid[]) order by m.id`
}

export async function insertIncidentEvent(
  sql: Sql,
  event: {
    id: string
    customer_id: string
    incident_id: string
    at_ms: number
    type: IncidentEventType
    detail: Record<string, unknown>
  },
): Promise<void> {
  await sql`
    insert into incident_events (customer_id, incident_id, id, at, type, detail)
    values (${event.customer_id}, ${event.incident_id}, ${event.id}, ${event.at_ms}, ${event.type}, ${sql.json(event.detail as never)})`
}
