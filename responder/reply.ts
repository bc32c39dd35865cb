/**
 * loop guard → tokens → signatures → recipient → return domain → budget → first stamp → answer.
 *
 * Anything not genuine gets no answer, ever; a genuine mail always gets one, whatever this machine's clock says (DESIGN 3.1).
 */
import { isMailscoutError, type MailscoutError } from '../common/errors.ts'
import { isMailAddress } from '../common/mail/headers.ts'
import { answerable, type LoopReason } from '../common/mail/loop-guard.ts'
import { findTokens, headerValue, headerValues, type Message, readMessage, texts } from '../common/mail/message.ts'
import { buildReturnedMail, type ReturnedMail, returnMessageId } from '../common/mail/returned-mail.ts'
import { findStamp } from '../common/mail/stamp.ts'
import {
  recipientHash,
  returnDomainPinned,
  type TimedToken,
  timeliness,
  type VerifiedToken,
  verifyToken,
} from '../common/mail/token.ts'
import type { ResponderConfig } from './config.ts'

/** What is known of the delivery apart from the mail itself. */
export type Delivery = { sender?: string; recipients: readonly string[] }

/** What outlives one mail. It fails open: where it cannot remember, every mail is the first. */
export type Memory = {
  /** The stamp of the first copy of this test; claims `stampMs` where there is none yet. */
  firstStamp(tid: string, stampMs: number): number
  /** Counts an answer to this probe and returns how many there are in the hour, this one included. */
  countAnswer(probeId: string, nowMs: number): number
}

export type IgnoreReason =
  | LoopReason
  | 'no_token'
  | 'not_genuine'
  | 'other_recipient'
  | 'return_domain_not_pinned'
  | 'over_budget'

export type Decision =
  | { action: 'ignore'; reason: IgnoreReason; detail?: string; tid?: string }
  | {
      action: 'answer'
      mail: string
      to: string
      from: ''
      tid: string
      probeId: string
      repeated: boolean
      clockSuspect: boolean
    }

/** DESIGN 3.1: the worst use of a stolen probe is this much mail to its own return address. */
export const answersPerHourMax = 600
const recipientsMax = 50
/** Where delivery agents note the address that a mail was for; the sender's own To and Cc come last. */
const recipientHeaders = ['delivered-to', 'x-original-to', 'envelope-to', 'x-envelope-to', 'to', 'cc']

export type Question = {
  raw: Uint8Array
  delivery: Delivery
  /** When the mail reached this machine; UTC, milliseconds since the epoch. */
  receivedAtMs: number
  /** A fresh id for the answer's Message-ID. */
  answerId: string
  config: Pick<ResponderConfig, 'rootKeysX' | 'returnDomains' | 'addresses' | 'from'>
  memory: Memory
  version: string
}

export function decide(question: Question): Decision {
  const { delivery, receivedAtMs, config, memory } = question
  const message = readMessage(question.raw)
  const guard = answerable(message, delivery)
  if (!guard.answer) return { action: 'ignore', reason: guard.reason }

  const candidates = findTokens(message)
  if (candidates.length === 0) return { action: 'ignore', reason: 'no_token' }
  const verified = firstGenuine(candidates, config.rootKeysX)
  if ('refusal' in verified) return { action: 'ignore', reason: 'not_genuine', detail: verified.refusal.code }

  const { token, certificate } = verified
  const { tid } = token
  // A gateway may have dropped the headers that mark an answer of ours; its stamp still stands in the text.
  if (findStamp(message, texts(message), tid) !== undefined) return { action: 'ignore', reason: 'own_answer', tid }
  const recipient = recipientOf(token.rcpt, message, delivery, config.addresses)
  if (recipient === undefined) return { action: 'ignore', reason: 'other_recipient', tid }
  if (!returnDomainPinned(token.ret, config.returnDomains)) return { action: 'ignore', reason: 'return_domain_not_pinned', tid }
  const stamping = stampFor(verified, receivedAtMs, memory)
  if (stamping === undefined) return { action: 'ignore', reason: 'over_budget', tid }

  const from = config.from ?? recipient
  const mail = buildReturnedMail({
    verified,
    originalSubject: headerValue(message, 'subject') ?? '',
    receivedLines: headerValues(message, 'received'),
    ...stamping,
    responderVersion: question.version,
    from,
    messageId: returnMessageId(question.answerId, from),
    dateMs: receivedAtMs,
  })
  const { firstStampMs, clockSuspect } = stamping
  const repeated = firstStampMs !== undefined
  return { action: 'answer', mail, to: token.ret, from: '', tid, probeId: certificate.sub, repeated, clockSuspect }
}

/** What a genuine mail is stamped with; `firstStampMs` where an earlier copy of it has been answered. */
export type Stamping = Pick<ReturnedMail, 'stampMs' | 'firstStampMs' | 'clockSuspect'>
/** As much of a verified token as its stamp needs. */
export type Genuine = TimedToken & {
  certificate: Pick<VerifiedToken['certificate'], 'sub'>
  token: Pick<VerifiedToken['token'], 'tid'>
}

/** budget → first stamp → the token's times. Undefined where the answers of this probe are spent; never because of a clock. */
export function stampFor(genuine: Genuine, receivedAtMs: number, memory: Memory): Stamping | undefined {
  const { certificate, token } = genuine
  if (memory.countAnswer(certificate.sub, receivedAtMs) > answersPerHourMax) return undefined
  const firstMs = memory.firstStamp(token.tid, receivedAtMs)
  return {
    stampMs: receivedAtMs,
    ...(firstMs === receivedAtMs ? {} : { firstStampMs: firstMs }),
    clockSuspect: timeliness(genuine, receivedAtMs) !== 'timely',
  }
}

/** The first candidate that verifies, or why the last did not. */
function firstGenuine(candidates: readonly string[], rootKeysX: readonly string[]): VerifiedToken | { refusal: MailscoutError } {
  let refusal: MailscoutError | undefined
  for (const candidate of candidates) {
    try {
      return verifyToken(candidate, rootKeysX)
    } catch (error) {
      if (!isMailscoutError(error)) throw error
      refusal = error
    }
  }
  if (refusal === undefined) throw new RangeError('firstGenuine needs a candidate')
  return { refusal }
}

/**
 * The address that the token was minted for. With `addresses` configured only these count, so that a test mail captured on its
 * way to another customer gets no answer here. Without, whatever the delivery or the mail names will do: aliases rewrite the
 * envelope, and who could read the token could forge its return without us.
 */
function recipientOf(rcpt: string, message: Message, delivery: Delivery, addresses: readonly string[]): string | undefined {
  const named =
    addresses.length > 0 ? addresses : [...delivery.recipients, ...recipientHeaders.flatMap((name) => addressesIn(message, name))]
  return named
    .filter(isMailAddress)
    .slice(0, recipientsMax)
    .find((address) => recipientHash(address) === rcpt)
}

const addressesIn = (message: Message, name: string): string[] =>
  headerValues(message, name).flatMap((value) => value.slice(0, 4000).match(/[^\s<>,;:"()]{1,64}@[^\s<>,;:"()]{1,255}/g) ?? [])
