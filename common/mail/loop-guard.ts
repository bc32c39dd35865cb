/** The brakes before any signature is looked at: each ends a loop at its first turn (RFC 3834). */
import { contentType, headerValue, headerValues, type Message } from './message.ts'

export const hopHeaderName = 'X-Mailscout-Hop'
/** No mail from a probe to a test address passes so many hops; a loop does. Mail servers stop only at 30 to 100. */
const receivedMax = 25

export type LoopReason = 'own_answer' | 'auto_replied' | 'report' | 'null_sender' | 'too_many_hops'
export type Answerable = { answer: true } | { answer: false; reason: LoopReason }

/** `sender`: the envelope sender where the delivery names it; otherwise the topmost Return-Path counts. */
export function answerable(message: Message, envelope: { sender?: string | undefined } = {}): Answerable {
  const reason = loopReason(message, envelope.sender ?? headerValue(message, 'return-path'))
  return reason === undefined ? { answer: true } : { answer: false, reason }
}

function loopReason(message: Message, sender: string | undefined): LoopReason | undefined {
  if (headerValue(message, hopHeaderName) !== undefined) return 'own_answer'
  // A test mail is `auto-generated`: it is a signed command, which a service may answer; a reply never is.
  if (headerValues(message, 'auto-submitted').some((value) => /^auto-(replied|notified)\b/i.test(value))) return 'auto_replied'
  if (contentType(message).type === 'multipart/report') return 'report'
  if (sender !== undefined && isNullSender(sender)) return 'null_sender'
  return headerValues(message, 'received').length > receivedMax ? 'too_many_hops' : undefined
}

/** Postfix writes the null sender as MAILER-DAEMON, without a domain, where it hands mail to a command. */
const isNullSender = (sender: string): boolean => /^<?(mailer-daemon)?>?$/i.test(sender.trim())
