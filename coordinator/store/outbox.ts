/** Pages to send: written with the state change that causes them, claimed by whoever sends them. */
import { type Due, earliestDue } from './clock.ts'
import type { Sql } from './connection.ts'

export type PageKind =
  | 'down'
  | 'resolved'
  | 'past'
  | 'unconfirmed'
  | 'unconfirmed_resolved'
  | 'fleet'
  | 'blind'
  | 'blind_resolved'

export type NewPage = {
  id: string
  customer_id: string
  incident_id: string
  kind: PageKind
  step: number
  round: number
  /** The contact method's id, or `operator`. */
  recipient: string
  contact_method_id: string | null
  address: string
  text: string
  due_at: number
}

/** Adds the page, once: a page is unique by (incident, kind, step, round, recipient). Tells whether it is new. */
export async function insertPage(sql: Sql, page: NewPage): Promise<boolean> {
  const { count } = await sql`
    insert into pages (customer_id, id, incident_id, kind, step, round, recipient, contact_method_id, address, text, due_at)
    values (${page.customer_id}, ${page.id}, ${page.incident_id}, ${page.kind}, ${page.step}, ${page.round}, ${page.recipient},
      ${page.contact_method_id}, ${page.address}, ${page.text}, ${page.due_at})
    on conflict do nothing`
  return count > 0
}

export type ClaimedPage = NewPage & {
  attempts: number
  /** How often it may have reached its phone: a gateway left us without an answer, or its sender died. */
  doubts: number
  /** What it tells of is over, or somebody looks after it and no phone can have rung yet; and it is no all-clear: nobody wants it any more. */
  outdated: boolean
  /** What it tells of lasts, and nobody has acknowledged it: it is worth telling for as long. */
  awaited: boolean
}

/**
 * Takes up to `limit` due pages. One that another coordinator was sending when it vanished may or may not have reached the gateway:
 * it is taken too, with one doubt more. So is one that bears our own claim and is not `inHand`: the database went away before
 * it could tell us of the claim, or we it of the outcome.
 */
export function claimDuePages(
  sql: Sql,
  coordinatorId: string,
  limit: number,
  leaseMs: number,
  inHand: readonly string[],
): Promise<ClaimedPage[]> {
  // A blind spell lasts longer than the incident that began it.
  const isBlind = sql`exists (select from fleet where blind_spell->>'incident_id' = pages.incident_id::text)`
  // Materialized: as a mere subquery the planner may run it once a row, each time skipping what it locked before, and claim every due
  // page where the caller knows of one.
  return sql<ClaimedPage[]>`
    with due as materialized (
      select customer_id, id, incident_id from pages
      where state in ('pending', 'sending') and due_at <= now() and (state = 'pending' or claimed_until < now()
        or claimed_by = ${coordinatorId} and not id = any(${inHand}::uuid[])
        or claimed_by <> ${coordinatorId}
          and not exists (select 1 from coordinators c where c.id = claimed_by and c.seen_at > now() - interval '5 seconds'))
      order by due_at limit ${limit} for update skip locked)
    update pages set doubts = doubts + (state = 'sending')::int, state = 'sending', attempts = attempts + 1,
      claimed_by = ${coordinatorId}, claimed_until = now() + ${leaseMs} * interval '1 millisecond'
    from due join incidents i on i.customer_id = due.customer_id and i.id = due.incident_id
    where pages.customer_id = due.customer_id and pages.id = due.id
    returning pages.customer_id, pages.id, pages.incident_id, pages.kind, step, round, recipient, contact_method_id, address, text, due_at,
      attempts, doubts, case when pages.kind = 'blind' then not ${isBlind} else
        pages.kind in ('down', 'unconfirmed') and (i.resolved_at is not null or i.acknowledged_at is not null and doubts = 0) end as outdated,
      case when pages.kind = 'blind' then ${isBlind} else
        pages.kind in ('down', 'unconfirmed') and i.resolved_at is null and i.acknowledged_at is null end as awaited`
}

/** Records that a gateway took it; false where another coordinator holds the claim by now. */
export async function acceptPage(
  sql: Sql,
  page: ClaimedPage,
  coordinatorId: string,
  accepted: { gateway: string; providerId: string | null; text: string },
): Promise<boolean> {
  const { count } = await sql`
    update pages set state = 'accepted', accepted_at = clock_timestamp(), gateway = ${accepted.gateway}, provider_id = ${accepted.providerId},
      text = ${accepted.text}, last_error = null, claimed_by = null, claimed_until = null
    where customer_id = ${page.customer_id} and id = ${page.id} and state = 'sending' and claimed_by = ${coordinatorId}`
  return count > 0
}

/** Puts the page back for another attempt after `delayMs`. */
export async function postponePage(
  sql: Sql,
  page: ClaimedPage,
  coordinatorId: string,
  postponed: { delayMs: number; error: string; inDoubt: boolean },
): Promise<void> {
  await sql`
    update pages set state = 'pending', due_at = now() + ${postponed.delayMs} * interval '1 millisecond', last_error = ${postponed.error},
      doubts = doubts + ${postponed.inDoubt ? 1 : 0}, claimed_by = null, claimed_until = null
    where customer_id = ${page.customer_id} and id = ${page.id} and state = 'sending' and claimed_by = ${coordinatorId}`
}

export async function failPage(sql: Sql, page: ClaimedPage, coordinatorId: string, error: string): Promise<void> {
  await sql`
    update pages set state = 'failed', last_error = ${error}, claimed_by = null, claimed_until = null
    where customer_id = ${page.customer_id} and id = ${page.id} and state = 'sending' and claimed_by = ${coordinatorId}`
}

/** Pages of an ended incident that nobody is sending at the moment are of no use any more, but for those of a blind spell. Returns their ids. */
export async function cancelPendingPages(sql: Sql, customerId: string, incidentId: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    update pages set state = 'cancelled'
    where customer_id = ${customerId} and incident_id = ${incidentId} and state = 'pending' and kind not in ('blind', 'blind_resolved')
    returning id`
  return rows.map((row) => row.id)
}

/**
 * Somebody looks after it: what no phone can have rung for yet wakes nobody else. A page in doubt goes on, as whoever may have been told
 * of it is told as anybody is. Returns the ids.
 */
export async function cancelUnheardPages(sql: Sql, customerId: string, incidentId: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    update pages set state = 'cancelled' where customer_id = ${customerId} and incident_id = ${incidentId} and state = 'pending'
      and kind in ('down', 'unconfirmed') and doubts = 0 returning id`
  return rows.map((row) => row.id)
}

export async function cancelPage(sql: Sql, page: ClaimedPage, coordinatorId: string): Promise<void> {
  await sql`
    update pages set state = 'cancelled', claimed_by = null, claimed_until = null
    where customer_id = ${page.customer_id} and id = ${page.id} and state = 'sending' and claimed_by = ${coordinatorId}`
}

/** `being_told`: at this moment. */
export type InformedRecipient = { recipient: string; contact_method_id: string | null; address: string; being_told: boolean }

/** Who was told of the incident, or may have been: they get the all-clear. */
export function readInformed(sql: Sql, customerId: string, incidentId: string, kind: PageKind): Promise<InformedRecipient[]> {
  return sql<InformedRecipient[]>`
    select recipient, contact_method_id, address, bool_or(state = 'sending') as being_told from pages
    where customer_id = ${customerId} and incident_id = ${incidentId} and kind = ${kind}
      and (state in ('accepted', 'sending') or doubts > 0) group by recipient, contact_method_id, address order by recipient`
}

/** When the next page is due, ms since 1970, or null. */
export const nextPageDue = (sql: Sql): Promise<Due | null> =>
  earliestDue(
    sql,
    sql`case state when 'pending' then due_at else claimed_until end`,
    sql`pages where state in ('pending', 'sending')`,
  )
