/** Delivery status notifications: a strict reading of RFC 3464 inside RFC 6522, and of qmail's QSBMF. */
import { plainText } from './headers.ts'
import { contentType, decode, type Header, headerValue, type Message, readHeaders } from './message.ts'

export type DsnRecipient = {
  finalRecipient?: string
  /** failed, delayed, delivered, relayed or expanded. */
  action: string
  /** RFC 3463: `5.1.1`. */
  status?: string
  /** The words of the server that refused, without their type. */
  diagnostic?: string
  remoteMta?: string
}
export type Dsn = { envelopeId?: string; recipients: DsnRecipient[] }

const partsMax = 20
const recipientsMax = 20
const wordsMax = 1000
const actions = new Set(['failed', 'delayed', 'delivered', 'relayed', 'expanded'])

/** Undefined where the mail is no well-formed multipart/report about a delivery. */
export function parseDsn(message: Message): Dsn | undefined {
  const { type, parameters } = contentType(message)
  const boundary = parameters.get('boundary')
  const reportType = parameters.get('report-type')?.toLowerCase()
  if (type !== 'multipart/report' || reportType !== 'delivery-status' || boundary === undefined || boundary === '')
    return undefined
  const report = splitParts(message.body, boundary).find((part) =>
    /^message\/(global-)?delivery-status$/.test(contentType(part).type),
  )
  return report === undefined ? undefined : readReport(report)
}

/** A bounce by its outer marks, where it is no well-formed report: such a mail may quote ours and is never its return. */
export function looksLikeBounce(message: Message): boolean {
  return (
    contentType(message).type === 'multipart/report' ||
    headerValue(message, 'x-failed-recipients') !== undefined ||
    /(^|[<\s"])mailer-daemon([@>\s"]|$)/i.test((headerValue(message, 'from') ?? '').slice(0, 500)) ||
    qsbmfPattern.test(message.body.slice(0, 200))
  )
}

/** QSBMF (qmail): `Hi. This is the qmail-send program`, then paragraphs `<address>:` with the words of the server. */
const qsbmfPattern = /^\s*Hi\. This is the /

/** Status and words of a bounce that is no RFC 3464 report, as far as they can be found. */
export function looseDiagnostic(message: Message): Pick<DsnRecipient, 'status' | 'diagnostic'> {
  const text = message.body.slice(0, 4000)
  const paragraph = /\n<[^>\n]{3,320}>:\r?\n((?:[^\r\n]+\r?\n){1,10})/.exec(text)?.[1]
  const status = /(?:^|[\s#(])([45]\.\d{1,3}\.\d{1,3})(?=[\s).,;:]|$)/m.exec(paragraph ?? text)?.[1]
  return {
    ...(status === undefined ? {} : { status }),
    ...(paragraph === undefined ? {} : { diagnostic: plainText(paragraph, wordsMax) }),
  }
}

function readReport(report: Message): Dsn | undefined {
  const [perMessage, ...groups] = decode(report.body, headerValue(report, 'content-transfer-encoding'))
    .trim()
    .split(/\r?\n(?:[ \t]*\r?\n)+/, recipientsMax + 1)
    .map((group) => ({ headers: readHeaders(group) }))
  const recipients = groups.flatMap((group) => readRecipient(group))
  const envelopeId = headerValue(perMessage ?? { headers: [] }, 'original-envelope-id')
  if (recipients.length === 0) return undefined
  return { ...(envelopeId === undefined ? {} : { envelopeId: plainText(envelopeId, 100) }), recipients }
}

function readRecipient(group: { headers: Header[] }): DsnRecipient[] {
  const action = (headerValue(group, 'action') ?? '').toLowerCase()
  if (!actions.has(action)) return []
  const finalRecipient = typed(headerValue(group, 'final-recipient'), 320)
  const status = /^([245]\.\d{1,3}\.\d{1,3})\b/.exec(headerValue(group, 'status') ?? '')?.[1]
  const diagnostic = typed(headerValue(group, 'diagnostic-code'), wordsMax)
  const remoteMta = typed(headerValue(group, 'remote-mta'), 255)
  return [
    {
      action,
      ...(finalRecipient === undefined ? {} : { finalRecipient }),
      ...(status === undefined ? {} : { status }),
      ...(diagnostic === undefined ? {} : { diagnostic }),
      ...(remoteMta === undefined ? {} : { remoteMta }),
    },
  ]
}

/** `rfc822; user@example.com` without its type. */
function typed(value: string | undefined, charsMax: number): string | undefined {
  if (value === undefined) return undefined
  const text = plainText(value.replace(/^[\w-]+\s*;/, ''), charsMax)
  return text === '' ? undefined : text
}

function splitParts(body: string, boundary: string): Message[] {
  const parts: string[][] = []
  for (const line of body.split(/\r?\n/)) {
    const delimiter = line.trimEnd()
    if (delimiter === `--${boundary}--`) break
    if (delimiter === `--${boundary}`) {
      if (parts.length === partsMax) break
      parts.push([])
    } else parts[parts.length - 1]?.push(line)
  }
  return parts.map((lines) => {
    const blank = lines.indexOf('')
    const headEnd = blank < 0 ? lines.length : blank
    return { headers: readHeaders(lines.slice(0, headEnd).join('\n')), body: lines.slice(headEnd + 1).join('\n') }
  })
}
