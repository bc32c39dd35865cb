import { statSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { createSpool } from '../../probe/spool.ts'
import { openStore } from '../../probe/store.ts'
import { uuidOf } from '../support/plans.ts'
import { overdueOf, recordingLogger, resultOf, routeTestOf, temporaryDirectory } from '../support/probe-parts.ts'

const everything = { afterSeq: 0, rowsMax: 1000, bytesMax: 1_000_000 }
const result = (n: number) => ({ kind: 'result', id: uuidOf(n), body: resultOf(n) }) as const
const overdue = (n: number) => ({ kind: 'overdue', id: uuidOf(n), body: overdueOf(n) }) as const

function spoolOf(bounds: { rowsMax?: number; bytesMax?: number } = {}) {
  const store = openStore(':memory:')
  const { logger, lines } = recordingLogger()
  return { store, lines, spool: createSpool({ store, logger, ...bounds }) }
}
const names = (records: { kind: string; id: string }[]) =>
  records.map(({ kind, id }) => `${kind} ${Number.parseInt(id.slice(-12), 16)}`)

describe('the spool', () => {
  it('gives records back in the order in which they came, until they are settled', () => {
    const { spool } = spoolOf()
    for (const record of [overdue(1), result(1), result(2)]) spool.put(record)
    const records = spool.next(everything)
    expect(names(records)).toEqual(['overdue 1', 'result 1', 'result 2'])
    expect(JSON.parse(records[1]?.json ?? '')).toEqual(resultOf(1))
    spool.settle(records.slice(0, 2).map(({ seq }) => seq))
    expect(names(spool.next(everything))).toEqual(['result 2'])
    expect(spool.depth()).toBe(1)
  })

  it('keeps a record once, however often it is put', () => {
    const { spool } = spoolOf()
    spool.put(result(1))
    spool.put(result(1))
    expect(spool.depth()).toBe(1)
  })

  it('goes on behind what has been sent, and never gives the same number to another record', () => {
    const { spool } = spoolOf()
    spool.put(result(1))
    const [first] = spool.next(everything)
    spool.settle([first?.seq ?? 0])
    spool.put(result(2))
    expect(names(spool.next({ ...everything, afterSeq: first?.seq ?? 0 }))).toEqual(['result 2'])
  })

  it('bounds a batch in rows and bytes, and gives at least one record', () => {
    const { spool } = spoolOf()
    for (const n of [1, 2, 3]) spool.put(result(n))
    expect(spool.next({ ...everything, rowsMax: 2 })).toHaveLength(2)
    expect(spool.next({ ...everything, bytesMax: 1 })).toHaveLength(1)
  })

  it('loses overdues before results, and older before newer, when there is no room, and says so', () => {
    const { spool, lines } = spoolOf({ rowsMax: 3 })
    for (const record of [result(1), overdue(2), overdue(3), result(4), result(5)]) spool.put(record)
    expect(names(spool.next(everything))).toEqual(['result 1', 'result 4', 'result 5'])
    spool.put(result(6))
    expect(names(spool.next(everything))).toEqual(['result 4', 'result 5', 'result 6'])
    expect(spool.dropped()).toBe(3)
    expect(lines.filter(({ msg }) => msg.includes('the spool is full'))).toHaveLength(1)
  })

  it('is bounded in bytes too', () => {
    const { spool } = spoolOf({ bytesMax: JSON.stringify(resultOf(1)).length * 2 })
    for (const n of [1, 2, 3]) spool.put(result(n))
    expect(names(spool.next(everything))).toEqual(['result 2', 'result 3'])
  })

  it('forgets what a transaction put that failed, and still knows its size', () => {
    const { store, spool } = spoolOf()
    spool.put(result(1))
    const failing = () =>
      store.transaction(() => {
        spool.put(result(2))
        throw new Error('the journal failed')
      })
    expect(failing).toThrow('the journal failed')
    expect(spool.depth()).toBe(1)
    expect(names(spool.next(everything))).toEqual(['result 1'])
  })

  it('has everything again after a restart', () => {
    const directory = temporaryDirectory()
    const path = `${directory.path}/probe.sqlite`
    const before = openStore(path)
    createSpool({ store: before, logger: silentLogger }).put(result(1))
    before.close()
    const after = openStore(path)
    expect(names(createSpool({ store: after, logger: silentLogger }).next(everything))).toEqual(['result 1'])
    after.close()
    directory.remove()
  })
})

describe('the store', () => {
  it('refuses a file of a newer version and one that is no database, and says what to do', () => {
    const directory = temporaryDirectory()
    const newer = openStore(`${directory.path}/newer.sqlite`)
    newer.database.exec('PRAGMA user_version = 99')
    newer.close()
    expect(() => openStore(`${directory.path}/newer.sqlite`)).toThrow(/newer version/)
    writeFileSync(`${directory.path}/broken.sqlite`, 'x'.repeat(5000))
    expect(() => openStore(`${directory.path}/broken.sqlite`)).toThrow(/move it away/)
    directory.remove()
  })

  it('is readable for its owner only', () => {
    const directory = temporaryDirectory()
    openStore(`${directory.path}/probe.sqlite`).close()
    expect(statSync(`${directory.path}/probe.sqlite`).mode & 0o077).toBe(0)
    directory.remove()
  })

  it('takes up a table from before tests of routes, with what waits in it and its size', () => {
    const store = openStore(':memory:')
    store.database.exec(`
      CREATE TABLE spool (seq INTEGER PRIMARY KEY AUTOINCREMENT,
        kind TEXT NOT NULL CHECK (kind IN ('result', 'overdue', 'late', 'control')), id TEXT NOT NULL, json TEXT NOT NULL, UNIQUE (kind, id));
      CREATE INDEX spool_by_age ON spool (kind, seq);
      CREATE TABLE spool_size (one INTEGER PRIMARY KEY CHECK (one = 1), rows INTEGER NOT NULL, bytes INTEGER NOT NULL);
      INSERT INTO spool_size VALUES (1, 0, 0);
      CREATE TRIGGER spool_grows AFTER INSERT ON spool BEGIN UPDATE spool_size SET rows = rows + 1, bytes = bytes + octet_length(NEW.json); END;
      CREATE TRIGGER spool_shrinks AFTER DELETE ON spool BEGIN UPDATE spool_size SET rows = rows - 1, bytes = bytes - octet_length(OLD.json); END;`)
    const { logger } = recordingLogger()
    store.database.prepare('INSERT INTO spool (seq, kind, id, json) VALUES (7, ?, ?, ?)').run('result', uuidOf(1), '{}')
    const spool = createSpool({ store, logger })
    spool.put({ kind: 'route', id: uuidOf(2), body: routeTestOf(2) })
    expect(names(spool.next(everything))).toEqual(['result 1', 'route 2'])
    expect([spool.next(everything)[0]?.seq, spool.depth()]).toEqual([7, 2])
    spool.settle([7])
    expect(createSpool({ store, logger }).depth()).toBe(1)
  })
})
