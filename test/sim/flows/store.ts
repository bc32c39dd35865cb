/**
 * The flows' store in memory: what judging, escalating and paging ask for (coordinator/flow/store.ts), and no more. It is no second
 * database: test/flow/store-contract*.test.ts run one suite against it and against PostgreSQL.
 */
import type { Outcome } from '../../../common/wire/test.ts'
import type { TestEvidence } from '../../../coordinator/core/diagnosis.ts'
import type { EscalationPolicy } from '../../../coordinator/core/escalation.ts'
import type { Evidence, MonitorRules, MonitorState } from '../../../coordinator/core/evidence.ts'
import { noticeWindowMs } from '../../../coordinator/core/flapping.ts'
import type { MaintenanceWindow, Schedule } from '../../../coordinator/core/maintenance.ts'
import type { Store, Transaction } from '../../../coordinator/flow/store.ts'
import type { IncidentRow, Recipient } from '../../../coordinator/store/incident-log.ts'
import type { ClaimedMonitor } from '../../../coordinator/store/judging.ts'
import type { LateReturnRow } from '../../../coordinator/store/late-returns.ts'
import type { NewPage } from '../../../coordinator/store/outbox.ts'
import { fleetOperations, quietFleet, type StoredFleet, theFleet } from './fleet-row.ts'
import { Heartbeats } from './heartbeats.ts'
import { incidentOperations, mailIsGone } from './incident-rows.ts'
import { isTold, noticesOf, pageOperations } from './page-rows.ts'
import { isFree, Ongoing, Rows } from './rows.ts'

export type StoredMonitor = Omit<ClaimedMonitor, 'now_ms'> & {
  quiet: boolean
  awaiting_proof: string[]
  judge_at: number | null
}

export type StoredIncident = IncidentRow & {
  last_good_at: number | null
  acknowledged_by: string | null
  last_fail_at: number | null
  first_pass_at: number | null
}

/** When a test was sent, its clock put right, and what became of it. */
export type SentTest = { probe_id: string; started_ms: number; outcome: Outcome }

export type StoredPage = NewPage & {
  state: 'pending' | 'sending' | 'accepted' | 'failed' | 'cancelled'
  attempts: number
  claimed_by: string | null
  claimed_until: number | null
  doubts: number
  gateway: string | null
  last_error: string | null
  created_at: number
}

export type StoredEvent = Parameters<Transaction['insertIncidentEvent']>[0]
export type StoredJob = Parameters<Transaction['insertJob']>[0]

/** What the flows only read. */
export type StoreGiven = {
  nowMs: () => number
  evidence: (monitor: ClaimedMonitor, observingSinceMs: number) => Omit<Evidence, 'told_ms' | 'incident_told'>
  details: (testIds: readonly string[]) => Map<string, TestEvidence>
  lateReturns: (testIds: readonly string[]) => LateReturnRow[]
  sentBy: (probeIds: readonly string[]) => SentTest[]
  policy: () => EscalationPolicy | null
  /** By contact id. */
  recipients: ReadonlyMap<string, Recipient[]>
  windows: () => MaintenanceWindow[]
}

/** What a commit tells of. */
export type Commit = { announced: string[]; jobs: StoredJob[]; events: StoredEvent[] }

export class MemoryStore implements Store {
  readonly monitors = new Rows<StoredMonitor>()
  readonly incidents = new Rows<StoredIncident>()
  readonly pages = new Rows<StoredPage>()
  /** The id by what a page is unique by. */
  readonly pageKeys = new Rows<string>()
  readonly fleet = new Rows<StoredFleet>()
  readonly heartbeats: Heartbeats
  readonly events: StoredEvent[] = []
  readonly given: StoreGiven
  readonly #onCommit: (commit: Commit) => void

  constructor(given: StoreGiven, onCommit: (commit: Commit) => void = () => {}) {
    this.given = given
    this.heartbeats = new Heartbeats(given.nowMs)
    this.fleet.committed.set(theFleet, quietFleet)
    this.#onCommit = onCommit
  }

  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { ongoing, operations } = this.begin()
    try {
      const value = await work(operations)
      ongoing.commit()
      return value
    } catch (error) {
      ongoing.rollback()
      throw error
    }
  }

  begin(): { ongoing: Ongoing; operations: Transaction } {
    const ongoing = new Ongoing(this.given.nowMs())
    const commit: Commit = { announced: [], jobs: [], events: [] }
    ongoing.onCommit(() => {
      this.events.push(...commit.events)
      this.#onCommit(commit)
    })
    return { ongoing, operations: this.#operations(ongoing, commit) }
  }

  /** As ingest marks: it waits for a judgement that is under way, and the mark comes after it. `lateSinceMs`: of news that come late. */
  async mark(monitorId: string, atMs: number, lateSinceMs: number | null = null, returnedLate = false): Promise<void> {
    while (this.monitors.holders.has(monitorId)) await isFree(this.monitors, monitorId)
    const monitor = this.monitors.committed.get(monitorId)
    if (monitor === undefined) return
    const judge_at = earliest([monitor.judge_at, atMs])
    const late_since_ms = earliest([monitor.late_since_ms, lateSinceMs])
    const returned_late = monitor.returned_late || returnedLate
    this.monitors.committed.set(monitorId, { ...monitor, judge_at, late_since_ms, returned_late })
  }

  /** Forgets what is over, and no notice that is still counted. */
  tidyUp(): void {
    const countedMs = this.given.nowMs() - noticeWindowMs
    for (const [id, { resolved_at }] of this.incidents.committed)
      if (resolved_at !== null && resolved_at <= countedMs) this.incidents.committed.delete(id)
    for (const [id, { state, created_at }] of this.pages.committed)
      if (state !== 'pending' && state !== 'sending' && created_at <= countedMs) this.pages.committed.delete(id)
    this.pageKeys.committed.clear()
    this.events.length = 0
    this.heartbeats.tidyUp()
  }

  nextJudgementDue = (): number | null => earliest([...this.monitors.committed.values()].map(({ judge_at }) => judge_at))
  nextStepDue = (): number | null =>
    earliest(
      [...this.incidents.committed.values()].map(({ monitor_id, next_step_at }) =>
        mailIsGone(this.monitors.committed.get(monitor_id)) ? next_step_at : null,
      ),
    )
  nextPageDue = (): number | null =>
    earliest(
      [...this.pages.committed.values()].map(({ state, due_at, claimed_until }) =>
        state === 'pending' ? due_at : state === 'sending' ? claimed_until : null,
      ),
    )

  /** When a page can next be claimed: as `nextPageDue`, and where its sender is gone as soon as that is certain. */
  nextPageClaimable = (): number | null =>
    earliest(
      [...this.pages.committed.values()].map(({ state, due_at, claimed_until, claimed_by }) => {
        if (state === 'pending') return due_at
        if (state !== 'sending' || claimed_until === null || claimed_by === null) return null
        return Math.min(claimed_until, this.heartbeats.goneMs(claimed_by))
      }),
    )

  #operations(tx: Ongoing, commit: Commit): Transaction {
    const { given, monitors } = this
    const claimed = (monitorId: string): ClaimedMonitor | null => {
      const row = tx.read(monitors, monitorId)
      if (row === undefined) return null
      const { quiet: _, awaiting_proof: __, judge_at: ___, ...monitor } = row
      return { ...monitor, now_ms: given.nowMs() }
    }
    return {
      nowMs: async () => given.nowMs(),
      announce: async (channel, ..._payload) => {
        commit.announced.push(channel)
      },
      claimDueMonitor: async () => {
        const due = tx
          .all(monitors)
          .filter(({ judge_at }) => judge_at !== null && judge_at <= tx.startedMs)
          .sort((a, b) => (a.judge_at ?? 0) - (b.judge_at ?? 0))
        const free = due.find(({ monitor_id }) => tx.tryLock(monitors, monitor_id))
        return free === undefined ? null : claimed(free.monitor_id)
      },
      lockMonitor: async (_customerId, monitorId) => {
        await tx.lock(monitors, monitorId)
        return claimed(monitorId)
      },
      loadEvidence: async (monitor) => ({
        ...given.evidence(monitor, this.heartbeats.observingSinceMs(tx.startedMs)),
        told_ms: noticesOf(this, tx, monitor.monitor_id),
        incident_told: isTold(this, tx, monitor.incident_id),
      }),
      saveJudgement: async ({ monitor_id }, { state, incidentId, quiet, awaitingProof, judgeAtMs }) => {
        const saved = { state, incident_id: incidentId, quiet, awaiting_proof: awaitingProof, judge_at: judgeAtMs }
        await tx.update(
          monitors,
          monitor_id,
          () => true,
          (row) => ({ ...row, ...saved, returned_late: false, late_since_ms: state.late === null ? null : row.late_since_ms }),
        )
      },
      postponeJudgement: async ({ monitor_id }, delayMs) => {
        await tx.update(
          monitors,
          monitor_id,
          () => true,
          (row) => ({ ...row, judge_at: tx.startedMs + delayMs }),
        )
      },
      insertJob: async (job) => {
        commit.jobs.push(job)
      },
      insertIncidentEvent: async (event) => {
        commit.events.push(event)
      },
      readTestEvidence: async (_customerId, testIds) => given.details(testIds),
      listUnloggedReturns: async (_customerId, incidentId) => {
        const logged = [...this.events, ...commit.events].flatMap(({ type, incident_id, detail }) =>
          type === 'returned_late' && incident_id === incidentId ? [detail.test_id] : [],
        )
        const testIds = tx.read(this.incidents, incidentId)?.vantages.flatMap(({ test_id }) => test_id ?? []) ?? []
        return given.lateReturns(testIds).filter(({ test_id }) => !logged.includes(test_id))
      },
      // No clock of a responder is retold: legs stay unknown.
      listStampedTests: async () => [],
      readMonitorPolicy: async () => given.policy(),
      readRecipients: async (_customerId, contactIds) => contactIds.flatMap((id) => given.recipients.get(id) ?? []),
      holdWindowsOfMonitor: async () =>
        given.windows().filter(({ valid_until_ms, schedule }) => valid_until_ms === null && !isOver(schedule, tx.startedMs)),
      windowHistory: async (_customerId, _monitorId, fromMs, toMs) =>
        given
          .windows()
          .filter(
            ({ schedule, valid_from_ms, valid_until_ms }) =>
              valid_from_ms < toMs && (valid_until_ms ?? toMs) > fromMs && !isOver(schedule, fromMs),
          ),
      listNotices: async ({ monitor_id }) => noticesOf(this, tx, monitor_id),
      ...fleetOperations(this, tx),
      ...incidentOperations(this, tx),
      ...pageOperations(this, tx),
    }
  }
}

const isOver = (schedule: Schedule, atMs: number): boolean => schedule.kind === 'once' && schedule.ends_ms <= atMs

export const storedMonitor = (
  name: { customer_id: string; monitor_id: string },
  rules: MonitorRules,
  state: MonitorState,
): StoredMonitor => ({
  ...name,
  name: 'Mail of Example',
  target_domain: 'customer.example',
  target_generation: 1,
  state,
  incident_id: null,
  late_since_ms: null,
  returned_late: false,
  rules,
  quiet: true,
  awaiting_proof: [],
  judge_at: null,
})

const earliest = (times: (number | null)[]): number | null =>
  times.reduce((first, time) => (time === null || (first !== null && first <= time) ? first : time), null)
