/** The mail that the responder returns: written from scratch, so that nothing of the input but plain words is carried on. */
import { MailscoutError } from '../errors.ts'
import { domainOf, header, isMailAddress, mailDate, plainText, tokenHeader } from './headers.ts'
import { hopHeaderName } from './loop-guard.ts'
import { block, tokenBlock, tokenHeaderName } from './message.ts'
import { isVersion, type Stamp, stampHeaderName, stampPairs } from './stamp.ts'
import type { VerifiedToken } from './token.ts'

export type ReturnedMail = {
  verified: VerifiedToken
  /** As it stood in the test mail, or empty. */
  originalSubject: string
  /** The Received values of the test mail, the newest first. */
  receivedLines: readonly string[]
  /** When the responder received this copy; UTC by its own clock, milliseconds since the epoch. */
  stampMs: number
  /** When it received the first copy, where this is a repeated delivery. */
  firstStampMs?: number
  clockSuspect: boolean
  responderVersion: string
  /** The target address, or what the configuration says instead. */
  from: string
  messageId: string
  dateMs: number
}

const subjectCharsMax = 160
const traceCharsMax = 16 * 1024
const traceLineChars = 74

/** The whole mail with CRLF line ends. Throws ADDRESS_INVALID or HEADER_UNSAFE. */
export function buildReturnedMail(mail: ReturnedMail): string {
  const { token, text } = mail.verified
  if (!isMailAddress(mail.from)) {
    throw new MailscoutError('ADDRESS_INVALID', 'The address that answers must be a plain address: set "from".', {
      field: 'from',
    })
  }
  const stamp = stampOf(mail)
  const subject = plainText(mail.originalSubject, subjectCharsMax) || 'Mailscout test'
  const headers = [
    header('Date', mailDate(mail.dateMs)),
    header('From', mail.from),
    header('To', token.ret),
    header('Subject', `${subject} @${new Date(stamp.firstMs ?? stamp.atMs).toISOString()}`),
    header('Message-ID', mail.messageId),
    header('In-Reply-To', token.mid),
    header('References', token.mid),
    header('Auto-Submitted', 'auto-replied'),
    header('X-Auto-Response-Suppress', 'All'),
    header(hopHeaderName, '1'),
    header(stampHeaderName, stampPairs(stamp).join(' ')),
    header('MIME-Version', '1.0'),
    header('Content-Type', 'text/plain; charset=us-ascii'),
    header('Content-Transfer-Encoding', '7bit'),
    tokenHeader(tokenHeaderName, text),
  ]
  return `${headers.join('')}\r\n${bodyLines(mail, stamp).join('\r\n')}\r\n`
}

/** The Message-ID of an answer: a new one, because mail systems drop a second mail with an id that they have seen. */
export const returnMessageId = (id: string, from: string): string => `<${id}@${domainOf(from)}>`

function stampOf(mail: ReturnedMail): Stamp {
  return {
    tid: mail.verified.token.tid,
    atMs: mail.stampMs,
    ...(mail.firstStampMs === undefined ? {} : { firstMs: mail.firstStampMs }),
    clockSuspect: mail.clockSuspect,
    responderVersion: isVersion(mail.responderVersion) ? mail.responderVersion : 'unknown',
  }
}

function bodyLines(mail: ReturnedMail, stamp: Stamp): string[] {
  return [
    'This is the answer of the Mailscout responder to a genuine test mail.',
    '',
    ...block('STAMP', stampPairs(stamp)),
    '',
    ...tokenBlock(mail.verified.text),
    '',
    'The way of the test mail so far, the last hop first:',
    '',
    ...block('TRACE', traceLines(mail.receivedLines)),
  ]
}

/** Quoted with `> `, cut to whole hops within 16 KiB, and without five hyphens that could pass for a mark of ours. */
function traceLines(receivedLines: readonly string[]): string[] {
  const lines: string[] = []
  let chars = 0
  for (const value of receivedLines) {
    const plain = plainText(value, 2000).replace(/-{5,}/g, '----')
    const wrapped = wrap(`Received: ${plain}`).map((line) => `> ${line}`)
    chars += wrapped.reduce((sum, line) => sum + line.length + 2, 0)
    if (chars > traceCharsMax) break
    lines.push(...wrapped)
  }
  return lines
}

/** Folded at blanks like a header; a word without any is cut, which only a hostile server needs. */
function wrap(text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').flatMap((part) => (part === '' ? [] : (part.match(/.{1,70}/g) ?? [])))) {
    if (line === '') line = word
    else if (line.length + 1 + word.length <= traceLineChars) line = `${line} ${word}`
    else {
      lines.push(line)
      line = `  ${word}`
    }
  }
  return line === '' ? lines : [...lines, line]
}
