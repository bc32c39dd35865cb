/** What the probe link reads and writes of probes, certificates and jobs. */
import type { Health, JobCause, TestPlan } from '../../common/wire/test.ts'
import type { Sql } from './connection.ts'
import { ofTarget } from './monitors.ts'

export type LinkedProbe = {
  id: string
  name: string
  region: string
  public_key: string
  key_id: string
  return_address: string
}

/** A probe that has enrolled and is not retired. */
export async function findProbe(sql: Sql, probeId: string): Promise<LinkedProbe | null> {
  const [probe] = await sql<LinkedProbe[]>`
    select id, name, region, public_key, key_id, return_address from probes
    where id = ${probeId} and public_key is not null and retired_at is null`
  return probe ?? null
}

export type EnrolmentRow = { id: string; name: string; public_key: string | null; expired: boolean }

/** The probe that an enrolment token was made for; the row is locked. */
export async function findEnrolment(sql: Sql, tokenHash: string): Promise<EnrolmentRow | null> {
  const [row] = await sql<EnrolmentRow[]>`
    select id, name, public_key, enrolment_expires_at < now() as expired from probes
    where enrolment_hash = ${tokenHash} and retired_at is null for update`
  return row ?? null
}

export async function saveEnrolment(
  sql: Sql,
  probe: { id: string; x: string; kid: string; returnAddress: string; version: string },
): Promise<void> {
  await sql`
    update probes set public_key = ${probe.x}, key_id = ${probe.kid}, return_address = ${probe.returnAddress}, version = ${probe.version},
      enrolled_at = coalesce(enrolled_at, now()) where id = ${probe.id}`
}

/** The newest certificate that is valid now, and whether it should be renewed. */
export async function findCertificate(sql: Sql, probeId: string): Promise<{ certificate: string; not_after: number } | null> {
  const [row] = await sql<{ certificate: string; not_after: number }[]>`
    select certificate, not_after from probe_certificates where probe_id = ${probeId} and not_after > now() and not_before <= now()
    order by not_after desc limit 1`
  return row ?? null
}

export async function saveCertificate(
  sql: Sql,
  probeId: string,
  issued: { certificate: string; notBeforeMs: number; notAfterMs: number },
): Promise<void> {
  await sql`
    insert into probe_certificates (probe_id, not_before, not_after, certificate)
    values (${probeId}, ${issued.notBeforeMs}, ${issued.notAfterMs}, ${issued.certificate}) on conflict do nothing`
}

/** The newest session is the probe's; older ones find themselves fenced off. */
export async function openSession(
  sql: Sql,
  probeId: string,
  session: { id: string; coordinatorId: string; version: string },
): Promise<void> {
  await sql`
    update probes set session_id = ${session.id}, coordinator_id = ${session.coordinatorId}, version = ${session.version},
      connected_at = now(), last_seen_at = now() where id = ${probeId}`
}

/** Notes when the probe was last heard, `silentMs` ago; false where a newer session has taken this one's place. */
export async function touchSession(sql: Sql, probeId: string, sessionId: string, silentMs: number): Promise<boolean> {
  const { count } = await sql`
    update probes set last_seen_at = greatest(last_seen_at, now() - ${silentMs} * interval '1 millisecond')
    where id = ${probeId} and session_id = ${sessionId}`
  return count > 0
}

export async function saveHealth(sql: Sql, probeId: string, health: Health): Promise<void> {
  await sql`
    update probes set health = ${sql.json(health)}, clock_offset_ms = ${health.clock_offset_ms}, version = ${health.version}, last_seen_at = now()
    where id = ${probeId}`
}

/** What the clock of a probe lacks that could not open a session because of it. */
export async function noteClock(sql: Sql, probeId: string, lackMs: number): Promise<void> {
  await sql`update probes set clock_offset_ms = ${lackMs} where id = ${probeId}`
}

export type JobToSend = { id: string; cause: JobCause; plan: TestPlan; created_at: number; expires_at: number }

/** Jobs of the probe that it has not taken yet and may still start: what was to be learnt of an old target is of no use. */
export async function readJobsToSend(sql: Sql, probeId: string): Promise<JobToSend[]> {
  const rows = await sql<(Omit<JobToSend, 'plan'> & Omit<TestPlan, 'monitor_id'> & { monitor_id: string })[]>`
    select j.id, j.cause, j.created_at, j.expires_at, j.monitor_id, m.kind, m.target, m.period_s, m.timeout_s, m.slow_s, m.retest_wait_s,
      m.hard_confirm_s, m.open_period_s, m.accept_echo
    from jobs j join monitors m on m.customer_id = j.customer_id and m.id = j.monitor_id
    where j.probe_id = ${probeId} and j.taken_at is null and j.expires_at > now() and m.deleted_at is null
      and ${ofTarget(sql, sql`j`, sql`m.target_generation`)} order by j.created_at limit 500`
  return rows.map(({ id, cause, created_at, expires_at, ...plan }) => ({ id, cause, created_at, expires_at, plan }))
}

export async function markJobsSent(sql: Sql, jobIds: string[]): Promise<void> {
  await sql`update jobs set sent_at = now() where id = any(${jobIds}::uuid[])`
}

export async function markJobTaken(sql: Sql, probeId: string, jobId: string): Promise<void> {
  await sql`update jobs set taken_at = now() where id = ${jobId} and probe_id = ${probeId}`
}

/**
 * This coordinator lives. The first call names the moment from which results could be received, and so does one after a break: then
 * the database or the coordinator was away.
 */
export async function beat(sql: Sql, coordinatorId: string): Promise<void> {
  await sql`
    insert into coordinators as c (id, started_at, seen_at) values (${coordinatorId}, now(), now())
    on conflict (id) do update set seen_at = now(),
      started_at = case when c.seen_at < now() - interval '10 seconds' then now() else c.started_at end`
}

export async function signOff(sql: Sql, coordinatorId: string): Promise<void> {
  await sql`delete from coordinators where id = ${coordinatorId}`
}
