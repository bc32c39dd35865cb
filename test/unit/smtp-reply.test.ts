import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatWords,
  parseCapabilities,
  ReplyParser,
  replyBytesMax,
  replyLineBytesMax,
  serverWords,
} from '../../common/smtp/reply.ts'

const parse = (text: string) => {
  const parser = new ReplyParser()
  return { replies: parser.push(Buffer.from(text)), fault: parser.fault?.message, inReply: parser.inReply }
}

describe('reading replies', () => {
  it.each([
    ['one line', '250 ok\r\n', [{ code: 250, lines: ['ok'] }]],
    ['a bare code', '250\r\n', [{ code: 250, lines: [''] }]],
    ['a code and a blank', '250 \r\n', [{ code: 250, lines: [''] }]],
    ['several lines', '250-a\r\n250-\r\n250 c\r\n', [{ code: 250, lines: ['a', '', 'c'] }]],
    ['LF alone, as some servers send it', '220-a\n220 b\n', [{ code: 220, lines: ['a', 'b'] }]],
    [
      'two replies in one packet',
      '250 a\r\n354 b\r\n',
      [
        { code: 250, lines: ['a'] },
        { code: 354, lines: ['b'] },
      ],
    ],
    ['an enhanced code', '550 5.1.1 nobody\r\n', [{ code: 550, enhanced: '5.1.1', lines: ['5.1.1 nobody'] }]],
    ['an enhanced code of another class', '550 4.1.1 x\r\n', [{ code: 550, lines: ['4.1.1 x'] }]],
    ['an address that is no enhanced code', '250 2.1.5.9 x\r\n', [{ code: 250, lines: ['2.1.5.9 x'] }]],
    ['UTF-8', '550 größer\r\n', [{ code: 550, lines: ['größer'] }]],
    ['control characters', '550 a\x1b[2Jb\x00c\rd\r\n', [{ code: 550, lines: ['a [2Jb c d'] }]],
    ['signs that turn the reading direction round', '550 a\u202eb\u2066c\u2028d\r\n', [{ code: 550, lines: ['a b c d'] }]],
  ])('%s', (_, text, replies) => {
    expect(parse(text)).toEqual({ replies, fault: undefined, inReply: false })
  })

  it('waits for the end of a reply', () => {
    expect(parse('250-a\r\n')).toMatchObject({ replies: [], inReply: true })
    expect(parse('25')).toMatchObject({ replies: [], inReply: true })
  })

  it.each([
    ['another protocol', '+OK POP3 ready\r\n', /where a reply code was due/],
    ['an HTTP server', 'HTTP/1.1 400 Bad Request\r\n', /HTTP/],
    ['an empty line', '\r\n', /reply code/],
    ['a code out of range', '199 x\r\n', /reply code/],
    ['a code without separator', '250ok\r\n', /reply code/],
    ['a code that changes', '250-a\r\n251 b\r\n', /from 250 to 251/],
    ['a line without end', `250 ${'x'.repeat(replyLineBytesMax)}`, /line of more than/],
    ['a long line with an end', `250 ${'x'.repeat(replyLineBytesMax)}\r\n`, /line of more than/],
    ['a reply without end', '250-0123456789\r\n'.repeat(replyBytesMax / 15), /reply of more than/],
  ])('refuses %s', (_, text, message) => {
    expect(parse(text)).toMatchObject({ replies: [], fault: expect.stringMatching(message) })
  })

  it('gives out what came before the fault and nothing after it', () => {
    expect(parse('250 ok\r\nnonsense\r\n250 later\r\n').replies).toEqual([{ code: 250, lines: ['ok'] }])
  })

  it('reads the same however the bytes are cut', () => {
    const line = fc.oneof(
      fc
        .tuple(fc.integer({ min: 100, max: 600 }), fc.constantFrom(' ', '-', ''), fc.string({ unit: 'grapheme', maxLength: 20 }))
        .map(([code, separator, text]) => `${code}${separator}${text}\r\n`),
      fc.constantFrom('250-a\r\n', '250 b\r\n', '550 5.1.1 ü\n', '\r', '\n', `250 ${'y'.repeat(replyLineBytesMax)}`),
    )
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.join(''))
          const whole = new ReplyParser()
          const expected = whole.push(bytes)
          const parts = new ReplyParser()
          const replies = []
          for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
            const length = cuts[cut % cuts.length] ?? 1
            replies.push(...parts.push(bytes.subarray(at, at + length)))
            at += length
          }
          expect(replies).toEqual(expected)
          expect(parts.fault?.message).toBe(whole.fault?.message)
          if (whole.fault === undefined) expect(parts.inReply).toBe(whole.inReply)
        },
      ),
    )
  })
})

describe("the server's words", () => {
  it('are bounded and plain', () => {
    const words = serverWords({ code: 550, enhanced: '5.7.1', lines: ['5.7.1 no', 'x'.repeat(5000)] })
    expect(words).toMatchObject({ code: 550, enhanced: '5.7.1' })
    expect(words.text).toHaveLength(1000)
    expect(formatWords({ code: 250, text: '' })).toBe('250')
  })
})

describe('EHLO', () => {
  it.each([
    [
      ['mx', 'SIZE 1000', 'DSN', 'starttls', '8BITMIME', 'AUTH PLAIN LOGIN', 'AUTH=LOGIN XOAUTH2', 'SMTPUTF8', 'PIPELINING'],
      {
        name: 'mx',
        starttls: true,
        dsn: true,
        sizeMax: 1000,
        eightBitMime: true,
        smtpUtf8: true,
        pipelining: true,
        auth: ['PLAIN', 'LOGIN', 'XOAUTH2'],
      },
    ],
    [['mx greets you', 'SIZE'], { name: 'mx', sizeMax: 0, starttls: false, dsn: false, auth: [] }],
    [['mx', 'SIZE huge'], { sizeMax: 0 }],
    [['mx', 'DSNX', '', 'XSIZE 5'], { dsn: false, keywords: ['DSNX', 'XSIZE'] }],
  ])('%j', (lines, expected) => {
    expect(parseCapabilities({ code: 250, lines })).toMatchObject(expected)
  })

  it('has no size limit where SIZE is not offered', () => {
    expect(parseCapabilities({ code: 250, lines: ['mx'] })).not.toHaveProperty('sizeMax')
  })
})
