/** The real tables, looked at as a whole: a table that somebody adds later must stand behind the wall too. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemRuntime, uuidv7 } from '../../common/runtime.ts'
import { connect } from '../../coordinator/store/connection.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'

/** Rows of the operator stand beside those of customers here; they are read by the operator's code only, never inside `asCustomer`. */
const shared = ['api_keys', 'audit_log']

let own: TestDatabase
let tables: { name: string; rls: boolean; forced: boolean; owner: string; policies: number }[]

beforeAll(async () => {
  own = await freshDatabase()
  tables = await own.admin`
    select relname::text as name, relrowsecurity as rls, relforcerowsecurity as forced, relowner::regrole::text as owner,
      (select count(*) from pg_policy where polrelid = c.oid) as policies
    from pg_class c
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
      and (relname = 'customers' or exists (select from pg_attribute where attrelid = c.oid and attname = 'customer_id'))
    order by 1`
})

afterAll(() => own?.drop())

describe('the wall between customers', () => {
  test('stands around every table with a customer in it', () => {
    const open = tables.filter(({ rls, forced, policies }) => !rls || !forced || policies === 0).map(({ name }) => name)
    expect(open).toEqual(shared)
    expect(tables.length).toBeGreaterThan(10)
  })

  test('the program owns none of them', () => {
    expect(new Set(tables.map(({ owner }) => owner))).toEqual(new Set(['mailscout_owner']))
  })

  test('shows a customer itself and nobody else, and nothing where no customer is set', async () => {
    const { system } = own.database
    const level = uuidv7(systemRuntime)
    const [alice, bob] = [uuidv7(systemRuntime), uuidv7(systemRuntime)]
    await system`
      insert into service_levels (id, name, vantages, quorum, period_min_s, mode, channels, sms_per_day)
      values (${level}, 'wall', 1, 1, 60, 'seed', ${['sms']}, 1)`
    for (const id of [alice, bob])
      await system`insert into customers (id, name, service_level_id) values (${id}, ${`customer ${id}`}, ${level})`
    await system`insert into contacts (customer_id, id, name) values (${alice}, ${uuidv7(systemRuntime)}, 'Alice')`

    const seen = (id: string) =>
      own.database.asCustomer(id, (sql) => sql`select id from customers union all select customer_id from contacts`)
    expect((await seen(alice)).map(({ id }) => id)).toEqual([alice, alice])
    expect((await seen(bob)).map(({ id }) => id)).toEqual([bob])
    expect(await seen(uuidv7(systemRuntime))).toHaveLength(0)

    const unset = connect(own.address, {
      name: 'test',
      role: 'mailscout_app',
      connectionsMax: 1,
      statementMsMax: 5_000,
      lockMsMax: 5_000,
    })
    expect(await unset`select 1 from customers union all select 1 from contacts`).toHaveLength(0)
    await unset.end()
  })
})
