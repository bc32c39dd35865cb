/** The probe's settings (DESIGN 6): one value from the environment, all faults reported at once. */
import { isIP } from 'node:net'
import { type Environment, logLevels, parseHostPort, SettingsReader } from '../common/config.ts'
import { isMailAddress } from '../common/mail/headers.ts'
import { readEnrolmentToken } from '../common/wire/enrolment-token.ts'

export type InboxConfig =
  /** The probe's own listener for returned mail. */
  | { kind: 'smtp'; host: string; port: number }
  /** A mailbox at a mail provider; `secure` is TLS from the first byte. */
  | { kind: 'imap'; host: string; port: number; secure: boolean; user: string; password: string; mailbox: string }

export type Cidr = { address: string; prefix: number; family: 'ipv4' | 'ipv6' }

export type ProbeConfig = {
  /** Where to dial, in order of preference. */
  coordinators: readonly string[]
  /** Needed at the first start only. */
  enrolmentToken: string | undefined
  /** Also the one envelope sender. */
  returnAddress: string
  inbox: InboxConfig
  /** `ADDRESS` or `ADDRESS:PORT` as node:dns takes them; empty means the system's. */
  dnsServers: readonly string[]
  /** Empty means that the clock is not checked. */
  ntpServers: readonly { host: string; port: number }[]
  /** Private addresses that may be targets all the same, on any port. */
  allowTargets: readonly Cidr[]
  dataDir: string
  logLevel: (typeof logLevels)[number]
  /** Where /healthz and /metrics are served; undefined means nowhere. */
  status: { host: string; port: number } | undefined
}

/** Throws CONFIG_INVALID naming every fault. */
export function readProbeConfig(environment: Environment): ProbeConfig {
  const settings = new SettingsReader(environment)
  const noInbox: InboxConfig = { kind: 'smtp', host: '', port: 25 }
  settings.required('MAILSCOUT_COORDINATORS', 'the address of the coordinator, such as wss://mailscout.example/probe')
  settings.required('MAILSCOUT_RETURN_ADDRESS', 'the address that test mails come back to, such as rt@eu.probe.example')
  settings.required('MAILSCOUT_INBOX', 'smtp://0.0.0.0:25 for a listener of its own, or imaps://user:password@host/INBOX')
  const config: ProbeConfig = {
    coordinators: settings.parsed('MAILSCOUT_COORDINATORS', [], (text) => list(text).map(parseCoordinator)),
    enrolmentToken: settings.parsed<string | undefined>('MAILSCOUT_ENROLMENT_TOKEN', undefined, parseToken),
    returnAddress: settings.parsed('MAILSCOUT_RETURN_ADDRESS', '', parseReturnAddress),
    inbox: settings.parsed('MAILSCOUT_INBOX', noInbox, parseInbox),
    dnsServers: settings.parsed('MAILSCOUT_DNS', [], (text) => list(text).map(parseDnsServer)),
    ntpServers: settings.parsed('MAILSCOUT_NTP', [{ host: 'pool.ntp.org', port: 123 }], parseNtp),
    allowTargets: settings.parsed('MAILSCOUT_ALLOW_TARGETS', [], (text) => list(text).map(parseCidr)),
    dataDir: settings.text('DATA_DIR') ?? './data',
    logLevel: settings.oneOf('LOG_LEVEL', logLevels, 'info'),
    status:
      settings.text('PORT') === undefined
        ? undefined
        : { host: settings.text('HOST') ?? '0.0.0.0', port: settings.integer('PORT', 8080, { min: 1, max: 65_535 }) },
  }
  settings.finish()
  return config
}

const list = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '')

function parseCoordinator(text: string): string {
  const url = parseUrl(text, 'must be one or more ws:// or wss:// addresses separated by commas')
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new Error(`must be ws:// or wss:// addresses, not ${url.protocol}`)
  if (url.username !== '' || url.password !== '')
    throw new Error('must hold no user or password: the probe proves itself by its key')
  // The link lives at /probe (DESIGN 6), so that a bare host is enough.
  if (url.pathname === '/' || url.pathname === '') url.pathname = '/probe'
  return url.href
}

function parseToken(text: string): string {
  try {
    readEnrolmentToken(text)
  } catch (error) {
    // The token is a secret: the message must not repeat it.
    throw new Error(`is no enrolment token: ${error instanceof Error ? error.message : String(error)}`)
  }
  return text
}

function parseReturnAddress(text: string): string {
  if (!isMailAddress(text)) throw new Error(`must be one mail address such as rt@eu.probe.example, not ${JSON.stringify(text)}`)
  return text
}

const inboxForms =
  'must be smtp://ADDRESS:PORT, imaps://USER:PASSWORD@HOST[:PORT]/MAILBOX or imap://… (the password percent-encoded)'

/** The text may hold a password, which no message repeats. */
function parseInbox(text: string): InboxConfig {
  const url = parseUrl(text, inboxForms)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new Error(inboxForms)
  if (url.protocol === 'smtp:') return { kind: 'smtp', host, port: url.port === '' ? 25 : Number(url.port) }
  if (url.protocol !== 'imap:' && url.protocol !== 'imaps:') throw new Error(inboxForms)
  const secure = url.protocol === 'imaps:'
  const user = decoded(url.username)
  const password = decoded(url.password)
  if (user === '' || password === '') throw new Error(`${inboxForms}: user and password are missing`)
  const mailbox = decoded(url.pathname.replace(/^\//, '')) || 'INBOX'
  return { kind: 'imap', host, port: url.port === '' ? (secure ? 993 : 143) : Number(url.port), secure, user, password, mailbox }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new Error(`${inboxForms}: a percent sign that encodes nothing`)
  }
}

function parseUrl(text: string, fault: string): URL {
  if (!URL.canParse(text)) throw new Error(fault)
  return new URL(text)
}

function parseDnsServer(text: string): string {
  if (isIP(text) !== 0) return text
  const { host, port } = parseHostPort(text, 53)
  if (isIP(host) === 0) throw new Error(`must be IP addresses, with a port where it is not 53, not ${JSON.stringify(text)}`)
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function parseNtp(text: string): { host: string; port: number }[] {
  if (text === 'off') return []
  return list(text).map((server) => (isIP(server) === 6 ? { host: server, port: 123 } : parseHostPort(server, 123)))
}

function parseCidr(text: string): Cidr {
  const [address = '', prefixText, ...rest] = text.split('/')
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  const prefix = prefixText === undefined ? bits : Number(prefixText)
  const sound =
    version !== 0 && rest.length === 0 && prefixText !== '' && Number.isInteger(prefix) && prefix >= 0 && prefix <= bits
  if (!sound) throw new Error(`must be networks such as 10.0.0.0/8 or fd00::/8, not ${JSON.stringify(text)}`)
  return { address, prefix, family: version === 6 ? 'ipv6' : 'ipv4' }
}
