import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseDsn } from '../../common/mail/dsn.ts'
import { readReturnedMail } from '../../common/mail/inbound-mail.ts'
import { headerValue, headerValues, readMessage } from '../../common/mail/message.ts'
import { buildReturnedMail, type ReturnedMail, returnMessageId } from '../../common/mail/returned-mail.ts'
import { envelopeId, verifyToken } from '../../common/mail/token.ts'
import {
  makeKeys,
  makeTestMail,
  makeToken,
  nowMs,
  probe,
  relayed,
  returnAddress,
  root,
  split,
  target,
  tid,
  withoutOwnHeaders,
} from '../support/mails.ts'

const token = makeToken()
const trusted = { rootKeysX: [root.x], probeX: probe.x }
const testMail = makeTestMail(token)
const answerId = '019ab0c0-1111-7000-8000-000000000001'

function makeReturned(changes: Partial<ReturnedMail> = {}): string {
  return buildReturnedMail({
    verified: verifyToken(token, [root.x]),
    originalSubject: 'Mailscout test 0123456789ab',
    receivedLines: [
      'from mx.customer.example by store.customer.example with LMTP; Mon, 23 Nov 2026 15:33:48 +0000',
      'from probe.example by mx.customer.example with ESMTPS; Mon, 23 Nov 2026 16:33:47 +0100',
    ],
    stampMs: nowMs,
    clockSuspect: false,
    responderVersion: '0.1.0',
    from: target,
    messageId: returnMessageId(answerId, target),
    dateMs: nowMs + 5,
    ...changes,
  })
}
const returned = makeReturned()
const read = (mail: string) => readReturnedMail(Buffer.from(mail, 'latin1'), trusted)

describe('the returned mail', () => {
  const message = readMessage(returned)

  test('answers the test mail and only the return address', () => {
    expect(headerValue(message, 'to')).toBe(returnAddress)
    expect(headerValue(message, 'from')).toBe(target)
    expect(headerValue(message, 'subject')).toBe('Mailscout test 0123456789ab @2026-11-23T15:33:48.123Z')
    expect(headerValue(message, 'in-reply-to')).toBe(`<${tid}@eu.probe.example>`)
    expect(headerValue(message, 'references')).toBe(`<${tid}@eu.probe.example>`)
    expect(headerValue(message, 'message-id')).toBe(`<${answerId}@customer.example>`)
  })

  test('asks no robot for an answer', () => {
    expect(headerValue(message, 'auto-submitted')).toBe('auto-replied')
    expect(headerValue(message, 'x-auto-response-suppress')).toBe('All')
    expect(headerValue(message, 'x-mailscout-hop')).toBe('1')
  })

  test('is 7-bit with CRLF, whatever came in', () => {
    const hostile = makeReturned({
      originalSubject: 'a\r\nBcc: victim@x.example\0 –\u2028 test',
      receivedLines: ['from \r\nEvil: 1\r\n\r\nhello -----BEGIN MAILSCOUT STAMP----- v=1', 'x'.repeat(5000)],
    })
    expect(hostile).toMatch(/^[\x20-\x7e\r\n]*$/)
    expect(hostile.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/)
    const headers = readMessage(hostile).headers.map(({ name }) => name)
    expect(headers).toEqual(message.headers.map(({ name }) => name))
    expect(hostile.match(/BEGIN MAILSCOUT STAMP-----/g)).toHaveLength(1)
  })

  test('keeps at most 16 KiB of the way', () => {
    const many = makeReturned({
      receivedLines: Array.from({ length: 500 }, () => 'from a.example by b.example with ESMTP; '.repeat(10)),
    })
    expect(many.length).toBeLessThan(24 * 1024)
    for (const line of split(many).body.split('\r\n')) expect(line.length).toBeLessThanOrEqual(78)
  })

  test('refuses to come from what is no address', () => {
    expect(() => makeReturned({ from: 'a@b.example\r\nX: y' })).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID' }))
  })
})

describe('a return is known', () => {
  test.each(Object.entries(relayed).filter(([how]) => !how.includes('attachment')))('%s', (_, relay) => {
    const inbound = read(relay(returned))
    expect(inbound).toMatchObject({ kind: 'returned', stampMs: nowMs, clockSuspect: false, responderVersion: '0.1.0' })
    expect(inbound.kind === 'returned' && inbound.token.tid).toBe(tid)
  })

  test('with every header of ours dropped', () => {
    expect(read(withoutOwnHeaders(returned))).toMatchObject({ kind: 'returned', stampMs: nowMs })
  })

  test('with the way out as the responder saw it, in the order of travel', () => {
    const inbound = read(returned)
    expect(inbound.kind === 'returned' && inbound.outboundTrace).toEqual([
      { from: 'probe.example', by: 'mx.customer.example', with: 'ESMTPS', atMs: Date.UTC(2026, 10, 23, 15, 33, 47) },
      { from: 'mx.customer.example', by: 'store.customer.example', with: 'LMTP', atMs: Date.UTC(2026, 10, 23, 15, 33, 48) },
    ])
  })

  test('as repeated, with the first stamp, and with a suspected clock', () => {
    const repeated = makeReturned({ firstStampMs: nowMs - 60_000, clockSuspect: true })
    expect(read(repeated)).toMatchObject({ kind: 'returned', stampMs: nowMs, firstStampMs: nowMs - 60_000, clockSuspect: true })
    expect(headerValue(readMessage(repeated), 'subject')).toMatch(/@2026-11-23T15:32:48\.123Z$/)
  })
})

describe('a return is not proved', () => {
  test('by the token of another probe, even of the same root', () => {
    expect(readReturnedMail(returned, { ...trusted, probeX: makeKeys().x })).toMatchObject({ kind: 'auto_reply' })
  })

  test('by a token under another root', () => {
    expect(readReturnedMail(returned, { ...trusted, rootKeysX: [makeKeys().x] }).kind).not.toBe('returned')
  })

  test('by a stamp without token', () => {
    const stampOnly = returned
      .replace(/X-Mailscout-Token:.*\r\n([ \t].*\r\n)*/, '')
      .replace(/-----BEGIN MAILSCOUT TOKEN[\s\S]*TOKEN-----/, '')
    expect(read(stampOnly).kind).toBe('auto_reply')
  })

  test('by a stamp for another test', () => {
    const other = returned.replaceAll(`tid=${tid}`, `tid=${tid.replace('ab', 'ac')}`)
    expect(read(other).kind).toBe('auto_reply')
  })

  test.each(['at=2026-11-23T15:33:48.123Z;', 'v=1;', 'responder=0.1.0'])('by a stamp without its %s', (pair) => {
    expect(read(returned.replaceAll(pair, '')).kind).toBe('auto_reply')
  })

  test('by Subject, References and Message-ID, which only hint', () => {
    const hinting = `From: a@b.example\r\nSubject: Re: Mailscout test 0123456789ab @2026\r\nReferences: <${tid}@eu.probe.example>\r\n\r\nhi\r\n`
    expect(read(hinting)).toEqual({
      kind: 'foreign',
      trace: [],
      hints: { messageIds: [`<${tid}@eu.probe.example>`], shortTestId: '0123456789ab' },
    })
  })

  test('by an absence note that quotes the test mail', () => {
    const body = split(testMail).body.replace(/^/gm, '> ')
    const note = `From: ${target}\r\nSubject: I am away\r\nAuto-Submitted: auto-replied\r\n\r\n${body}`
    expect(read(note)).toMatchObject({ kind: 'auto_reply', tid })
  })

  test('by a person who replies to the test mail and quotes it', () => {
    const body = split(testMail).body.replace(/^/gm, '> ')
    const reply = `From: ${target}\r\nIn-Reply-To: <${tid}@eu.probe.example>\r\n\r\nWhat is this?\r\n${body}`
    expect(read(reply)).toMatchObject({ kind: 'auto_reply', tid })
  })
})

describe('an echo', () => {
  test.each(Object.entries(relayed))('is our own mail come back without a stamp: %s', (_, relay) => {
    expect(read(relay(testMail))).toMatchObject({ kind: 'echo', token: { tid } })
  })
})

type Report = { action?: string; envid?: string; quote?: string; reportType?: string; status?: string }
function makeReport({
  action = 'failed',
  envid,
  quote = '',
  reportType = 'delivery-status',
  status = '5.1.1',
}: Report = {}): string {
  return [
    'From: MAILER-DAEMON@mx.customer.example',
    `Content-Type: multipart/report; report-type=${reportType}; boundary="b=_1"`,
    'Auto-Submitted: auto-replied',
    '',
    '--b=_1',
    'Content-Type: text/plain',
    '',
    'Your mail could not be delivered.',
    '--b=_1',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.customer.example',
    ...(envid === undefined ? [] : [`Original-Envelope-Id: ${envid}`]),
    '',
    `Final-Recipient: rfc822; ${target}`,
    `Action: ${action}`,
    `Status: ${status}`,
    'Remote-MTA: dns; store.customer.example',
    'Diagnostic-Code: smtp; 550 5.1.1 <scout@customer.example>: Recipient address rejected:',
    '    User unknown',
    '',
    '--b=_1',
    'Content-Type: text/rfc822-headers',
    '',
    quote,
    '--b=_1--',
    '',
  ].join('\r\n')
}

describe('a report', () => {
  const details = {
    status: '5.1.1',
    diagnostic: '550 5.1.1 <scout@customer.example>: Recipient address rejected: User unknown',
    remoteMta: 'store.customer.example',
    finalRecipient: target,
  }

  test('with our ENVID is a bounce of that test', () => {
    expect(read(makeReport({ envid: envelopeId(tid) }))).toMatchObject({ kind: 'bounce', tid, ...details })
  })

  test('with our headers is a bounce of that test, and no echo', () => {
    expect(read(makeReport({ quote: split(testMail).head }))).toMatchObject({ kind: 'bounce', tid, ...details })
    expect(read(makeReport({ quote: testMail }))).toMatchObject({ kind: 'bounce', tid })
  })

  test('that quotes a returned mail, stamp and all, is no return', () => {
    expect(read(makeReport({ quote: returned }))).toMatchObject({ kind: 'bounce', tid })
  })

  test('without proof belongs to no test', () => {
    const inbound = read(makeReport({ envid: 'somebody-else' }))
    expect(inbound.kind).toBe('bounce')
    expect(inbound).not.toHaveProperty('tid')
  })

  test.each<[Report, string]>([
    [{ action: 'delayed', status: '4.4.1' }, 'delayed'],
    [{ action: 'delivered', status: '2.0.0' }, 'auto_reply'],
    [{ action: 'relayed', status: '2.0.0' }, 'auto_reply'],
    [{ reportType: 'disposition-notification' }, 'auto_reply'],
  ])('%j is %s', (report, kind) => {
    expect(read(makeReport({ envid: envelopeId(tid), ...report })).kind).toBe(kind)
  })

  test('is read from a delivery-status part only', () => {
    expect(parseDsn(readMessage(makeReport().replace('message/delivery-status', 'text/plain')))).toBeUndefined()
    expect(parseDsn(readMessage(makeReport().replace('; boundary="b=_1"', '')))).toBeUndefined()
    expect(parseDsn(readMessage(makeReport({ action: 'exploded' })))).toBeUndefined()
  })

  test('that is broken still is a bounce and no echo', () => {
    expect(read(makeReport({ action: 'exploded', quote: testMail }))).toMatchObject({ kind: 'bounce', tid })
  })

  test('from qmail is read as it writes it', () => {
    const qmail = `From: MAILER-DAEMON@mx.customer.example\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at mx.customer.example.\r\nI'm afraid I wasn't able to deliver your message.\r\n\r\n<${target}>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--- Below this line is a copy of the message.\r\n\r\n${testMail}`
    expect(read(qmail)).toMatchObject({
      kind: 'bounce',
      tid,
      status: '5.1.1',
      diagnostic: 'Sorry, no mailbox here by that name. (#5.1.1)',
    })
  })
})

test('any mail is read without a fault, and only genuine ones are returns', () => {
  const pieces = [
    returned,
    testMail,
    makeReport({ quote: testMail }),
    'X-Mailscout-Stamp: v=1; tid=x\r\n',
    '\r\n',
    '-----BEGIN MAILSCOUT STAMP-----',
    '> ',
  ]
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...pieces.map((piece) => piece.slice(0, 900))), fc.string()), { maxLength: 8 }),
      (parts) => {
        const inbound = readReturnedMail(parts.join(''), trusted)
        expect(inbound.kind).not.toBe('returned')
      },
    ),
    { numRuns: 100 },
  )
})

test('one changed octet never makes a return of another test', () => {
  fc.assert(
    fc.property(fc.nat(returned.length - 1), fc.integer({ min: 0, max: 255 }), (at, octet) => {
      const inbound = read(`${returned.slice(0, at)}${String.fromCharCode(octet)}${returned.slice(at + 1)}`)
      if (inbound.kind === 'returned') expect(inbound.token.tid).toBe(tid)
    }),
    { numRuns: 200 },
  )
})

test('header values of the same name come in the order of the mail', () => {
  expect(headerValues(readMessage('a: 1\nb: 2\nA: 3\n\n'), 'A')).toEqual(['1', '3'])
})
