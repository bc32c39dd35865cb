/** The recording SMS gateway, seen from the tests: what it was asked to send, and how it is to behave. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Host } from './network.ts'
import type { Program, Programs } from './processes.ts'

/**
 * `accept`: 202. `refuse`: 500, nothing sent. `hang`: no answer, nothing sent.
 * `accept-then-hang`: sent, but the answer is lost: the caller cannot know.
 */
export type Behaviour = 'accept' | 'refuse' | 'hang' | 'accept-then-hang'

export type SmsRequest = {
  /** UTC, ISO 8601, when the request was complete. */
  at: string
  method: string
  path: string
  to: string
  text: string
  behaviour: Behaviour
  /** Whether a phone would have rung. */
  sent: boolean
}

const port = 13_013

export class SmsGateway {
  /** For MAILSCOUT_SMS_GATEWAYS, kind `http`; with {to} and {text}. */
  readonly url: string
  readonly #program: Program
  readonly #record: string
  readonly #behaviours: string

  /** Several gateways may run, each in a host of its own. */
  constructor(programs: Programs, host: Host, directory: string) {
    mkdirSync(directory, { recursive: true })
    this.url = `http://${host.address}:${port}/cgi-bin/sendsms?to={to}&text={text}`
    this.#record = join(directory, 'requests.jsonl')
    this.#behaviours = join(directory, 'behaviours.json')
    this.#program = programs.prepare({
      name: `sms-gateway-${host.name}`,
      at: host,
      command: [
        process.execPath,
        join(import.meta.dirname, 'inside/record-sms.ts'),
        String(port),
        this.#record,
        this.#behaviours,
      ],
    })
  }

  async start(): Promise<void> {
    this.#program.start()
    await this.#program.awaitLog(/recording on port/)
  }

  async stop(): Promise<void> {
    await this.#program.kill()
  }

  /** Every request, or those to one phone number, oldest first. */
  requests(to?: string): SmsRequest[] {
    if (!existsSync(this.#record)) return []
    const lines = readFileSync(this.#record, 'utf8').split('\n').filter(Boolean)
    const all = lines.map((line) => JSON.parse(line) as SmsRequest)
    return to === undefined ? all : all.filter((request) => request.to === to)
  }

  /** The messages that reached this phone. */
  received(to: string): SmsRequest[] {
    return this.requests(to).filter((request) => request.sent)
  }

  /** Counts from the next request on, for one phone number or, without it, for all that have no behaviour of their own. */
  behave(behaviour: Behaviour, to = 'everyone'): void {
    const before = existsSync(this.#behaviours) ? (JSON.parse(readFileSync(this.#behaviours, 'utf8')) as object) : {}
    writeFileSync(`${this.#behaviours}.new`, JSON.stringify({ ...before, [to]: behaviour }))
    renameSync(`${this.#behaviours}.new`, this.#behaviours)
  }
}
