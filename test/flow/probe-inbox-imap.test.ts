import { ImapFlow } from 'imapflow'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import type { Inbox, OnMail, ReturnedMail } from '../../probe/inbox.ts'
import { createImapInbox, type ImapInboxOptions } from '../../probe/inbox-imap.ts'
import { makeCertificate } from '../support/certificate.ts'
import { createDovecot, type Dovecot, whyNoDovecot } from '../support/dovecot.ts'
import { scriptServer } from '../support/smtp-script-server.ts'

const certificate = makeCertificate('localhost')
const obstacle = whyNoDovecot() ?? (certificate === undefined ? 'there is no openssl command' : undefined)
if (obstacle !== undefined) console.warn(`skipped, return mailbox on a real Dovecot: ${obstacle}`)

/** Mails as they are handed on, to be awaited one by one. */
function recorder(fate: (subject: string) => Promise<'recorded' | 'not_ours'>) {
  const waiting: ((mail: ReturnedMail) => void)[] = []
  const seen: ReturnedMail[] = []
  const onMail: OnMail = async (mail) => {
    const waiter = waiting.shift()
    if (waiter === undefined) seen.push(mail)
    else waiter(mail)
    return await fate(subjectOf(mail))
  }
  const next = (): Promise<ReturnedMail> => {
    const mail = seen.shift()
    return mail === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(mail)
  }
  return { onMail, next }
}
const subjectOf = (mail: ReturnedMail) => /^Subject: (.*)\r$/m.exec(mail.raw.toString())?.[1] ?? ''
const ours = async (subject: string) => (subject.startsWith('ours') ? ('recorded' as const) : ('not_ours' as const))

describe.skipIf(obstacle !== undefined)('a return mailbox on a real Dovecot', () => {
  let dovecot: Dovecot
  let user = ''
  let users = 0
  const running: Inbox[] = []

  beforeAll(async () => {
    if (certificate === undefined) return
    dovecot = await createDovecot(certificate)
    await dovecot.start()
  })
  afterAll(async () => {
    await dovecot?.[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await Promise.all(running.splice(0).map((inbox) => inbox.stop()))
  })

  const newUser = () => {
    users += 1
    user = `user${users}`
  }
  const inboxFor = async (onMail: OnMail, changes: Partial<ImapInboxOptions> = {}) => {
    const inbox = createImapInbox({
      host: 'localhost',
      port: dovecot.imapsPort,
      secure: true,
      user,
      password: dovecot.password,
      mailbox: 'INBOX',
      ...(certificate === undefined ? {} : { ca: certificate.cert }),
      onMail,
      runtime: systemRuntime,
      logger: silentLogger,
      ...changes,
    })
    running.push(inbox)
    await inbox.start()
    return inbox
  }
  /** What a person with a mail program does to the same mailbox. */
  const owner = async <T>(work: (client: ImapFlow) => Promise<T>): Promise<T> => {
    const auth = { user, pass: dovecot.password }
    const client = new ImapFlow({ host: '127.0.0.1', port: dovecot.imapPort, auth, doSTARTTLS: false, logger: false })
    client.on('error', () => {})
    await client.connect()
    try {
      return await work(client)
    } finally {
      await client.logout()
    }
  }
  const deliver = (subject: string, mailbox = 'INBOX') =>
    owner((client) => client.append(mailbox, `From: a@b.example\r\nSubject: ${subject}\r\n\r\nbody\r\n`))
  const subjects = (mailbox = 'INBOX') =>
    owner(async (client) => {
      await client.mailboxOpen(mailbox)
      const all = await client.fetchAll('1:*', { envelope: true, flags: true }).catch(() => [])
      return all.map((mail) =>
        `${mail.envelope?.subject} ${[...(mail.flags ?? [])].filter((flag) => flag !== '\\Recent').join(' ')}`.trim(),
      )
    })
  const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  it('hears of mail by IDLE, hands it on, and purges its own alone', async () => {
    newUser()
    await deliver('ours before')
    const { onMail, next } = recorder(ours)
    const inbox = await inboxFor(onMail)
    expect(subjectOf(await next())).toBe('ours before')
    await until(() => inbox.state().ok)
    await deliver('a letter to somebody')
    expect(subjectOf(await next())).toBe('a letter to somebody')
    await deliver('ours now')
    const mail = await next()
    expect(mail).toMatchObject({ via: 'imap' })
    expect(mail.raw.toString()).toContain('Subject: ours now\r\n')
    expect(Math.abs((mail.internalDateMs ?? 0) - systemRuntime.wallMs())).toBeLessThan(10_000)
    await until(() => inbox.counters().purged === 2)
    // Not purged, and not marked as read either.
    expect(await subjects()).toEqual(['a letter to somebody'])
    expect(inbox.counters()).toMatchObject({ recorded: 2, not_ours: 1, connects: 1, failed: 0, idle_deaf: 0 })
    expect(inbox.state()).toMatchObject({ ok: true, detail: 'reading INBOX at localhost' })
  })

  it("leaves what the mailbox's owner has marked as deleted", async () => {
    newUser()
    await deliver('kept for a while')
    await owner(async (client) => {
      await client.mailboxOpen('INBOX')
      await client.messageFlagsAdd('1', ['\\Deleted'])
    })
    const { onMail, next } = recorder(ours)
    const inbox = await inboxFor(onMail)
    await next()
    await deliver('ours')
    await next()
    await until(() => inbox.counters().purged === 1)
    expect(await subjects()).toEqual(['kept for a while \\Deleted'])
  })

  it('finds by its poll what IDLE kept to itself', async () => {
    newUser()
    const { onMail, next } = recorder(ours)
    // A poll so frequent that it is nearly always there before Dovecot's announcement, which takes half a second.
    const inbox = await inboxFor(onMail, { pollMs: 50 })
    await until(() => inbox.state().ok)
    let delivered = 0
    while (inbox.counters().idle_deaf === 0) {
      await deliver('ours')
      delivered += 1
      expect(subjectOf(await next())).toBe('ours')
    }
    expect(inbox.counters()).toMatchObject({ received: delivered, idle_deaf: 1 })
  })

  it('tries a mail again that could not be recorded', async () => {
    newUser()
    let failures = 2
    const { onMail, next } = recorder((subject) => {
      failures -= 1
      return failures >= 0 ? Promise.reject(new Error('disk full')) : ours(subject)
    })
    const inbox = await inboxFor(onMail, { pollMs: 20 })
    await deliver('ours')
    for (let tries = 0; tries < 3; tries += 1) expect(subjectOf(await next())).toBe('ours')
    await until(() => inbox.counters().purged === 1)
    expect(inbox.counters()).toMatchObject({ failed: 2, recorded: 1, given_up: 0 })
  })

  it('reads anew when the mailbox was made anew', async () => {
    newUser()
    await owner((client) => client.mailboxCreate('Returns'))
    const { onMail, next } = recorder(async () => 'not_ours')
    const inbox = await inboxFor(onMail, { mailbox: 'Returns', pollMs: 50, reopenMs: 100 })
    await deliver('one', 'Returns')
    await next()
    await deliver('two', 'Returns')
    await next()
    await owner(async (client) => {
      await client.mailboxDelete('Returns')
      await client.mailboxCreate('Returns')
    })
    await deliver('three', 'Returns')
    expect(subjectOf(await next())).toBe('three')
    expect(inbox.counters()).toMatchObject({ uidvalidity_changes: 1 })
  })

  it('goes over to TLS on the plain port where STARTTLS is offered', async () => {
    newUser()
    await deliver('ours')
    const { onMail, next } = recorder(ours)
    await inboxFor(onMail, { port: dovecot.imapPort, secure: false })
    await next()
    await until(() => new RegExp(`Login: user=<${user}>.*TLS`).test(dovecot.log()))
  })

  it.each<[string, Partial<ImapInboxOptions>, RegExp]>([
    ['the password is wrong', { password: 'guess' }, /AUTHENTICATIONFAILED|Authentication failed/i],
    ['the certificate is not trusted', { ca: '' }, /self-signed|certificate/i],
    ['the mailbox does not exist', { mailbox: 'Nowhere' }, /Nowhere|exist/i],
  ])('is not ok, and says why, when %s', async (_, changes, why) => {
    newUser()
    const inbox = await inboxFor(async () => 'not_ours', changes)
    await until(() => inbox.state().detail !== 'not started')
    expect(inbox.state()).toMatchObject({ ok: false, detail: expect.stringMatching(why) })
    expect(inbox.state().detail).not.toContain('guess')
  })

  it('comes back when the server does, and finds what arrived meanwhile', async () => {
    newUser()
    const { onMail, next } = recorder(ours)
    const inbox = await inboxFor(onMail)
    await until(() => inbox.state().ok)
    await dovecot.stop()
    await until(() => !inbox.state().ok)
    await dovecot.start()
    await deliver('ours meanwhile')
    expect(subjectOf(await next())).toBe('ours meanwhile')
    await until(() => inbox.state().ok)
    expect(inbox.counters().connects).toBe(2)
  })

  it('stops while it cannot connect', async () => {
    newUser()
    const inbox = await inboxFor(async () => 'not_ours', { host: '127.0.0.3', port: 9 })
    await until(() => /ECONNREFUSED/.test(inbox.state().detail))
    await inbox.stop()
    expect(inbox.state()).toMatchObject({ ok: false, detail: 'stopped' })
  })

  it('stops while the server is silent', async () => {
    newUser()
    await using silent = await scriptServer([{ stall: true }])
    const inbox = await inboxFor(async () => 'not_ours', { host: '127.0.0.1', port: silent.port, secure: false })
    await silent.stalled
    await inbox.stop()
    await silent.closed
    expect(inbox.state()).toMatchObject({ ok: false, detail: 'stopped' })
  })
})
