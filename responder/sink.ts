/**
 * The responder as a small mail server of its own: connections → sessions → decide → submit → 250, or 451 so that the mail stays
 * in the queue of whoever sent it.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { hostname } from 'node:os'
import { errorMessage } from '../common/errors.ts'
import { mailDate } from '../common/mail/headers.ts'
import { type Runtime, uuidv7 } from '../common/runtime.ts'
import type { ResponderConfig } from './config.ts'
import type { Journal } from './journal.ts'
import { decide, type Memory } from './reply.ts'
import { type ReceivedMail, type SessionOptions, SmtpSession } from './smtp-session.ts'
import type { Submit } from './submit.ts'
import { responderVersion } from './version.ts'

export type SinkParts = {
  listen: { host: string; port: number }
  lmtp: boolean
  config: ResponderConfig
  memory: Memory
  submit: Submit
  journal: Journal
  runtime: Runtime
}

export type Sink = {
  address: { host: string; port: number }
  /** Takes no new mail, lets those on their way end for at most 10 s, and resolves when all connections are closed. */
  close(): Promise<void>
}

const connectionsMax = 100
const idleMsMax = 60_000
const sessionMsMax = 10 * 60_000
const drainMsMax = 10_000
const lingerMsMax = 2000
/** Below the 10 min that RFC 5321 §4.5.3.2.6 lets a client wait, and short enough to be heard within a test. */
const submitMsMax = 20_000

/** Listens; rejects where the address cannot be had. */
export async function startSink(parts: SinkParts): Promise<Sink> {
  const sessions = new Set<Connection>()
  const options = sessionOptions(parts)
  const server = createServer((socket) => {
    if (sessions.size >= connectionsMax) {
      socket.on('error', () => {})
      return void socket.end(`421 4.3.2 ${options.hostName} Too many connections\r\n`)
    }
    const connection = new Connection(socket, parts, new SmtpSession(options), () => sessions.delete(connection))
    sessions.add(connection)
  })
  const address = await listening(server, parts.listen)
  return {
    address,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const connection of sessions) connection.drain()
      const cancel = parts.runtime.setTimer(drainMsMax, () => {
        for (const connection of sessions) connection.destroy()
      })
      await closed
      cancel()
    },
  }
}

function sessionOptions({ lmtp, config }: SinkParts): SessionOptions {
  const known = new Set(config.addresses)
  const accepts = (recipient: string) => known.size === 0 || known.has(recipient.toLowerCase())
  return { hostName: hostname() || 'localhost', lmtp, accepts }
}

function listening(server: Server, { host, port }: { host: string; port: number }): Promise<{ host: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      const bound = server.address()
      resolve({ host, port: typeof bound === 'object' && bound !== null ? bound.port : port })
    })
  })
}

class Connection {
  readonly #socket: Socket
  readonly #parts: SinkParts
  readonly #session: SmtpSession
  readonly #timers: { idle: () => void; session: () => void }
  #draining = false
  /** Bytes that came while a mail was dealt with wait here, paused, so that a client cannot fill the memory. */
  #busy = false
  #over = false

  constructor(socket: Socket, parts: SinkParts, session: SmtpSession, onClosed: () => void) {
    this.#socket = socket
    this.#parts = parts
    this.#session = session
    this.#timers = { idle: () => {}, session: parts.runtime.setTimer(sessionMsMax, () => this.#giveUp()) }
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#received(bytes))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#timers.idle()
      this.#timers.session()
      onClosed()
    })
    socket.write(session.greeting())
    this.#waitForInput()
  }

  drain(): void {
    this.#draining = true
    if (this.#session.isIdle) this.#giveUp()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #received(bytes: Buffer): void {
    if (this.#over) return
    void this.#follow(this.#session.feed(bytes)).catch((error: unknown) => {
      this.#parts.journal({ msg: 'session failed', error: errorMessage(error) })
      this.#socket.destroy()
    })
  }

  async #follow(first: ReturnType<SmtpSession['feed']>): Promise<void> {
    let step = first
    while (step.mail !== undefined && !this.#busy) {
      this.#timers.idle()
      this.#busy = true
      this.#socket.pause()
      if (step.reply !== '') this.#socket.write(step.reply)
      const verdict = await this.#verdict(step.mail)
      this.#busy = false
      this.#socket.resume()
      step = this.#session.settle(verdict)
    }
    if (step.reply !== '') this.#socket.write(step.reply)
    if (step.close) this.#end()
    else if (this.#draining && this.#session.isIdle) this.#giveUp()
    else if (!this.#busy) this.#waitForInput()
  }

  async #verdict(mail: ReceivedMail): Promise<string> {
    try {
      await answer(mail, this.#socket.remoteAddress ?? 'unknown', this.#parts)
      return '250 2.0.0 Ok'
    } catch (error) {
      this.#parts.journal({ msg: 'not sent', error: errorMessage(error) })
      return '451 4.3.0 The answer could not leave, try again later'
    }
  }

  #waitForInput(): void {
    this.#timers.idle()
    this.#timers.idle = this.#parts.runtime.setTimer(idleMsMax, () => this.#giveUp())
  }

  /** A mail that is being answered is answered first; the session ends after it. */
  #giveUp(): void {
    if (this.#busy) this.#draining = true
    else this.#end('421 4.3.2 Closing\r\n')
  }

  /** Says the last word; a client that does not hang up upon it is hung up on. */
  #end(lastWords = ''): void {
    if (this.#over) return
    this.#over = true
    this.#timers.idle()
    this.#timers.idle = this.#parts.runtime.setTimer(lingerMsMax, () => this.#socket.destroy())
    this.#socket.end(lastWords)
  }
}

async function answer(mail: ReceivedMail, remoteAddress: string, parts: SinkParts): Promise<void> {
  const { runtime, config, memory, journal } = parts
  const receivedAtMs = runtime.wallMs()
  const { sender, recipients } = mail
  const raw = Buffer.concat([traceHeader(mail, { remoteAddress, receivedAtMs, lmtp: parts.lmtp }), mail.raw])
  const delivery = { sender, recipients }
  const decision = decide({ raw, delivery, receivedAtMs, answerId: uuidv7(runtime), config, memory, version: responderVersion })
  if (decision.action === 'ignore') {
    const { action, ...why } = decision
    return journal({ msg: 'ignored', ...why })
  }
  await parts.submit({ mail: decision.mail, to: decision.to }, submitMsMax)
  const { tid, probeId, repeated, clockSuspect } = decision
  journal({ msg: 'answered', tid, probe_id: probeId, repeated, clock_suspect: clockSuspect })
}

/** RFC 5321 §4.4: a server that takes a mail over says so; here it also closes the outbound leg. */
function traceHeader(mail: ReceivedMail, at: { remoteAddress: string; receivedAtMs: number; lmtp: boolean }): Buffer {
  const protocol = at.lmtp ? 'LMTP' : 'ESMTP'
  const from = mail.heloName.replace(/[^\w.:[\]-]/g, '')
  return Buffer.from(
    `Received: from ${from} ([${at.remoteAddress}])\r\n\tby ${hostname() || 'localhost'} with ${protocol};\r\n\t${mailDate(at.receivedAtMs)}\r\n`,
    'latin1',
  )
}
