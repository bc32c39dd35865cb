import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { readReturnedMail } from '../../common/mail/inbound-mail.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { submitMail } from '../../common/smtp/submit.ts'
import { parseResponderConfig } from '../../responder/config.ts'
import { createDiskMemory } from '../../responder/memory.ts'
import { type SinkParts, startSink } from '../../responder/sink.ts'
import { createSubmit } from '../../responder/submit.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { makeKeys, makeTestMail, makeToken, probe, returnAddress, root, target } from '../support/mails.ts'
import { acceptingScript, scriptServer } from '../support/smtp-script-server.ts'

type Entry = Record<string, unknown>

async function startTestSink(returnPort: number, changes: Partial<SinkParts> = {}) {
  const submit = { routes: { 'probe.example': `127.0.0.1:${returnPort}` } }
  const config = parseResponderConfig(JSON.stringify({ root_keys: [root.x], return_domains: ['probe.example'], submit }))
  const journal: Entry[] = []
  const sink = await startSink({
    listen: { host: '127.0.0.1', port: 0 },
    lmtp: false,
    config,
    memory: createDiskMemory(undefined),
    submit: createSubmit(config, systemRuntime),
    journal: (entry) => void journal.push(entry),
    runtime: systemRuntime,
    ...changes,
  })
  return { sink, journal, port: sink.address.port, [Symbol.asyncDispose]: () => sink.close() }
}

const send = (port: number, mail: string) =>
  submitMail({
    host: '127.0.0.1',
    port,
    tls: 'opportunistic',
    heloName: 'eu.probe.example',
    envelope: { from: returnAddress, to: target },
    message: Buffer.from(mail, 'latin1'),
    deadlineMs: 10_000,
    runtime: systemRuntime,
  })

async function dial(port: number): Promise<{ socket: Socket; closed: Promise<string> }> {
  const socket = connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (bytes) => {
    heard += bytes.toString()
  })
  const closed = once(socket, 'close').then(() => heard)
  await once(socket, 'data')
  return { socket, closed }
}

/** The mail among the lines that a script server has received, as it stood on the wire. */
const mailIn = (received: readonly string[]) => received.find((line) => line.includes('X-Mailscout-Stamp')) ?? ''

test('a genuine mail is answered before it is acknowledged, to the null sender’s peer and with the hop that took it', async () => {
  await using returnServer = await scriptServer(acceptingScript())
  await using running = await startTestSink(returnServer.port)
  const delivered = await send(running.port, makeTestMail())
  expect(delivered.reply.code).toBe(250)
  expect(returnServer.received.join('\n')).toMatch(/MAIL FROM:<>/)
  expect(returnServer.received.join('\n')).toMatch(/RCPT TO:<rt@eu\.probe\.example>/)
  const inbound = readReturnedMail(mailIn(returnServer.received), { rootKeysX: [root.x], probeX: probe.x })
  expect(inbound).toMatchObject({ kind: 'returned', responderVersion: 'source' })
  expect(inbound.kind === 'returned' && inbound.outboundTrace).toMatchObject([{ from: 'eu.probe.example', with: 'ESMTP' }])
  expect(running.journal).toMatchObject([{ msg: 'answered', repeated: false }])
})

test('a forged mail is taken and answered by nobody', async () => {
  await using returnServer = await scriptServer(acceptingScript())
  await using running = await startTestSink(returnServer.port)
  const delivered = await send(running.port, makeTestMail(makeToken({ rootKey: makeKeys() })))
  expect(delivered.reply.code).toBe(250)
  expect(returnServer.connections()).toBe(0)
  expect(running.journal).toMatchObject([{ msg: 'ignored', reason: 'not_genuine', detail: 'ISSUER_UNKNOWN' }])
})

test('while the return server is down the mail stays with whoever sent it', async () => {
  const gone = await scriptServer(acceptingScript())
  await gone[Symbol.asyncDispose]()
  await using running = await startTestSink(gone.port)
  await expect(send(running.port, makeTestMail())).rejects.toMatchObject({ reply: { code: 451 }, category: 'temporary' })
  expect(running.journal).toMatchObject([{ msg: 'not sent' }])
})

test('on SIGTERM a mail being answered is answered first, and an idle session is told', async () => {
  const submitting = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  const submit = async () => {
    submitting.resolve()
    await release.promise
  }
  const running = await startTestSink(1, { submit })
  const idle = await dial(running.port)
  const sending = send(running.port, makeTestMail())
  await submitting.promise
  const closing = running.sink.close()
  expect(await idle.closed).toMatch(/421 4\.3\.2 Closing/)
  release.resolve()
  expect((await sending).reply.code).toBe(250)
  await closing
})

test('a client that says nothing is dismissed after a minute', async () => {
  const runtime = new FakeRuntime()
  await using running = await startTestSink(1, { runtime })
  const silent = await dial(running.port)
  runtime.advance(61_000)
  expect(await silent.closed).toMatch(/421 4\.3\.2 Closing/)
})

test('a client that never hangs up after its last word is hung up on', async () => {
  const runtime = new FakeRuntime()
  await using running = await startTestSink(1, { runtime })
  const socket = connect({ port: running.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  const ended = once(socket, 'end')
  socket.resume()
  socket.write('QUIT\r\n')
  await ended
  runtime.advance(3000)
  // Closing waits for every connection, and this clock fires no further timer.
  await running.sink.close()
  socket.destroy()
})

test('the 101st connection is turned away', async () => {
  await using running = await startTestSink(1)
  const clients = await Promise.all(Array.from({ length: 100 }, () => dial(running.port)))
  const one = await dial(running.port)
  expect(await one.closed).toMatch(/^421 4\.3\.2 \S+ Too many connections/)
  for (const { socket } of clients) socket.destroy()
})

test('by LMTP each recipient gets an answer of the server, and the probe one mail', async () => {
  await using returnServer = await scriptServer(acceptingScript())
  await using running = await startTestSink(returnServer.port, { lmtp: true })
  const { socket, closed } = await dial(running.port)
  const mail = makeTestMail()
  const recipients = `RCPT TO:<${target}>\r\nRCPT TO:<other@customer.example>\r\n`
  socket.write(`LHLO mx\r\nMAIL FROM:<${returnAddress}>\r\n${recipients}DATA\r\n${mail}.\r\nQUIT\r\n`)
  expect((await closed).match(/^250 2\.0\.0 Ok/gm)).toHaveLength(2)
  expect(returnServer.connections()).toBe(1)
})

test('an address that is taken already is told', async () => {
  await using running = await startTestSink(1)
  await expect(startTestSink(1, { listen: { host: '127.0.0.1', port: running.port } })).rejects.toThrow(/EADDRINUSE/)
})
