/** Incidents in memory: coordinator/store/incident-log.ts and the acknowledgement of store/incidents.ts, retold. */
import type { Outcome } from '../../../common/wire/test.ts'
import { isFailure, isPass } from '../../../coordinator/core/verdict.ts'
import type { Transaction } from '../../../coordinator/flow/store.ts'
import { stillGoodMs } from '../pages.ts'
import type { Ongoing } from './rows.ts'
import type { MemoryStore, SentTest, StoredIncident, StoredMonitor } from './store.ts'

type IncidentOperations = Pick<
  Transaction,
  | 'codeIsFree'
  | 'insertIncident'
  | 'confirmIncident'
  | 'endIncidentSeries'
  | 'setIncidentCause'
  | 'closeIncident'
  | 'recordOutageEnd'
  | 'acknowledgeIncident'
  | 'readIncident'
  | 'claimDueStep'
  | 'setNextStep'
  | 'amendPaging'
  | 'readPaged'
  | 'holdStep'
>

const noStep = { next_step: null, next_round: null, next_step_at: null }
/** While mail is back, and only the all-clear waits, no step is due. */
export const mailIsGone = (monitor: StoredMonitor | undefined): boolean =>
  (monitor?.state.incident?.well_since_ms ?? null) === null
const isOpen = ({ resolved_at }: StoredIncident): boolean => resolved_at === null

export function incidentOperations(store: MemoryStore, tx: Ongoing): IncidentOperations {
  const { incidents, monitors } = store
  const change = (id: string, changes: Partial<StoredIncident>, condition: (row: StoredIncident) => boolean = () => true) =>
    tx.update(incidents, id, condition, (row) => ({ ...row, ...changes }))
  return {
    codeIsFree: async (code) => !tx.all(incidents).some((incident) => incident.code === code && isOpen(incident)),
    insertIncident: async ({ end, ...incident }) => {
      const open = end === undefined ? tx.all(incidents).filter(isOpen) : []
      if (open.some(({ monitor_id }) => monitor_id === incident.monitor_id)) throw new Error('incidents_one_open')
      if (open.some(({ code }) => code === incident.code)) throw new Error('incidents_open_code')
      const monitor = tx.read(monitors, incident.monitor_id)
      if (monitor === undefined) throw new Error('incidents_monitor')
      const { open_period_s, slow_s, timeout_s } = monitor.rules
      const known = { monitor_name: monitor.name, open_period_s, slow_s, timeout_s }
      const untouched = {
        acknowledged_at: null,
        acknowledged_by: null,
        resolved_at: null,
        held: false,
        closed: false,
        amended: false,
        ...noStep,
        last_fail_at: null,
        first_pass_at: null,
      }
      const down_at = incident.kind === 'down' ? incident.opened_at : null
      tx.write(incidents, incident.id, { ...incident, ...untouched, ...end, ...known, down_at })
    },
    confirmIncident: async ({ id, since_at, last_good_at, flapping, cause, vantages }) => {
      const untouched = { acknowledged_at: null, acknowledged_by: null }
      const known = last_good_at ?? stillGoodMs(tx.read(incidents, id)?.last_good_at, since_at)
      const times = { down_at: tx.startedMs, since_at, last_good_at: known }
      await change(id, { kind: 'down', ...times, ...untouched, flapping, cause, vantages })
    },
    endIncidentSeries: async (_customerId, id) => {
      await change(id, { flapping: false })
    },
    setIncidentCause: async (_customerId, id, cause) => {
      await change(id, { cause })
    },
    closeIncident: (_customerId, id, atMs, closed = false) => change(id, { resolved_at: atMs, closed, ...noStep }, isOpen),
    recordOutageEnd: async (_customerId, id, passing) => {
      const incident = tx.read(incidents, id)
      if (incident?.kind !== 'down') return
      const vantages = passing.length > 0 ? passing : incident.vantages.map(({ probe_id }) => probe_id)
      await change(id, outageEnd(incident.since_at, store.given.sentBy(vantages)))
    },
    acknowledgeIncident: ({ id }, by) =>
      change(
        id,
        { acknowledged_at: tx.startedMs, acknowledged_by: by, ...noStep },
        (row) => isOpen(row) && row.acknowledged_at === null,
      ),
    readIncident: async (_customerId, id) => tx.read(incidents, id) ?? null,
    claimDueStep: async () => {
      const due = tx
        .all(incidents)
        .filter((incident) => isOpen(incident) && incident.next_step_at !== null && incident.next_step_at <= tx.startedMs)
        .filter(({ monitor_id }) => mailIsGone(tx.read(monitors, monitor_id)))
        .sort((a, b) => (a.next_step_at ?? 0) - (b.next_step_at ?? 0))
      const free = due.find(({ id }) => tx.tryLock(incidents, id))
      return free === undefined ? null : (tx.read(incidents, free.id) ?? null)
    },
    setNextStep: async (_customerId, id, next) => {
      const step = next === null ? noStep : { next_step: next.step, next_round: next.round, next_step_at: next.due_ms }
      await change(id, { ...step, held: false, amended: false })
    },
    amendPaging: async (_customerId, monitorIds) => {
      const concerned = (row: StoredIncident) =>
        monitorIds.includes(row.monitor_id) && row.kind === 'down' && isOpen(row) && row.acknowledged_at === null
      for (const { id } of tx.all(incidents))
        await tx.update(incidents, id, concerned, (row) => ({
          ...row,
          amended: true,
          next_step_at: row.held ? row.next_step_at : tx.startedMs,
        }))
    },
    readPaged: async (_customerId, incidentId) =>
      tx
        .all(store.pages)
        .filter(({ incident_id, kind }) => incident_id === incidentId && kind === 'down')
        .map(({ step, round, address, created_at }) => ({ step, round, address, written_ms: created_at }))
        .sort((a, b) => a.round - b.round || a.step - b.step || a.written_ms - b.written_ms),
    holdStep: async (_customerId, id, { step, round }, untilMs) => {
      await change(id, { next_step: step, next_round: round, next_step_at: untilMs, held: true })
    },
  }
}

/** The last failing test since the outage began, and the first passing one after it. */
function outageEnd(sinceMs: number, tests: readonly SentTest[]): Pick<StoredIncident, 'last_fail_at' | 'first_pass_at'> {
  const starts = (matches: (outcome: Outcome) => boolean, fromMs: number) =>
    tests.filter(({ outcome, started_ms }) => matches(outcome) && started_ms >= fromMs).map(({ started_ms }) => started_ms)
  const last_fail_at = Math.max(sinceMs, ...starts(isFailure, sinceMs))
  const passes = starts(isPass, last_fail_at + 1)
  return { last_fail_at, first_pass_at: passes.length === 0 ? null : Math.min(...passes) }
}
