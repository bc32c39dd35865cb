/** A customer's mail system with a real SMTP listener, which does with each mail what the test says. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import type { Runtime } from '../../common/runtime.ts'
import { sendMail } from '../../common/smtp/client.ts'
import { bounceOf, stampedAnswer, tokenIn } from './customer-mail.ts'

export type CustomerMode =
  | 'answer'
  | 'answer twice'
  | 'swallow'
  | 'hold'
  | 'echo'
  | 'bounce'
  | 'refuse'
  | 'defer once'
  | 'drop after dot'

export type CustomerServer = {
  port: number
  mode: CustomerMode
  /** The mails that were taken, and the ENVID that each came with. */
  taken: { raw: Buffer; envelopeId: string | undefined; from: string }[]
  /** Returns a mail that was taken and held. */
  release(index: number): Promise<void>
  close(): Promise<void>
}

export async function customerServer(options: {
  runtime: Runtime
  rootX: string
  inboxPort: () => number
  /** A loopback address of its own, where several servers share a port. */
  host?: string
  port?: number
}): Promise<CustomerServer> {
  const { runtime, rootX, host = '127.0.0.1', port = 0 } = options
  let refusals = 0

  const toInbox = (mail: string) =>
    sendMail({
      address: '127.0.0.1',
      port: options.inboxPort(),
      host: 'inbox',
      heloName: 'mx.customer.example',
      tls: 'never',
      envelope: { from: '', to: 'rt@eu.probe.example' },
      message: Buffer.from(mail),
      deadlineMs: 60_000,
      runtime,
    })

  const deliver = async (raw: Buffer): Promise<void> => {
    const token = tokenIn(raw, rootX)
    const answer = stampedAnswer(token, runtime.wallMs())
    if (customer.mode === 'echo') await toInbox(raw.toString())
    if (customer.mode === 'bounce') await toInbox(bounceOf(token.token.tid))
    if (customer.mode.startsWith('answer')) await toInbox(answer)
    if (customer.mode === 'answer twice') await toInbox(answer)
  }

  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    hideDSN: false,
    logger: false,
    onRcptTo(_address, _session, done) {
      if (customer.mode === 'refuse') return done(Object.assign(new Error('5.1.1 no such user here'), { responseCode: 550 }))
      if (customer.mode === 'defer once' && refusals++ === 0)
        return done(Object.assign(new Error('4.2.0 greylisted'), { responseCode: 450 }))
      done()
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const raw = Buffer.concat(chunks)
        const { mailFrom, dsn } = session.envelope as typeof session.envelope & { dsn?: { envid?: string | null } }
        customer.taken.push({ raw, envelopeId: dsn?.envid ?? undefined, from: mailFrom === false ? '' : mailFrom.address })
        if (customer.mode === 'drop after dot') {
          for (const connection of server.connections) connection.close()
          customer.mode = 'answer'
        } else done()
        if (customer.mode === 'defer once') customer.mode = 'answer'
        // A probe that has gone meanwhile gets nothing; a test that still waits for it will say so.
        deliver(raw).catch(() => {})
      })
    },
  })
  server.on('error', () => {})

  const customer: CustomerServer = {
    port: 0,
    mode: 'answer',
    taken: [],
    async release(index) {
      const raw = customer.taken[index]?.raw
      if (raw === undefined) throw new Error(`No mail ${index} was taken`)
      await toInbox(stampedAnswer(tokenIn(raw, rootX), runtime.wallMs()))
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  }
  server.listen(port, host)
  await once(server.server, 'listening')
  customer.port = (server.server.address() as AddressInfo).port
  return customer
}
