/** Probes as the operator makes, sees and retires them. Enrolment and sessions are the hub's. */
import type { Health } from '../../common/wire/test.ts'
import type { Part, Sql } from './connection.ts'
import { olderThan, only, type Paging } from './paging.ts'

export type ProbeRow = {
  id: string
  name: string
  region: string
  asn: number | null
  provider: string | null
  return_address: string | null
  enrolled_at: number | null
  retired_at: number | null
  /** A frame was heard within the silence that the link allows. */
  connected: boolean
  health: Health | null
  clock_offset_ms: number | null
  contradicted: number
  monitors_held: number
  last_seen_at: number | null
  version: string | null
  created_at: number
}

/** `probes p` has been silent for more than a minute. */
export const isLost = (sql: Sql): Part => sql`coalesce(p.last_seen_at < now() - interval '60 seconds', true)`

const columns = (sql: Sql) => sql`
  id, name, region, asn, provider, return_address, enrolled_at, retired_at,
  coalesce(last_seen_at > now() - interval '45 seconds', false) as connected, health, clock_offset_ms, contradicted, monitors_held,
  last_seen_at, version, created_at`

export async function listProbes(sql: Sql, paging: Paging): Promise<ProbeRow[]> {
  return sql<ProbeRow[]>`
    select ${columns(sql)} from probes where ${olderThan(sql, paging)} order by id desc limit ${paging.limit + 1}`
}

export async function findProbes(sql: Sql, ids: string[]): Promise<ProbeRow[]> {
  return sql<ProbeRow[]>`select ${columns(sql)} from probes where id = any(${ids}::uuid[])`
}

export async function findProbe(sql: Sql, id: string): Promise<ProbeRow | undefined> {
  return (await findProbes(sql, [id]))[0]
}

export async function lockProbe(sql: Sql, id: string): Promise<ProbeRow | undefined> {
  const [row] = await sql<ProbeRow[]>`select ${columns(sql)} from probes where id = ${id} for update`
  return row
}

export type ProbePlace = { name: string; region: string; asn: number | null; provider: string | null }

export async function insertProbe(sql: Sql, probe: ProbePlace & { id: string }): Promise<ProbeRow> {
  return only(await sql<ProbeRow[]>`insert into probes ${sql({ ...probe })} returning ${columns(sql)}`)
}

export async function updateProbe(sql: Sql, id: string, change: Partial<ProbePlace>): Promise<ProbeRow | undefined> {
  if (Object.keys(change).length === 0) return findProbe(sql, id)
  const [row] = await sql<ProbeRow[]>`update probes set ${sql({ ...change })} where id = ${id} returning ${columns(sql)}`
  return row
}

/** The token is kept as its hash, and works once within 24 h. */
export async function setEnrolmentToken(sql: Sql, id: string, tokenHash: string): Promise<void> {
  await sql`
    update probes set enrolment_hash = ${tokenHash}, enrolment_expires_at = now() + interval '24 hours' where id = ${id}`
}

/** Takes the probe's key away, and its certificates: it must enrol again. Ends its session, too, since that was proved with the old key. */
export async function forgetProbeKey(sql: Sql, id: string): Promise<void> {
  await sql`delete from probe_certificates where probe_id = ${id}`
  await sql`
    update probes set public_key = null, key_id = null, enrolled_at = null, session_id = null, coordinator_id = null,
      last_seen_at = null, connected_at = null
    where id = ${id}`
}

/** Takes the probe out of service for good; its monitors are marked to be assigned anew. */
export async function retireProbe(sql: Sql, id: string): Promise<ProbeRow> {
  const rows = await sql<ProbeRow[]>`
    update probes set retired_at = coalesce(retired_at, now()), enrolment_hash = null, enrolment_expires_at = null
    where id = ${id} returning ${columns(sql)}`
  await reassignMonitorsOf(sql, id)
  return only(rows)
}

/** For what decides where monitors go: the probe's region or network has changed, or it is gone. */
export async function reassignMonitorsOf(sql: Sql, probeId: string): Promise<void> {
  await sql`
    update monitors set assign_at = now()
    where (customer_id, id) in (select customer_id, monitor_id from assignments where probe_id = ${probeId} and withdrawn_at is null)`
}

/** The domains that returned mails go to: what a responder must pin. */
export async function returnDomains(sql: Sql): Promise<string[]> {
  const rows = await sql<{ domain: string }[]>`
    select distinct lower(split_part(return_address, '@', 2)) as domain from probes
    where return_address is not null and retired_at is null order by domain`
  return rows.map((row) => row.domain)
}
