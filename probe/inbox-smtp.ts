/** The probe's own listener for returned mail: takes mail for its return address, and for nobody else. */
import { type AddressInfo, isIPv6, type Socket } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection.js'
import { errorMessage } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import { ipv6Groups } from '../common/smtp/address-policy.ts'
import { type Inbox, type InboxState, inboxStateAfter, type OnMail, rawBytesMax } from './inbox.ts'

export type SmtpInboxOptions = {
  host: string
  /** 0 takes any free port; `address()` tells which. */
  port: number
  returnAddress: string
  /** How the listener calls itself; default: the domain of the return address. */
  name?: string
  /** STARTTLS is offered only where there is a certificate (PEM). */
  tls?: { key: string; cert: string }
  onMail: OnMail
  runtime: Runtime
  logger: Logger
  /** Connections at once from one address (IPv6: one /64), and altogether. */
  connectionsPerAddressMax?: number
  connectionsMax?: number
}

export type SmtpInbox = Inbox & { address(): { host: string; port: number } | undefined }

/** A mail system returns tests over a few connections; more come from somebody who should wait. */
const connectionsPerAddressMaxDefault = 20
const connectionsMaxDefault = 200
/** RFC 5321 §4.5.3.2 gives a sender minutes; one that is silent for a minute on our small mails is gone. */
const idleMsMax = 60_000
const closeMsMax = 500

export function createSmtpInbox(options: SmtpInboxOptions): SmtpInbox {
  const { runtime, logger } = options
  const counters = { received: 0, recorded: 0, not_ours: 0, failed: 0, refused_recipients: 0, refused_connections: 0 }
  let state: InboxState = { ok: false, detail: 'not started', sinceWallMs: runtime.wallMs() }
  let server: PromptServer | undefined

  const setState = (ok: boolean, detail: string): void => {
    state = inboxStateAfter(state, ok, detail, runtime.wallMs())
  }

  return {
    async start() {
      server = new PromptServer(handlers(options, counters), runtime)
      server.on('error', (error) => logger.debug({ error: errorMessage(error) }, 'a sender broke off'))
      await listening(server, options)
      server.server.on('error', (error) => setState(false, `the listener failed: ${error.message}`))
      const { address, port } = server.server.address() as AddressInfo
      setState(true, `listening on ${address} port ${port}`)
      logger.info({ host: address, port }, 'own inbox listens')
    },
    async stop() {
      const stopping = server
      server = undefined
      setState(false, 'stopped')
      if (stopping !== undefined) await new Promise<void>((resolve) => stopping.close(resolve))
    },
    state: () => state,
    counters: () => counters,
    address() {
      const bound = server?.server.address()
      return typeof bound === 'object' && bound !== null ? { host: bound.address, port: bound.port } : undefined
    },
  }
}

function listening(server: SMTPServer, { host, port }: SmtpInboxOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.server.once('error', reject)
    server.listen(port, host, () => {
      server.server.removeListener('error', reject)
      resolve()
    })
  })
}

type Counters = {
  received: number
  recorded: number
  not_ours: number
  failed: number
  refused_recipients: number
  refused_connections: number
}

/** The answer to a sender, with its reply code. */
const reply = (responseCode: number, message: string): Error => Object.assign(new Error(message), { responseCode })

function handlers(options: SmtpInboxOptions, counters: Counters): SMTPServerOptions {
  const { runtime, logger, returnAddress, tls } = options
  const perAddressMax = options.connectionsPerAddressMax ?? connectionsPerAddressMaxDefault
  const openByAddress = new Map<string, number>()
  const counted = new WeakSet<object>()

  return {
    ...(tls === undefined ? {} : tls),
    name: options.name ?? returnAddress.slice(returnAddress.lastIndexOf('@') + 1),
    banner: 'Mailscout return address',
    size: rawBytesMax,
    rejectOversized: true,
    maxClients: options.connectionsMax ?? connectionsMaxDefault,
    maxRecipients: 1,
    socketTimeout: idleMsMax,
    closeTimeout: closeMsMax,
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    authOptional: true,
    disabledCommands: tls === undefined ? ['AUTH', 'STARTTLS'] : ['AUTH'],
    logger: false,

    onConnect(session, done) {
      const key = addressKey(session.remoteAddress)
      const open = openByAddress.get(key) ?? 0
      if (open >= perAddressMax) {
        counters.refused_connections += 1
        return done(reply(421, 'too many connections from your address, try again later'))
      }
      openByAddress.set(key, open + 1)
      counted.add(session)
      done()
    },

    onClose(session) {
      if (!counted.delete(session)) return
      const key = addressKey(session.remoteAddress)
      const open = (openByAddress.get(key) ?? 1) - 1
      if (open > 0) openByAddress.set(key, open)
      else openByAddress.delete(key)
    },

    onRcptTo({ address }, _session, done) {
      if (address.toLowerCase() === returnAddress.toLowerCase()) return done()
      counters.refused_recipients += 1
      done(reply(550, 'no such address here'))
    },

    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => {
        // An oversized mail is refused after its end; until then nothing of it needs keeping.
        if (!stream.sizeExceeded) chunks.push(chunk)
      })
      // A sender that breaks off in the middle has delivered nothing: there is nobody left to answer.
      stream.on('error', (error) => done(error))
      stream.on('end', () => {
        const [receivedAtWallMs, receivedAtMonotonicMs] = [runtime.wallMs(), runtime.monotonicMs()]
        // The server itself answers 552 then.
        if (stream.sizeExceeded) return done()
        counters.received += 1
        const { mailFrom } = session.envelope
        const mail = {
          raw: Buffer.concat(chunks),
          receivedAtWallMs,
          receivedAtMonotonicMs,
          connectedAtMonotonicMs: openedAt.get(session) ?? receivedAtMonotonicMs,
          envelope: { from: mailFrom === false ? '' : mailFrom.address, to: returnAddress },
          via: 'smtp' as const,
        }
        options.onMail(mail).then(
          (fate) => {
            counters[fate] += 1
            // What is not ours is taken and dropped: a refusal would make the sender's system bounce it, to somebody uninvolved.
            done(null, fate === 'recorded' ? 'recorded' : 'taken')
          },
          (error: unknown) => {
            counters.failed += 1
            logger.error({ error: errorMessage(error) }, 'a returned mail could not be recorded; the sender will try again')
            done(reply(451, 'could not be recorded, try again later'))
          },
        )
      })
    },
  }
}

/** One customer of an IPv6 provider has at least a /64: its addresses count as one. */
function addressKey(address: string): string {
  return isIPv6(address) ? ipv6Groups(address).slice(0, 4).join(':') : address
}

/** When the connection of a session was opened, on the monotonic clock. */
const openedAt = new WeakMap<object, number>()

/**
 * smtp-server waits 100 ms before each banner, to catch senders that talk too soon, and has no option against it (3.21). That
 * wait would be part of every measured return leg. `init` sets the timer; we make the connection ready at once, and ignore the
 * timer's call when it comes.
 */
class PromptConnection extends SMTPConnection {
  #isReady = false

  override init(): void {
    super.init()
    this.connectionReady()
  }

  override connectionReady(next?: () => void): void {
    if (this.#isReady) return
    this.#isReady = true
    super.connectionReady(next)
  }
}

/** As SMTPServer, with prompt connections that know when they were opened. */
class PromptServer extends SMTPServer {
  readonly #runtime: Runtime

  constructor(options: SMTPServerOptions, runtime: Runtime) {
    super(options)
    this.#runtime = runtime
  }

  override connect(socket: Socket, socketOptions?: SMTPConnectionOptions): void {
    const connection = new PromptConnection(this, socket, socketOptions)
    openedAt.set(connection.session, this.#runtime.monotonicMs())
    this.connections.add(connection)
    connection.on('error', (error: Error) => this.emit('error', error))
    connection.init()
  }
}
