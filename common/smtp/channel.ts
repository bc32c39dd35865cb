/**
 * The socket under a dialogue: opens, upgrades to TLS, writes, hands out complete replies. Whatever it waits for ends when the
 * channel ends, so that nothing can hang once somebody calls `end`.
 */
import { isIP, connect as netConnect, type Socket } from 'node:net'
import {
  createSecureContext,
  type DetailedPeerCertificate,
  type SecureContext,
  type TLSSocket,
  connect as tlsConnect,
} from 'node:tls'
import { errorMessage } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import type { FailureCategory } from './failure.ts'
import { printable, ReplyParser, type ServerWords, type SmtpReply } from './reply.ts'

/** Why a dialogue cannot go on; the stage is known to the one who speaks. */
export class Fault extends Error {
  readonly category: FailureCategory
  readonly reply: ServerWords | undefined

  constructor(category: FailureCategory, message: string, details: { reply?: ServerWords; cause?: unknown } = {}) {
    super(message, { cause: details.cause })
    this.category = category
    this.reply = details.reply
  }
}

export type TlsReport = {
  /** `TLSv1.3` and the like. */
  protocol: string
  cipher: string
  /** Whether chain and name were found good, also where that was not required. */
  authorized: boolean
  /** What was wrong with it, where it was not. */
  problem?: string
  subject: string
  issuer: string
  /** When the certificate expires, as it says itself. */
  notAfter: string
}

export type OpenOptions = { address: string; port: number; localAddress?: string | undefined; connectMs: number }
export type UpgradeOptions = { host: string; verify: boolean; context?: SecureContext | undefined; ticketMs: number }

/** Unasked replies beyond this end the dialogue; each is bounded by the parser. */
const queuedRepliesMax = 16
const goodbyeMs = 1000
const certificateNameMax = 200

/** Trusts the authorities that come with the runtime. Made once: it costs about a millisecond a connection. */
let publicContext: SecureContext | undefined
const defaultContext = (): SecureContext => {
  publicContext ??= createSecureContext()
  return publicContext
}

export class Channel {
  readonly #runtime: Runtime
  #socket: Socket | undefined
  #parser = new ReplyParser()
  #replies: SmtpReply[] = []
  #giveReply: ((reply: SmtpReply) => void) | undefined
  #handshaking = false
  #socketError: Error | undefined
  #fault: Fault | undefined
  readonly #waiting = new Set<(fault: Fault) => void>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /** Ends everything at once: whoever waits gets `fault`, the socket is destroyed. The first call counts. */
  end(fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#socket?.destroy()
    for (const reject of this.#waiting) reject(fault)
    this.#waiting.clear()
  }

  /** Connects to an address, never to a name: the caller has checked the address, and nothing may resolve it a second time. */
  async open(options: OpenOptions): Promise<void> {
    if (isIP(options.address) === 0) throw new Fault('connection', `${options.address} is not an IP address.`)
    await this.#until<void>((resolve) => {
      const { address, port, localAddress, connectMs } = options
      const socket = netConnect({ host: address, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) })
      this.#attach(socket)
      socket.once('connect', resolve)
      return this.#runtime.setTimer(connectMs, () =>
        this.end(new Fault('connection', `${address} port ${port} did not answer within ${Math.round(connectMs / 1000)} s.`)),
      )
    })
  }

  /** Puts TLS on the connection and reports what was agreed. Replies read so far must have been taken. */
  async upgrade(options: UpgradeOptions): Promise<TlsReport> {
    // What came in plain text behind the answer to STARTTLS was put there to be taken for an answer under TLS (CVE-2011-0411).
    if (this.#replies.length > 0 || this.#parser.inReply) {
      throw new Fault('protocol', 'The server, or somebody between, sent words in plain text before TLS began.')
    }
    const raw = this.#socket
    if (raw === undefined) throw new Fault('connection', 'There is no connection to put TLS on.')
    for (const event of ['data', 'close', 'error']) raw.removeAllListeners(event)
    raw.on('error', () => {})
    this.#parser = new ReplyParser()
    this.#handshaking = true
    const secure = tlsConnect({
      socket: raw,
      host: options.host,
      ...(isIP(options.host) === 0 ? { servername: options.host } : {}),
      rejectUnauthorized: options.verify,
      secureContext: options.context ?? defaultContext(),
    })
    this.#attach(secure)
    // Attached before the handshake ends, or a ticket in the same packet would be missed.
    const ticket = new Promise<void>((resolve) => secure.once('session', () => setImmediate(resolve)))
    await this.#until<void>((resolve) => {
      secure.once('secureConnect', resolve)
      return undefined
    })
    this.#handshaking = false
    if (secure.getProtocol() === 'TLSv1.3') await this.#ticketOr(ticket, options.ticketMs)
    return report(secure)
  }

  /** True when the server has spoken without being asked. */
  get unasked(): SmtpReply | undefined {
    return this.#replies[0]
  }

  /** The next complete reply; one that arrived before the connection ended is still given out. */
  async reply(): Promise<SmtpReply> {
    const queued = this.#replies.shift()
    if (queued !== undefined) return queued
    return await this.#until<SmtpReply>((resolve) => {
      this.#giveReply = resolve
      return undefined
    })
  }

  /** Writes. A failure shows in the reply that does not come. */
  write(data: string | Buffer): void {
    this.#socket?.write(data)
  }

  /** Says goodbye in the background: the socket is gone a second later at the latest, and keeps no process alive. */
  quit(): void {
    const socket = this.#socket
    if (socket === undefined || this.#fault !== undefined) return
    this.#fault = new Fault('connection', 'The dialogue is over.')
    socket.removeAllListeners('data')
    socket.resume()
    socket.unref()
    const cancel = this.#runtime.setTimer(goodbyeMs, () => socket.destroy())
    socket.once('close', cancel)
    socket.end('QUIT\r\n')
  }

  #attach(socket: Socket): void {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => {
      this.#socketError = error
    })
    socket.on('close', () => this.end(this.#closed()))
  }

  #read(chunk: Buffer): void {
    for (const reply of this.#parser.push(chunk)) {
      const give = this.#giveReply
      this.#giveReply = undefined
      if (give === undefined) this.#replies.push(reply)
      else give(reply)
    }
    if (this.#parser.fault !== undefined) this.end(new Fault('protocol', this.#parser.fault.message))
    if (this.#replies.length > queuedRepliesMax)
      this.end(new Fault('protocol', 'The server floods replies that nobody asked for.'))
  }

  #closed(): Fault {
    const cause = this.#socketError
    if (this.#handshaking) {
      return new Fault('tls', `TLS failed: ${cause === undefined ? 'the server closed the connection' : tlsProblem(cause)}.`, {
        cause,
      })
    }
    if (cause === undefined) return new Fault('connection', 'The server closed the connection.')
    return new Fault('connection', `The connection failed: ${printable(errorMessage(cause))}.`, { cause })
  }

  /**
   * Waits for the TLS 1.3 session ticket before anything is written. A server with Nagle's algorithm on holds its next reply back
   * until the ticket is acknowledged, which our kernel delays by 40 ms; reading the ticket first, and writing in a later turn of
   * the loop, avoids that (42 ms → 0.8 ms). Servers without tickets cost `ticketMs`.
   */
  async #ticketOr(ticket: Promise<void>, ticketMs: number): Promise<void> {
    await this.#until<void>((resolve) => {
      const cancel = this.#runtime.setTimer(ticketMs, resolve)
      void ticket.then(resolve)
      return cancel
    })
  }

  /** A promise that also ends when the channel does. `start` may return what is to be undone in either case. */
  #until<T>(start: (resolve: (value: T) => void) => (() => void) | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#fault !== undefined) return reject(this.#fault)
      let undo: (() => void) | undefined
      const fail = (fault: Fault) => {
        undo?.()
        reject(fault)
      }
      this.#waiting.add(fail)
      undo = start((value) => {
        this.#waiting.delete(fail)
        undo?.()
        resolve(value)
      })
    })
  }
}

/** OpenSSL's messages carry file names and line ends; the code says it shorter where there is one. */
function tlsProblem(error: Error): string {
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : ''
  return printable(`${code}${error.message}`).trim().replace(/\.$/, '').slice(0, 300)
}

function report(socket: TLSSocket): TlsReport {
  const certificate: Partial<DetailedPeerCertificate> = socket.getPeerCertificate(false)
  const problem = socket.authorizationError as Error | string | undefined
  return {
    protocol: socket.getProtocol() ?? 'unknown',
    cipher: socket.getCipher()?.name ?? 'unknown',
    authorized: socket.authorized,
    ...(socket.authorized || !problem ? {} : { problem: printable(typeof problem === 'string' ? problem : problem.message) }),
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    notAfter: printable(certificate.valid_to ?? '').slice(0, 40),
  }
}

/** Common name, or else organisation: what a person calls a certificate. Bounded, for a server may write anything there. */
function nameOf(name: DetailedPeerCertificate['subject'] | undefined): string {
  const chosen: unknown = name?.CN ?? name?.O ?? ''
  return printable(Array.isArray(chosen) ? chosen.join(', ') : String(chosen)).slice(0, certificateNameMax)
}
