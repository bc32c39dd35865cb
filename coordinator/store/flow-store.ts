/** The flows' store on PostgreSQL: each operation is the function of that name, bound to a transaction. */
import type { Store, Transaction } from '../flow/store.ts'
import { announce } from './announce.ts'
import { databaseNowMs } from './clock.ts'
import type { Sql, SqlPool } from './connection.ts'
import { lockBlindSpell, lockFleet, saveBlindSpell, saveFleetGuard } from './fleet.ts'
import {
  amendPaging,
  claimDueStep,
  closeIncident,
  codeIsFree,
  confirmIncident,
  endIncidentSeries,
  holdStep,
  insertIncident,
  insertIncidentEvent,
  readIncident,
  readMonitorPolicy,
  readPaged,
  readRecipients,
  setIncidentCause,
  setNextStep,
} from './incident-log.ts'
import { acknowledgeIncident } from './incidents.ts'
import {
  claimDueMonitor,
  insertJob,
  listNotices,
  loadEvidence,
  lockMonitor,
  postponeJudgement,
  saveJudgement,
} from './judging.ts'
import { listUnloggedReturns } from './late-returns.ts'
import { listStampedTests } from './legs.ts'
import { holdWindowsOfMonitor, windowHistory } from './maintenance.ts'
import { recordOutageEnd } from './outages.ts'
import {
  acceptPage,
  cancelPage,
  cancelPendingPages,
  cancelUnheardPages,
  claimDuePages,
  failPage,
  insertPage,
  postponePage,
  readInformed,
} from './outbox.ts'
import { readTestEvidence } from './results.ts'

export function flowStore(pool: SqlPool): Store {
  return {
    transaction: (work) => pool.begin((sql) => work(transactionOn(sql))),
  }
}

/** For who is in a transaction already. */
export const transactionOn = (sql: Sql): Transaction => ({
  nowMs: () => databaseNowMs(sql),
  announce: (channel, ...payload) => announce(sql, channel, ...payload),

  claimDueMonitor: () => claimDueMonitor(sql),
  lockMonitor: (...args) => lockMonitor(sql, ...args),
  loadEvidence: (...args) => loadEvidence(sql, ...args),
  listNotices: (...args) => listNotices(sql, ...args),
  saveJudgement: (...args) => saveJudgement(sql, ...args),
  postponeJudgement: (...args) => postponeJudgement(sql, ...args),
  insertJob: (...args) => insertJob(sql, ...args),

  codeIsFree: (...args) => codeIsFree(sql, ...args),
  insertIncident: (...args) => insertIncident(sql, ...args),
  confirmIncident: (...args) => confirmIncident(sql, ...args),
  endIncidentSeries: (...args) => endIncidentSeries(sql, ...args),
  setIncidentCause: (...args) => setIncidentCause(sql, ...args),
  closeIncident: (...args) => closeIncident(sql, ...args),
  acknowledgeIncident: (...args) => acknowledgeIncident(sql, ...args),
  readIncident: (...args) => readIncident(sql, ...args),
  insertIncidentEvent: (...args) => insertIncidentEvent(sql, ...args),
  readTestEvidence: (...args) => readTestEvidence(sql, ...args),
  listUnloggedReturns: (...args) => listUnloggedReturns(sql, ...args),
  listStampedTests: (...args) => listStampedTests(sql, ...args),
  recordOutageEnd: (...args) => recordOutageEnd(sql, ...args),

  claimDueStep: () => claimDueStep(sql),
  setNextStep: (...args) => setNextStep(sql, ...args),
  amendPaging: (...args) => amendPaging(sql, ...args),
  readPaged: (...args) => readPaged(sql, ...args),
  holdStep: (...args) => holdStep(sql, ...args),
  holdWindowsOfMonitor: (...args) => holdWindowsOfMonitor(sql, ...args),
  windowHistory: (...args) => windowHistory(sql, ...args),
  readMonitorPolicy: (...args) => readMonitorPolicy(sql, ...args),
  readRecipients: (...args) => readRecipients(sql, ...args),

  lockFleet: (...args) => lockFleet(sql, ...args),
  saveFleetGuard: (...args) => saveFleetGuard(sql, ...args),
  lockBlindSpell: () => lockBlindSpell(sql),
  saveBlindSpell: (...args) => saveBlindSpell(sql, ...args),

  insertPage: (...args) => insertPage(sql, ...args),
  readInformed: (...args) => readInformed(sql, ...args),
  cancelPendingPages: (...args) => cancelPendingPages(sql, ...args),
  cancelUnheardPages: (...args) => cancelUnheardPages(sql, ...args),
  claimDuePages: (...args) => claimDuePages(sql, ...args),
  acceptPage: (...args) => acceptPage(sql, ...args),
  postponePage: (...args) => postponePage(sql, ...args),
  failPage: (...args) => failPage(sql, ...args),
  cancelPage: (...args) => cancelPage(sql, ...args),
})
