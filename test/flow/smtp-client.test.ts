import { once } from 'node:events'
import { createServer } from 'node:net'
import { createSecureContext } from 'node:tls'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../common/runtime.ts'
import { type SendOptions, sendMail } from '../../common/smtp/client.ts'
import { SmtpFailure, smtpStages } from '../../common/smtp/failure.ts'
import { makeCertificate } from '../support/certificate.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { acceptingScript, type ScriptStep, type Step, scriptServer } from '../support/smtp-script-server.ts'

const message = Buffer.from('Subject: test\r\n\r\n.dot\r\nhello\r\n')
const certificate = makeCertificate()
const context = certificate === undefined ? undefined : createSecureContext(certificate)
const trust = certificate === undefined ? undefined : createSecureContext({ ca: certificate.cert })

const options = (port: number, changes: Partial<SendOptions> = {}): SendOptions => ({
  address: '127.0.0.1',
  port,
  host: 'mx.example',
  heloName: 'eu.probe.example',
  tls: 'opportunistic',
  envelope: { from: 'rt@probe.example', to: 'scout@customer.example' },
  message,
  deadlineMs: 20_000,
  runtime: systemRuntime,
  ...changes,
})

const failing = async (sending: Promise<unknown>): Promise<SmtpFailure> => {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof SmtpFailure) return error
  throw new Error('a SmtpFailure was expected', { cause: error })
}
const names = (stages: readonly { name: string }[]) => stages.map((stage) => stage.name)

describe('a mail that is accepted', () => {
  it('goes stage by stage, with times, words and capabilities', async () => {
    await using server = await scriptServer(acceptingScript())
    const dsn = { envid: 'test-1', notify: ['FAILURE', 'DELAY'] } as const
    const result = await sendMail(options(server.port, { dsn }))
    await server.closed
    expect(names(result.stages)).toEqual(['connect', 'banner', 'ehlo', 'mail', 'rcpt', 'data', 'accept'])
    expect(result.stages.every((stage) => stage.ms >= 0)).toBe(true)
    expect(result.greeting).toEqual({ code: 220, text: 'mx.example ESMTP ready' })
    expect(result.reply).toEqual({ code: 250, enhanced: '2.0.0', text: '2.0.0 queued as 4711' })
    expect(result.capabilities).toMatchObject({ name: 'mx.example', dsn: true, starttls: false })
    expect(result.tls).toBeUndefined()
    const total = result.stages.reduce((sum, stage) => sum + stage.ms, 0)
    expect(result.endOfDataMonotonicMs - result.startedAtMonotonicMs).toBeLessThanOrEqual(total + 5)
    expect(server.received).toEqual([
      'EHLO eu.probe.example',
      `MAIL FROM:<rt@probe.example> SIZE=${message.length} RET=HDRS ENVID=test-1`,
      'RCPT TO:<scout@customer.example> NOTIFY=FAILURE,DELAY',
      'DATA',
      'Subject: test\r\n\r\n..dot\r\nhello',
      'QUIT',
    ])
  })

  it('bears a banner and replies in pieces, and many lines', async () => {
    const banner = { raw: '220-mx.example\r\n220-no spam\r\n220 ready\r\n' }
    await using server = await scriptServer(acceptingScript({ banner, accept: { expect: /^/, raw: '250-one\r\n250 two\r\n' } }))
    const result = await sendMail(options(server.port))
    expect(result.greeting.text).toBe('mx.example no spam ready')
    expect(result.reply.text).toBe('one two')
  })

  it('falls back to HELO, and then asks for no extension', async () => {
    await using server = await scriptServer([
      { say: '220 old.example' },
      { expect: /^EHLO/, say: '502 unknown command' },
      { expect: /^HELO eu\.probe\.example$/, say: '250 old.example DSN' },
      ...acceptingScript().slice(2),
    ])
    const dsn = { envid: 'x', notify: ['FAILURE'] } as const
    expect((await sendMail(options(server.port, { dsn }))).capabilities.keywords).toEqual([])
    expect(server.received[2]).toBe('MAIL FROM:<rt@probe.example>')
  })

  it('can have the null sender, and leaves from the address it was given', async () => {
    await using server = await scriptServer(acceptingScript())
    await sendMail(options(server.port, { envelope: { from: '', to: 'rt@probe.example' }, localAddress: '127.0.0.2' }))
    expect(server.received[1]).toMatch(/^MAIL FROM:<> SIZE=/)
  })

  it('does not wait for an answer to QUIT', async () => {
    await using server = await scriptServer([...acceptingScript(), { expect: /^QUIT$/, stall: true }])
    const runtime = new FakeRuntime()
    await sendMail(options(server.port, { runtime }))
    await server.stalled
    await runtime.advanceAsync(1000)
    await server.closed
    expect(runtime.timerCount).toBe(0)
  })
})

describe('a refusal', () => {
  const at: [ScriptStep, RegExp | undefined][] = [
    ['banner', undefined],
    ['ehlo', /^[EH][EH]LO/],
    ['mail', /^MAIL/],
    ['rcpt', /^RCPT/],
    ['data', /^DATA/],
    ['accept', /^/],
  ]
  const refusing = (step: ScriptStep, expect: RegExp | undefined, say: string): Step[] => {
    const refusal: Step = expect === undefined ? { say } : { expect, say }
    const steps = acceptingScript({ [step]: refusal })
    const index = at.findIndex(([name]) => name === step)
    // After a refused EHLO the client tries HELO, which is refused likewise.
    return [...steps.slice(0, index + 1), ...(step === 'ehlo' ? [refusal] : [])]
  }

  for (const [step, expected] of at) {
    it.each([
      ['550 5.7.1 not from you', 'permanent', 'SMTP_REFUSED'],
      ['450 4.7.1 come back later', 'temporary', 'SMTP_REFUSED_FOR_NOW'],
    ])(`at ${step} with %s is %s`, async (say, category, code) => {
      await using server = await scriptServer(refusing(step, expected, say))
      const failure = await failing(sendMail(options(server.port)))
      expect(failure).toMatchObject({ stage: step, category, code, acceptedUnknown: false })
      expect(failure.reply).toMatchObject({ code: Number(say.slice(0, 3)), enhanced: say.slice(4, 9), text: say.slice(4) })
      expect(names(failure.stages).at(-1)).toBe(step)
      await server.closed
      expect(server.received.at(-1)).toBe('QUIT')
    })

    it(`at ${step}: a connection that is closed`, async () => {
      const closing: Step = expected === undefined ? { close: 'end' } : { expect: expected, close: 'end' }
      await using server = await scriptServer(acceptingScript({ [step]: closing }))
      const failure = await failing(sendMail(options(server.port)))
      expect(failure).toMatchObject({ stage: step, category: 'connection', code: 'SMTP_CONNECTION_FAILED', temporary: true })
      expect(failure.reply).toBeUndefined()
      expect(failure.acceptedUnknown).toBe(step === 'accept')
    })

    it(`at ${step}: a connection that is reset`, async () => {
      const reset: Step = expected === undefined ? { close: 'reset' } : { expect: expected, close: 'reset' }
      await using server = await scriptServer(acceptingScript({ [step]: reset }))
      const failure = await failing(sendMail(options(server.port)))
      expect(failure).toMatchObject({ category: 'connection', acceptedUnknown: step === 'accept' })
    })

    it(`at ${step}: silence ends at the deadline, with the socket`, async () => {
      const runtime = new FakeRuntime()
      const stalling: Step = expected === undefined ? { stall: true } : { expect: expected, stall: true }
      await using server = await scriptServer(acceptingScript({ [step]: stalling }))
      const sending = failing(sendMail(options(server.port, { runtime, deadlineMs: 5000 })))
      await server.stalled
      await runtime.advanceAsync(5000)
      const failure = await sending
      expect(failure).toMatchObject({ category: 'deadline', code: 'SMTP_DEADLINE', acceptedUnknown: step === 'accept' })
      // The server's banner stalls as soon as the connection is there, which we may not have seen yet.
      expect(step === 'banner' ? ['connect', 'banner'] : [step]).toContain(failure.stage)
      await server.closed
      expect(runtime.timerCount).toBe(0)
    })
  }

  it('with 421 and a close is temporary, not a lost connection', async () => {
    await using server = await scriptServer(
      acceptingScript({ rcpt: { expect: /^RCPT/, say: '421 4.3.2 shutting down', close: 'end' } }),
    )
    expect(await failing(sendMail(options(server.port)))).toMatchObject({ stage: 'rcpt', category: 'temporary' })
  })

  it('in the middle of the body is heard although the connection breaks', async () => {
    const big = Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(1000))
    const data: Step = { expect: /^DATA$/, say: '354 go on\r\n552 5.3.4 too big', close: 'end' }
    await using server = await scriptServer([...acceptingScript().slice(0, 4), data])
    const failure = await failing(sendMail(options(server.port, { message: big })))
    expect(failure).toMatchObject({ stage: 'accept', category: 'permanent', acceptedUnknown: false })
  })

  it('by nobody listening names the connection', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    await new Promise((resolve) => server.close(resolve))
    const failure = await failing(sendMail(options(port)))
    expect(failure).toMatchObject({ stage: 'connect', category: 'connection', message: expect.stringMatching(/ECONNREFUSED/) })
    expect(names(failure.stages)).toEqual(['connect'])
  })

  it('by an abort signal ends at once', async () => {
    await using server = await scriptServer([{ stall: true }])
    const abort = new AbortController()
    const sending = failing(sendMail(options(server.port, { signal: abort.signal })))
    await server.stalled
    abort.abort()
    expect(await sending).toMatchObject({ category: 'deadline' })
    expect(await failing(sendMail(options(server.port, { signal: abort.signal })))).toMatchObject({ category: 'deadline' })
  })
})

describe('a server that does not keep to the protocol', () => {
  const accepting = acceptingScript()
  it.each<[string, Step[], string]>([
    ['speaks something else', [{ say: 'SSH-2.0-OpenSSH_9.2' }], 'banner'],
    ['changes the code in a reply', [{ say: '220-a\r\n221 b' }], 'banner'],
    ['answers DATA with 250', [...accepting.slice(0, 4), { expect: /^DATA/, say: '250 ok' }], 'data'],
    ['answers MAIL with 354', [...accepting.slice(0, 2), { expect: /^MAIL/, say: '354 go' }], 'mail'],
    [
      'answers before it is asked',
      [...accepting.slice(0, 3), { expect: /^RCPT/, raw: '250 ok\r\n354 go\r\n250 done\r\n' }],
      'data',
    ],
    ['sends a line without end', [{ raw: `220 ${'x'.repeat(3000)}` }], 'banner'],
  ])('%s', async (_, script, stage) => {
    await using server = await scriptServer(script)
    expect(await failing(sendMail(options(server.port)))).toMatchObject({ stage, category: 'protocol', code: 'SMTP_PROTOCOL' })
  })

  it('may announce its end at any time', async () => {
    const script = [...accepting.slice(0, 2), { expect: /^MAIL/, raw: '250 ok\r\n421 4.3.2 shutting down\r\n' } satisfies Step]
    await using server = await scriptServer(script)
    expect(await failing(sendMail(options(server.port)))).toMatchObject({ stage: 'rcpt', category: 'temporary' })
  })
})

describe('what is wrong before anything is sent', () => {
  it.each<[string, Partial<SendOptions>, string]>([
    ['a bare line feed', { message: Buffer.from('a\nb') }, 'MAIL_MALFORMED'],
    ['an address with a second command in it', { envelope: { from: '', to: 'a@b>\r\nDATA' } }, 'ADDRESS_INVALID'],
    ['a name with a second command in it', { heloName: 'a\r\nMAIL' }, 'ADDRESS_INVALID'],
    ['a password for an unverified server', { address: '192.0.2.1', auth: { user: 'u', password: 'p' } }, 'CONFIG_INVALID'],
  ])('%s is refused', async (_, changes, code) => {
    await expect(sendMail(options(9, changes))).rejects.toMatchObject({ code })
  })
})

describe.skipIf(context === undefined || trust === undefined)('TLS (needs the openssl command for a certificate)', () => {
  const starttls: Step[] = [{ say: '220 mx.example' }, { expect: /^EHLO/, say: '250-mx.example\r\n250-STARTTLS\r\n250 DSN' }]
  const secured = (): Step => ({ expect: /^STARTTLS$/, say: '220 go ahead', ...(context === undefined ? {} : { tls: context }) })
  const afterTls = acceptingScript().slice(1)

  it('is begun where it is offered, and its certificate reported without being required', async () => {
    await using server = await scriptServer([...starttls, secured(), ...afterTls])
    const result = await sendMail(options(server.port))
    expect(names(result.stages)).toEqual(smtpStages.filter((stage) => stage !== 'auth'))
    expect(result.tls).toMatchObject({ protocol: 'TLSv1.3', authorized: false, subject: 'mx.example', issuer: 'mx.example' })
    expect(result.tls?.problem).toMatch(/SELF_SIGNED/)
    expect(Date.parse(result.tls?.notAfter ?? '')).toBeGreaterThan(0)
    expect(result.capabilities.starttls).toBe(false)
    await server.closed
    expect(server.received.at(-1)).toBe('QUIT')
  })

  it('is verified where it is required', async () => {
    await using server = await scriptServer([...starttls, secured(), ...afterTls])
    const result = await sendMail(options(server.port, { tls: 'required', tlsContext: trust }))
    expect(result.tls).toMatchObject({ authorized: true })
  })

  it.each<[string, Partial<SendOptions>, RegExp]>([
    ['an unknown issuer', {}, /SELF_SIGNED/],
    ['another name', { tlsContext: trust, host: 'other.example' }, /ALTNAME/],
  ])('required, with %s, fails', async (_, changes, why) => {
    await using server = await scriptServer([...starttls, secured(), ...afterTls])
    const failure = await failing(sendMail(options(server.port, { tls: 'required', ...changes })))
    expect(failure).toMatchObject({ stage: 'tls', category: 'tls', code: 'SMTP_TLS_FAILED', message: expect.stringMatching(why) })
  })

  it('required, and not offered, fails before the envelope', async () => {
    await using server = await scriptServer(acceptingScript())
    expect(await failing(sendMail(options(server.port, { tls: 'required' })))).toMatchObject({
      stage: 'starttls',
      category: 'tls',
    })
    await server.closed
    expect(server.received).toEqual(['EHLO eu.probe.example', 'QUIT'])
  })

  it('refused, the mail goes in plain text where TLS is only wished for', async () => {
    const refused: Step = { expect: /^STARTTLS$/, say: '454 4.7.0 not now' }
    await using first = await scriptServer([...starttls, refused, ...acceptingScript().slice(2)])
    const result = await sendMail(options(first.port))
    expect(result.tls).toBeUndefined()
    expect(names(result.stages)).not.toContain('tls')
    await using second = await scriptServer([...starttls, refused])
    const failure = await failing(sendMail(options(second.port, { tls: 'required' })))
    expect(failure).toMatchObject({ category: 'tls', reply: { code: 454 } })
  })

  it('never begun where it is not wanted', async () => {
    await using server = await scriptServer([...starttls, ...acceptingScript().slice(2)])
    expect((await sendMail(options(server.port, { tls: 'never' }))).tls).toBeUndefined()
  })

  it.each<[string, Step[]]>([
    ['closes', [{ expect: /^STARTTLS$/, say: '220 go', close: 'end' }]],
    [
      'speaks no TLS',
      [
        { expect: /^STARTTLS$/, say: '220 go' },
        { anything: true, say: '500 what was that' },
      ],
    ],
  ])('fails when the server %s after 220', async (_, steps) => {
    await using server = await scriptServer([...starttls, ...steps])
    expect(await failing(sendMail(options(server.port)))).toMatchObject({ stage: 'tls', category: 'tls' })
  })

  it('refuses words that were put behind the answer to STARTTLS', async () => {
    await using server = await scriptServer([
      ...starttls,
      { expect: /^STARTTLS$/, raw: '220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n' },
    ])
    const failure = await failing(sendMail(options(server.port)))
    expect(failure).toMatchObject({ stage: 'tls', category: 'protocol', message: expect.stringMatching(/plain text before TLS/) })
    await using half = await scriptServer([...starttls, { expect: /^STARTTLS$/, raw: '220 go\r\n25' }])
    expect(await failing(sendMail(options(half.port)))).toMatchObject({ stage: 'tls', category: 'protocol' })
  })

  it('goes on with the session ticket of TLS 1.3, not after a time', async () => {
    // The clock stands still: without the ticket the second EHLO would never be written.
    await using server = await scriptServer([...starttls, secured(), ...afterTls])
    expect((await sendMail(options(server.port, { runtime: new FakeRuntime() }))).tls?.protocol).toBe('TLSv1.3')
  })

  it('that stalls in the handshake ends at the deadline', async () => {
    const runtime = new FakeRuntime()
    await using server = await scriptServer([...starttls, { expect: /^STARTTLS$/, say: '220 go' }, { stall: true }])
    const sending = failing(sendMail(options(server.port, { runtime, deadlineMs: 5000 })))
    await server.stalled
    await runtime.advanceAsync(5000)
    expect(await sending).toMatchObject({ category: 'deadline' })
    await server.closed
  })
})

describe.skipIf(certificate === undefined)('against smtp-server', () => {
  const listen = async (settings: SMTPServerOptions) => {
    const mails: string[] = []
    const server = new SMTPServer({
      ...certificate,
      disableReverseLookup: true,
      authOptional: true,
      logger: false,
      onAuth: (auth, _session, callback) =>
        auth.password === 'secret' ? callback(null, { user: auth.username }) : callback(new Error('wrong password')),
      onData(stream, _session, callback) {
        const chunks: Buffer[] = []
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('end', () => {
          mails.push(Buffer.concat(chunks).toString())
          callback()
        })
      },
      ...settings,
    })
    // A client that breaks off the handshake is an error of the server, and here the purpose.
    server.on('error', () => {})
    const listener = server.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const address = listener.address()
    return {
      mails,
      port: typeof address === 'object' && address !== null ? address.port : 0,
      [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(resolve)),
    }
  }

  it.each<[SendOptions['tls'], SMTPServerOptions, boolean]>([
    ['opportunistic', {}, true],
    ['required', {}, true],
    ['implicit', { secure: true }, true],
    ['never', {}, false],
    ['required', { maxVersion: 'TLSv1.2' }, true],
  ])('delivers with TLS %s %j', async (tls, settings, secured) => {
    await using server = await listen(settings)
    const result = await sendMail(options(server.port, { tls, tlsContext: trust }))
    expect(server.mails).toEqual([message.toString()])
    expect(result.tls !== undefined).toBe(secured)
    if (secured) expect(result.tls?.protocol).toBe(settings.maxVersion ?? 'TLSv1.3')
    const order = tls === 'implicit' ? ['connect', 'tls', 'banner'] : ['connect', 'banner', 'ehlo']
    expect(names(result.stages).slice(0, 3)).toEqual(order)
  })

  it.each(['PLAIN', 'LOGIN'])('authenticates with %s', async (method) => {
    await using server = await listen({ authMethods: [method], authOptional: false })
    const relay = { tls: 'required', tlsContext: trust } as const
    const result = await sendMail(options(server.port, { ...relay, auth: { user: 'probe', password: 'secret' } }))
    expect(names(result.stages)).toContain('auth')
    const failure = await failing(sendMail(options(server.port, { ...relay, auth: { user: 'probe', password: 'guess' } })))
    expect(failure).toMatchObject({ stage: 'auth', category: 'permanent', reply: { code: 535 } })
    expect(JSON.stringify(failure)).not.toContain('guess')
  })
})
