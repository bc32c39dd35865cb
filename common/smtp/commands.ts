/** What a client writes: the lines of the envelope and the body, checked. Pure. */
import { MailscoutError } from '../errors.ts'
import type { Capabilities } from './reply.ts'

export type Envelope = {
  /** The envelope sender; the empty string is the null sender `<>`. */
  from: string
  to: string
}

/** Delivery status notifications (RFC 3461); asked for only where the server offers DSN. */
export type DsnRequest = { envid: string; notify: readonly ('FAILURE' | 'DELAY' | 'SUCCESS')[] }

const carriageReturn = 0x0d
const lineFeed = 0x0a
const dot = 0x2e
/** RFC 5321 §4.5.3.1.3: a path has 256 octets with its brackets. */
const addressBytesMax = 254

/** A stray CR or LF in a command is a second command (SMTP smuggling, CVE-2023-51764): refused by an allow-list of characters. */
export function checkAddress(address: string, field: 'envelope.from' | 'envelope.to'): string {
  if (field === 'envelope.from' && address === '') return address
  if (Buffer.byteLength(address) > addressBytesMax || !/^[^\s<>\p{Cc}]+@[^\s<>@\p{Cc}]+$/u.test(address)) {
    throw new MailscoutError('ADDRESS_INVALID', `${field} must be an address like name@example.org.`, { field })
  }
  return address
}

/** The name for HELO and EHLO: a host name, or an address literal in brackets (RFC 5321 §4.1.3). */
export function checkHeloName(name: string): string {
  if (/^(?:[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9:.]{1,60}\])$/.test(name)) return name
  throw new MailscoutError('ADDRESS_INVALID', 'heloName must be a host name or an address literal in brackets.', {
    field: 'heloName',
  })
}

/** RFC 3461 §4: printable ASCII but `+` and `=` stands for itself, everything else is `+` and two hexadecimal digits. */
export const xtext = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) =>
      byte > 0x20 && byte < 0x7f && byte !== 0x2b && byte !== 0x3d
        ? String.fromCharCode(byte)
        : `+${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('')

const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length

/** MAIL with the parameters that the server offers: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461). */
export function mailCommand(
  envelope: Envelope,
  message: { bytes: number; eightBit: boolean },
  offered: Capabilities,
  dsn: DsnRequest | undefined,
): string {
  return [
    `MAIL FROM:<${envelope.from}>`,
    ...(offered.sizeMax === undefined ? [] : [`SIZE=${message.bytes}`]),
    ...(offered.eightBitMime && message.eightBit ? ['BODY=8BITMIME'] : []),
    ...(needsUtf8(envelope) ? ['SMTPUTF8'] : []),
    ...(wantsDsn(envelope, offered, dsn) ? ['RET=HDRS', `ENVID=${xtext(dsn.envid)}`] : []),
  ].join(' ')
}

export function rcptCommand(envelope: Envelope, offered: Capabilities, dsn: DsnRequest | undefined): string {
  const notify = wantsDsn(envelope, offered, dsn) ? ` NOTIFY=${dsn.notify.join(',')}` : ''
  return `RCPT TO:<${envelope.to}>${notify}`
}

/** Addresses outside ASCII can only go to a server that offers SMTPUTF8. */
export const needsUtf8 = (envelope: Envelope): boolean => !isAscii(envelope.from) || !isAscii(envelope.to)

/** A mail with the null sender has nobody to notify. */
const wantsDsn = (envelope: Envelope, offered: Capabilities, dsn: DsnRequest | undefined): dsn is DsnRequest =>
  dsn !== undefined && offered.dsn && envelope.from !== ''

export type Body = {
  /** Everything that follows 354: dot-stuffed, with the final dot. */
  wire: Buffer
  /** The size to declare: without dot-stuffing and the final dot (RFC 1870 §4). */
  bytes: number
  eightBit: boolean
}

/**
 * The message as DATA wants it (RFC 5321 §4.5.2). A CR or LF alone is refused: servers disagree about what it means, and that
 * disagreement is how mails are smuggled. A missing last line end is added.
 */
export function encodeBody(message: Uint8Array): Body {
  const ended = message.length === 0 || message.at(-1) === lineFeed
  const text = ended ? Buffer.from(message) : Buffer.concat([message, Buffer.from('\r\n')])
  const parts: Buffer[] = []
  let eightBit = false
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at] ?? 0
    if (byte > 0x7f) eightBit = true
    if ((byte === lineFeed && text[at - 1] !== carriageReturn) || (byte === carriageReturn && text[at + 1] !== lineFeed)) {
      const name = byte === lineFeed ? 'LF' : 'CR'
      throw new MailscoutError('MAIL_MALFORMED', `The message has a bare ${name} at byte ${at}: end every line with CRLF.`, {
        field: 'message',
      })
    }
    if (byte === dot && (at === 0 || text[at - 1] === lineFeed)) {
      parts.push(text.subarray(from, at), Buffer.from('.'))
      from = at
    }
  }
  parts.push(text.subarray(from), Buffer.from('.\r\n'))
  return { wire: Buffer.concat(parts), bytes: text.length, eightBit }
}
