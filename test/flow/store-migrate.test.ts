import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { openDatabase } from '../../coordinator/store/database.ts'
import { emptyDatabase } from '../support/database.ts'
import { asUser } from '../support/database-address.ts'

let folder: string
let own: Awaited<ReturnType<typeof emptyDatabase>>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailscout-migrations-'))
  own = await emptyDatabase()
})

afterEach(async () => {
  await own.drop()
  await rm(folder, { recursive: true, force: true })
})

const write = (files: Record<string, string>) =>
  Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))

const open = (address = own.address) =>
  openDatabase({ address, logger: silentLogger, runtime: systemRuntime, migrations: folder })
const openAndClose = async () => (await open()).close()

const first = 'create table things (id int primary key);\ngrant select on all tables in schema public to mailscout_app;'
const second = 'alter table things add column name text;\ninsert into things values (1, $$one$$);'

describe('migrations', () => {
  test('run once, in order, and belong to the owner', async () => {
    await write({ '0001-things.sql': first, '0002-names.sql': second })
    await openAndClose()
    await openAndClose()
    expect([...(await own.admin`select * from things`)]).toEqual([{ id: 1, name: 'one' }])
    expect([...(await own.admin`select version, name from schema_migrations order by 1`)]).toEqual([
      { version: 1, name: '0001-things.sql' },
      { version: 2, name: '0002-names.sql' },
    ])
    const [owner] = await own.admin`select tableowner from pg_tables where tablename = 'things'`
    expect(owner).toEqual({ tableowner: 'mailscout_owner' })
  })

  test('the program cannot touch their record, even where a migration grants rights on all tables', async () => {
    await write({ '0001-things.sql': first })
    const database = await open()
    expect(await database.system`select * from things`).toHaveLength(0)
    await expect(database.system`select * from schema_migrations`).rejects.toMatchObject({ code: '42501' })
    await database.close()
  })

  test('coordinators that start at once apply each file once', async () => {
    await write({ '0001-things.sql': first, '0002-names.sql': second, '0003-slow.sql': 'select pg_sleep(0.1);' })
    await Promise.all([openAndClose(), openAndClose(), openAndClose(), openAndClose()])
    expect(await own.admin`select * from things`).toHaveLength(1)
    expect(await own.admin`select * from schema_migrations`).toHaveLength(3)
  })

  test('a file that fails is undone, those before it stay, and its line is told', async () => {
    await write({ '0001-things.sql': first, '0002-broken.sql': 'create table half (id int);\ncreate tabel other ();' })
    const error = await open().catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED' })
    expect(String(error)).toContain('0002-broken.sql line 2: syntax error')
    expect([...(await own.admin`select tablename from pg_tables where schemaname = 'public' order by 1`)]).toEqual([
      { tablename: 'schema_migrations' },
      { tablename: 'things' },
    ])
    await write({ '0002-broken.sql': second })
    await openAndClose()
  })

  test('a database that is newer than the program is refused', async () => {
    await write({ '0001-things.sql': first, '0002-names.sql': second })
    await openAndClose()
    await rm(join(folder, '0002-names.sql'))
    const error = await open().catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'DATABASE_TOO_NEW' })
    expect(String(error)).toContain('0002-names.sql')
  })

  test('a file that was edited afterwards is refused; other line ends are no edit', async () => {
    await write({ '0001-things.sql': first })
    await openAndClose()
    await write({ '0001-things.sql': first.replaceAll('\n', '\r\n') })
    await openAndClose()
    await write({ '0001-things.sql': `${first}\n-- edited` })
    await expect(open()).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' })
  })

  test.each([
    ['a gap', ['0001-one.sql', '0003-three.sql']],
    ['a number used twice', ['0001-one.sql', '0001-two.sql']],
    ['a name without a number', ['0001-one.sql', 'two.sql']],
  ])('%s in the numbers is refused', async (_, names) => {
    await write(Object.fromEntries(names.map((name) => [name, 'select 1'])))
    await expect(open()).rejects.toMatchObject({ code: 'MIGRATION_FAILED' })
  })

  test('work on the data is not hidden from them by row-level security', async () => {
    await write({
      '0001-rows.sql': `create table rows (customer_id uuid); insert into rows values (gen_random_uuid());
        alter table rows enable row level security; alter table rows force row level security;
        create policy customer on rows using (current_setting('app.customer', true) in ('*', customer_id::text));`,
      '0002-copy.sql': 'create table copies as select * from rows;',
    })
    await openAndClose()
    expect(await own.admin`select * from copies`).toHaveLength(1)
  })
})

describe('roles', () => {
  let user: string

  beforeEach(async () => {
    user = `mailscout_test_user_${process.pid}`
    await own.admin.unsafe(`create role ${user} login password 'test'`)
    await write({ '0001-things.sql': first })
  })

  afterEach(async () => {
    await own.admin.unsafe(`reassign owned by ${user} to current_user; drop owned by ${user}; drop role ${user}`)
  })

  test('a user that may not make them is told what an administrator must run; then it works', async () => {
    const error = await open(asUser(own.address, user, 'test')).catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'DATABASE_ROLES_MISSING' })
    const statements = String(error)
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
    expect(statements).toContain(`grant mailscout_owner to "${user}";`)

    for (const statement of statements) await own.admin.unsafe(statement)
    const database = await open(asUser(own.address, user, 'test'))
    expect([...(await database.system`select current_user::text as name`)]).toEqual([{ name: 'mailscout_app' }])
    await database.close()
  })

  test('the wall is checked: a program role with too much power is put right', async () => {
    await own.admin.unsafe('create schema if not exists public; grant create on schema public to public')
    await openAndClose()
    const [row] = await own.admin`select has_schema_privilege('mailscout_app', 'public', 'CREATE') as may`
    expect(row).toEqual({ may: false })
  })

  test('a refused login is reported at once and not waited for', async () => {
    await expect(open(asUser(own.address, `${user}_unknown`, 'x'))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
