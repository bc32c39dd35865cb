/**
 * Returned mail in a mailbox at some mail provider: IDLE tells of new mail, a poll finds what IDLE kept to itself, and what was
 * recorded as ours is purged. Mails of others are never touched, nor marked as seen.
 */
import { type ExistsEvent, ImapFlow } from 'imapflow'
import { errorMessage, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { type Runtime, sleep } from '../common/runtime.ts'
import { backoffMs, clientOptions, type ImapAccount, imapMessage } from './imap-client.ts'
import { ImapCursor } from './imap-cursor.ts'
import { type Inbox, type InboxState, inboxStateAfter, type OnMail, rawBytesMax } from './inbox.ts'

export type ImapInboxOptions = ImapAccount & {
  mailbox: string
  onMail: OnMail
  runtime: Runtime
  logger: Logger
  pollMs?: number
  reopenMs?: number
}

/**
 * Some servers go deaf in IDLE, some drop it after a while: it is begun anew, and never relied on alone. Dovecot keeps a session on a
 * mailbox that was deleted and made anew, silent for ever: so the mailbox is selected again each time.
 */
const reopenMsDefault = 5 * 60_000
const pollMsDefault = 30_000
/** Without IDLE the poll is all there is. */
const pollMsWithoutIdle = 10_000
/** Connecting, and each round of fetching, must be over by then, or the connection is taken for dead. */
const connectMsMax = 60_000
const roundMsMax = 120_000
/** Late mail is noted for a day; SINCE knows whole days of the server's time zone only. */
const lookBackMs = 48 * 3_600_000
const goodbyeMs = 1000

type Instant = { receivedAtWallMs: number; receivedAtMonotonicMs: number }

export function createImapInbox(options: ImapInboxOptions): Inbox {
  return new ImapInbox(options)
}

class ImapInbox implements Inbox {
  readonly #options: ImapInboxOptions
  readonly #cursor = new ImapCursor()
  readonly #stopping = new AbortController()
  readonly #counters = {
    received: 0,
    recorded: 0,
    not_ours: 0,
    failed: 0,
    given_up: 0,
    purged: 0,
    connects: 0,
    connects_failed: 0,
    uidvalidity_changes: 0,
    /** Mails that the server told of only when the poll asked: beyond a few (it may be about to tell), IDLE is deaf. */
    idle_deaf: 0,
  }
  #state: InboxState
  #client: ImapFlow | undefined
  #announced: Instant | undefined
  /** A round is under way that the poll began, not IDLE. */
  #polling = false
  #wake: (() => void) | undefined
  #running: Promise<void> | undefined

  constructor(options: ImapInboxOptions) {
    this.#options = options
    this.#state = { ok: false, detail: 'not started', sinceWallMs: options.runtime.wallMs() }
  }

  async start(): Promise<void> {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('stopped'))
    this.#wake?.()
    const client = this.#client
    if (client !== undefined) {
      await this.#within(goodbyeMs, client, client.logout()).catch(() => client.close())
      client.close()
    }
    await this.#running
    this.#setState(false, 'stopped')
  }

  state(): InboxState {
    return this.#state
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters
  }

  /** One connection after the other, with growing pauses between failures, until stopped. */
  async #run(): Promise<void> {
    const { runtime, logger, host } = this.#options
    const { signal } = this.#stopping
    for (let failures = 0; !signal.aborted; ) {
      const okBefore = this.#counters.connects
      const fault = await this.#session().catch((error: unknown) => error)
      if (signal.aborted) return
      const detail = imapMessage(fault ?? new Error('the server closed the connection'))
      this.#setState(false, detail)
      failures = this.#counters.connects > okBefore ? 1 : failures + 1
      if (this.#counters.connects === okBefore) this.#counters.connects_failed += 1
      const pauseMs = backoffMs(failures, fault, runtime)
      logger.warn({ host, error: detail, pause_ms: Math.round(pauseMs) }, 'return mailbox lost; trying again')
      await sleep(runtime, pauseMs, signal).catch(() => {})
    }
  }

  async #session(): Promise<void> {
    const { host, mailbox, logger } = this.#options
    const client = new ImapFlow(clientOptions(this.#options))
    this.#client = client
    this.#announced = undefined
    this.#polling = false
    let lost: Error | undefined
    client.on('error', (error: Error) => {
      lost = error
    })
    client.on('close', () => this.#wake?.())
    client.on('exists', (event: ExistsEvent) => {
      if (event.count > event.prevCount) this.#announce(event.count - event.prevCount)
    })
    try {
      await this.#within(
        connectMsMax,
        client,
        client.connect().then(() => client.mailboxOpen(mailbox)),
      )
      if (!client.secureConnection)
        logger.warn({ host }, 'the return mailbox is read without TLS: the password goes in plain text')
      await this.#listen(client)
    } finally {
      client.close()
    }
    if (lost !== undefined) throw lost
  }

  /** Reads what is there, then whenever something is announced or the poll is due, until the connection ends. */
  async #listen(client: ImapFlow): Promise<void> {
    const { host, mailbox, runtime, pollMs = pollMsDefault, reopenMs = reopenMsDefault } = this.#options
    const canIdle = client.capabilities.has('IDLE')
    let openedAtMs = runtime.monotonicMs()
    for (let round = 0; client.usable && !this.#stopping.signal.aborted; round += 1) {
      if (runtime.monotonicMs() - openedAtMs >= reopenMs) {
        await this.#within(roundMsMax, client, client.mailboxOpen(mailbox))
        openedAtMs = runtime.monotonicMs()
      }
      this.#polling = round > 0 && canIdle && this.#announced === undefined
      const complete = await this.#within(roundMsMax, client, this.#collect(client))
      this.#polling = false
      if (round === 0) this.#counters.connects += 1
      this.#setState(true, `reading ${mailbox} at ${host}${canIdle ? '' : ' (polling: no IDLE)'}`)
      if (!complete) continue
      // Any later command breaks IDLE by itself; a failed IDLE shows as a closed connection or is made good by the poll.
      if (canIdle && this.#announced === undefined) void client.idle().catch(() => {})
      await this.#untilWoken(client, canIdle ? pollMs : Math.min(pollMs, pollMsWithoutIdle))
    }
  }

  /** One round: find, fetch, hand on, purge. False when there is more to do at once. */
  async #collect(client: ImapFlow): Promise<boolean> {
    const announced = this.#announced
    this.#announced = undefined
    if (client.mailbox === false) throw new MailscoutError('INTERNAL', 'The mailbox is not open.')
    if (this.#cursor.opened(client.mailbox.uidValidity)) {
      this.#counters.uidvalidity_changes += 1
      this.#options.logger.warn(
        { mailbox: this.#options.mailbox },
        'the mailbox was made anew (UIDVALIDITY changed); reading it again',
      )
    }
    const found = await this.#search(client)
    const instant = announced ?? this.#now()
    const uids = this.#cursor.pick(found)
    for (const uid of uids) await this.#take(client, uid, instant)
    await this.#purge(client)
    return found.filter((uid) => uid > this.#cursor.lastUid).length === 0
  }

  async #search(client: ImapFlow): Promise<number[]> {
    const { lastUid } = this.#cursor
    const since = new Date(this.#options.runtime.wallMs() - lookBackMs)
    const query = lastUid === 0 ? { since } : { uid: `${lastUid + 1}:*` }
    const found = await client.search(query, { uid: true })
    if (!Array.isArray(found)) throw new Error('the server refused to search the mailbox')
    return found
  }

  async #take(client: ImapFlow, uid: number, instant: Instant): Promise<void> {
    const query = { uid: true, source: { maxLength: rawBytesMax }, internalDate: true }
    const mail = await client.fetchOne(String(uid), query, { uid: true })
    if (mail === false || mail.source === undefined) return this.#cursor.passed(uid)
    this.#counters.received += 1
    const internalDateMs = new Date(mail.internalDate ?? Number.NaN).getTime()
    try {
      const fate = await this.#options.onMail({
        raw: mail.source,
        ...instant,
        via: 'imap',
        ...(Number.isFinite(internalDateMs) ? { internalDateMs } : {}),
      })
      this.#counters[fate] += 1
      if (fate === 'recorded') this.#cursor.recorded(uid)
      else this.#cursor.passed(uid)
    } catch (error) {
      this.#counters.failed += 1
      const givenUp = this.#cursor.failed(uid)
      if (givenUp) this.#counters.given_up += 1
      this.#options.logger.error({ uid, given_up: givenUp, error: errorMessage(error) }, 'a returned mail could not be recorded')
    }
  }

  /**
   * Removes what was recorded as ours, by UID EXPUNGE (RFC 4315). A server without it knows only EXPUNGE, which removes whatever
   * anybody has marked: there our mails are marked, and left for the owner of the mailbox to expunge.
   */
  async #purge(client: ImapFlow): Promise<void> {
    const uids = this.#cursor.purgeable()
    if (uids.length === 0) return
    const range = uids.join(',')
    const done = client.capabilities.has('UIDPLUS')
      ? await client.messageDelete(range, { uid: true })
      : await client.messageFlagsAdd(range, ['\\Deleted'], { uid: true })
    if (!done) return this.#options.logger.warn({ count: uids.length }, 'the server refused to purge our own mails')
    this.#cursor.purged(uids)
    this.#counters.purged += uids.length
  }

  #announce(count: number): void {
    if (this.#polling) this.#counters.idle_deaf += count
    this.#announced ??= this.#now()
    this.#wake?.()
  }

  #now(): Instant {
    const { runtime } = this.#options
    return { receivedAtWallMs: runtime.wallMs(), receivedAtMonotonicMs: runtime.monotonicMs() }
  }

  /** Resolves when mail is announced, the connection ends, we are stopped, or `ms` are over. */
  #untilWoken(client: ImapFlow, ms: number): Promise<void> {
    if (this.#announced !== undefined || !client.usable || this.#stopping.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = this.#options.runtime.setTimer(ms, () => this.#wake?.())
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }

  /** The connection is closed, and with it whatever it is asked, when `work` takes longer than `ms`. */
  async #within<T>(ms: number, client: ImapFlow, work: Promise<T>): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const cancel = this.#options.runtime.setTimer(ms, () => {
        client.close()
        reject(new Error(`the server did not answer within ${ms / 1000} s`))
      })
      work.then(resolve, reject).finally(cancel)
    })
  }

  #setState(ok: boolean, detail: string): void {
    this.#state = inboxStateAfter(this.#state, ok, detail, this.#options.runtime.wallMs())
  }
}
