/** A coordinator and a database that goes away while it starts: both may be killed at any moment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { DatabaseRelay } from '../support/database-relay.ts'

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Its lines until it says that it is ready, or ends. */
async function untilReady(child: ChildProcess): Promise<string[]> {
  const lines: string[] = []
  if (child.stdout === null) throw new Error('its output is not read')
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (line.includes('coordinator ready')) break
  }
  return lines
}

let own: TestDatabase
let dataDir: string
let child: ChildProcess | undefined
beforeAll(async () => {
  own = await freshDatabase()
  dataDir = await mkdtemp(join(tmpdir(), 'mailscout-start-'))
})
afterEach(() => child?.kill('SIGKILL'))
afterAll(async () => {
  await rm(dataDir, { recursive: true, force: true })
  await own?.drop()
})

test.each(['insert into coordinators', 'pg_catalog.pg_type', 'listen "judge"'])(
  'a database that is gone at »%s« is waited for, and the coordinator starts',
  async (statement) => {
    const relay = await DatabaseRelay.before(own.address, statement)
    child = spawn(process.execPath, ['coordinator/main.ts'], {
      cwd: join(import.meta.dirname, '../..'),
      env: {
        PATH: process.env.PATH,
        PORT: String(await freePort()),
        HOST: '127.0.0.1',
        DATA_DIR: dataDir,
        DATABASE_URL: relay.url,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines = await untilReady(child)
    expect(lines.at(-1)).toContain('coordinator ready')
    expect(relay.refusing).toBe(0)
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
    relay.close()
  },
  40_000,
)
