import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime, uuidv7 } from '../../common/runtime.ts'
import { connect } from '../../coordinator/store/connection.ts'
import { openDatabase } from '../../coordinator/store/database.ts'
import { isDuplicate, isForbidden } from '../../coordinator/store/faults.ts'
import { withRetry } from '../../coordinator/store/retry.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'

const alice = uuidv7(systemRuntime)
const bob = uuidv7(systemRuntime)
let own: TestDatabase

beforeAll(async () => {
  own = await freshDatabase()
  const { admin } = own
  await admin.unsafe(`
    set role mailscout_owner;
    create table notes (customer_id uuid not null, id int not null, text text not null, primary key (customer_id, id));
    alter table notes enable row level security;
    alter table notes force row level security;
    create policy customer on notes
      using (current_setting('app.customer', true) in ('*', customer_id::text))
      with check (current_setting('app.customer', true) in ('*', customer_id::text));
    grant select, insert, update, delete on notes to mailscout_app;
    create table counters (id int primary key, value int not null);
    grant select, insert, update on counters to mailscout_app;
    insert into counters values (1, 0), (2, 0);
    reset role;
  `)
  await own.database.system`insert into notes values (${alice}, 1, 'of alice'), (${bob}, 1, 'of bob')`
})

afterAll(() => own?.drop())

describe('customers are kept apart', () => {
  test('the flows see all customers', async () => {
    const rows = await own.database.system`select text from notes order by text`
    expect(rows.map((row) => row.text)).toEqual(['of alice', 'of bob'])
  })

  test('a customer sees its own rows only, even without a condition', async () => {
    const rows = await own.database.asCustomer(alice, (sql) => sql`select text from notes`)
    expect(rows.map((row) => row.text)).toEqual(['of alice'])
  })

  test('a customer can write no row of another', async () => {
    const insert = own.database.asCustomer(alice, (sql) => sql`insert into notes values (${bob}, 2, 'forged')`)
    await expect(insert).rejects.toMatchObject({ code: '42501' })
    const updated = await own.database.asCustomer(
      alice,
      (sql) => sql`update notes set text = 'x' where customer_id = ${bob} returning id`,
    )
    expect(updated).toHaveLength(0)
  })

  test('a connection without a customer sees nothing, also when it served one before', async () => {
    const unset = connect(own.address, {
      name: 'test',
      role: 'mailscout_app',
      connectionsMax: 1,
      statementMsMax: 5_000,
      lockMsMax: 5_000,
    })
    expect(await unset`select 1 from notes`).toHaveLength(0)
    await unset.begin((sql) => sql`select set_config('app.customer', ${alice}, true)`)
    expect(await unset`select 1 from notes`).toHaveLength(0)
    await unset.end()
  })

  test.each(['*', '', 'x', alice.toUpperCase(), `${alice}' or '1'='1`])('%j is no customer', async (id) => {
    await expect(own.database.asCustomer(id, (sql) => sql`select 1`)).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  })

  test('a failed transaction leaves nothing behind', async () => {
    const failing = own.database.asCustomer(alice, async (sql) => {
      await sql`insert into notes values (${alice}, 7, 'half')`
      throw new Error('on purpose')
    })
    await expect(failing).rejects.toThrow('on purpose')
    expect(await own.database.asCustomer(alice, (sql) => sql`select 1 from notes where id = 7`)).toHaveLength(0)
  })
})

describe('the running program has no more rights than it needs', () => {
  test.each([
    ['create a table', 'create table mine (id int)'],
    ['change a table', 'alter table notes add column x int'],
    ['drop a table', 'drop table notes'],
    ['switch the wall off', 'alter table notes disable row level security'],
    ['rewrite the history of migrations', 'delete from schema_migrations'],
    ['make a role', 'create role intruder'],
    ['empty a table', 'truncate notes'],
  ])('it cannot %s', async (_, statement) => {
    const error = await own.database.system.unsafe(statement).catch((fault: unknown) => fault)
    expect(isForbidden(error), String(error)).toBe(true)
  })

  test('it is neither superuser nor exempt from row-level security', async () => {
    const [row] = await own.database.system`
      select current_user::text as name, rolsuper, rolbypassrls from pg_roles where rolname = current_user`
    expect(row).toEqual({ name: 'mailscout_app', rolsuper: false, rolbypassrls: false })
  })
})

describe('values', () => {
  test('times are numbers in and out, to the millisecond', async () => {
    const ms = Date.UTC(2026, 10, 23, 15, 33, 48, 123)
    const [row] = await own.database.system`
      select ${ms}::timestamptz as same, '2026-11-23 15:33:48.123999+00'::timestamptz as cut, 'infinity'::timestamptz as never,
        ${Number.NEGATIVE_INFINITY}::timestamptz = '-infinity' as ever, '1969-12-31 23:59:59+00'::timestamptz as early, null::timestamptz as none`
    expect(row).toEqual({ same: ms, cut: ms, never: Number.POSITIVE_INFINITY, ever: true, early: -1000, none: null })
  })

  test('what is no time is refused', async () => {
    await expect(own.database.system`select ${Number.NaN}::timestamptz`).rejects.toThrow('A time is a number')
    await expect(own.database.system`select ${'2026-11-23T00:00:00Z'}::timestamptz`).rejects.toThrow('A time is a number')
  })

  test('int8 is a number, and beyond 2^53 an error', async () => {
    const [row] = await own.database.system`select count(*) as n, ${2 ** 53 - 1}::int8 as big from generate_series(1, 3)`
    expect(row).toEqual({ n: 3, big: Number.MAX_SAFE_INTEGER })
    await expect(own.database.system`select 9007199254740993::int8`).rejects.toThrow('beyond 2^53')
  })

  test('jsonb takes and gives values', async () => {
    const value = { a: [1, 'zwei', null], nested: { ok: true } }
    const { system } = own.database
    const [row] = await system`
      select ${system.json(value)}::jsonb as document, ${system.json([true, false])}::jsonb as list, ${system.json('text')}::jsonb as string,
        jsonb_typeof(${system.json(value)}) as type`
    expect(row).toEqual({ document: value, list: [true, false], string: 'text', type: 'object' })
  })

  test('arrays go in bulk', async () => {
    const { system } = own.database
    const rows = await system`
      select * from unnest(${[alice, bob]}::uuid[], ${[0, 1.5]}::float8[], ${[0, 1000]}::timestamptz[], ${system.array([true, false], 16)}::bool[])
        as list(id, number, at, yes)`
    expect([...rows]).toEqual([
      { id: alice, number: 0, at: 0, yes: true },
      { id: bob, number: 1.5, at: 1000, yes: false },
    ])
  })
})

describe('statements that fail', () => {
  test('a duplicate is told by its constraint', async () => {
    const error = await own.database.system`insert into notes values (${alice}, 1, 'again')`.catch((fault: unknown) => fault)
    expect([isDuplicate(error), isDuplicate(error, 'notes_pkey'), isDuplicate(error, 'other')]).toEqual([true, true, false])
  })

  test('transactions that lose a race are run again until all have counted', async () => {
    const { system } = own.database
    const increment = () =>
      withRetry(systemRuntime, () =>
        system.begin(async (sql) => {
          await sql`set transaction isolation level serializable`
          const [row] = await sql<{ value: number }[]>`select value from counters where id = 1`
          await sql`update counters set value = ${(row?.value ?? 0) + 1} where id = 1`
        }),
      )
    await Promise.all([increment(), increment(), increment()])
    expect(await system`select value from counters where id = 1`).toEqual([{ value: 3 }])
  })

  test('a deadlock is broken and the loser tries again', async () => {
    const { system } = own.database
    let bothHold = () => {}
    let holding = 0
    const both = new Promise<void>((resolve) => {
      bothHold = resolve
    })
    const raise = (first: number, second: number) =>
      withRetry(systemRuntime, () =>
        system.begin(async (sql) => {
          await sql`update counters set value = value + 1 where id = ${first}`
          if (++holding >= 2) bothHold()
          await both
          await sql`update counters set value = value + 1 where id = ${second}`
        }),
      )
    await system`update counters set value = 0`
    await Promise.all([raise(1, 2), raise(2, 1)])
    expect(await system`select value from counters order by id`).toEqual([{ value: 2 }, { value: 2 }])
    expect(holding).toBe(3)
  })

  test('other faults are not repeated', async () => {
    let runs = 0
    const work = withRetry(systemRuntime, async () => {
      runs++
      await own.database.system`select 1/0`
    })
    await expect(work).rejects.toMatchObject({ code: '22012' })
    expect(runs).toBe(1)
  })
})

describe('notifications', () => {
  test('reach a listener, and after a lost connection it listens again and says so', async () => {
    const { database, admin } = own
    const heard: string[] = []
    let wake = () => {}
    const next = () =>
      new Promise<void>((resolve) => {
        wake = resolve
      })
    let listening = next()
    const stop = await database.listen(
      'news',
      (payload) => {
        heard.push(payload)
        wake()
      },
      () => wake(),
    )
    await listening

    let arrival = next()
    await database.notify('news', 'first')
    await arrival

    listening = next()
    await admin`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen %' and pid <> pg_backend_pid()`
    await listening

    arrival = next()
    await database.notify('news', 'second')
    await arrival
    expect(heard).toEqual(['first', 'second'])
    await stop()
  })
})

describe('opening', () => {
  const fast = { logger: silentLogger, runtime: systemRuntime, waitMs: 300 }

  test('a server that is not there is waited for, then reported without the password', async () => {
    const error = await openDatabase({ address: 'postgres://mailscout:secret@127.0.0.1:1/mailscout', ...fast }).catch(
      (fault: unknown) => fault,
    )
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', temporary: true })
    expect(String(error)).toContain('127.0.0.1:1')
    expect(String(error)).not.toContain('secret')
  })

  test.each(['nonsense', 'localhost/db'])('%s is no address', async (address) => {
    await expect(openDatabase({ address, ...fast })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  test('the database answers a ping and tells its time', async () => {
    await own.database.ping()
    expect(Math.abs((await own.database.nowMs()) - systemRuntime.wallMs())).toBeLessThan(5_000)
  })

  test('a closed database fails its ping', async () => {
    const database = await openDatabase({ address: own.address, ...fast })
    await database.close()
    await expect(database.ping()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  })
})
