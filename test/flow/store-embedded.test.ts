import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { connect, type DatabaseAddress } from '../../coordinator/store/connection.ts'
import { openDatabase } from '../../coordinator/store/database.ts'
import { type EmbeddedOptions, type EmbeddedPostgres, startEmbeddedPostgres } from '../../coordinator/store/embedded.ts'
import { isAlive } from '../../coordinator/store/processes.ts'
import { adminSession } from '../support/database-address.ts'

const isRoot = process.getuid?.() === 0
/** Made once, because making a database takes ten times as long as copying one. */
let madeBefore: string
let dataDir: string
let running: EmbeddedPostgres[]
let children: ChildProcess[]

beforeAll(async () => {
  madeBefore = await openFolder()
  const embedded = await startEmbeddedPostgres({ dataDir: madeBefore, logger: silentLogger, runtime: systemRuntime })
  await embedded.stop()
})

afterAll(() => rm(madeBefore, { recursive: true, force: true }))

beforeEach(async () => {
  dataDir = await openFolder()
  // `cp -a` keeps the owner, which Node's own copy does not.
  await promisify(execFile)('cp', ['-a', join(madeBefore, 'postgres'), dataDir])
  running = []
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const embedded of running) await embedded.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** A new folder that others may enter: root runs the server as another user. */
async function openFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mailscout-embedded-'))
  await chmod(folder, 0o755)
  return folder
}

const forgetMadeBefore = () => rm(join(dataDir, 'postgres'), { recursive: true })

async function start(options: Partial<EmbeddedOptions> = {}): Promise<EmbeddedPostgres> {
  const embedded = await startEmbeddedPostgres({ dataDir, logger: silentLogger, runtime: systemRuntime, ...options })
  running.push(embedded)
  return embedded
}

async function run(address: DatabaseAddress, statement: string): Promise<unknown[]> {
  const sql = connect(address, adminSession)
  try {
    return [...(await sql.unsafe(statement))]
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** Another process that runs the database, as a coordinator does. */
async function startChild(): Promise<{ child: ChildProcess; pid: number; connection: DatabaseAddress }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../support/embedded-child.ts'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { child, ...(JSON.parse(line) as { pid: number; connection: DatabaseAddress }) }
}

async function killHard(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

describe('the embedded database', () => {
  test('keeps its data over a stop and a start, and takes no connection from the network', async () => {
    const first = await start()
    await run(first.connection, 'create table kept as select 42 as answer')
    expect(await run(first.connection, 'show listen_addresses')).toEqual([{ listen_addresses: '' }])
    await Promise.all([first.stop(), first.stop()])
    expect(await isAlive(first.pid)).toBe(false)

    const second = await start()
    expect(await run(second.connection, 'select answer from kept')).toEqual([{ answer: 42 }])
    expect(second.pid).not.toBe(first.pid)
  })

  test('sorts the same on every machine and writes its data safely', async () => {
    const { connection } = await start()
    expect(
      await run(
        connection,
        "select datlocprovider, datlocale, current_setting('fsync') as fsync from pg_database where datname = 'postgres'",
      ),
    ).toEqual([{ datlocprovider: 'b', datlocale: 'C.UTF-8', fsync: 'on' }])
  })

  test.runIf(isRoot)('does not run as root, and its folder is closed to others', async () => {
    const embedded = await start()
    const folder = await stat(embedded.folder)
    expect(folder.uid).not.toBe(0)
    expect(folder.mode & 0o777).toBe(0o700)
    expect(await readFile(`/proc/${embedded.pid}/status`, 'utf8')).toMatch(
      new RegExp(`^Uid:\\t${folder.uid}\\t${folder.uid}\\t`, 'm'),
    )
  })

  test('a killed coordinator leaves its server behind; the next one stops it and goes on with all that was committed', async () => {
    const { child, pid, connection } = await startChild()
    await run(connection, 'create table kept as select 42 as answer')
    await killHard(child)
    expect(await isAlive(pid)).toBe(true)

    const next = await start()
    expect(await isAlive(pid)).toBe(false)
    expect(await run(next.connection, 'select answer from kept')).toEqual([{ answer: 42 }])
  })

  test('a second coordinator on the same folder is refused, and the first does not notice', async () => {
    const { child, pid, connection } = await startChild()
    await expect(start()).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining(`process ${child.pid}`) })
    expect(await isAlive(pid)).toBe(true)
    expect(await run(connection, 'select 1 as one')).toEqual([{ one: 1 }])
    await killHard(child)
    await start()
  })

  test('a server that dies is reported once; a stop is no death; the next start recovers', async () => {
    const exits: unknown[] = []
    let report = () => {}
    const reported = new Promise<void>((resolve) => {
      report = resolve
    })
    const first = await start({
      onUnexpectedExit: (exit) => {
        exits.push(exit.signal)
        report()
      },
    })
    await run(first.connection, 'create table kept as select 42 as answer')
    process.kill(first.pid, 'SIGKILL')
    await reported
    await first.stop()
    expect(exits).toEqual(['SIGKILL'])

    const second = await start({ onUnexpectedExit: () => exits.push('again') })
    expect(await run(second.connection, 'select answer from kept')).toEqual([{ answer: 42 }])
    await second.stop()
    expect(exits).toEqual(['SIGKILL'])
  })

  test('an interrupted first start is begun anew', async () => {
    await forgetMadeBefore()
    await mkdir(join(dataDir, 'postgres', 'data.unfinished', 'base'), { recursive: true })
    const { connection } = await start()
    expect(await run(connection, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await readdir(join(dataDir, 'postgres'))).not.toContain('data.unfinished')
  })

  test('a process id that now belongs to another program stops no start, nor is that program touched', async () => {
    const first = await start()
    const path = join(first.folder, 'data', 'postmaster.pid')
    const text = await readFile(path, 'utf8')
    await first.stop()
    const owner = await stat(join(first.folder, 'data'))
    const stranger = spawn('/bin/sleep', ['60'], {
      stdio: 'ignore',
      cwd: '/',
      ...(isRoot ? { uid: owner.uid, gid: owner.gid } : {}),
    })
    children.push(stranger)
    await once(stranger, 'spawn')
    await writeFile(path, text.replace(/^\d+/, String(stranger.pid)))

    const second = await start()
    expect(await run(second.connection, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await isAlive(stranger.pid ?? 0)).toBe(true)
  })

  test('data of another major version are refused, not touched', async () => {
    const first = await start()
    await first.stop()
    await writeFile(join(first.folder, 'data', 'PG_VERSION'), '12\n')
    await expect(start()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('PostgreSQL 12') })
  })

  test('a server that cannot start says why', async () => {
    const failing = start({ settings: { shared_buffers: 'nonsense' } })
    await expect(failing).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringContaining('shared_buffers'),
    })
  })

  test('a path too long for a socket gets its socket elsewhere, which is removed at the end', async () => {
    dataDir = join(dataDir, 'x'.repeat(100))
    const embedded = await start()
    expect(Buffer.byteLength(embedded.connection.host)).toBeLessThan(60)
    expect(await run(embedded.connection, 'select 1 as one')).toEqual([{ one: 1 }])
    await embedded.stop()
    await expect(access(embedded.connection.host)).rejects.toThrow()
    dataDir = join(dataDir, '..')
  })

  test.runIf(isRoot)('a folder that the server may not enter gets its data elsewhere, and says where', async () => {
    await forgetMadeBefore()
    await chmod(dataDir, 0o700)
    const first = await start()
    const location = (await readFile(join(dataDir, 'postgres', 'LOCATION'), 'utf8')).trim()
    try {
      expect(first.folder).toBe(location)
      await run(first.connection, 'create table kept as select 42 as answer')
      await first.stop()
      const second = await start()
      expect(await run(second.connection, 'select answer from kept')).toEqual([{ answer: 42 }])
      await second.stop()
    } finally {
      await rm(location, { recursive: true, force: true })
    }
    // Silently starting with an empty database would be worse than not starting.
    await expect(start()).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining(location) })
  })
})

describe('the database and its server', () => {
  test('pools and listeners find a restarted server again', async () => {
    const first = await start()
    const database = await openDatabase({ address: first.connection, logger: silentLogger, runtime: systemRuntime })
    const events: string[] = []
    let wake = () => {}
    const until = async (count: number) => {
      while (events.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
    const note = (event: string) => {
      events.push(event)
      wake()
    }
    await database.listen('news', note, () => note('listening'))
    await until(1)
    await first.stop()
    await expect(database.ping()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })

    await start()
    await until(2)
    await database.notify('news', 'hello')
    await until(3)
    await database.ping()
    expect(events).toEqual(['listening', 'listening', 'hello'])
    await database.close()
  })

  test('an ordinary user that may create roles is enough', async () => {
    const { connection } = await start()
    await run(connection, 'create role operator login createrole')
    await run(connection, 'create database mailscout owner operator')
    const address = { ...connection, user: 'operator', database: 'mailscout' }
    const database = await openDatabase({ address, logger: silentLogger, runtime: systemRuntime })
    expect([...(await database.system`select current_user::text as name`)]).toEqual([{ name: 'mailscout_app' }])
    await database.close()
  })

  test('databases that are prepared at the same time share the roles', async () => {
    const { connection } = await start()
    const names = ['one', 'two', 'three']
    for (const name of names) await run(connection, `create database ${name}`)
    const databases = await Promise.all(
      names.map((database) =>
        openDatabase({ address: { ...connection, database }, logger: silentLogger, runtime: systemRuntime }),
      ),
    )
    await Promise.all(databases.map((database) => database.ping()))
    await Promise.all(databases.map((database) => database.close()))
  })
})
