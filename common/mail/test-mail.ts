/** The mail that a probe sends: 7-bit, below 8 KiB, without a URL, and plain about what it is. */
import { MailscoutError } from '../errors.ts'
import { header, isMailAddress, mailDate, plainText, tokenHeader } from './headers.ts'
import { tokenBlock, tokenHeaderName } from './message.ts'
import { shortTestId } from './token.ts'

export type TestMail = {
  /** `certificate~token`. */
  token: string
  /** The return address. */
  from: string
  /** The target address. */
  to: string
  messageId: string
  /** UTC, milliseconds since the epoch. */
  dateMs: number
  /** The test id; its tail stands in the Subject. */
  tid: string
  subject?: string
  monitorName?: string
}

/** The whole mail with CRLF line ends, for the wire before dot-stuffing. Throws ADDRESS_INVALID or HEADER_UNSAFE. */
export function buildTestMail(mail: TestMail): string {
  for (const field of ['from', 'to'] as const) {
    if (!isMailAddress(mail[field])) throw new MailscoutError('ADDRESS_INVALID', `"${field}" must be a plain address.`, { field })
  }
  const headers = [
    header('Date', mailDate(mail.dateMs)),
    header('From', `Mailscout <${mail.from}>`),
    header('To', mail.to),
    header('Subject', mail.subject ?? `Mailscout test ${shortTestId(mail.tid)}`),
    header('Message-ID', mail.messageId),
    header('Auto-Submitted', 'auto-generated'),
    header('MIME-Version', '1.0'),
    header('Content-Type', 'text/plain; charset=us-ascii'),
    header('Content-Transfer-Encoding', '7bit'),
    tokenHeader(tokenHeaderName, mail.token),
  ]
  return `${headers.join('')}\r\n${bodyLines(mail).join('\r\n')}\r\n`
}

function bodyLines(mail: TestMail): string[] {
  const monitor = mail.monitorName === undefined ? [] : [`Monitor: ${plainText(mail.monitorName, 60)}`]
  return [
    'This is a test mail. It checks that e-mail to this address arrives and that',
    'e-mail from here gets out. A program on your mail system, the Mailscout',
    'responder, recognises it by the signed text below and returns it by itself.',
    '',
    'Nobody needs to read, answer or keep it. If you see mails like this in your',
    'own inbox, please tell your mail administrator: the responder is not at work',
    'for this address.',
    '',
    ...monitor,
    `Test: ${mail.tid}`,
    '',
    ...tokenBlock(mail.token),
  ]
}
