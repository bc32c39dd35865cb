/**
 * The durable queue of what the probe has to tell: a record stays until the coordinator has acknowledged it. Bounded, so that a
 * long silence of the coordinator cannot fill the disk.
 */
import type { Logger } from '../common/log.ts'
import type { ControlTrip, LateReturn, Overdue, RouteTest, TestResult } from '../common/wire/test.ts'
import type { Store } from './store.ts'

/** A probe of 1,000 tests an hour fills this in three weeks, and results older than a week are refused anyhow. */
const spoolRowsMax = 500_000
const spoolBytesMax = 512 * 1024 * 1024
/** What is lost first when there is no room: what only hastens or explains before what counts as a vote. */
const sacrifices = ["'overdue', 'control', 'route'", "'late'", "'result'"]

export type SpoolRecord =
  | { kind: 'result'; id: string; body: TestResult }
  | { kind: 'overdue'; id: string; body: Overdue }
  | { kind: 'late'; id: string; body: LateReturn }
  | { kind: 'control'; id: string; body: ControlTrip }
  | { kind: 'route'; id: string; body: RouteTest }
export type RecordKind = SpoolRecord['kind']

/** A record as it lies in the spool; `seq` rises with every record and names it when it is settled. */
export type SpooledRecord = { seq: number; kind: RecordKind; id: string; json: string }

export type Spool = {
  /** Durable when it returns. Kind and id name a record: putting it again while it waits changes nothing. */
  put(record: SpoolRecord): void
  /** The oldest records behind `afterSeq`, at most `rowsMax` of them and, but for the first, `bytesMax` of JSON. */
  next(options: { afterSeq: number; rowsMax: number; bytesMax: number }): SpooledRecord[]
  /** Forgets records that the coordinator has made durable or will never take. */
  settle(seqs: readonly number[]): void
  depth(): number
  /** Records lost for want of room since the start. */
  dropped(): number
}

export function createSpool(options: { store: Store; logger: Logger; rowsMax?: number; bytesMax?: number }): Spool {
  const { store, logger } = options
  const rowsMax = options.rowsMax ?? spoolRowsMax
  const bytesMax = options.bytesMax ?? spoolBytesMax
  createTables(store)
  const { database } = store
  const insert = database.prepare('INSERT INTO spool (kind, id, json) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO NOTHING')
  const select = database.prepare('SELECT seq, kind, id, json FROM spool WHERE seq > ? ORDER BY seq LIMIT ?')
  const remove = database.prepare('DELETE FROM spool WHERE seq = ?')
  const size = database.prepare('SELECT rows, bytes FROM spool_size')
  const dropOldest = sacrifices.map((kinds) =>
    database.prepare(`DELETE FROM spool WHERE seq = (SELECT min(seq) FROM spool WHERE kind IN (${kinds}))`),
  )
  let dropped = 0

  const measure = () => {
    const row = size.get()
    return { rows: Number(row?.rows), bytes: Number(row?.bytes) }
  }
  const overfull = (): boolean => {
    const { rows, bytes } = measure()
    return rows > rowsMax || bytes > bytesMax
  }

  const makeRoom = (): void => {
    while (overfull() && dropOldest.some((statement) => Number(statement.run().changes) > 0)) {
      dropped += 1
      // The first loss is news; after that a line for every thousand keeps the log readable.
      if (dropped % 1000 === 1) {
        logger.error(
          { dropped, ...measure() },
          'the spool is full: the oldest records are lost until a coordinator can be reached',
        )
      }
    }
  }

  return {
    put(record) {
      store.transaction(() => {
        insert.run(record.kind, record.id, JSON.stringify(record.body))
        makeRoom()
      })
    },
    next({ afterSeq, rowsMax: limit, bytesMax: room }) {
      const records: SpooledRecord[] = []
      let bytes = 0
      for (const row of select.iterate(afterSeq, limit)) {
        const record = { seq: Number(row.seq), kind: String(row.kind) as RecordKind, id: String(row.id), json: String(row.json) }
        bytes += Buffer.byteLength(record.json)
        if (records.length > 0 && bytes > room) break
        records.push(record)
      }
      return records
    },
    settle(seqs) {
      store.transaction(() => {
        for (const seq of seqs) remove.run(seq)
      })
    },
    depth: () => measure().rows,
    dropped: () => dropped,
  }
}

/** The size is kept by triggers, so that it is right after a rollback and needs no count of half a million rows. */
function createTables(store: Store): void {
  renewTable(store)
  store.database.exec(`
    ${spoolTable};
    CREATE INDEX IF NOT EXISTS spool_by_age ON spool (kind, seq);
    CREATE TABLE IF NOT EXISTS spool_size (one INTEGER PRIMARY KEY CHECK (one = 1), rows INTEGER NOT NULL, bytes INTEGER NOT NULL);
    INSERT OR IGNORE INTO spool_size VALUES (1, 0, 0);
    CREATE TRIGGER IF NOT EXISTS spool_grows AFTER INSERT ON spool BEGIN
      UPDATE spool_size SET rows = rows + 1, bytes = bytes + octet_length(NEW.json);
    END;
    CREATE TRIGGER IF NOT EXISTS spool_shrinks AFTER DELETE ON spool BEGIN
      UPDATE spool_size SET rows = rows - 1, bytes = bytes - octet_length(OLD.json);
    END;
  `)
}

const spoolTable = `
  CREATE TABLE IF NOT EXISTS spool (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('result', 'overdue', 'late', 'control', 'route')),
    id TEXT NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (kind, id)
  )`

/** A table from before tests of routes refuses them, and SQLite changes no CHECK: it is made anew, with what waits in it. */
function renewTable(store: Store): void {
  const { database } = store
  const made = database.prepare("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'spool'").get()
  if (made === undefined || String(made.sql).includes("'route'")) return
  // Its triggers and its index go with the old table, so that the size counts nothing twice.
  store.transaction(() =>
    database.exec(`
      ALTER TABLE spool RENAME TO spool_before;
      ${spoolTable};
      INSERT INTO spool (seq, kind, id, json) SELECT seq, kind, id, json FROM spool_before;
      DROP TABLE spool_before;`),
  )
}
