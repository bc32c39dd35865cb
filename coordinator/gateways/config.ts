/** MAILSCOUT_SMS_GATEWAYS: a JSON array in the order of failover. Strict, so that a slip shows at the start and not at night. */
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { errorMessage } from '../../common/errors.ts'
import type { Runtime } from '../../common/runtime.ts'
import { createConsoleGateway } from './console.ts'
import type { Gateway } from './gateway.ts'
import { createHttpGateway } from './http.ts'
import { escapeForContentType, mentions, unknownPlaceholders } from './template.ts'

const Name = Type.Optional(Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,31}$' }))
const Pattern = Type.String({ minLength: 1, maxLength: 1000 })

const ConsoleGateway = Type.Object({ name: Name, kind: Type.Literal('console') }, { additionalProperties: false })

const HttpGateway = Type.Object(
  {
    name: Name,
    kind: Type.Literal('http'),
    method: Type.Optional(Type.Union([Type.Literal('GET'), Type.Literal('POST'), Type.Literal('PUT')])),
    url: Type.String({ maxLength: 4000 }),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$" }), Type.String({ maxLength: 4000 })),
    ),
    /** A template text, or a JSON value with templates in its strings. */
    body: Type.Optional(Type.Union([Type.String({ maxLength: 16_000 }), Type.Record(Type.String(), Type.Unknown())])),
    /** What counts as accepted; without it any 2xx. `body` is a regular expression that the answer must match. */
    success: Type.Optional(
      Type.Object(
        {
          status: Type.Optional(Type.Array(Type.Integer({ minimum: 100, maximum: 599 }), { minItems: 1, maxItems: 20 })),
          body: Type.Optional(Pattern),
        },
        { additionalProperties: false },
      ),
    ),
    /** A regular expression that finds the provider's message id in the answer: its first group, or the whole match. */
    provider_id: Type.Optional(Pattern),
  },
  { additionalProperties: false },
)

const schemas = { console: ConsoleGateway, http: HttpGateway } satisfies Record<string, TSchema>
type Kind = keyof typeof schemas

export type ConsoleGatewaySettings = Static<typeof ConsoleGateway> & { name: string }
export type HttpGatewaySettings = Static<typeof HttpGateway> & { name: string }
export type GatewaySettings = ConsoleGatewaySettings | HttpGatewaySettings

/** Where nothing is set: a trial shows its messages on the terminal. */
export const defaultGateways: GatewaySettings[] = [{ kind: 'console', name: 'console' }]

const gatewaysMax = 10

/**
 * Throws an Error that lists every fault; its message completes the sentence "MAILSCOUT_SMS_GATEWAYS …". It quotes no values,
 * because they hold passwords.
 */
export function parseGateways(text: string): GatewaySettings[] {
  const value = parseJson(text)
  if (!Array.isArray(value) || value.length < 1 || value.length > gatewaysMax) {
    throw new Error(`must be a JSON array of 1 to ${gatewaysMax} gateways, e.g. [{"kind":"console"}]`)
  }
  const faults = value.flatMap((item, index) => faultsOf(item).map((fault) => `[${index}]${fault}`))
  const settings = value.map((item) => ({ ...item, name: item?.name ?? item?.kind })) as GatewaySettings[]
  settings.forEach(({ name }, index) => {
    const first = settings.findIndex((other) => other.name === name)
    if (name !== undefined && first < index)
      faults.push(`[${index}].name must differ from that of [${first}] (without one, it is the kind)`)
  })
  if (faults.length > 0) throw new Error(`has ${faults.length} fault(s): ${faults.join('; ')}`)
  return settings
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // The parser's message quotes the text around the fault, which may be a password.
    throw new Error(`is not JSON${/ at position \d+/.exec(errorMessage(error))?.[0] ?? ''}`)
  }
}

const isKind = (kind: unknown): kind is Kind => typeof kind === 'string' && Object.hasOwn(schemas, kind)

function faultsOf(item: unknown): string[] {
  const kind = (item as { kind?: unknown } | null)?.kind
  if (!isKind(kind)) {
    const given = typeof kind === 'string' ? `, not ${JSON.stringify(kind.slice(0, 40))}` : ''
    return [`.kind must be one of ${Object.keys(schemas).join(', ')}${given}`]
  }
  const schema: TSchema = schemas[kind]
  const faults = [...Value.Errors(schema, item)].map((error) => describeFault(error))
  if (faults.length > 0) return [...new Set(faults)]
  return kind === 'http' ? templateFaults(item as HttpGatewaySettings) : []
}

type SchemaFault = ReturnType<typeof Value.Errors>[number]

function describeFault({ instancePath, keyword, message, params }: SchemaFault): string {
  const path = instancePath.replaceAll('/', '.')
  if (keyword === 'additionalProperties') {
    const names = (params as { additionalProperties?: string[] }).additionalProperties ?? []
    return `${path} has unknown fields: ${names.join(', ')}`
  }
  return `${path} ${message}`
}

function templateFaults({ url, headers = {}, body, method, success, provider_id }: HttpGatewaySettings): string[] {
  const bodyText = typeof body === 'string' ? body : JSON.stringify(body ?? '')
  const faults: string[] = []
  if (!(URL.canParse(url) && /^https?:\/\/[^/{}]+(\/|\?|$)/.test(url))) {
    faults.push('.url must be an http:// or https:// address, with placeholders only after the host')
  }
  const templates = {
    url,
    ...Object.fromEntries(Object.entries(headers).map(([name, text]) => [`headers.${name}`, text])),
    body: bodyText,
  }
  for (const [where, template] of Object.entries(templates)) {
    for (const name of unknownPlaceholders(template))
      faults.push(`.${where} has an unknown placeholder {${name}}; there are {to}, {text}, {reference}`)
  }
  for (const name of ['to', 'text'] as const) {
    if (!mentions(url + bodyText, name)) faults.push(`.url or .body must contain {${name}}`)
  }
  for (const [name, text] of Object.entries(headers)) {
    if (mentions(text, 'text')) faults.push(`.headers.${name} must not contain {text}: headers hold no free text`)
    if (/[^\x20-\x7e]/.test(text)) faults.push(`.headers.${name} must be printable ASCII`)
  }
  if (body !== undefined && method === 'GET') faults.push('.body needs the method POST or PUT')
  if (typeof body === 'string') {
    const type = Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
    if (escapeForContentType(type) === undefined) {
      faults.push(
        '.headers must give the content-type of .body: application/x-www-form-urlencoded, application/json, text/xml or text/plain',
      )
    }
  }
  for (const [where, pattern] of Object.entries({ 'success.body': success?.body, provider_id })) {
    if (pattern !== undefined && !isPattern(pattern)) faults.push(`.${where} is not a regular expression`)
  }
  return faults
}

function isPattern(pattern: string): boolean {
  try {
    new RegExp(pattern)
    return true
  } catch {
    return false
  }
}

/** `write` is where a `console` gateway prints. */
export function createGateways(
  settings: readonly GatewaySettings[],
  options: { runtime: Runtime; write: (text: string) => void },
): Gateway[] {
  return settings.map((gateway) =>
    gateway.kind === 'console' ? createConsoleGateway(gateway.name, options.write) : createHttpGateway(gateway, options.runtime),
  )
}
