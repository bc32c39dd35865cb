/** The PostgreSQL of a run: a real server of its own, which both coordinators reach over TCP, and which can be killed. */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../coordinator/store/embedded.ts'
import type { Life } from './history.ts'

export class Database {
  readonly url: string
  readonly lives: Life[] = []
  readonly #dataDir: string
  readonly #port: number
  readonly #logger: Logger
  #server: EmbeddedPostgres | undefined

  constructor(directory: string, port: number, logger: Logger) {
    this.url = `postgres://postgres@127.0.0.1:${port}/postgres`
    this.#dataDir = join(directory, 'database')
    this.#port = port
    this.#logger = logger
    mkdirSync(this.#dataDir)
    // Root runs the server as another user, who must be able to enter.
    chmodSync(this.#dataDir, 0o755)
  }

  get running(): boolean {
    return this.#server !== undefined
  }

  async start(): Promise<void> {
    const life: Life = { startedMs: Date.now(), readyMs: null, endedMs: null }
    this.lives.push(life)
    this.#server = await startEmbeddedPostgres({
      dataDir: this.#dataDir,
      logger: this.#logger,
      runtime: systemRuntime,
      settings: { listen_addresses: '127.0.0.1', port: String(this.#port) },
    })
    life.readyMs = Date.now()
  }

  /** kill -9 of the postmaster; its children follow by themselves. */
  async kill(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const life = this.lives.at(-1)
    if (life !== undefined) life.endedMs = Date.now()
    process.kill(server.pid, 'SIGKILL')
    // It is gone already: this only gives back what the supervisor of it holds.
    await server.stop()
  }

  async stop(): Promise<void> {
    await this.#server?.stop()
    this.#server = undefined
  }
}
