/**
 * What judging, escalating and paging ask of the store, and nothing else: `store/flow-store.ts` gives it on PostgreSQL. The operations
 * are those of `store/` by name, bound to one transaction, so that the same flows run where a simulator keeps the rows.
 */
import type { Channels } from '../store/announce.ts'
import type { databaseNowMs } from '../store/clock.ts'
import type { Sql } from '../store/connection.ts'
import type { lockBlindSpell, lockFleet, saveBlindSpell, saveFleetGuard } from '../store/fleet.ts'
import type * as incidentLog from '../store/incident-log.ts'
import type { acknowledgeIncident } from '../store/incidents.ts'
import type * as judging from '../store/judging.ts'
import type { listUnloggedReturns } from '../store/late-returns.ts'
import type { listStampedTests } from '../store/legs.ts'
import type { holdWindowsOfMonitor, windowHistory } from '../store/maintenance.ts'
import type { recordOutageEnd } from '../store/outages.ts'
import type * as outbox from '../store/outbox.ts'
import type { readTestEvidence } from '../store/results.ts'

export type Store = {
  /** All of the work is committed, or where it throws none of it. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
}

type Bound<F> = F extends (sql: Sql, ...args: infer A) => infer R ? (...args: A) => R : never

/** The operations of one transaction. */
export type Transaction = {
  nowMs: Bound<typeof databaseNowMs>
  /** Told with the commit; it only shortens a poll. */
  announce<C extends keyof Channels>(channel: C, ...payload: Channels[C] extends undefined ? [] : [Channels[C]]): Promise<void>

  claimDueMonitor: Bound<typeof judging.claimDueMonitor>
  lockMonitor: Bound<typeof judging.lockMonitor>
  loadEvidence: Bound<typeof judging.loadEvidence>
  listNotices: Bound<typeof judging.listNotices>
  saveJudgement: Bound<typeof judging.saveJudgement>
  postponeJudgement: Bound<typeof judging.postponeJudgement>
  insertJob: Bound<typeof judging.insertJob>

  codeIsFree: Bound<typeof incidentLog.codeIsFree>
  insertIncident: Bound<typeof incidentLog.insertIncident>
  confirmIncident: Bound<typeof incidentLog.confirmIncident>
  endIncidentSeries: Bound<typeof incidentLog.endIncidentSeries>
  setIncidentCause: Bound<typeof incidentLog.setIncidentCause>
  closeIncident: Bound<typeof incidentLog.closeIncident>
  acknowledgeIncident: Bound<typeof acknowledgeIncident>
  readIncident: Bound<typeof incidentLog.readIncident>
  insertIncidentEvent: Bound<typeof incidentLog.insertIncidentEvent>
  readTestEvidence: Bound<typeof readTestEvidence>
  listUnloggedReturns: Bound<typeof listUnloggedReturns>
  listStampedTests: Bound<typeof listStampedTests>
  recordOutageEnd: Bound<typeof recordOutageEnd>

  claimDueStep: Bound<typeof incidentLog.claimDueStep>
  setNextStep: Bound<typeof incidentLog.setNextStep>
  amendPaging: Bound<typeof incidentLog.amendPaging>
  readPaged: Bound<typeof incidentLog.readPaged>
  holdStep: Bound<typeof incidentLog.holdStep>
  holdWindowsOfMonitor: Bound<typeof holdWindowsOfMonitor>
  windowHistory: Bound<typeof windowHistory>
  readMonitorPolicy: Bound<typeof incidentLog.readMonitorPolicy>
  readRecipients: Bound<typeof incidentLog.readRecipients>

  lockFleet: Bound<typeof lockFleet>
  saveFleetGuard: Bound<typeof saveFleetGuard>
  lockBlindSpell: Bound<typeof lockBlindSpell>
  saveBlindSpell: Bound<typeof saveBlindSpell>

  insertPage: Bound<typeof outbox.insertPage>
  readInformed: Bound<typeof outbox.readInformed>
  cancelPendingPages: Bound<typeof outbox.cancelPendingPages>
  cancelUnheardPages: Bound<typeof outbox.cancelUnheardPages>
  claimDuePages: Bound<typeof outbox.claimDuePages>
  acceptPage: Bound<typeof outbox.acceptPage>
  postponePage: Bound<typeof outbox.postponePage>
  failPage: Bound<typeof outbox.failPage>
  cancelPage: Bound<typeof outbox.cancelPage>
}
