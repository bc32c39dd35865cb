import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkAddress, checkHeloName, encodeBody, mailCommand, rcptCommand, xtext } from '../../common/smtp/commands.ts'
import { parseCapabilities } from '../../common/smtp/reply.ts'

const offered = (...keywords: string[]) => parseCapabilities({ code: 250, lines: ['mx', ...keywords] })
const envelope = { from: 'rt@probe.example', to: 'scout@customer.example' }
const dsn = { envid: 'test=1+2', notify: ['FAILURE', 'DELAY'] } as const
const size = { bytes: 321, eightBit: false }

describe('the envelope', () => {
  it('asks for nothing that is not offered', () => {
    expect(mailCommand(envelope, size, offered(), dsn)).toBe('MAIL FROM:<rt@probe.example>')
    expect(rcptCommand(envelope, offered(), dsn)).toBe('RCPT TO:<scout@customer.example>')
  })

  it('declares the size and asks for notifications where they are offered', () => {
    const all = offered('SIZE 0', 'DSN', '8BITMIME')
    expect(mailCommand(envelope, size, all, dsn)).toBe('MAIL FROM:<rt@probe.example> SIZE=321 RET=HDRS ENVID=test+3D1+2B2')
    expect(rcptCommand(envelope, all, dsn)).toBe('RCPT TO:<scout@customer.example> NOTIFY=FAILURE,DELAY')
    expect(mailCommand(envelope, { ...size, eightBit: true }, all, undefined)).toBe(
      'MAIL FROM:<rt@probe.example> SIZE=321 BODY=8BITMIME',
    )
  })

  it('asks for no notification to the null sender', () => {
    const answer = { from: '', to: 'rt@probe.example' }
    expect(mailCommand(answer, size, offered('DSN'), dsn)).toBe('MAIL FROM:<>')
    expect(rcptCommand(answer, offered('DSN'), dsn)).toBe('RCPT TO:<rt@probe.example>')
  })

  it('marks an address outside ASCII', () => {
    expect(mailCommand({ from: 'jörg@x.example', to: 'a@b.example' }, size, offered('SMTPUTF8'), undefined)).toBe(
      'MAIL FROM:<jörg@x.example> SMTPUTF8',
    )
  })

  it.each(['a@b\r\nDATA', 'a b@c', '<a@b>', 'a@b>', 'plain', '@b', 'a@', 'a@b c', 'a@b\u0085', `${'a'.repeat(250)}@b.example`])(
    'refuses the address %j',
    (address) => {
      expect(() => checkAddress(address, 'envelope.to')).toThrow(
        expect.objectContaining({ code: 'ADDRESS_INVALID', field: 'envelope.to' }),
      )
    },
  )

  it('has a null sender and no null recipient', () => {
    expect(checkAddress('', 'envelope.from')).toBe('')
    expect(() => checkAddress('', 'envelope.to')).toThrow()
  })

  it.each(['mx.example\r\nMAIL', 'a b', '', '[::1', 'a]'])('refuses to call itself %j', (name) => {
    expect(() => checkHeloName(name)).toThrow(expect.objectContaining({ field: 'heloName' }))
  })

  it.each(['eu.probe.example', '[192.0.2.1]', '[IPv6:2001:db8::1]'])('may call itself %s', (name) => {
    expect(checkHeloName(name)).toBe(name)
  })

  it('writes xtext as RFC 3461 wants it', () => {
    expect(xtext('a+b=c d~é')).toBe('a+2Bb+3Dc+20d~+C3+A9')
  })
})

describe('the body', () => {
  it.each([
    ['nothing', '', '.\r\n', 0],
    ['one line', 'a\r\n', 'a\r\n.\r\n', 3],
    ['a missing last line end', 'a', 'a\r\n.\r\n', 3],
    ['a dot alone', 'a\r\n.\r\nb\r\n', 'a\r\n..\r\nb\r\n.\r\n', 9],
    ['dots at line starts', '.a\r\n..b\r\nc.d\r\n', '..a\r\n...b\r\nc.d\r\n.\r\n', 14],
  ])('%s', (_, message, wire, bytes) => {
    const body = encodeBody(Buffer.from(message))
    expect(body.wire.toString()).toBe(wire)
    expect(body.bytes).toBe(bytes)
  })

  it.each([
    ['LF', 'a\nb\r\n'],
    ['LF', '\n'],
    ['LF', 'a\r\n.\nMAIL FROM:<x@y>\r\n'],
    ['CR', 'a\rb\r\n'],
    ['CR', 'a\r\r\n'],
    ['CR', 'a\r\n.\r.\r\n'],
    ['CR', 'a\r'],
  ])('refuses a bare %s: %j', (name, message) => {
    expect(() => encodeBody(Buffer.from(message))).toThrow(
      expect.objectContaining({ code: 'MAIL_MALFORMED', message: expect.stringContaining(`bare ${name}`) }),
    )
  })

  it('notices eight-bit bytes', () => {
    expect(encodeBody(Buffer.from('ü\r\n')).eightBit).toBe(true)
    expect(encodeBody(Buffer.from('u\r\n')).eightBit).toBe(false)
  })

  it('ends exactly once, and says the same when unstuffed', () => {
    const line = fc.string({ unit: fc.constantFrom('.', 'a', ' '), maxLength: 5 })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), (lines) => {
        const text = lines.map((each) => `${each}\r\n`).join('')
        const wire = encodeBody(Buffer.from(text)).wire.toString()
        expect(`\r\n${wire}`.indexOf('\r\n.\r\n')).toBe(wire.length - 3)
        expect(wire.slice(0, -3).replace(/^\./gm, '')).toBe(text)
      }),
    )
  })
})
