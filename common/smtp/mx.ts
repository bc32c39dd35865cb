/** Which servers take mail for a domain, in the order in which a mail server would try them (RFC 5321 §5.1). */
import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { errorMessage, isMailscoutError, MailscoutError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'

export type AddressFamily = 4 | 6
export type MailAddress = { address: string; family: AddressFamily }
export type MailHost = { host: string; priority: number; addresses: MailAddress[] }

/** What is needed of a resolver; one of `node:dns/promises` fits, and a test may hand in tables. */
export type MailResolver = {
  resolveMx(domain: string): Promise<{ exchange: string; priority: number }[]>
  resolve4(host: string): Promise<string[]>
  resolve6(host: string): Promise<string[]>
  /** As programs of this machine see a name, its hosts file included; for a host that was named directly and is not in DNS. */
  lookup?(host: string): Promise<string[]>
}

/** RFC 5321 §5.1 wants at least two addresses tried; more than these never help and cost the deadline. */
export const mailHostsMax = 10
export const mailAddressesMax = 20

/**
 * @param servers DNS servers as IP addresses, with a port where it is not 53 (`192.0.2.1:5353`, `[::1]:5353`); default: the system's.
 * @param timeoutMs for each of two tries.
 */
export function createResolver(servers?: readonly string[], timeoutMs = 3000): MailResolver {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
  const own = servers !== undefined && servers.length > 0
  if (own) resolver.setServers(servers)
  return {
    resolveMx: (domain) => resolver.resolveMx(domain),
    resolve4: (host) => resolver.resolve4(host),
    resolve6: (host) => resolver.resolve6(host),
    ...(own ? {} : { lookup: async (host) => (await lookup(host, { all: true })).map(({ address }) => address) }),
  }
}

/**
 * The hosts that take mail for `domain`, best first, each with its addresses; never empty.
 * @throws MailscoutError MAIL_NOT_ACCEPTED (null MX), MAIL_HOST_NOT_FOUND (permanent) or DNS_UNAVAILABLE (temporary).
 */
export async function resolveMailHosts(
  domain: string,
  resolver: MailResolver,
  random: Pick<Runtime, 'randomBytes'>,
): Promise<MailHost[]> {
  const literal = addressLiteral(domain)
  if (literal !== undefined) return [{ host: literal, priority: 0, addresses: [withFamily(literal)] }]
  const name = checkDomain(domain)
  const exchanges = await mailExchanges(name, resolver)
  // No MX at all: the domain's own address takes its mail (RFC 5321 §5.1, "implicit MX").
  const chosen = exchanges.length === 0 ? [{ exchange: name, priority: 0 }] : inOrder(exchanges, random).slice(0, mailHostsMax)
  const answers = await Promise.allSettled(chosen.map(({ exchange }) => addressesOf(exchange, resolver)))
  const found = withinBounds(
    chosen.map(({ exchange, priority }, at) => ({ host: exchange, priority, addresses: foundIn(answers[at]) })),
  )
  if (found.length > 0) return found
  // One name that could not be looked up may yet take the mail: only when all are known to be absent is it final.
  const faults = faultsIn(answers)
  throw (
    faults.find((fault) => isMailscoutError(fault, 'DNS_UNAVAILABLE')) ??
    new MailscoutError('MAIL_HOST_NOT_FOUND', `No mail server of ${name} has an address.`, { field: 'domain', cause: faults[0] })
  )
}

/**
 * A host that was named directly: no MX is asked for. An IP address is itself.
 * @param family Its addresses of this family only, as if it had no others.
 * @throws MailscoutError MAIL_HOST_NOT_FOUND or DNS_UNAVAILABLE.
 */
export async function resolveHost(host: string, resolver: MailResolver, family?: AddressFamily): Promise<MailHost> {
  const literal = isIP(host) === 0 ? addressLiteral(host) : host
  if (literal !== undefined) return { host: literal, priority: 0, addresses: ofFamily([withFamily(literal)], family, host) }
  const name = checkDomain(host)
  const asked = family === undefined ? resolver : restricted(resolver, family)
  const found = await addressesOf(name, asked).catch((fault: unknown) => lookUp(name, asked, fault))
  return { host, priority: 0, addresses: ofFamily(found, family, name).slice(0, mailAddressesMax) }
}

/** Knows no addresses of the other family, so that a fault there hides none here. */
const restricted = (resolver: MailResolver, family: AddressFamily): MailResolver => ({
  ...resolver,
  ...(family === 4 ? { resolve6: async () => [] } : { resolve4: async () => [] }),
})

/** The hosts file, a literal and `localhost` ask nobody: what they give is of both families. */
function ofFamily(addresses: MailAddress[], family: AddressFamily | undefined, name: string): MailAddress[] {
  const wanted = addresses.filter((address) => family === undefined || address.family === family)
  if (wanted.length > 0) return wanted
  throw new MailscoutError('MAIL_HOST_NOT_FOUND', `${name} has no IPv${family} address.`, { field: 'domain' })
}

/**
 * DNS knows no such name, or there is no DNS: the hosts file may. A name that DNS is silent about is not asked for again: look-ups of
 * the system block, few of them at once, and one customer's dead zone would hold up everybody's tests.
 */
async function lookUp(name: string, resolver: MailResolver, fault: unknown): Promise<MailAddress[]> {
  const noDns = fault instanceof Error && codeOf(fault.cause) === 'ECONNREFUSED'
  if (resolver.lookup === undefined || !(noDns || isMailscoutError(fault, 'MAIL_HOST_NOT_FOUND'))) throw fault
  const found = await resolver.lookup(name).catch(() => [])
  if (found.length === 0) throw fault
  return found.filter((address) => isIP(address) !== 0).map(withFamily)
}

/** `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3). */
function addressLiteral(domain: string): string | undefined {
  const inside = /^\[(?:IPv6:)?([0-9a-fA-F:.]+)\]$/i.exec(domain)?.[1]
  return inside !== undefined && isIP(inside) !== 0 ? inside : undefined
}

function checkDomain(domain: string): string {
  // domainToASCII follows the URL parser, which drops line ends and tabs without a word.
  const name = /[\s\p{Cc}]/u.test(domain) ? '' : domainToASCII(domain.replace(/\.$/, ''))
  if (isHostName(name)) return name
  throw new MailscoutError('ADDRESS_INVALID', `${JSON.stringify(domain.slice(0, 253))} is not a domain name.`, {
    field: 'domain',
  })
}

/** DNS itself allows any byte in a name; what goes on into TLS and logs is held to letters, digits, hyphen and underscore. */
const isHostName = (name: string): boolean => name.length <= 253 && /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/.test(name)

async function mailExchanges(domain: string, resolver: MailResolver): Promise<{ exchange: string; priority: number }[]> {
  const records = await resolver.resolveMx(domain).catch((error: unknown) => {
    if (codeOf(error) === 'ENODATA') return []
    throw dnsFault(domain, 'MX', error)
  })
  const isNull = (exchange: string) => exchange === '' || exchange === '.'
  const named = records.filter(({ exchange }) => !isNull(exchange))
  if (records.length > 0 && named.length === 0) {
    throw new MailscoutError('MAIL_NOT_ACCEPTED', `${domain} says that it takes no mail (null MX, RFC 7505).`, {
      field: 'domain',
    })
  }
  const tidied = named.map(({ exchange, priority }) => ({ exchange: exchange.replace(/\.$/, '').toLowerCase(), priority }))
  const valid = tidied.filter(({ exchange }) => isHostName(exchange))
  if (named.length > 0 && valid.length === 0) {
    throw new MailscoutError('MAIL_HOST_NOT_FOUND', `The MX records of ${domain} hold no host name.`, { field: 'domain' })
  }
  return valid
}

/** By priority, in random order where it is equal, which is how the owners of the domain spread load. */
function inOrder<T extends { priority: number }>(records: readonly T[], random: Pick<Runtime, 'randomBytes'>): T[] {
  const draws = records.map((record) => ({ record, draw: Buffer.from(random.randomBytes(4)).readUInt32BE() }))
  return draws.sort((a, b) => a.record.priority - b.record.priority || a.draw - b.draw).map(({ record }) => record)
}

async function addressesOf(host: string, resolver: MailResolver): Promise<MailAddress[]> {
  if (host === 'localhost' || host.endsWith('.localhost')) return ['127.0.0.1', '::1'].map(withFamily) // RFC 6761 §6.3
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
  // An answer for one family is worth more than a failure for the other.
  const addresses = answers.flatMap(foundIn).filter((address) => isIP(address) !== 0)
  if (addresses.length > 0) return addresses.map(withFamily)
  const faults = faultsIn(answers).map((reason) => dnsFault(host, 'address', reason))
  throw faults.find((fault) => fault.temporary) ?? faults[0] ?? dnsFault(host, 'address', undefined)
}

const withFamily = (address: string): MailAddress => ({ address, family: isIP(address) === 6 ? 6 : 4 })

/** Hosts that have addresses, as long as the bound on addresses holds. */
function withinBounds(hosts: readonly MailHost[]): MailHost[] {
  let left = mailAddressesMax
  return hosts.flatMap((host) => {
    const addresses = host.addresses.slice(0, left)
    left -= addresses.length
    return addresses.length === 0 ? [] : [{ ...host, addresses }]
  })
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

/** Only a server's clear "there is none" is permanent; everything else may be another answer in a minute. */
function dnsFault(name: string, what: string, error: unknown): MailscoutError {
  const code = codeOf(error)
  if (error === undefined || code === 'ENOTFOUND' || code === 'ENODATA') {
    const reason = code === 'ENOTFOUND' && what === 'MX' ? 'does not exist' : 'has no address'
    return new MailscoutError('MAIL_HOST_NOT_FOUND', `${name} ${reason} in DNS.`, { field: 'domain', cause: error })
  }
  const reason = typeof code === 'string' ? code : errorMessage(error)
  return new MailscoutError('DNS_UNAVAILABLE', `The ${what} of ${name} could not be looked up (${reason}).`, { cause: error })
}

const foundIn = <T>(answer: PromiseSettledResult<T[]> | undefined): T[] => (answer?.status === 'fulfilled' ? answer.value : [])

const faultsIn = (answers: readonly PromiseSettledResult<unknown>[]): unknown[] =>
  answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
