import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { type SendOptions, sendMail } from '../../common/smtp/client.ts'
import { type OnMail, type ReturnedMail, rawBytesMax } from '../../probe/inbox.ts'
import { createSmtpInbox, type SmtpInbox, type SmtpInboxOptions } from '../../probe/inbox-smtp.ts'
import { makeCertificate } from '../support/certificate.ts'

const returnAddress = 'rt@eu.probe.example'
const started: SmtpInbox[] = []
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(started.splice(0).map((inbox) => inbox.stop()))
})

async function inboxWith(onMail: OnMail, changes: Partial<SmtpInboxOptions> = {}) {
  const inbox = createSmtpInbox({
    host: '127.0.0.1',
    port: 0,
    returnAddress,
    onMail,
    runtime: systemRuntime,
    logger: silentLogger,
    ...changes,
  })
  started.push(inbox)
  await inbox.start()
  const port = inbox.address()?.port ?? 0
  const send = (more: Partial<SendOptions> = {}) =>
    sendMail({
      address: '127.0.0.1',
      port,
      host: 'eu.probe.example',
      heloName: 'mx.customer.example',
      tls: 'opportunistic',
      envelope: { from: '', to: returnAddress },
      message: Buffer.from('Subject: returned\r\n\r\n.dot\r\n'),
      deadlineMs: 20_000,
      runtime: systemRuntime,
      ...more,
    })
  return { inbox, port, send }
}

describe("the probe's own inbox", () => {
  it('says 250 only after the mail is recorded, and notes when it came', async () => {
    const order: string[] = []
    const mails: ReturnedMail[] = []
    const { inbox, send } = await inboxWith(async (mail) => {
      mails.push(mail)
      await new Promise((resolve) => setImmediate(resolve))
      order.push('recorded')
      return 'recorded'
    })
    const before = systemRuntime.monotonicMs()
    const result = await send()
    order.push('told')
    expect(order).toEqual(['recorded', 'told'])
    const [mail] = mails
    expect(mail).toMatchObject({ via: 'smtp', envelope: { from: '', to: returnAddress } })
    expect(mail?.raw.toString()).toBe('Subject: returned\r\n\r\n.dot\r\n')
    expect(mail?.connectedAtMonotonicMs).toBeGreaterThanOrEqual(before)
    expect(mail?.receivedAtMonotonicMs).toBeGreaterThanOrEqual(mail?.connectedAtMonotonicMs ?? Number.POSITIVE_INFINITY)
    expect(result.capabilities).toMatchObject({ starttls: false, auth: [], sizeMax: rawBytesMax })
    expect(inbox.counters()).toMatchObject({ received: 1, recorded: 1 })
    expect(inbox.state()).toMatchObject({ ok: true, detail: expect.stringMatching(/^listening on 127\.0\.0\.1 port \d+$/) })
  })

  it('answers without a pause before its banner', async () => {
    const { send } = await inboxWith(async () => 'recorded')
    const banners: number[] = []
    for (let run = 0; run < 5; run += 1) banners.push((await send()).stages.find(({ name }) => name === 'banner')?.ms ?? 999)
    expect(Math.min(...banners)).toBeLessThan(50)
  })

  it('greets once, although the timer of the library calls again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { port } = await inboxWith(async () => 'recorded')
    const socket = connect(port, '127.0.0.1')
    let heard = ''
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString()
    })
    await once(socket, 'data')
    vi.advanceTimersByTime(100)
    socket.write('NOOP\r\n')
    await once(socket, 'data')
    socket.destroy()
    expect(heard).toMatch(/^220 [^\n]*\r\n250 [^\n]*\r\n$/)
  })

  it('takes mail for its return address alone, whatever the case', async () => {
    const { inbox, send } = await inboxWith(async () => 'recorded')
    await expect(send({ envelope: { from: '', to: 'other@eu.probe.example' } })).rejects.toMatchObject({
      stage: 'rcpt',
      reply: { code: 550, enhanced: '5.1.1' },
    })
    await send({ envelope: { from: 'mailer@customer.example', to: 'RT@EU.probe.example' } })
    expect(inbox.counters()).toMatchObject({ refused_recipients: 1, recorded: 1 })
  })

  it('takes and drops what is not ours', async () => {
    const { inbox, send } = await inboxWith(async () => 'not_ours')
    expect((await send()).reply.code).toBe(250)
    expect(inbox.counters()).toMatchObject({ not_ours: 1, recorded: 0 })
  })

  it('asks the sender to come again when recording fails', async () => {
    const { inbox, send } = await inboxWith(() => Promise.reject(new Error('disk full: /secret/path')))
    await expect(send()).rejects.toMatchObject({
      stage: 'accept',
      category: 'temporary',
      reply: { code: 451, text: expect.not.stringContaining('secret') },
    })
    expect(inbox.counters()).toMatchObject({ failed: 1 })
  })

  it('refuses what is too large, declared or not', async () => {
    const seen: ReturnedMail[] = []
    const { send } = await inboxWith(async (mail) => {
      seen.push(mail)
      return 'recorded'
    })
    const message = Buffer.from(`${'x'.repeat(78)}\r\n`.repeat(5000))
    await expect(send({ message })).rejects.toMatchObject({ stage: 'mail', reply: { code: 552 } })
    expect(seen).toEqual([])
  })

  it('bounds the connections of one address', async () => {
    const { inbox, port, send } = await inboxWith(async () => 'recorded', { connectionsPerAddressMax: 1 })
    const first = connect(port, '127.0.0.1')
    await once(first, 'data')
    await expect(send()).rejects.toMatchObject({ stage: 'banner', category: 'temporary', reply: { code: 421 } })
    await send({ localAddress: '127.0.0.2' })
    expect(inbox.counters()).toMatchObject({ refused_connections: 1 })
    first.end('QUIT\r\n')
    await once(first, 'close')
    await new Promise((resolve) => setImmediate(resolve))
    await send()
  })

  it('cannot start where the port is taken, and says so', async () => {
    const { port } = await inboxWith(async () => 'recorded')
    const second = createSmtpInbox({
      host: '127.0.0.1',
      port,
      returnAddress,
      onMail: async () => 'recorded',
      runtime: systemRuntime,
      logger: silentLogger,
    })
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(second.state().ok).toBe(false)
  })

  it('frees its port when it stops', async () => {
    const { inbox, port } = await inboxWith(async () => 'recorded')
    await inbox.stop()
    expect(inbox.state()).toMatchObject({ ok: false, detail: 'stopped' })
    await inboxWith(async () => 'recorded', { port })
  })

  const certificate = makeCertificate('eu.probe.example')
  it.skipIf(certificate === undefined)('offers STARTTLS where it has a certificate', async () => {
    const { send } = await inboxWith(async () => 'recorded', certificate === undefined ? {} : { tls: certificate })
    expect((await send()).tls).toMatchObject({ subject: 'eu.probe.example' })
  })
})
