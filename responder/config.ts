/** responder.json, as the onboarding page writes it: whom to trust, whither answers may go, and how they leave. No secret in it. */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type Environment, parseHostPort } from '../common/config.ts'
import { errorMessage, MailscoutError } from '../common/errors.ts'
import { isDomain, isMailAddress } from '../common/mail/headers.ts'
import { isPublicKeyX } from '../common/mail/jws.ts'
import type { TlsMode } from '../common/smtp/client.ts'

export type HostPort = { host: string; port: number }

export type Submission =
  | { kind: 'sendmail'; paths: readonly string[] }
  | ({ kind: 'host'; tls: TlsMode } & HostPort)
  | { kind: 'mx' }
  /** A fixed host for each return domain and what lies below it. */
  | { kind: 'routes'; routes: ReadonlyMap<string, HostPort> }

export type ResponderConfig = {
  /** Public root keys, base64url. */
  rootKeysX: readonly string[]
  /** Answers go only to addresses in these domains and below them. */
  returnDomains: readonly string[]
  /** The test addresses of this mail system; empty: whatever the delivery names. */
  addresses: readonly string[]
  /** Who answers; undefined: the test address itself. */
  from: string | undefined
  submission: Submission
  stateDir: string | undefined
  /** DNS servers for `submit`; empty: the system's. */
  dns: readonly string[]
}

const configPathDefault = '/etc/mailscout/responder.json'
const configBytesMax = 64 * 1024
const entriesMax = 100
const sendmailPaths = ['/usr/sbin/sendmail', '/usr/lib/sendmail']
const tlsModes: readonly TlsMode[] = ['opportunistic', 'required', 'implicit', 'never']
const settingNames = new Set(['root_keys', 'return_domains', 'addresses', 'from', 'submit', 'sendmail', 'state_dir', 'dns'])

export const responderConfigPath = (environment: Environment): string =>
  environment.MAILSCOUT_RESPONDER_CONFIG?.trim() || configPathDefault

/** Throws CONFIG_INVALID with every fault found. */
export function loadResponderConfig(path: string): ResponderConfig {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new MailscoutError('CONFIG_INVALID', `The configuration ${path} cannot be read: ${errorMessage(error)}`)
  }
  return parseResponderConfig(text, path)
}

/** Throws CONFIG_INVALID with every fault found, one a line. */
export function parseResponderConfig(text: string, path = 'responder.json'): ResponderConfig {
  const settings = readObject(text, path)
  const faults: string[] = []
  const list = (name: string, isValid: (value: unknown) => boolean, meaning: string, required = false): string[] =>
    readList(settings[name], { name, isValid, meaning, required }, faults)

  // A misspelt "adresses" that is passed over in silence would widen what is answered.
  for (const name of Object.keys(settings)) if (!settingNames.has(name)) faults.push(`${name}: there is no such setting`)
  const config: ResponderConfig = {
    rootKeysX: list('root_keys', isPublicKeyX, 'public keys of 43 characters', true),
    returnDomains: list('return_domains', isPinnableDomain, 'domain names with at least two labels', true).map(lower),
    addresses: list('addresses', isMailAddress, 'mail addresses').map(lower),
    from: optional(settings.from, isMailAddress, 'from: must be a mail address', faults),
    submission: readSubmission(settings, faults),
    stateDir: optional(settings.state_dir, isAbsolutePath, 'state_dir: must be an absolute path', faults),
    dns: list('dns', isServer, 'IP addresses, with a port where it is not 53'),
  }
  if (faults.length > 0) {
    throw new MailscoutError('CONFIG_INVALID', `${path} has ${faults.length} fault(s):\n  ${faults.join('\n  ')}`)
  }
  return config
}

function readObject(text: string, path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = text.length > configBytesMax ? undefined : JSON.parse(text)
  } catch (error) {
    throw new MailscoutError('CONFIG_INVALID', `${path} is not JSON: ${errorMessage(error)}`)
  }
  if (isObject(value)) return value
  throw new MailscoutError('CONFIG_INVALID', `${path} must hold one JSON object of at most ${configBytesMax / 1024} KiB.`)
}

type ListRule = { name: string; isValid: (value: unknown) => boolean; meaning: string; required: boolean }

function readList(value: unknown, { name, isValid, meaning, required }: ListRule, faults: string[]): string[] {
  if (value === undefined && !required) return []
  const fits = Array.isArray(value) && value.length <= entriesMax && value.every(isValid) && !(required && value.length === 0)
  if (fits) return value as string[]
  faults.push(`${name}: must be a list of ${required ? '1' : '0'} to ${entriesMax} ${meaning}`)
  return []
}

function optional(value: unknown, isValid: (value: unknown) => boolean, fault: string, faults: string[]): string | undefined {
  if (value === undefined) return undefined
  if (isValid(value)) return value as string
  faults.push(fault)
  return undefined
}

function readSubmission({ submit, sendmail }: Record<string, unknown>, faults: string[]): Submission {
  const own = optional(sendmail, isAbsolutePath, 'sendmail: must be an absolute path', faults)
  if (submit !== undefined && sendmail !== undefined) faults.push('submit, sendmail: only one of them can carry the answers')
  if (submit === undefined) return { kind: 'sendmail', paths: own === undefined ? sendmailPaths : [own] }
  if (submit === 'mx') return { kind: 'mx' }
  if (isObject(submit)) return 'routes' in submit ? readRoutes(submit, faults) : readHost(submit, faults)
  faults.push('submit: must be "mx", {"host": …} or {"routes": …}')
  return { kind: 'mx' }
}

function readHost(submit: Record<string, unknown>, faults: string[]): Submission {
  const { host, port = 25, tls = 'opportunistic', ...unknown } = submit
  for (const name of Object.keys(unknown)) faults.push(`submit.${name}: there is no such setting`)
  const isHost = isDomain(host) || (typeof host === 'string' && isIP(host) !== 0)
  if (!isHost) faults.push('submit.host: must be a host name or an IP address')
  if (!Number.isInteger(port) || Number(port) < 1 || Number(port) > 65_535) faults.push('submit.port: must be from 1 to 65535')
  if (!tlsModes.includes(tls as TlsMode)) faults.push(`submit.tls: must be one of ${tlsModes.join(', ')}`)
  return { kind: 'host', host: String(host), port: Number(port), tls: tls as TlsMode }
}

function readRoutes(submit: Record<string, unknown>, faults: string[]): Submission {
  const { routes, ...unknown } = submit
  for (const name of Object.keys(unknown)) faults.push(`submit.${name}: cannot stand beside routes`)
  const entries = isObject(routes) ? Object.entries(routes) : []
  if (entries.length === 0 || entries.length > entriesMax) faults.push(`submit.routes: must name 1 to ${entriesMax} domains`)
  const parsed = new Map<string, HostPort>()
  for (const [domain, target] of entries) {
    const name = JSON.stringify(domain.slice(0, 255))
    if (!isDomain(domain)) faults.push(`submit.routes: ${name} is not a domain name`)
    try {
      parsed.set(domain.toLowerCase(), parseHostPort(String(target), 25))
    } catch (error) {
      faults.push(`submit.routes: ${name} ${errorMessage(error)}`)
    }
  }
  return { kind: 'routes', routes: parsed }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isAbsolutePath = (value: unknown): boolean =>
  typeof value === 'string' && value.length <= 4096 && /^(\/|[A-Za-z]:[\\/])[^\0]*$/.test(value)
/** A whole top-level domain would let answers go to anybody in it. */
const isPinnableDomain = (value: unknown): boolean => isDomain(value) && value.includes('.')
const isServer = (value: unknown): boolean => {
  if (typeof value !== 'string') return false
  if (isIP(value) !== 0) return true
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(value)
  return parts !== null && isIP(parts[1] ?? parts[2] ?? '') !== 0 && Number(parts[3]) >= 1 && Number(parts[3]) <= 65_535
}
const lower = (text: string): string => text.toLowerCase()
