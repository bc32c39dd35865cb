/** Replies of an SMTP server (RFC 5321 §4.2), read as they arrive. Pure: bytes in, replies out. */
import { MailscoutError } from '../errors.ts'
import { serverWordsMax } from '../limits.ts'

export type SmtpReply = {
  code: number
  /** Enhanced status code (RFC 3463) such as `5.1.1`, where the server gave one of the same class as `code`. */
  enhanced?: string
  /** The text of each line without code and separator; control characters are replaced by spaces. */
  lines: readonly string[]
}

/** What is kept of a reply as evidence: bounded, and plain data. */
export type ServerWords = { code: number; enhanced?: string; text: string }

/** RFC 5321 §4.5.3.1.5 allows 512 octets a line; four times that is generous to servers that explain themselves. */
export const replyLineBytesMax = 2 * 1024
export const replyBytesMax = 64 * 1024
/** More than any server offers; only stops a reply made to be large. */
const keywordsMax = 100

const lineFeed = 0x0a
const carriageReturn = 0x0d

export class ReplyParser {
  #line: Buffer = Buffer.alloc(0)
  #code: number | undefined
  #lines: string[] = []
  #replyBytes = 0
  #fault: MailscoutError | undefined

  /** Set once the server has said something that is no reply; nothing is read after that. */
  get fault(): MailscoutError | undefined {
    return this.#fault
  }

  /** True while a reply has begun and not ended. */
  get inReply(): boolean {
    return this.#line.length > 0 || this.#code !== undefined
  }

  /** The replies completed by `chunk`. However the bytes are cut into chunks, the same replies and the same fault come out. */
  push(chunk: Uint8Array): SmtpReply[] {
    const replies: SmtpReply[] = []
    let rest: Buffer = this.#line.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#line, chunk])
    this.#line = Buffer.alloc(0)
    while (this.#fault === undefined && rest.length > 0) {
      const end = rest.indexOf(lineFeed)
      if ((end < 0 ? rest.length : end) > replyLineBytesMax) {
        this.#fail(`a line of more than ${replyLineBytesMax} bytes`)
        break
      }
      if (end < 0) {
        this.#line = rest
        break
      }
      const reply = this.#takeLine(rest.subarray(0, end))
      if (reply !== undefined) replies.push(reply)
      rest = rest.subarray(end + 1)
    }
    return replies
  }

  #takeLine(bytes: Buffer): SmtpReply | undefined {
    this.#replyBytes += bytes.length + 1
    if (this.#replyBytes > replyBytesMax) return this.#fail(`a reply of more than ${replyBytesMax} bytes`)
    const withoutReturn = bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
    const line = printable(withoutReturn.toString('utf8'))
    // The text may be absent, separator and all: RFC 5321 §4.2 asks clients to accept a bare code.
    const match = /^([2-5]\d\d)(?:([ -])(.*))?$/.exec(line)
    if (match === null) return this.#fail(`${JSON.stringify(line.slice(0, 100))} where a reply code was due`)
    const code = Number(match[1])
    if (this.#code !== undefined && this.#code !== code) {
      return this.#fail(`a reply that changes its code from ${this.#code} to ${code}`)
    }
    this.#lines.push(match[3] ?? '')
    if (match[2] === '-') {
      this.#code = code
      return undefined
    }
    const lines = this.#lines
    this.#code = undefined
    this.#lines = []
    this.#replyBytes = 0
    const enhanced = enhancedCode(code, lines[0] ?? '')
    return enhanced === undefined ? { code, lines } : { code, enhanced, lines }
  }

  #fail(what: string): undefined {
    this.#fault = new MailscoutError('SMTP_PROTOCOL', `The server sent ${what}; it does not speak SMTP as in RFC 5321.`)
    return undefined
  }
}

/** RFC 3463: class.subject.detail, at the start of the text, of the class that the reply code has. */
function enhancedCode(code: number, text: string): string | undefined {
  const match = /^([245])\.\d{1,3}\.\d{1,3}(?= |$)/.exec(text)
  return match !== null && Number(match[1]) === Math.floor(code / 100) ? match[0] : undefined
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding control characters is the purpose
const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/** A server's words end in logs, SMS and on screens: nothing in them may steer a terminal, start a new line or turn the text round. */
export const printable = (text: string): string => text.replace(controls, ' ')

/** The reply as evidence: lines joined by a space, cut at `serverWordsMax` characters. */
export function serverWords(reply: SmtpReply): ServerWords {
  const text = reply.lines.join(' ').slice(0, serverWordsMax)
  return reply.enhanced === undefined ? { code: reply.code, text } : { code: reply.code, enhanced: reply.enhanced, text }
}

/** As a person reads it: `550 5.1.1 No such user`. */
export const formatWords = (words: ServerWords): string => `${words.code} ${words.text}`.trimEnd()

export type Capabilities = {
  /** The name that the server calls itself. */
  name: string
  starttls: boolean
  dsn: boolean
  pipelining: boolean
  eightBitMime: boolean
  smtpUtf8: boolean
  /** Present when SIZE is offered; 0 means that no limit is declared (RFC 1870 §3). */
  sizeMax?: number
  /** AUTH mechanisms, upper case. */
  auth: readonly string[]
  /** Every keyword offered, upper case, in order. */
  keywords: readonly string[]
}

/** What a server offers in its reply to EHLO (RFC 5321 §4.1.1.1); a HELO reply offers nothing. */
export function parseCapabilities(reply: SmtpReply): Capabilities {
  const offers = reply.lines.slice(1, keywordsMax + 1).map((line) => line.trim().toUpperCase().split(/[ =]+/))
  const keywords = offers.map(([keyword]) => keyword ?? '').filter((keyword) => keyword !== '')
  const parameters = (keyword: string) => offers.filter((offer) => offer[0] === keyword).flatMap((offer) => offer.slice(1))
  const size = Number(parameters('SIZE')[0] ?? '0')
  return {
    name: (reply.lines[0] ?? '').split(' ')[0] ?? '',
    starttls: keywords.includes('STARTTLS'),
    dsn: keywords.includes('DSN'),
    pipelining: keywords.includes('PIPELINING'),
    eightBitMime: keywords.includes('8BITMIME'),
    smtpUtf8: keywords.includes('SMTPUTF8'),
    ...(keywords.includes('SIZE') ? { sizeMax: Number.isSafeInteger(size) && size > 0 ? size : 0 } : {}),
    auth: [...new Set(parameters('AUTH'))],
    keywords: [...new Set(keywords)],
  }
}
