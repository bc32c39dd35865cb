import type { PolicyStep } from '../core/escalation.ts'
import type { Sql } from './connection.ts'
import { ofCustomer, olderThan, type Paging, type Whose } from './paging.ts'

export type EscalationPolicyRow = { id: string; customer_id: string; name: string; steps: PolicyStep[]; repeat: number }

const columns = (sql: Sql) => sql`id, customer_id, name, steps, repeat`

export async function listEscalationPolicies(sql: Sql, whose: Whose, paging: Paging): Promise<EscalationPolicyRow[]> {
  return sql<EscalationPolicyRow[]>`
    select ${columns(sql)} from escalation_policies
    where ${ofCustomer(sql, whose)} and ${olderThan(sql, paging)}
    order by id desc limit ${paging.limit + 1}`
}

export async function findEscalationPolicy(sql: Sql, whose: Whose, id: string): Promise<EscalationPolicyRow | undefined> {
  const [row] = await sql<EscalationPolicyRow[]>`
    select ${columns(sql)} from escalation_policies where id = ${id} and ${ofCustomer(sql, whose)}`
  return row
}

export async function insertEscalationPolicy(sql: Sql, policy: EscalationPolicyRow): Promise<void> {
  await sql`
    insert into escalation_policies (id, customer_id, name, steps, repeat)
    values (${policy.id}, ${policy.customer_id}, ${policy.name}, ${sql.json(policy.steps)}, ${policy.repeat})`
}

export async function replaceEscalationPolicy(sql: Sql, policy: EscalationPolicyRow): Promise<void> {
  await sql`
    update escalation_policies set name = ${policy.name}, steps = ${sql.json(policy.steps)}, repeat = ${policy.repeat}
    where customer_id = ${policy.customer_id} and id = ${policy.id}`
}

/** The names of the policies that would page this contact. */
export async function policiesWithContact(sql: Sql, customerId: string, contactId: string): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from escalation_policies
    where customer_id = ${customerId} and steps @> ${sql.json([{ contact_ids: [contactId] }])} order by name`
  return rows.map((row) => row.name)
}

/** Locks the policy against deletion until the transaction ends; false where the customer has no such policy. */
export async function lockEscalationPolicy(sql: Sql, customerId: string, id: string): Promise<boolean> {
  const rows = await sql`select from escalation_policies where customer_id = ${customerId} and id = ${id} for share`
  return rows.length > 0
}

/** Deletes the policy; monitors that are deleted themselves no longer need it. */
export async function deleteEscalationPolicy(sql: Sql, customerId: string, id: string): Promise<void> {
  await sql`
    update monitors set escalation_policy_id = null
    where customer_id = ${customerId} and escalation_policy_id = ${id} and deleted_at is not null`
  await sql`delete from escalation_policies where customer_id = ${customerId} and id = ${id}`
}

export async function lockEscalationPolicyForChange(sql: Sql, customerId: string, id: string): Promise<void> {
  await sql`select from escalation_policies where customer_id = ${customerId} and id = ${id} for update`
}

/** The names of the monitors that escalate by this policy. */
export async function monitorsWithPolicy(sql: Sql, customerId: string, id: string): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select name from monitors
    where customer_id = ${customerId} and escalation_policy_id = ${id} and deleted_at is null order by name limit 20`
  return rows.map((row) => row.name)
}

/** The monitors that escalate by this policy, and those by any policy that would page this contact. */
export async function monitorIdsWithPolicy(sql: Sql, customerId: string, id: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from monitors where customer_id = ${customerId} and escalation_policy_id = ${id} and deleted_at is null`
  return rows.map((row) => row.id)
}

export async function monitorIdsWithContact(sql: Sql, customerId: string, contactId: string): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select m.id from monitors m join escalation_policies p on p.customer_id = m.customer_id and p.id = m.escalation_policy_id
    where m.customer_id = ${customerId} and m.deleted_at is null and p.steps @> ${sql.json([{ contact_ids: [contactId] }])}`
  return rows.map((row) => row.id)
}
