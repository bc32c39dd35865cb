import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { messageBytesMax } from '../../common/mail/message.ts'
import { SmtpSession, type Step } from '../../responder/smtp-session.ts'

const make = (options: { lmtp?: boolean; accepts?: (recipient: string) => boolean } = {}) =>
  new SmtpSession({ hostName: 'mx.customer.example', lmtp: false, accepts: () => true, ...options })
const feed = (session: SmtpSession, text: string): Step => session.feed(Buffer.from(text, 'latin1'))
const hello = (session: SmtpSession) => feed(session, 'EHLO probe.example\r\n')
const envelope = 'MAIL FROM:<rt@eu.probe.example>\r\nRCPT TO:<scout@customer.example>\r\nDATA\r\n'
const codes = (step: Step) =>
  step.reply
    .split('\r\n')
    .filter((line) => /^\d{3} /.test(line))
    .map((line) => line.slice(0, 3))

describe('an SMTP session', () => {
  test('takes a mail as RFC 5321 has it', () => {
    const session = make()
    expect(session.greeting()).toMatch(/^220 mx\.customer\.example ESMTP/)
    expect(hello(session).reply).toBe(
      '250-mx.customer.example\r\n250-PIPELINING\r\n250-SIZE 10485760\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n',
    )
    expect(codes(feed(session, 'MAIL FROM:<a@b.example> SIZE=1000 BODY=8BITMIME\r\n'))).toEqual(['250'])
    expect(codes(feed(session, 'RCPT TO:<scout@customer.example>\r\n'))).toEqual(['250'])
    expect(codes(feed(session, 'DATA\r\n'))).toEqual(['354'])
    const step = feed(session, 'Subject: x\r\n\r\n..dot\r\n.. two\r\n.\r\n')
    expect(step.reply).toBe('')
    expect(step.mail).toEqual({
      sender: 'a@b.example',
      recipients: ['scout@customer.example'],
      heloName: 'probe.example',
      raw: Buffer.from('Subject: x\r\n\r\n.dot\r\n. two\r\n'),
    })
    expect(codes(session.settle('250 2.0.0 Ok'))).toEqual(['250'])
    expect(feed(session, 'QUIT\r\n')).toEqual({ reply: '221 2.0.0 Bye\r\n', close: true })
  })

  test('reads the same whatever pieces the bytes come in', () => {
    const dialogue = `EHLO x\r\n${envelope}a: b\r\n\r\n..c\r\n.d\r\n.\r\n`
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: dialogue.length - 1 }), { maxLength: 8 }), (cuts) => {
        const session = make()
        const at = [0, ...cuts.sort((a, b) => a - b), dialogue.length]
        const steps = at.slice(1).map((end, index) => feed(session, dialogue.slice(at[index], end)))
        expect(steps.flatMap((step) => step.mail?.raw.toString() ?? [])).toEqual([
          'a: b\r\n\r\n.c\r\nd\r\n'.replace('\r\nd', '\r\n.d'),
        ])
      }),
    )
  })

  test('takes up what was pipelined behind a mail only after the verdict on it', () => {
    const session = make()
    hello(session)
    const step = feed(session, `${envelope}one\r\n.\r\n${envelope}two\r\n.\r\nQUIT\r\n`)
    expect(step.mail?.raw.toString()).toBe('one\r\n')
    expect(codes(step)).toEqual(['250', '250', '354'])
    const next = session.settle('451 4.3.0 Later')
    expect(codes(next)).toEqual(['451', '250', '250', '354'])
    expect(next.mail?.raw.toString()).toBe('two\r\n')
    expect(session.settle('250 2.0.0 Ok')).toEqual({ reply: '250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n', close: true })
  })

  test('takes an empty mail', () => {
    const session = make()
    hello(session)
    expect(feed(session, `${envelope}.\r\n`).mail?.raw.toString()).toBe('')
  })

  test.each(['\n.\n', '\n.\r\n', '\r.\r', '\r\n.\n', '\n.\r', '\r\n.\r'])(
    'is not ended by %j, so that nothing is smuggled',
    (mark) => {
      const session = make()
      hello(session)
      const smuggled = `MAIL FROM:<x@y.example>\r\nRCPT TO:<z@y.example>\r\nDATA\r\nevil`
      const step = feed(session, `${envelope}good${mark}${smuggled}\r\n.\r\n`)
      expect(step.mail?.raw.toString()).toContain('evil')
      expect(codes(step)).toEqual(['250', '250', '354'])
    },
  )

  test.each<[string, string]>([
    ['a bare LF', 'NOOP\nMAIL FROM:<a@b.example>\r\n'],
    ['a bare CR', 'NOOP\rNOOP\r\n'],
    ['NUL', 'NOOP\0\r\n'],
    ['a letter beyond ASCII', 'NOOP é\r\n'],
    ['more than 1024 octets', `NOOP ${'x'.repeat(1100)}\r\n`],
    ['no end at all', 'x'.repeat(2000)],
  ])('ends at a command with %s', (_, text) => {
    const session = make()
    hello(session)
    expect(feed(session, text)).toMatchObject({ reply: expect.stringMatching(/^500 5\.5\.2/), close: true })
    expect(feed(session, 'NOOP\r\n').reply).toBe('')
  })

  test.each<[string, string, string]>([
    ['MAIL before hello', 'MAIL FROM:<a@b.example>\r\n', '503'],
    ['RCPT before MAIL', 'EHLO x\r\nRCPT TO:<a@b.example>\r\n', '503'],
    ['DATA before RCPT', 'EHLO x\r\nMAIL FROM:<>\r\nDATA\r\n', '554'],
    ['MAIL twice', 'EHLO x\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\n', '503'],
    ['no brackets', 'EHLO x\r\nMAIL FROM:a@b.example\r\n', '501'],
    ['an unknown parameter', 'EHLO x\r\nMAIL FROM:<> SMTPUTF8\r\n', '555'],
    ['too large a size', 'EHLO x\r\nMAIL FROM:<> SIZE=99999999\r\n', '552'],
    ['an address that is none', 'EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<nobody>\r\n', '550'],
    ['an unknown command', 'EHLO x\r\nEXPN list\r\n', '500'],
    ['LHLO', 'LHLO x\r\n', '500'],
    ['hello without a name', 'EHLO\r\n', '501'],
  ])('refuses %s', (_, text, code) => {
    expect(codes(feed(make(), text)).at(-1)).toBe(code)
  })

  test('forgets the envelope at RSET and at a new hello', () => {
    for (const again of ['RSET\r\n', 'EHLO y\r\n']) {
      expect(codes(feed(make(), `EHLO x\r\nMAIL FROM:<>\r\n${again}RCPT TO:<a@b.example>\r\n`)).at(-1)).toBe('503')
    }
  })

  test('knows the postmaster always and others as it is told', () => {
    const session = make({ accepts: (recipient) => recipient === 'scout@customer.example' })
    const step = feed(
      session,
      'EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<@relay.example:scout@customer.example>\r\n',
    )
    expect(codes(step).slice(2)).toEqual(['250', '550', '250'])
  })

  test('ends after 21 errors and takes at most 100 recipients', () => {
    expect(feed(make(), 'X\r\n'.repeat(30))).toMatchObject({
      reply: expect.stringMatching(/421 4\.7\.0 Too many errors\r\n$/),
      close: true,
    })
    const step = feed(make(), `EHLO x\r\nMAIL FROM:<>\r\n${'RCPT TO:<a@b.example>\r\n'.repeat(101)}`)
    expect(codes(step).at(-1)).toBe('452')
  })

  test('keeps the first 256 KiB of a mail and refuses one beyond 10 MiB', () => {
    const session = make()
    feed(session, `EHLO x\r\n${envelope}`)
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    session.feed(chunk)
    expect(feed(session, '\r\n.\r\n').mail?.raw.length).toBe(messageBytesMax - 2)
    session.settle('250 2.0.0 Ok')
    feed(session, envelope)
    for (let n = 0; n < 11; n++) session.feed(chunk)
    expect(codes(feed(session, '\r\n.\r\n'))).toEqual(['552'])
    expect(codes(feed(session, 'NOOP\r\n'))).toEqual(['250'])
    feed(session, envelope)
    const steps = Array.from({ length: 22 }, () => session.feed(chunk))
    expect(steps.some(({ close }) => close)).toBe(true)
  })

  test('survives any bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
        const session = make()
        for (const chunk of chunks) if (session.feed(chunk).mail !== undefined) session.settle('250 2.0.0 Ok')
      }),
    )
  })
})

test('an LMTP session answers for each recipient', () => {
  const session = make({ lmtp: true })
  expect(session.greeting()).toMatch(/^220 \S+ LMTP/)
  expect(codes(feed(session, 'EHLO x\r\nHELO x\r\nLHLO x\r\n'))).toEqual(['500', '500', '250'])
  feed(session, 'MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n')
  expect(feed(session, 'x\r\n.\r\n').mail?.recipients).toEqual(['a@b.example', 'c@d.example'])
  expect(codes(session.settle('250 2.0.0 Ok'))).toEqual(['250', '250'])
})
