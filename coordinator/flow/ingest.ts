/**
 * A batch of results: admit, write, mark for judging, commit, and only then acknowledge.
 *
 *   signed batch ─► admit ─► insert (each once) ─► proofs of health ─► mark ─► commit ─► ack
 */
import type { ErrorCode } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { ResultBatch } from '../../common/wire/documents.ts'
import type { TestResult } from '../../common/wire/test.ts'
import { admit } from '../core/admission.ts'
import { announce, announceAll } from '../store/announce.ts'
import { databaseNowMs } from '../store/clock.ts'
import type { Sql } from '../store/connection.ts'
import type { Database } from '../store/database.ts'
import {
  type AdmittedResult,
  findGivenJobs,
  findHoldings,
  findMonitorOwners,
  insertControlTrips,
  insertLateReturns,
  insertOverdues,
  insertResults,
  markForJudging,
  type Proof,
  recordProofs,
  targetDomains,
} from '../store/ingest.ts'

export type Refusal = { id: string; code: ErrorCode; detail: string }
export type ReportingProbe = { id: string; region: string }

/** Commits the batch and returns what was refused; everything else is durable when it resolves. */
export async function ingestBatch(
  context: { database: Database; logger: Logger },
  probe: ReportingProbe,
  batch: ResultBatch,
): Promise<Refusal[]> {
  const refused: Refusal[] = []
  await context.database.system.begin(async (sql) => {
    const admitted = await admitResults(sql, probe, batch.results, refused)
    const told = await insertResults(sql, probe, admitted)
    const overdue = await writeNotes(sql, probe, batch, refused)
    const proved = await prove(sql, probe, admitted, batch)
    const troubled = [...admitted.filter((result) => result.outcome !== 'ok'), ...overdue]
    const marked = await markForJudging(sql, { probeId: probe.id, told, troubled, proved })
    if (marked > 0) await announce(sql, 'judge')
    await announceAll(
      sql,
      'live',
      admitted.map(({ customer_id, id, monitor_id }) => ({ kind: 'result', customer_id, id, monitor_id })),
    )
  })
  for (const refusal of refused) context.logger.warn({ probe: probe.id, ...refusal }, 'a record was refused')
  return refused
}

async function admitResults(
  sql: Sql,
  probe: ReportingProbe,
  results: TestResult[],
  refused: Refusal[],
): Promise<AdmittedResult[]> {
  if (results.length === 0) return []
  const holdings = await findHoldings(sql, probe.id, unique(results.map((result) => result.monitor_id)))
  const jobs = await findGivenJobs(sql, probe.id, unique(results.flatMap((result) => result.job_id ?? [])))
  const nowMs = await databaseNowMs(sql)
  const admitted: AdmittedResult[] = []
  for (const result of results) {
    const admission = admit(result, holdings, jobs, nowMs)
    if ('code' in admission) refused.push({ id: result.id, ...admission })
    else admitted.push({ ...result, customer_id: admission.customer_id })
  }
  return admitted
}

/** Writes what is told beside results; returns the mails that are overdue. */
async function writeNotes(sql: Sql, probe: ReportingProbe, batch: ResultBatch, refused: Refusal[]) {
  const monitorIds = unique([...batch.lates, ...batch.overdues].map((note) => note.monitor_id))
  const owners = await findMonitorOwners(sql, probe.id, monitorIds)
  const owned = <T extends { monitor_id: string; test_id: string }>(notes: T[]) =>
    notes.flatMap((note) => {
      const customer_id = owners.get(note.monitor_id)
      if (customer_id !== undefined) return { ...note, customer_id }
      refused.push({ id: note.test_id, code: 'RESULT_FOREIGN', detail: 'This probe was never told to test that monitor' })
      return []
    })
  await insertLateReturns(sql, probe.id, owned(batch.lates))
  const overdues = owned(batch.overdues)
  await insertOverdues(sql, probe.id, overdues)
  await insertControlTrips(sql, probe.id, batch.controls)
  return overdues
}

/** Verified returns prove the probe's health against failures elsewhere: the newest of the two newest domains is enough. */
async function prove(sql: Sql, probe: ReportingProbe, admitted: AdmittedResult[], batch: ResultBatch): Promise<boolean> {
  const returned = admitted.filter((result) => result.outcome === 'ok' || result.outcome === 'slow')
  const domains = await targetDomains(sql, unique(returned.map((result) => result.monitor_id)))
  const proofs: Proof[] = []
  for (const { monitor_id, started_at, returned_at } of returned) {
    const domain = domains.get(monitor_id)
    if (domain !== undefined && returned_at !== null) proofs.push({ domain, started_at, returned_at, control: false })
  }
  for (const { reference, outcome, started_at, returned_at } of batch.controls) {
    const passed = outcome === 'ok' || outcome === 'slow'
    if (passed && returned_at !== null) proofs.push({ domain: domainOf(reference), started_at, returned_at, control: true })
  }
  const newest = proofs.toSorted((a, b) => b.started_at - a.started_at)
  const second = newest.find((proof) => proof.domain !== newest[0]?.domain)
  await recordProofs(sql, probe.id, [...newest.slice(0, 1), ...(second === undefined ? [] : [second])])
  return newest.length > 0
}

const domainOf = (address: string): string => (address.split('@')[1] ?? '').toLowerCase()
const unique = (values: string[]): string[] => [...new Set(values)]
