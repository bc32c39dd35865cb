/** A coordinator and a database that goes away while it starts: both may be killed at any moment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { DatabaseAddress } from '../../coordinator/store/connection.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'

/** Stands between the two: when this statement passes the first time, the database is gone, also for the next who come. */
class Relay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #statement: string
  /** Connections that are still refused; null: the statement has not passed. */
  refusing: number | null = null

  constructor(target: DatabaseAddress, statement: string) {
    this.#statement = statement
    this.#server = createServer((client) => {
      if (this.refusing !== null && this.refusing > 0) {
        this.refusing -= 1
        client.destroy()
        return
      }
      this.#pass(client, connectTo(target))
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
    this.#drop()
  }

  #pass(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    }
    client.on('data', (bytes) => {
      if (this.refusing === null && bytes.includes(this.#statement)) {
        this.refusing = 1
        this.#drop()
      } else server.write(bytes)
    })
    server.on('data', (bytes) => client.write(bytes))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  }

  #drop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

const connectTo = (address: DatabaseAddress): Socket =>
  typeof address === 'string'
    ? connect(Number(new URL(address).port || 5432), new URL(address).hostname)
    : connect(join(address.host, `.s.PGSQL.${address.port}`))

const nameOf = (address: DatabaseAddress): string =>
  typeof address === 'string' ? new URL(address).pathname.slice(1) : address.database
const userOf = (address: DatabaseAddress): string =>
  typeof address === 'string' ? `${new URL(address).username}:${new URL(address).password}` : address.user

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

test.each(['insert into coordinators', 'pg_catalog.pg_type'])(
  'a database that is gone at »%s« is waited for, and the coordinator starts',
  async (statement) => {
    const relay = new Relay(own.address, statement)
    const databaseUrl = `postgres://${userOf(own.address)}@127.0.0.1:${await relay.listen()}/${nameOf(own.address)}`
    child = spawn(process.execPath, ['coordinator/main.ts'], {
      cwd: join(import.meta.dirname, '../..'),
      env: {
        PATH: process.env.PATH,
        PORT: String(await freePort()),
        HOST: '127.0.0.1',
        DATA_DIR: dataDir,
        DATABASE_URL: databaseUrl,
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
