/** The coordinator's settings (DESIGN 6): read once, every fault reported at once. */
import { resolve } from 'node:path'
import { type Environment, logLevels, parseHostPort, SettingsReader } from '../common/config.ts'
import { isMailAddress } from '../common/mail/headers.ts'
import type { Reference } from '../common/wire/test.ts'
import { defaultGateways, type GatewaySettings, parseGateways } from './gateways/config.ts'

export type CoordinatorConfig = {
  port: number
  host: string
  logLevel: string
  dataDir: string
  /** Null: the embedded PostgreSQL in `dataDir`. */
  databaseUrl: string | null
  /** Without a trailing slash. */
  publicUrl: string
  operatorKey: string | null
  references: Reference[]
  gateways: GatewaySettings[]
  operatorPhone: string | null
}

const operatorKeyLengthMin = 32

export function readCoordinatorConfig(environment: Environment): CoordinatorConfig {
  const settings = new SettingsReader(environment)
  const port = settings.integer('PORT', 8080, { min: 1, max: 65_535 })
  const config: CoordinatorConfig = {
    port,
    host: settings.text('HOST') ?? '0.0.0.0',
    logLevel: settings.oneOf('LOG_LEVEL', logLevels, 'info'),
    dataDir: resolve(settings.text('DATA_DIR') ?? './data'),
    databaseUrl: settings.parsed('DATABASE_URL', null, parseDatabaseUrl),
    publicUrl: settings.parsed('PUBLIC_URL', `http://localhost:${port}`, parsePublicUrl),
    operatorKey: settings.parsed('MAILSCOUT_OPERATOR_KEY', null, parseOperatorKey),
    references: settings.parsed('MAILSCOUT_REFERENCES', [], parseReferences),
    gateways: settings.parsed('MAILSCOUT_SMS_GATEWAYS', defaultGateways, parseGateways),
    operatorPhone: settings.parsed('MAILSCOUT_OPERATOR_PHONE', null, parsePhone),
  }
  settings.finish()
  return config
}

function parseDatabaseUrl(text: string): string {
  if (/^postgres(ql)?:$/.test(URL.canParse(text) ? new URL(text).protocol : '')) return text
  throw new Error('must look like postgres://user:password@host:5432/database')
}

function parsePublicUrl(text: string): string {
  if (/^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '')) return text.replace(/\/+$/, '')
  throw new Error(`must be an http:// or https:// address, not ${JSON.stringify(text)}`)
}

function parseOperatorKey(text: string): string {
  if (text.length >= operatorKeyLengthMin) return text
  throw new Error(`must have at least ${operatorKeyLengthMin} characters; openssl rand -base64 32 makes one`)
}

function parsePhone(text: string): string {
  if (/^\+[1-9]\d{6,14}$/.test(text)) return text
  throw new Error('must be a number in international form, as +61412345678')
}

/** `scout@reference.example, other@reference2.example=192.0.2.1:2525`: where to connect, if not to the MX, stands behind `=`. */
function parseReferences(text: string): Reference[] {
  return text.split(',').map((item) => {
    const [address = '', server] = item.trim().split('=')
    if (!isMailAddress(address)) throw new Error(`names ${JSON.stringify(address)}, which is no mail address`)
    return { address, ...(server === undefined ? {} : parseHostPort(server, 25)) }
  })
}
