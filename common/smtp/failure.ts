/** How sending a mail fails: at which stage, of which kind, with which words of the server. */
import { type ErrorCode, MailscoutError } from '../errors.ts'
import { formatWords, type ServerWords } from './reply.ts'

/**
 * The stages of one attempt, in order. `tls` stands before `banner` where TLS comes first (implicit), `starttls`, `tls` and
 * `ehlo2` are absent without TLS, `auth` without credentials. `accept` runs from the final dot to the server's answer.
 */
export const smtpStages = [
  'connect',
  'banner',
  'ehlo',
  'starttls',
  'tls',
  'ehlo2',
  'auth',
  'mail',
  'rcpt',
  'data',
  'accept',
] as const
export type SmtpStage = (typeof smtpStages)[number]

/** How long a stage took, in milliseconds of the monotonic clock. */
export type StageTime = { name: SmtpStage; ms: number }

/**
 * `connection`: the network or a closed connection · `tls`: no (trustworthy) TLS · `temporary`: a 4xx reply · `permanent`: a 5xx
 * reply · `protocol`: the server did not speak SMTP · `deadline`: the time given for the attempt was over.
 */
export type FailureCategory = 'connection' | 'tls' | 'temporary' | 'permanent' | 'protocol' | 'deadline'

const codes: Record<FailureCategory, ErrorCode> = {
  connection: 'SMTP_CONNECTION_FAILED',
  tls: 'SMTP_TLS_FAILED',
  temporary: 'SMTP_REFUSED_FOR_NOW',
  permanent: 'SMTP_REFUSED',
  protocol: 'SMTP_PROTOCOL',
  deadline: 'SMTP_DEADLINE',
}

/** One try at one address, as a person reads it in a list of what was tried. */
export type Attempt = { host: string; address: string; port: number; outcome: string }

export class SmtpFailure extends MailscoutError {
  readonly stage: SmtpStage
  readonly category: FailureCategory
  /** The server's words, where it spoke. */
  readonly reply: ServerWords | undefined
  /** Every stage that was begun; the last one is the one that failed, timed up to the failure. */
  readonly stages: readonly StageTime[]
  /** The final dot was written and no answer came: the server may have accepted the mail. */
  readonly acceptedUnknown: boolean
  /** What was tried, in order, where several addresses were. */
  readonly attempts: readonly Attempt[]

  constructor(
    category: FailureCategory,
    stage: SmtpStage,
    message: string,
    details: {
      reply?: ServerWords | undefined
      stages?: readonly StageTime[]
      acceptedUnknown?: boolean
      attempts?: readonly Attempt[]
      cause?: unknown
    } = {},
  ) {
    super(codes[category], message, { cause: details.cause })
    this.stage = stage
    this.category = category
    this.reply = details.reply
    this.stages = details.stages ?? []
    this.acceptedUnknown = details.acceptedUnknown ?? false
    this.attempts = details.attempts ?? []
  }

  /** The same failure with the attempts that led to it. */
  withAttempts(attempts: readonly Attempt[]): SmtpFailure {
    const { reply, stages, acceptedUnknown, cause } = this
    return new SmtpFailure(this.category, this.stage, this.message, { reply, stages, acceptedUnknown, attempts, cause })
  }
}

/** A reply that is not the one hoped for, as a category: the class of the code decides (RFC 5321 §4.2.1). */
export function categoryOf(reply: ServerWords): FailureCategory {
  if (reply.code >= 500) return 'permanent'
  if (reply.code >= 400) return 'temporary'
  return 'protocol'
}

/** The sentence for a reply that ends the attempt. */
export const refusal = (stage: SmtpStage, reply: ServerWords): string =>
  `The server answered ${JSON.stringify(formatWords(reply))} at stage ${stage}.`
