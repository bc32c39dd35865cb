import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerable } from '../../common/mail/loop-guard.ts'
import { contentType, findTokens, headerValue, messageBytesMax, readMessage, texts } from '../../common/mail/message.ts'
import { verifyToken } from '../../common/mail/token.ts'
import { type Hop, parseMailDate, parseTrace } from '../../common/mail/trace.ts'
import { makeTestMail, makeToken, relayed, root, split, withoutTokenBlock, withoutTokenHeader } from '../support/mails.ts'

const token = makeToken()
const mail = makeTestMail(token)

describe('the test mail', () => {
  test('is 7-bit, below 8 KiB, in lines of at most 76 but for its headers, and names no address on the web', () => {
    expect(mail).toMatch(/^[\x20-\x7e\r\n]*$/)
    expect(mail.replace(/\r\n/g, '')).not.toMatch(/[\r\n]/)
    expect(mail.length).toBeLessThan(8192)
    for (const line of split(mail).body.split('\r\n')) expect(line.length).toBeLessThanOrEqual(76)
    for (const line of split(mail).head.split('\r\n')) expect(line.length).toBeLessThanOrEqual(91)
    expect(mail).not.toMatch(/https?:|www\./)
  })

  test('says what it is in headers that robots understand', () => {
    const message = readMessage(mail)
    expect(headerValue(message, 'auto-submitted')).toBe('auto-generated')
    expect(headerValue(message, 'subject')).toBe('Mailscout test 0123456789ab')
    for (const absent of ['precedence', 'list-id', 'x-mailscout-hop']) expect(headerValue(message, absent)).toBeUndefined()
  })

  test('refuses an address that injects', () => {
    expect(() => makeTestMail(token, 'a@b.example\r\nBcc: c@d.example')).toThrow(
      expect.objectContaining({ code: 'ADDRESS_INVALID' }),
    )
  })
})

describe('the token is found', () => {
  test.each(Object.entries(relayed))('%s', (_, relay) => {
    const genuine = findTokens(readMessage(relay(mail))).filter((text) => {
      try {
        return verifyToken(text, [root.x]) !== undefined
      } catch {
        return false
      }
    })
    expect(genuine).toEqual([token])
  })

  test('also behind 200 KiB of somebody else, but not behind 256', () => {
    const { head, body } = split(withoutTokenHeader(mail))
    const filler = (kib: number) => `${'x'.repeat(1022)}\r\n`.repeat(kib)
    expect(findTokens(readMessage(Buffer.from(`${head}\r\n\r\n${filler(200)}${body}`)))).toEqual([token])
    expect(findTokens(readMessage(Buffer.from(`${head}\r\n\r\n${filler(256)}${body}`)))).toEqual([])
  })

  test('only whole: neither without its end mark nor with foreign characters', () => {
    const noHeader = withoutTokenHeader(mail)
    expect(findTokens(readMessage(noHeader.replace(/-----END.*/, '')))).toEqual([])
    expect(findTokens(readMessage(noHeader.replace('~', '$(touch x)')))).toEqual([])
    expect(findTokens(readMessage(withoutTokenBlock(noHeader)))).toEqual([])
  })

  test('among at most 16 candidates', () => {
    const many = Array.from({ length: 100 }, (_, n) => `X-Mailscout-Token: a.b.c~d.e.f${n}\r\n`).join('')
    expect(findTokens(readMessage(`${many}${mail}`))).toHaveLength(16)
  })
})

describe('a hostile mail costs little', () => {
  const begin = '-----BEGIN MAILSCOUT TOKEN-----'
  const end = '-----END MAILSCOUT TOKEN-----'
  test.each<[string, string]>([
    ['only BEGIN marks', `a: b\n\n${`${begin}\n`.repeat(9000)}`],
    ['only END marks', `a: b\n\n${`${end}\n`.repeat(9000)}`],
    ['many BEGIN and one END', `a: b\n\n${`${begin}\n`.repeat(8000)}${end}`],
    ['nothing but delimiters', `a: b\n\n${'--a\n'.repeat(60_000)}`],
    ['delimiters with headers', `a: b\n\n${'--a\nb: c\n\n'.repeat(20_000)}`],
    ['many encoded parts', `a: b\n\n${'--a\nContent-Transfer-Encoding: base64\n\nQUFB\n'.repeat(4000)}`],
    [
      'a different delimiter each',
      `a: b\n\n${Array.from({ length: 8000 }, (_, n) => `--${n}\nContent-Transfer-Encoding: base64\n\nQUFB\n`).join('')}`,
    ],
    ['a header of blanks', `a:${' '.repeat(200_000)}b\n\n`],
    ['continuation lines only', ' a\n'.repeat(80_000)],
    ['quote marks only', `a: b\n\n${'> '.repeat(120_000)}`],
    ['token headers in the body', `a: b\n\n${'X-Mailscout-Token: a\n  b\n'.repeat(9000)}`],
    ['open parentheses', `Received: ${'('.repeat(60_000)}\n\n`],
    ['equals signs as quoted-printable', `Content-Transfer-Encoding: quoted-printable\n\n${'= '.repeat(120_000)}`],
    [
      'equals signs and blanks as quoted-printable',
      `Content-Transfer-Encoding: quoted-printable\n\n${`=${' '.repeat(500)}`.repeat(500)}`,
    ],
    ['blanks as quoted-printable', `Content-Transfer-Encoding: quoted-printable\n\n${' '.repeat(250_000)}`],
    ['a Content-Type of parameters', `Content-Type: a${';b=c'.repeat(15_000)}\n\n`],
  ])('%s', (_, text) => {
    const message = readMessage(text)
    const begunAt = process.cpuUsage().user
    findTokens(message)
    contentType(message)
    answerable(message)
    parseTrace(message.headers.map(({ value }) => value))
    expect((process.cpuUsage().user - begunAt) / 1000).toBeLessThan(500)
  })

  test('any bytes are read without a fault', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
        const message = readMessage(bytes)
        expect(findTokens(message).length).toBeLessThanOrEqual(16)
        answerable(message)
        texts(message)
      }),
      { numRuns: 200 },
    )
  })

  test('headers beyond 500 lines or 64 KiB are not read', () => {
    expect(readMessage(`${'a: b\n'.repeat(2000)}\nbody`).headers).toHaveLength(500)
    expect(readMessage(`a: ${'b'.repeat(70_000)}\nc: d\n\nbody`).headers).toHaveLength(1)
    expect(readMessage(Buffer.alloc(2 * messageBytesMax, 'x')).headers).toEqual([])
  })
})

describe('the loop guard', () => {
  const withHeader = (header: string) => readMessage(`${header}\r\n${mail}`)
  test.each<[string, string, { sender?: string }, string | undefined]>([
    ['a test mail', 'X-Other: 1', {}, undefined],
    ['a test mail with its envelope sender', 'X-Other: 1', { sender: 'rt@eu.probe.example' }, undefined],
    ['our own answer', 'X-Mailscout-Hop: 1', {}, 'own_answer'],
    ['an absence note', 'Auto-Submitted: auto-replied', {}, 'auto_replied'],
    ['an absence note with parameters', 'auto-submitted: AUTO-REPLIED; owner-email="x"', {}, 'auto_replied'],
    ['a report', 'Content-Type: multipart/report; report-type=delivery-status; boundary=x', {}, 'report'],
    ['the null sender', 'X-Other: 1', { sender: '' }, 'null_sender'],
    ['the null sender as Postfix names it', 'X-Other: 1', { sender: 'MAILER-DAEMON' }, 'null_sender'],
    ['an empty Return-Path', 'Return-Path: <>', {}, 'null_sender'],
    ['an old Return-Path below a known sender', 'Return-Path: <>', { sender: 'rt@eu.probe.example' }, undefined],
    ['25 hops', 'Received: x\r\n'.repeat(25).trim(), {}, undefined],
    ['26 hops', 'Received: x\r\n'.repeat(26).trim(), {}, 'too_many_hops'],
  ])('meets %s', (_, header, envelope, reason) => {
    expect(answerable(withHeader(header), envelope)).toEqual(reason === undefined ? { answer: true } : { answer: false, reason })
  })
})

describe('the trace', () => {
  test.each<[string, Hop]>([
    [
      'from mail.example (mail.example [192.0.2.1]) by mx.example (Postfix) with ESMTPS id 4X for <a@b.example>; Mon, 23 Nov 2026 15:33:48 +0000 (UTC)',
      { from: 'mail.example', by: 'mx.example', with: 'ESMTPS', atMs: Date.UTC(2026, 10, 23, 15, 33, 48) },
    ],
    [
      'by mx.example (Postfix, from userid 1000) id 4X; Mon, 23 Nov 2026 10:33:48 -0500 (EST)',
      { by: 'mx.example', atMs: Date.UTC(2026, 10, 23, 15, 33, 48) },
    ],
    ['(qmail 123 invoked by uid 5); 23 Nov 2026 15:33:48 -0000', { atMs: Date.UTC(2026, 10, 23, 15, 33, 48) }],
    ['from a by b with SMTP; nonsense', { from: 'a', by: 'b', with: 'SMTP' }],
    ['', {}],
  ])('reads %j', (line, hop) => {
    expect(parseTrace([line])).toEqual([hop])
  })

  test('runs in the order of travel and has at most 50 hops', () => {
    expect(parseTrace(['by newest', 'by oldest'])).toEqual([{ by: 'oldest' }, { by: 'newest' }])
    expect(parseTrace(Array.from({ length: 80 }, () => 'by x'))).toHaveLength(50)
  })

  test.each<[string, number | undefined]>([
    ['Mon, 23 Nov 2026 15:33:48 +0530', Date.UTC(2026, 10, 23, 10, 3, 48)],
    ['23 Nov 26 15:33 GMT', Date.UTC(2026, 10, 23, 15, 33)],
    ['23 Nov 99 15:33 PST', Date.UTC(1999, 10, 23, 23, 33)],
    ['Mon, 30 Jun 2026 23:59:60 +0000', Date.UTC(2026, 5, 30, 23, 59, 59)],
    ['Mon, 23 Foo 2026 15:33:48 +0000', undefined],
    ['Mon, 99 Nov 2026 15:33:48 +0000', undefined],
    ['Mon, 23 Nov 2026 25:33:48 +0000', undefined],
    ['2026-11-23T15:33:48Z', undefined],
    ['', undefined],
  ])('takes the date %j as %s', (text, expected) => {
    expect(parseMailDate(text)).toBe(expected)
  })
})
