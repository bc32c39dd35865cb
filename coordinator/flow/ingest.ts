/**
 * A batch of results: admit, write, mark for judging, commit, and only then acknowledge.
 *
 *   signed batch ─► admit ─► insert (each once) ─► proofs of health ─► mark ─► commit ─► ack
 */
import type { ErrorCode } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { domainOf } from '../../common/mail/headers.ts'
import type { ResultBatch } from '../../common/wire/documents.ts'
import type { TestResult } from '../../common/wire/test.ts'
import { admit } from '../core/admission.ts'
import { isLateNews } from '../core/past-outage.ts'
import { estimateLackMs } from '../core/probe-clock.ts'
import { isFailure, isPass } from '../core/verdict.ts'
import { announce, announceResults } from '../store/announce.ts'
import { databaseNowMs } from '../store/clock.ts'
import type { Sql } from '../store/connection.ts'
import type { Database } from '../store/database.ts'
import { recordFailures } from '../store/fleet.ts'
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
} from '../store/ingest.ts'
import { ingestRouteTests } from './route-tests.ts'

export type Refusal = { id: string; code: ErrorCode; detail: string }
export type ReportingProbe = { id: string; region: string }

/** `isLateNews`: a failure that is told of late (core/past-outage.ts). */
type Admitted = AdmittedResult & { target_domain: string | null; isLateNews: boolean }

/**
 * The batch with what the probe's clock lacks where the probe did not know it: one figure, that judging, slots and legs go by. It has no
 * `clock_error_ms`: that is how it is told from a reading of NTP.
 */
export async function withClockKnown(sql: Sql, batch: ResultBatch, sealedAtMs: number): Promise<ResultBatch> {
  const { health, results } = batch
  const isKnown = health.clock_offset_ms !== null && results.every((result) => result.clock_offset_ms !== null)
  if (isKnown) return batch
  const clock_offset_ms = health.clock_offset_ms ?? estimateLackMs({ sealedAtMs, receivedAtMs: await databaseNowMs(sql) })
  return {
    ...batch,
    health: { ...health, clock_offset_ms },
    results: results.map((result) => (result.clock_offset_ms === null ? estimated(result, clock_offset_ms) : result)),
  }
}

function estimated(result: TestResult, clock_offset_ms: number | null): TestResult {
  const { clock_error_ms: _, ...detail } = result.detail
  return { ...result, clock_offset_ms, detail }
}

/** Commits the batch and returns what was refused; everything else is durable when it resolves. */
export async function ingestBatch(
  context: { database: Database; logger: Logger },
  probe: ReportingProbe,
  batch: ResultBatch,
): Promise<Refusal[]> {
  const { system } = context.database
  const refused: Refusal[] = []
  const admitted: Admitted[] = []
  await system.begin(async (sql) => {
    admitted.push(...(await admitResults(sql, probe, batch.results, refused)))
    // Sent together and run one after the other, so that the transaction waits for the network as seldom as it can.
    const [told, notes, proved] = await Promise.all([
      insertResults(sql, probe, admitted),
      writeNotes(sql, probe, batch, refused),
      prove(sql, probe, admitted, batch),
    ])
    const failures = admitted.filter(({ outcome }) => isFailure(outcome))
    // After the others, so that the rows are locked in one order whatever the batch holds.
    await recordFailures(sql, probe.id, failures)
    // As the votes see them: by a clock that is ahead, the other vantages' tests of that time would not be read.
    const late = failures
      .filter((failure) => failure.isLateNews)
      .map(({ monitor_id, started_at, clock_offset_ms }) => ({ monitor_id, started_at: started_at + (clock_offset_ms ?? 0) }))
    const troubled = [...admitted.filter((result) => result.outcome !== 'ok'), ...notes.overdues]
    const marked = await markForJudging(sql, { probeId: probe.id, told, troubled, returned: notes.returned, late, proved })
    if (marked > 0) await announce(sql, 'judge')
  })
  // Not in the transaction: commits that notify wait for each other. Who is not acknowledged sends again, and then this is told again.
  await announceResults(system, admitted)
  refused.push(...(await ingestRouteTests(context, probe, batch)))
  for (const refusal of refused) context.logger.warn({ probe: probe.id, ...refusal }, 'a record was refused')
  return refused
}

async function admitResults(sql: Sql, probe: ReportingProbe, results: TestResult[], refused: Refusal[]): Promise<Admitted[]> {
  if (results.length === 0) return []
  const [holdings, jobs, nowMs] = await Promise.all([
    findHoldings(sql, probe.id, unique(results.map((result) => result.monitor_id))),
    findGivenJobs(sql, probe.id, unique(results.flatMap((result) => result.job_id ?? []))),
    databaseNowMs(sql),
  ])
  const holdingsOf = Map.groupBy(holdings, (holding) => holding.monitor_id)
  const admitted: Admitted[] = []
  for (const result of results) {
    const admission = admit(result, holdingsOf.get(result.monitor_id) ?? [], jobs, nowMs)
    if ('code' in admission) refused.push({ id: result.id, ...admission })
    else admitted.push({ ...result, ...admission, isLateNews: tellsOfPast(result, nowMs) })
  }
  return admitted
}

const tellsOfPast = ({ outcome, finished_at, clock_offset_ms }: TestResult, nowMs: number): boolean =>
  isFailure(outcome) && isLateNews(finished_at + (clock_offset_ms ?? 0), nowMs)

/** Writes what is told beside results; returns the mails that are overdue, and those that are newly known to be back late. */
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
  const returned = await insertLateReturns(sql, probe.id, owned(batch.lates))
  const overdues = owned(batch.overdues)
  await insertOverdues(sql, probe.id, overdues)
  return { overdues, returned }
}

/** Verified returns prove the probe's health against failures elsewhere: the newest of the two newest domains is enough. */
async function prove(sql: Sql, probe: ReportingProbe, admitted: Admitted[], batch: ResultBatch): Promise<boolean> {
  const proofs: Proof[] = []
  for (const { target_domain: domain, outcome, started_at, returned_at, boot_id, started_uptime_ms } of admitted) {
    if (isPass(outcome) && returned_at !== null && domain !== null)
      proofs.push({ domain, started_at, returned_at, control: false, boot_id, started_uptime_ms })
  }
  for (const { reference, outcome, started_at, returned_at, boot_id, started_uptime_ms } of batch.controls) {
    if (isPass(outcome) && returned_at !== null)
      proofs.push({ domain: domainOf(reference), started_at, returned_at, control: true, boot_id, started_uptime_ms })
  }
  // What came back before the machine was started again is beside no test since.
  const ofThisBoot = proofs.filter(({ boot_id }) => boot_id === batch.boot_id)
  const newest = ofThisBoot.toSorted((a, b) => b.started_uptime_ms - a.started_uptime_ms)
  const second = newest.find((proof) => proof.domain !== newest[0]?.domain)
  await recordProofs(sql, probe.id, [...newest.slice(0, 1), ...(second === undefined ? [] : [second])])
  // Afterwards: beside those that were lost it is noted what has come back.
  await insertControlTrips(sql, probe.id, batch.controls)
  return newest.length > 0
}

const unique = (values: string[]): string[] => [...new Set(values)]
