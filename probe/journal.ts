/**
 * What must not be forgotten over a restart: the tests under way, the slots that were taken, the tests of the last day (for late
 * mail), and the pending re-tests. A slot is written down before its mail is sent, so that it never runs twice.
 */
import { hourMs } from '../common/durations.ts'
import { lateMailMsMax } from '../common/limits.ts'
import type { Sequence } from './retest.ts'
import type { Instant, RoundTrip } from './round-trip.ts'
import type { Store } from './store.ts'
import type { Trip } from './trip.ts'

/** A trip that was under way when the journal was last written. */
export type JournalledTrip = Trip & { bootId: string }

/** What is still known of a trip that has ended. */
export type PastTrip = {
  id: string
  kind: 'test' | 'control'
  monitorId: string | null
  startedAt: Instant
  bootId: string
  /** It came back, in time or late: whatever comes now is a duplicate. */
  returned: boolean
}

export type Journal = {
  /** Writes a trip down; false where its slot has been taken already. */
  begin(trip: Trip): boolean
  save(id: string, state: RoundTrip): void
  /** The trip is over. Call it in the transaction that puts its result into the spool. */
  end(id: string, returned: boolean, nowMs: number): void
  underWay(): JournalledTrip[]
  past(id: string): PastTrip | undefined
  markReturned(id: string): void
  sequences(): { sequence: Sequence; bootId: string }[]
  saveSequence(sequence: Sequence): void
  dropSequence(monitorId: string): void
  /** Forgets what ended more than a day ago. */
  prune(nowMs: number): void
}

export function createJournal(options: { store: Store; bootId: string }): Journal {
  const { database } = options.store
  const { bootId } = options
  createTables(options.store)
  const insert = database.prepare(`
    INSERT INTO tests (id, kind, monitor_id, assignment_id, slot, slot_at, started_wall_ms, started_monotonic_ms, boot_id, trip)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
  const updateState = database.prepare(
    "UPDATE tests SET trip = json_set(trip, '$.state', json(?)) WHERE id = ? AND ended_at IS NULL",
  )
  const close = database.prepare('UPDATE tests SET trip = NULL, ended_at = ?, returned = ? WHERE id = ?')
  const selectOpen = database.prepare('SELECT trip, boot_id FROM tests WHERE ended_at IS NULL ORDER BY id')
  const selectPast = database.prepare('SELECT * FROM tests WHERE id = ? AND ended_at IS NOT NULL')
  const setReturned = database.prepare('UPDATE tests SET returned = 1 WHERE id = ?')
  const removeOld = database.prepare('DELETE FROM tests WHERE ended_at < ?')
  const selectSequences = database.prepare('SELECT sequence, boot_id FROM sequences')
  const upsertSequence = database.prepare(
    `INSERT INTO sequences (monitor_id, sequence, boot_id) VALUES (?, ?, ?)
     ON CONFLICT (monitor_id) DO UPDATE SET sequence = excluded.sequence, boot_id = excluded.boot_id`,
  )
  const removeSequence = database.prepare('DELETE FROM sequences WHERE monitor_id = ?')

  return {
    begin({ order, state }) {
      const { startedAt } = state
      // A mail of a route that comes back late is told to nobody: it belongs to no result.
      const monitorId = order.kind === 'test' ? order.plan.monitor_id : null
      const slot = order.kind === 'test' ? order.slot : null
      const { changes } = insert.run(
        order.id,
        order.kind === 'control' ? 'control' : 'test',
        monitorId,
        slot?.assignmentId ?? null,
        slot?.number ?? null,
        slot?.atMs ?? null,
        startedAt.wallMs,
        startedAt.monotonicMs,
        bootId,
        JSON.stringify({ order, state }),
      )
      return Number(changes) === 1
    },
    save: (id, state) => void updateState.run(JSON.stringify(state), id),
    end: (id, returned, nowMs) => void close.run(nowMs, returned ? 1 : 0, id),
    underWay: () => selectOpen.all().map((row) => ({ ...(JSON.parse(String(row.trip)) as Trip), bootId: String(row.boot_id) })),
    past(id) {
      const row = selectPast.get(id)
      if (row === undefined) return undefined
      return {
        id,
        kind: row.kind === 'control' ? 'control' : 'test',
        monitorId: row.monitor_id === null ? null : String(row.monitor_id),
        startedAt: { wallMs: Number(row.started_wall_ms), monotonicMs: Number(row.started_monotonic_ms) },
        bootId: String(row.boot_id),
        returned: row.returned === 1,
      }
    },
    markReturned: (id) => void setReturned.run(id),
    sequences: () =>
      selectSequences
        .all()
        .map((row) => ({ sequence: JSON.parse(String(row.sequence)) as Sequence, bootId: String(row.boot_id) })),
    saveSequence: (sequence) => void upsertSequence.run(sequence.monitorId, JSON.stringify(sequence), bootId),
    dropSequence: (monitorId) => void removeSequence.run(monitorId),
    // An hour more than late mail is noted for, so that the two bounds cannot race.
    prune: (nowMs) => void removeOld.run(nowMs - lateMailMsMax - hourMs),
  }
}

/** Two generations that overlap must not run one instant of a monitor twice: hence the second unique index. */
function createTables(store: Store): void {
  store.database.exec(`
    CREATE TABLE IF NOT EXISTS tests (
      id TEXT PRIMARY KEY,
      kind TEXT NOT NULL CHECK (kind IN ('test', 'control')),
      monitor_id TEXT,
      assignment_id TEXT,
      slot INTEGER,
      slot_at INTEGER,
      started_wall_ms INTEGER NOT NULL,
      started_monotonic_ms REAL NOT NULL,
      boot_id TEXT NOT NULL,
      trip TEXT,
      ended_at INTEGER,
      returned INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX IF NOT EXISTS tests_by_slot ON tests (assignment_id, slot) WHERE slot IS NOT NULL;
    CREATE UNIQUE INDEX IF NOT EXISTS tests_by_instant ON tests (monitor_id, slot_at) WHERE slot_at IS NOT NULL;
    CREATE INDEX IF NOT EXISTS tests_under_way ON tests (id) WHERE ended_at IS NULL;
    CREATE INDEX IF NOT EXISTS tests_by_end ON tests (ended_at) WHERE ended_at IS NOT NULL;
    CREATE TABLE IF NOT EXISTS sequences (monitor_id TEXT PRIMARY KEY, sequence TEXT NOT NULL, boot_id TEXT NOT NULL) WITHOUT ROWID;
  `)
}
