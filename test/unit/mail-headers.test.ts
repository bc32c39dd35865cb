import { describe, expect, test } from 'vitest'
import { header, isMailAddress, mailDate, plainText, tokenHeader } from '../../common/mail/headers.ts'
import { readHeaders } from '../../common/mail/message.ts'

describe('a header', () => {
  test.each<[string, string, string]>([
    ['short words', 'Mailscout test', 'Subject: Mailscout test\r\n'],
    ['blanks around and between', '  a   b ', 'Subject: a b\r\n'],
    ['nothing', '', 'Subject:\r\n'],
    ['umlauts', 'Prüfung', 'Subject: =?utf-8?B?UHLDvGZ1bmc=?=\r\n'],
  ])('of %s', (_, value, line) => {
    expect(header('Subject', value)).toBe(line)
  })

  test.each<[string, string]>([
    ['CR LF and another header', 'a\r\nBcc: x@y.example'],
    ['a bare LF', 'a\nb'],
    ['a bare CR', 'a\rb'],
    ['NUL', 'a\0b'],
    ['a tab', 'a\tb'],
    ['DEL', 'a\x7fb'],
    ['a C1 control', 'a\x85b'],
    ['999 octets', 'a '.repeat(499).concat('a')],
    ['999 octets in few characters', '😀'.repeat(250)],
    ['a word that no line can hold', 'x'.repeat(998)],
  ])('with %s is refused', (_, value) => {
    expect(() => header('Subject', value)).toThrow(expect.objectContaining({ code: 'HEADER_UNSAFE', field: 'Subject' }))
  })

  test.each(['', 'a b', 'a:b', 'a\r\nb', 'é'])('named %j is refused', (name) => {
    expect(() => header(name, 'x')).toThrow(expect.objectContaining({ code: 'HEADER_UNSAFE' }))
  })

  test('is folded to lines of at most 76 and reads back as it was', () => {
    const value = 'the quick brown fox jumps over the lazy dog '.repeat(12).trim()
    const folded = header('Subject', value)
    for (const line of folded.trimEnd().split('\r\n')) expect(line.length).toBeLessThanOrEqual(76)
    expect(folded).not.toMatch(/^\s*\r\n/m)
    expect(readHeaders(folded)).toEqual([{ name: 'subject', value }])
  })

  test('in another script becomes encoded words of at most 75 that never part a character', () => {
    const value = '測試郵件，請勿回覆 😀 '.repeat(10).trim()
    const words = header('Subject', value).slice('Subject: '.length).trim().split('\r\n ')
    for (const word of words) expect(word).toMatch(/^=\?utf-8\?B\?.{1,60}\?=$/)
    const decoded = words.map((word) =>
      new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(word.slice(10, -2), 'base64')),
    )
    expect(decoded.join('')).toBe(value)
  })

  test('of a token is folded where it has no blanks', () => {
    const text = 'abc.def~'.repeat(150)
    const folded = tokenHeader('X-Mailscout-Token', text)
    for (const line of folded.trimEnd().split('\r\n')) expect(line.length).toBeLessThanOrEqual(91)
    expect(folded.replace('X-Mailscout-Token:', '').replace(/\s/g, '')).toBe(text)
    expect(() => tokenHeader('X-Mailscout-Token', 'a\r\nb')).toThrow()
  })
})

test.each<[unknown, boolean]>([
  ['scout@customer.example', true],
  ["o'brien+test@a-b.example", true],
  ['SRS0=abc=de=x.example=user@y.example', true],
  ['scout@localhost', true],
  ['', false],
  ['scout', false],
  ['@customer.example', false],
  ['scout@', false],
  ['scout@@customer.example', false],
  ['scout@customer..example', false],
  ['scout@-customer.example', false],
  ['.scout@customer.example', false],
  ['sc..out@customer.example', false],
  ['"sc out"@customer.example', false],
  ['scout@[192.0.2.1]', false],
  ['<scout@customer.example>', false],
  ['scout@customer.example,other@x.example', false],
  ['scout(comment)@customer.example', false],
  ['scout@customer.example\r\nBcc: x@y.example', false],
  ['scout@customer.example\n', false],
  ['scout@customer.example ', false],
  ['sc\0out@customer.example', false],
  ['-f@customer.example', false],
  ['|sh@customer.example', false],
  ['a%b.example@customer.example', false],
  ['a!b@customer.example', false],
  ['prüfung@customer.example', false],
  ['scout@prüfung.example', false],
  [`${'a'.repeat(65)}@customer.example`, false],
  [`a@${'b.'.repeat(130)}example`, false],
  [undefined, false],
  [['scout@customer.example'], false],
])('%j as an address: %s', (value, valid) => {
  expect(isMailAddress(value)).toBe(valid)
})

test('a date is written in UTC', () => {
  expect(mailDate(Date.UTC(2026, 10, 3, 5, 3, 8, 123))).toBe('Tue, 03 Nov 2026 05:03:08 +0000')
})

test('the words of others are kept plain and short', () => {
  expect(plainText(' a\r\nBcc: b\u2028c\0 d  e ', 9)).toBe('a Bcc: b')
})
