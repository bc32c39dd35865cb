/** Handing a mail over as a mail server would: one address after the other (RFC 5321 §5.1), all within one deadline. */
import { MailscoutError } from '../errors.ts'
import type { TargetVerdict } from './address-policy.ts'
import { type SendOptions, type SendResult, sendMail, type TlsMode } from './client.ts'
import { type Attempt, type FailureCategory, SmtpFailure, type SmtpStage } from './failure.ts'
import { type AddressFamily, createResolver, type MailHost, type MailResolver, resolveHost, resolveMailHosts } from './mx.ts'

/** As for one attempt; `deadlineMs` covers looking up and every address together. */
export type DeliveryOptions = Omit<SendOptions, 'address' | 'host' | 'connectMs'> & {
  /** Asked about each address right before it is used; absent where the operator named the host himself. */
  admit?: ((address: string, port: number) => TargetVerdict) | undefined
}

export type SubmitOptions = DeliveryOptions & { host: string; resolver?: MailResolver | undefined }

export type Delivered = SendResult & {
  host: string
  address: string
  port: number
  /** Every try in order, the successful one last. */
  attempts: readonly Attempt[]
}

const connectMsMax = 30_000
const connectMsMin = 1000

/**
 * Through a host that was named, such as a relay; its addresses, of the one family where one is named, are tried in turn.
 * @throws SmtpFailure, or MailscoutError (MAIL_HOST_NOT_FOUND, DNS_UNAVAILABLE, TARGET_FORBIDDEN) when nobody could be asked.
 */
export async function submitMail(options: SubmitOptions & { family?: AddressFamily | undefined }): Promise<Delivered> {
  const resolver = options.resolver ?? createResolver()
  return await deliver(options, () => resolveHost(options.host, resolver, options.family).then((host) => [host]))
}

/**
 * To the mail servers of the recipient's domain, on port 25 where no other is given.
 * @throws SmtpFailure, or MailscoutError (MAIL_NOT_ACCEPTED, MAIL_HOST_NOT_FOUND, DNS_UNAVAILABLE, TARGET_FORBIDDEN).
 */
export async function submitByMx(
  options: Omit<SubmitOptions, 'host' | 'port' | 'tls'> & { port?: number | undefined; tls?: TlsMode | undefined },
): Promise<Delivered> {
  const resolver = options.resolver ?? createResolver()
  const domain = options.envelope.to.slice(options.envelope.to.lastIndexOf('@') + 1)
  const { port = 25, tls = 'opportunistic' } = options
  return await deliver({ ...options, port, tls }, () => resolveMailHosts(domain, resolver, options.runtime))
}

/** To hosts that are looked up by `findHosts`, best first. */
async function deliver(options: DeliveryOptions, findHosts: () => Promise<MailHost[]>): Promise<Delivered> {
  const { runtime, deadlineMs } = options
  const endMs = runtime.monotonicMs() + deadlineMs
  const hosts = await within(options, findHosts())
  return await deliverToHosts(hosts, { ...options, deadlineMs: Math.max(0, endMs - runtime.monotonicMs()) })
}

/**
 * To one of these hosts: the first that takes the mail, or that gives an answer which another would only repeat.
 * @throws SmtpFailure, the most telling of all attempts; MailscoutError TARGET_FORBIDDEN when no address may be connected to.
 */
export async function deliverToHosts(hosts: readonly MailHost[], options: DeliveryOptions): Promise<Delivered> {
  const { runtime, port } = options
  const endMs = runtime.monotonicMs() + options.deadlineMs
  const routes = hosts.flatMap(({ host, addresses }) => addresses.map(({ address }) => ({ host, address, tls: options.tls })))
  const attempts: Attempt[] = []
  let telling: SmtpFailure | undefined
  for (let route = routes.shift(); route !== undefined; route = routes.shift()) {
    const { host, address, tls } = route
    const verdict = options.admit?.(address, port)
    if (verdict?.allowed === false) {
      attempts.push({ host, address, port, outcome: `not tried: ${verdict.reason}` })
      continue
    }
    const leftMs = endMs - runtime.monotonicMs()
    if (leftMs <= 0 && telling !== undefined) break
    // A server whose packets vanish must not use up the time of those after it.
    const connectMs = Math.min(connectMsMax, Math.max(connectMsMin, leftMs / (routes.length + 1)))
    try {
      const result = await sendMail({ ...options, host, address, tls, deadlineMs: Math.max(0, leftMs), connectMs })
      attempts.push({ host, address, port, outcome: 'accepted' })
      return { ...result, host, address, port, attempts }
    } catch (error) {
      if (!(error instanceof SmtpFailure)) throw error
      attempts.push({ host, address, port, outcome: `${error.stage}: ${error.message}` })
      if (telling === undefined || weight(error) > weight(telling)) telling = error
      if (isFinal(error)) break
      // Between mail servers broken TLS is no reason to keep a mail (RFC 7435): the same server once more, in plain text.
      if (error.category === 'tls' && tls === 'opportunistic') routes.unshift({ ...route, tls: 'never' })
    }
  }
  if (telling !== undefined) throw telling.withAttempts(attempts)
  const reasons = attempts.map(({ outcome }) => outcome).join('; ')
  throw new MailscoutError('TARGET_FORBIDDEN', `No address of the mail server may be connected to: ${reasons}.`)
}

/** The envelope was refused for good, the mail may have been taken, or time is up: another server must not be asked. */
function isFinal(failure: SmtpFailure): boolean {
  if (failure.acceptedUnknown || failure.category === 'deadline') return true
  // A refusal before the envelope speaks of that server, not of the mail: Postfix too goes on to the next.
  const aboutTheMail: readonly SmtpStage[] = ['auth', 'mail', 'rcpt', 'data', 'accept']
  return failure.category === 'permanent' && aboutTheMail.includes(failure.stage)
}

/** What says most about the mail system outweighs what says least; of equals the first stands. */
function weight(failure: SmtpFailure): number {
  const order: readonly FailureCategory[] = ['connection', 'deadline', 'tls', 'protocol', 'temporary', 'permanent']
  return isFinal(failure) && failure.category !== 'deadline' ? order.length : order.indexOf(failure.category)
}

/** The value of `looking`, unless the deadline comes first. */
function within<T>({ runtime, deadlineMs, signal }: DeliveryOptions, looking: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new MailscoutError('DNS_UNAVAILABLE', `DNS did not answer within ${deadlineMs / 1000} s.`))
    const cancel = runtime.setTimer(deadlineMs, giveUp)
    signal?.addEventListener('abort', giveUp, { once: true })
    looking.then(resolve, reject).finally(() => {
      cancel()
      signal?.removeEventListener('abort', giveUp)
    })
  })
}
