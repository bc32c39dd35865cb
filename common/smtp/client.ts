/**
 * One attempt to hand one mail to one server address, stage by stage (RFC 5321): no command is written before the reply to the one
 * before it is complete, so that each stage has a time of its own. One deadline covers the whole attempt.
 */
import type { SecureContext } from 'node:tls'
import { errorMessage, isMailscoutError, MailscoutError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import { Channel, Fault, type TlsReport } from './channel.ts'
import {
  type Body,
  checkAddress,
  checkHeloName,
  type DsnRequest,
  type Envelope,
  encodeBody,
  mailCommand,
  needsUtf8,
  rcptCommand,
} from './commands.ts'
import { categoryOf, refusal, SmtpFailure, type SmtpStage, type StageTime } from './failure.ts'
import { type Capabilities, parseCapabilities, type ServerWords, type SmtpReply, serverWords } from './reply.ts'

/**
 * `opportunistic`: STARTTLS where it is offered, the certificate reported but not required to be good, as between mail servers ·
 * `required`: STARTTLS with a good certificate or nothing · `implicit`: TLS from the first byte, with a good certificate ·
 * `never`: plain text.
 */
export type TlsMode = 'opportunistic' | 'required' | 'implicit' | 'never'

export type SendOptions = {
  /** The IP address to connect to, already checked against the address policy. */
  address: string
  port: number
  /** The server's name, for SNI and its certificate. */
  host: string
  /** How we call ourselves in EHLO. */
  heloName: string
  tls: TlsMode
  /** Whom to trust; default: the authorities that come with the runtime. Make it once for many mails. */
  tlsContext?: SecureContext | undefined
  /** For a relay. Goes only over verified TLS, or to this machine itself. */
  auth?: { user: string; password: string } | undefined
  envelope: Envelope
  /** Asked for where the server offers DSN. */
  dsn?: DsnRequest | undefined
  /** The whole mail, every line ended by CRLF. */
  message: Uint8Array
  /** How long the whole attempt may take, in milliseconds from the call. */
  deadlineMs: number
  /** How long connecting alone may take; default 30 s (as Postfix), at most the deadline. */
  connectMs?: number | undefined
  /** The local IP address to connect from. */
  localAddress?: string | undefined
  /** Gives the attempt up early, as the deadline would. */
  signal?: AbortSignal | undefined
  runtime: Runtime
}

export type SendResult = {
  stages: StageTime[]
  startedAtWallMs: number
  startedAtMonotonicMs: number
  /** The instant at which the mail was handed to the network in one write: its last byte cannot have left before. */
  sentAtWallMs: number
  endOfDataMonotonicMs: number
  greeting: ServerWords
  capabilities: Capabilities
  tls?: TlsReport
  /** The server's words of acceptance. */
  reply: ServerWords
}

const connectMsDefault = 30_000
/** A session ticket comes within a round trip after the handshake; servers without tickets cost this much. */
const ticketMs = (connectTookMs: number): number => Math.min(2 * connectTookMs + 25, 500)

/**
 * Sends one mail through one address. Resolves when the server has accepted it; the connection is closed in the background.
 * @throws SmtpFailure for everything that happens on the wire, MailscoutError (ADDRESS_INVALID, MAIL_MALFORMED, CONFIG_INVALID) before.
 */
export async function sendMail(options: SendOptions): Promise<SendResult> {
  const body = encodeBody(options.message)
  checkHeloName(options.heloName)
  checkAddress(options.envelope.from, 'envelope.from')
  checkAddress(options.envelope.to, 'envelope.to')
  checkCredentials(options)
  const { runtime, signal } = options
  const channel = new Channel(runtime)
  const dialogue = new Dialogue(channel, options, body)
  const cancelDeadline = runtime.setTimer(options.deadlineMs, () =>
    channel.end(new Fault('deadline', `The mail was not accepted within ${options.deadlineMs / 1000} s.`)),
  )
  const giveUp = () => channel.end(new Fault('deadline', 'The attempt was given up before its deadline.'))
  signal?.addEventListener('abort', giveUp, { once: true })
  if (signal?.aborted) giveUp()
  try {
    return await dialogue.run()
  } catch (error) {
    throw dialogue.failure(error)
  } finally {
    cancelDeadline()
    signal?.removeEventListener('abort', giveUp)
    // Also after a refusal the session is ended as RFC 5321 §4.1.1.10 wants it; a channel that has ended ignores this.
    channel.quit()
  }
}

function checkCredentials({ auth, tls, address }: SendOptions): void {
  const ownMachine = address.startsWith('127.') || address === '::1'
  if (auth === undefined || tls === 'required' || tls === 'implicit' || ownMachine) return
  throw new MailscoutError('CONFIG_INVALID', 'A password is sent only over verified TLS: set tls to "required" or "implicit".', {
    field: 'tls',
  })
}

class Dialogue {
  readonly #channel: Channel
  readonly #options: SendOptions
  readonly #body: Body
  readonly #stages: StageTime[] = []
  #stage: SmtpStage = 'connect'
  #stageBeganMs = 0
  /** From the final dot on until the server has answered it. */
  #acceptedUnknown = false
  #tls: TlsReport | undefined

  constructor(channel: Channel, options: SendOptions, body: Body) {
    this.#channel = channel
    this.#options = options
    this.#body = body
  }

  async run(): Promise<SendResult> {
    const { runtime, tls } = this.#options
    const started = { startedAtWallMs: runtime.wallMs(), startedAtMonotonicMs: runtime.monotonicMs() }
    await this.#during('connect', () => this.#channel.open({ ...this.#options, connectMs: this.#connectMs() }))
    if (tls === 'implicit') this.#tls = await this.#during('tls', () => this.#upgrade())
    const greeting = await this.#during('banner', () => this.#answer(2))
    let capabilities = await this.#during('ehlo', () => this.#hello())
    if (tls === 'required' || (tls === 'opportunistic' && capabilities.starttls)) {
      const ready = await this.#during('starttls', () => this.#startTls(capabilities))
      if (ready) {
        this.#tls = await this.#during('tls', () => this.#upgrade())
        // What was offered in plain text counts for nothing any more (RFC 3207 §4.2).
        capabilities = await this.#during('ehlo2', () => this.#hello())
      }
    }
    await this.#authenticate(capabilities)
    await this.#envelope(capabilities)
    const accepted = await this.#during('accept', () => this.#transmit())
    return {
      stages: this.#stages,
      ...started,
      ...accepted,
      greeting: serverWords(greeting),
      capabilities,
      ...(this.#tls === undefined ? {} : { tls: this.#tls }),
    }
  }

  /** What is thrown to the caller: a SmtpFailure, except for a fault of the caller's own. */
  failure(error: unknown): unknown {
    const details = { stages: this.#stages, acceptedUnknown: this.#acceptedUnknown, cause: error }
    if (error instanceof Fault) {
      return new SmtpFailure(error.category, this.#stage, error.message, { ...details, reply: error.reply, cause: error.cause })
    }
    if (isMailscoutError(error)) return error
    return new SmtpFailure('connection', this.#stage, `Sending failed: ${errorMessage(error)}`, details)
  }

  /** Times one stage; a stage that fails is timed as well. */
  async #during<T>(name: SmtpStage, work: () => Promise<T>): Promise<T> {
    const { runtime } = this.#options
    this.#stage = name
    this.#stageBeganMs = runtime.monotonicMs()
    try {
      return await work()
    } finally {
      this.#stages.push({ name, ms: runtime.monotonicMs() - this.#stageBeganMs })
    }
  }

  #connectMs(): number {
    return Math.min(this.#options.connectMs ?? connectMsDefault, this.#options.deadlineMs)
  }

  async #upgrade(): Promise<TlsReport> {
    const { host, tls, tlsContext } = this.#options
    const connectTookMs = this.#stages[0]?.ms ?? 0
    return await this.#channel.upgrade({
      host,
      verify: tls !== 'opportunistic',
      context: tlsContext,
      ticketMs: ticketMs(connectTookMs),
    })
  }

  /** Writes one command and waits for its whole reply, of whatever kind. */
  async #ask(line: string): Promise<SmtpReply> {
    // A reply that came unasked would be taken for the answer to this command, and every later one for its successor's. Only the
    // notice of a server that shuts down may come at any time (RFC 5321 §3.8).
    const unasked = this.#channel.unasked
    if (unasked !== undefined && unasked.code !== 421) {
      throw new Fault('protocol', 'The server answered before it was asked.', { reply: serverWords(unasked) })
    }
    this.#channel.write(`${line}\r\n`)
    return await this.#channel.reply()
  }

  /** The next reply, which must be of the class given: 2 is done, 3 is go on. */
  async #answer(replyClass: 2 | 3, line?: string): Promise<SmtpReply> {
    const reply = line === undefined ? await this.#channel.reply() : await this.#ask(line)
    return this.#mustBe(replyClass, reply)
  }

  #mustBe(replyClass: 2 | 3, reply: SmtpReply): SmtpReply {
    if (Math.floor(reply.code / 100) === replyClass) return reply
    const words = serverWords(reply)
    throw new Fault(categoryOf(words), refusal(this.#stage, words), { reply: words })
  }

  /** EHLO, and HELO for a server that does not know it (RFC 5321 §3.2). */
  async #hello(): Promise<Capabilities> {
    const name = this.#options.heloName
    const reply = await this.#ask(`EHLO ${name}`)
    if (reply.code < 500) return parseCapabilities(this.#mustBe(2, reply))
    const helo = await this.#answer(2, `HELO ${name}`)
    return parseCapabilities({ ...helo, lines: helo.lines.slice(0, 1) })
  }

  /** Whether TLS may begin. A refusal is no hindrance where TLS is only wished for. */
  async #startTls(offered: Capabilities): Promise<boolean> {
    const mustHave = this.#options.tls === 'required'
    if (!offered.starttls) throw new Fault('tls', 'The server does not offer STARTTLS, which is required here.')
    const reply = await this.#ask('STARTTLS')
    if (Math.floor(reply.code / 100) === 2) return true
    if (reply.code === 421) this.#mustBe(2, reply)
    if (!mustHave) return false
    const words = serverWords(reply)
    throw new Fault('tls', refusal(this.#stage, words), { reply: words })
  }

  /** AUTH PLAIN (RFC 4616), or LOGIN where that is all there is. */
  async #authenticate(offered: Capabilities): Promise<void> {
    const { auth } = this.#options
    if (auth === undefined) return
    const base64 = (text: string) => Buffer.from(text).toString('base64')
    await this.#during('auth', async () => {
      if (offered.auth.includes('PLAIN')) {
        await this.#answer(2, `AUTH PLAIN ${base64(`\0${auth.user}\0${auth.password}`)}`)
        return
      }
      if (!offered.auth.includes('LOGIN')) throw new Fault('permanent', 'The server offers neither AUTH PLAIN nor AUTH LOGIN.')
      await this.#answer(3, 'AUTH LOGIN')
      await this.#answer(3, base64(auth.user))
      await this.#answer(2, base64(auth.password))
    })
  }

  async #envelope(offered: Capabilities): Promise<void> {
    const { envelope, dsn } = this.#options
    await this.#during('mail', async () => {
      if (needsUtf8(envelope) && !offered.smtpUtf8) {
        throw new Fault('permanent', 'The address is not ASCII and the server does not offer SMTPUTF8 (RFC 6531).')
      }
      await this.#answer(2, mailCommand(envelope, this.#body, offered, dsn))
    })
    await this.#during('rcpt', () => this.#answer(2, rcptCommand(envelope, offered, dsn)))
    await this.#during('data', () => this.#answer(3, 'DATA'))
  }

  /** The body and the final dot in one write: apart, Nagle's algorithm and a delayed acknowledgement cost 40 ms. */
  async #transmit(): Promise<Pick<SendResult, 'sentAtWallMs' | 'endOfDataMonotonicMs' | 'reply'>> {
    const { runtime } = this.#options
    // Read before the write: a busy event loop hears of its end late, and then the mail would seem to have arrived before it left.
    const sent = { sentAtWallMs: runtime.wallMs(), endOfDataMonotonicMs: runtime.monotonicMs() }
    this.#acceptedUnknown = true
    this.#channel.write(this.#body.wire)
    const reply = await this.#channel.reply()
    this.#acceptedUnknown = false
    return { ...sent, reply: serverWords(this.#mustBe(2, reply)) }
  }
}
