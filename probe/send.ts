/**
 * One attempt to send the mail of a trip: mail ─► route ─► dialogue ─► account of it. The mail of a trip is the same however often
 * it is tried: token, Message-ID and date come from the trip, and Ed25519 gives the same signature for the same words.
 */
import { errorMessage, isMailscoutError } from '../common/errors.ts'
import { serverWordsMax } from '../common/limits.ts'
import { domainOf } from '../common/mail/headers.ts'
import { buildTestMail } from '../common/mail/test-mail.ts'
import { envelopeId, mintToken, recipientHash, testMessageId } from '../common/mail/token.ts'
import type { Runtime } from '../common/runtime.ts'
import { type AddressPolicy, checkTarget } from '../common/smtp/address-policy.ts'
import type { TlsMode } from '../common/smtp/client.ts'
import { SmtpFailure } from '../common/smtp/failure.ts'
import type { AddressFamily, MailResolver } from '../common/smtp/mx.ts'
import { formatWords } from '../common/smtp/reply.ts'
import { type Delivered, submitByMx, submitMail } from '../common/smtp/submit.ts'
import type { ResultDetail, Target } from '../common/wire/test.ts'
import type { Identity } from './identity.ts'
import { isAboutUs } from './refusal.ts'
import type { Failure, Instant, Sent } from './round-trip.ts'
import { type TripOrder, targetOf, tokenWindow } from './trip.ts'

export type SendingOutcome = { kind: 'sent'; sent: Sent } | { kind: 'failed'; failure: Failure }

export type Courier = {
  /** Never rejects. Ends after `budgetMs`, or soon after `signal` is aborted. */
  send(order: TripOrder, startedAt: Instant, how: { budgetMs: number; signal: AbortSignal }): PromiseLike<SendingOutcome>
}

export type CourierOptions = {
  runtime: Runtime
  identity: Pick<Identity, 'probeId' | 'keyPair' | 'returnAddress' | 'certificate'>
  resolver: MailResolver
  policy: AddressPolicy
}

/** What a token can say; the faster rhythm of an open incident may count further. */
const tokenAttemptMax = 99
const smtpPort = 25

export function createCourier(options: CourierOptions): Courier {
  const { runtime } = options
  return {
    async send(order, startedAt, how) {
      const begunAt = { wallMs: runtime.wallMs(), monotonicMs: runtime.monotonicMs() }
      try {
        return { kind: 'sent', sent: sentOf(await deliver(options, order, startedAt, how), begunAt) }
      } catch (error) {
        return outcomeOf(error, begunAt, { wallMs: runtime.wallMs(), monotonicMs: runtime.monotonicMs() })
      }
    },
  }
}

async function deliver(
  { runtime, identity, resolver, policy }: CourierOptions,
  order: TripOrder,
  startedAt: Instant,
  { budgetMs, signal }: { budgetMs: number; signal: AbortSignal },
): Promise<Delivered> {
  const { address, host, port = smtpPort, tls } = targetOf(order)
  const common = {
    runtime,
    resolver,
    admit: (candidate: string, candidatePort: number) => checkTarget(candidate, candidatePort, policy),
    heloName: domainOf(identity.returnAddress),
    // One real and stable envelope sender: greylisting keys on it.
    envelope: { from: identity.returnAddress, to: address },
    dsn: { envid: envelopeId(order.id), notify: ['FAILURE', 'DELAY'] },
    message: Buffer.from(testMail(identity, order, startedAt)),
    deadlineMs: budgetMs,
    port,
    tls: tlsModeOf(tls),
    signal,
  } as const
  return host === undefined ? await submitByMx(common) : await submitMail({ ...common, host, family: familyOf(order) })
}

/** A route has no fallback: not to the other family, and by its target's host not to another server. */
function familyOf(order: TripOrder): AddressFamily | undefined {
  if (order.kind !== 'route') return undefined
  return order.route.family === 'ipv6' ? 6 : 4
}

const tlsModeOf = (tls: Target['tls']): TlsMode => (tls === 'required' || tls === 'never' ? tls : 'opportunistic')

function testMail(identity: CourierOptions['identity'], order: TripOrder, startedAt: Instant): string {
  const { address } = targetOf(order)
  const { returnAddress } = identity
  const messageId = testMessageId(order.id, returnAddress)
  const token = mintToken({
    certificate: identity.certificate(),
    probeKey: identity.keyPair.privateKey,
    claims: {
      tid: order.id,
      mon: order.kind === 'control' ? 'control' : order.plan.monitor_id,
      prb: identity.probeId,
      rcpt: recipientHash(address),
      ret: returnAddress,
      mid: messageId,
      att: order.kind === 'test' ? Math.min(order.attempt, tokenAttemptMax) : 1,
      ...tokenWindow(order, startedAt),
    },
  })
  return buildTestMail({ token, from: returnAddress, to: address, messageId, dateMs: startedAt.wallMs, tid: order.id })
}

function sentOf(delivered: Delivered, begunAt: Instant): Sent {
  const routeMs = delivered.startedAtMonotonicMs - begunAt.monotonicMs
  return {
    startedAt: begunAt,
    at: { wallMs: delivered.sentAtWallMs, monotonicMs: delivered.endOfDataMonotonicMs },
    // Looking up names, and addresses that did not answer.
    stages: [{ name: 'route', ms: routeMs }, ...delivered.stages],
    detail: {
      server_words: bounded(formatWords(delivered.reply)),
      mx: bounded(delivered.host, 255),
      address: bounded(delivered.address, 64),
    },
  }
}

function outcomeOf(error: unknown, begunAt: Instant, now: Instant): SendingOutcome {
  if (!(error instanceof SmtpFailure)) return { kind: 'failed', failure: failureBeforeDialogue(error) }
  const detail = detailOf(error)
  const stages = [...error.stages]
  if (!error.acceptedUnknown) {
    const cutOff = error.category === 'deadline'
    return { kind: 'failed', failure: { ...judgementOf(error), ...(cutOff ? { cutOff } : {}), stages, detail } }
  }
  // The answer to the final dot is missing, so the mail may be on its way: it is waited for, and not sent twice.
  const answerMs = error.stages.at(-1)?.ms ?? 0
  const at = { wallMs: Math.round(now.wallMs - answerMs), monotonicMs: now.monotonicMs - answerMs }
  return { kind: 'sent', sent: { startedAt: begunAt, at, stages, detail } }
}

function judgementOf(error: SmtpFailure): Pick<Failure, 'outcome' | 'permanent'> {
  const { category, stage, reply } = error
  const aboutUs = reply !== undefined && isAboutUs(reply.enhanced, reply.text)
  switch (category) {
    case 'permanent':
      if (stage === 'auth') return { outcome: 'auth', permanent: false }
      return { outcome: aboutUs ? 'blocked' : 'refused', permanent: true }
    case 'temporary':
      return { outcome: aboutUs ? 'blocked' : 'deferred', permanent: false }
    case 'tls':
      return { outcome: 'tls', permanent: false }
    case 'connection':
    case 'protocol':
    case 'deadline':
      return { outcome: stage === 'tls' || stage === 'starttls' ? 'tls' : 'unreachable', permanent: false }
  }
}

function failureBeforeDialogue(error: unknown): Failure {
  const failure = { stages: [], detail: { reason: bounded(errorMessage(error)) } }
  if (isMailscoutError(error, 'DNS_UNAVAILABLE')) return { ...failure, outcome: 'dns', permanent: false }
  if (isMailscoutError(error, 'MAIL_HOST_NOT_FOUND') || isMailscoutError(error, 'MAIL_NOT_ACCEPTED')) {
    return { ...failure, outcome: 'dns', permanent: true }
  }
  // A forbidden target, or a fault of our own: neither says anything of the mail system.
  return { ...failure, outcome: 'not_run', permanent: true }
}

function detailOf(error: SmtpFailure): ResultDetail {
  const told = `${error.stage}: ${error.message}`
  const at = error.attempts.find(({ outcome }) => outcome === told) ?? error.attempts.at(-1)
  const others = error.attempts
    .filter((attempt) => attempt !== at)
    .map(({ host, address, outcome }) => `${host} [${address}] ${outcome}`)
  const reason = [error.message, ...(others.length === 0 ? [] : [`Also tried: ${others.join('; ')}`])].join(' ')
  return {
    reason: bounded(reason),
    stage: error.stage,
    ...(error.reply === undefined ? {} : { server_words: bounded(formatWords(error.reply)) }),
    ...(at === undefined ? {} : { mx: bounded(at.host, 255), address: bounded(at.address, 64) }),
  }
}

const bounded = (text: string, charsMax = serverWordsMax): string => text.slice(0, charsMax)
