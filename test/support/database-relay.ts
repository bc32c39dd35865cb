/** Stands between a client and PostgreSQL, and takes the database away in the middle of something. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import type { DatabaseAddress } from '../../coordinator/store/connection.ts'

/** When its statement passes the first time, the database is gone, also for the next who comes. */
export class DatabaseRelay {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #target: DatabaseAddress
  readonly #statement: string | null
  /** Connections that are still refused; null: the statement has not passed. */
  refusing: number | null = null

  private constructor(target: DatabaseAddress, statement: string | null) {
    this.#target = target
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

  /** `statement`: a piece of its text; null: only `drop` takes the database away. */
  static async before(target: DatabaseAddress, statement: string | null): Promise<DatabaseRelay> {
    const relay = new DatabaseRelay(target, statement)
    relay.#server.listen(0, '127.0.0.1')
    await once(relay.#server, 'listening')
    return relay
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    return `postgres://${userOf(this.#target)}@127.0.0.1:${port}/${nameOf(this.#target)}`
  }

  /** Cuts all connections; who comes now is let through. Resolves when none is left. */
  async drop(): Promise<void> {
    const closed = [...this.#sockets].map((socket) => once(socket, 'close'))
    this.#cut()
    await Promise.all(closed)
  }

  close(): void {
    this.#server.close()
    this.#cut()
  }

  #pass(client: Socket, server: Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
    }
    client.on('data', (bytes) => {
      if (this.#statement !== null && this.refusing === null && bytes.includes(this.#statement)) {
        this.refusing = 1
        this.#cut()
      } else server.write(bytes)
    })
    server.on('data', (bytes) => client.write(bytes))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  }

  #cut(): void {
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
