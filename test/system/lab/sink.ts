/** Postfix's smtp-sink on port 25 of a host without Postfix: accepts everything and keeps it, one file a mail. */
import { chmodSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from './network.ts'
import { awaitPort, type Program, type Programs } from './processes.ts'

export class Sink {
  readonly #program: Program
  readonly #host: Host
  readonly #directory: string

  constructor(programs: Programs, host: Host, directory: string) {
    mkdirSync(directory, { recursive: true })
    chmodSync(directory, 0o777)
    this.#host = host
    this.#directory = directory
    const files = join(directory, '%s.')
    this.#program = programs.prepare({
      name: `sink-${host.name}`,
      at: host,
      command: ['/usr/sbin/smtp-sink', '-u', 'nobody', '-d', files, `${host.address}:25`, '100'],
    })
  }

  async start(): Promise<void> {
    this.#program.start()
    await awaitPort(this.#host, 25)
  }

  async stop(): Promise<void> {
    await this.#program.kill()
  }

  /** Each mail with smtp-sink's X-Mail-Args and X-Rcpt-Args, which are the envelope. */
  mails(): string[] {
    return readdirSync(this.#directory).map((file) => readFileSync(join(this.#directory, file), 'utf8'))
  }
}
