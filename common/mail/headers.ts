/** Every header value that we write passes through here, so that nobody's words can become a header of their own. */
import { MailscoutError } from '../errors.ts'

/** RFC 5322 §2.1.1: a line should keep to 78 characters and must keep to 998. */
const lineCharsMax = 998
const foldAtChars = 76
/** RFC 2047 §2: an encoded word has at most 75 characters, `=?utf-8?B??=` included. */
const encodedWordBytesMax = 45
const addressCharsMax = 254
const localPartCharsMax = 64

// `!`, `%`, `|` and the backtick are atext by RFC 5322, but old mail systems route or execute by them.
const localPartPattern = /^[A-Za-z0-9_#$&'*+/=?^{}~][A-Za-z0-9_#$&'*+/=?^{}~-]*(\.[A-Za-z0-9_#$&'*+/=?^{}~-]+)*$/
const domainLabelPattern = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/
const namePattern = /^[A-Za-z0-9-]{1,64}$/

/** One header as it goes on the wire, folded, with its CRLF. Throws HEADER_UNSAFE. */
export function header(name: string, value: string): string {
  if (!namePattern.test(name)) throw unsafe(name, 'has no proper name')
  if (hasControl(value)) throw unsafe(name, 'holds a line break or another control character')
  if (Buffer.byteLength(value) > lineCharsMax) throw unsafe(name, `is longer than ${lineCharsMax} octets`)
  const words = isAscii(value) ? value.split(' ').filter((word) => word !== '') : encodedWords(value)
  return fold(name, words)
}

/** Our signed text in a header: without spaces of its own it is cut into pieces, which readers join again. */
export function tokenHeader(name: string, text: string): string {
  if (hasControl(text) || !isAscii(text)) throw unsafe(name, 'is not a signed text')
  return fold(name, chunks(text, 72))
}

/** Cuts text into lines of `size` characters. */
export function chunks(text: string, size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, index) => text.slice(index * size, (index + 1) * size))
}

/**
 * A plain ASCII mailbox, `local@domain`: no quoting, comments, routes, literals or leading hyphen, so that it means the
 * same in a header, in an SMTP command and as an argument.
 */
export function isMailAddress(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > addressCharsMax) return false
  const at = value.indexOf('@')
  const localPart = value.slice(0, at)
  return at > 0 && at <= localPartCharsMax && localPartPattern.test(localPart) && isDomain(value.slice(at + 1))
}

export function isDomain(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 253 && value.split('.').every((label) => domainLabelPattern.test(label))
}

/** The part after the `@`, in lower case. */
export const domainOf = (address: string): string => address.slice(address.lastIndexOf('@') + 1).toLowerCase()

/** RFC 5322 §3.3, always in UTC. */
export const mailDate = (wallMs: number): string => new Date(wallMs).toUTCString().replace('GMT', '+0000')

/** Printable ASCII only, blanks collapsed, at most `charsMax`: for words of others that are shown and not interpreted. */
export function plainText(value: string, charsMax: number): string {
  const printable = value.replace(/[^\x20-\x7e]+/g, ' ').replace(/ +/g, ' ')
  return printable.trim().slice(0, charsMax).trim()
}

function fold(name: string, words: readonly string[]): string {
  const lines = [`${name}:`]
  for (const word of words) {
    const line = lines[lines.length - 1] ?? ''
    const fits = line.length + 1 + word.length <= foldAtChars
    // The first word stays beside the name: a header whose first line is empty is obsolete syntax, and some filters object.
    if (fits || (lines.length === 1 && line.endsWith(':'))) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(` ${word}`)
  }
  if (lines.some((line) => line.length > lineCharsMax)) throw unsafe(name, `holds a word of more than ${lineCharsMax} octets`)
  return `${lines.join('\r\n')}\r\n`
}

function encodedWords(value: string): string[] {
  const words: string[] = []
  let bytes: Buffer = Buffer.alloc(0)
  for (const character of value) {
    const next = Buffer.from(character)
    if (bytes.length + next.length > encodedWordBytesMax) {
      words.push(encodedWord(bytes))
      bytes = Buffer.alloc(0)
    }
    bytes = Buffer.concat([bytes, next])
  }
  return [...words, encodedWord(bytes)]
}

const encodedWord = (bytes: Buffer): string => `=?utf-8?B?${bytes.toString('base64')}?=`
const isAscii = (value: string): boolean => /^[\x20-\x7e]*$/.test(value)
const hasControl = (value: string): boolean =>
  [...value].some((character) => character < ' ' || (character >= '\x7f' && character < '\xa0'))

const unsafe = (name: string, why: string): MailscoutError =>
  new MailscoutError('HEADER_UNSAFE', `The header ${JSON.stringify(name.slice(0, 64))} ${why}: leave that out.`, {
    field: name.slice(0, 64),
  })
