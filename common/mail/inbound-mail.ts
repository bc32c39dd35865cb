/**
 * What has come to the return address? bytes → message → our token? → report? → stamp? → one of six kinds.
 *
 * A round trip is proved by a verified token and a stamp in a mail that is no bounce; Subject, References and Message-ID
 * only hint (DESIGN 3.1).
 */
import { type DsnRecipient, looksLikeBounce, looseDiagnostic, parseDsn } from './dsn.ts'
import {
  contentType,
  findTokens,
  headerValue,
  headerValues,
  type Message,
  rawBlocks,
  readHeaders,
  readMessage,
  texts,
} from './message.ts'
import { findStamp } from './stamp.ts'
import { type TokenClaims, testOfEnvelopeId, type VerifiedToken, verifyToken } from './token.ts'
import { type Hop, parseTrace } from './trace.ts'

/** Where a mail without proof might belong: for the log and for a person, never for a verdict. */
export type Hints = { messageIds: string[]; shortTestId?: string }

/** `trace`: the hops of this mail, in the order of travel. */
type Common = { trace: Hop[]; hints: Hints }

export type InboundMail = Common &
  (
    | {
        kind: 'returned'
        token: TokenClaims
        /** When the responder received this copy, by its clock. With `firstStampMs`, that one is the time to compute with. */
        stampMs: number
        firstStampMs?: number
        clockSuspect: boolean
        responderVersion: string
        /** The hops of the test mail on its way out, as the responder saw them. */
        outboundTrace: Hop[]
      }
    | { kind: 'echo'; token: TokenClaims }
    | ({ kind: 'bounce' | 'delayed'; tid?: string } & Pick<
        DsnRecipient,
        'status' | 'diagnostic' | 'remoteMta' | 'finalRecipient'
      >)
    | { kind: 'auto_reply'; tid?: string }
    | { kind: 'foreign' }
  )

const hintsMax = 10

/** `probeX`: the public key of this probe; what another probe minted proves nothing here. Never throws on any bytes. */
export function readReturnedMail(
  raw: Uint8Array | string,
  trusted: { rootKeysX: readonly string[]; probeX: string },
): InboundMail {
  const message = readMessage(raw)
  const common: Common = { trace: parseTrace(headerValues(message, 'received')), hints: hintsOf(message) }
  const token = ownToken(message, trusted)
  const report = readReport(message, token)
  if (report !== undefined) return { ...common, ...report }
  if (token === undefined) return { ...common, kind: isReply(message) ? 'auto_reply' : 'foreign' }

  const bodyTexts = texts(message)
  const stamp = findStamp(message, bodyTexts, token.tid)
  if (stamp !== undefined) {
    const { atMs, firstMs, clockSuspect, responderVersion } = stamp
    const first = firstMs === undefined ? {} : { firstStampMs: firstMs }
    const outboundTrace = quotedTrace(bodyTexts)
    return { ...common, kind: 'returned', token, stampMs: atMs, ...first, clockSuspect, responderVersion, outboundTrace }
  }
  // An absence note that quotes our mail is not our mail come back.
  return isReply(message) || answersTo(message, token.mid)
    ? { ...common, kind: 'auto_reply', tid: token.tid }
    : { ...common, kind: 'echo', token }
}

function ownToken(message: Message, trusted: { rootKeysX: readonly string[]; probeX: string }): TokenClaims | undefined {
  for (const candidate of findTokens(message)) {
    const verified = verifiedOrUndefined(candidate, trusted.rootKeysX)
    if (verified?.certificate.x === trusted.probeX) return verified.token
  }
  return undefined
}

function verifiedOrUndefined(candidate: string, rootKeysX: readonly string[]): VerifiedToken | undefined {
  try {
    return verifyToken(candidate, rootKeysX)
  } catch {
    // Whatever does not verify is not a token; the mail may hold another one.
    return undefined
  }
}

type Report = { kind: 'bounce' | 'delayed' | 'auto_reply'; tid?: string } & Partial<DsnRecipient>

function readReport(message: Message, token: TokenClaims | undefined): Report | undefined {
  const dsn = parseDsn(message)
  const tid = (dsn?.envelopeId === undefined ? undefined : testOfEnvelopeId(dsn.envelopeId)) ?? token?.tid
  const proved = tid === undefined ? {} : { tid }
  if (dsn !== undefined) {
    const recipient =
      dsn.recipients.find(({ action }) => action === 'failed') ?? dsn.recipients.find(({ action }) => action === 'delayed')
    // `delivered`, `relayed` and `expanded` say nothing about a return.
    if (recipient === undefined) return { kind: 'auto_reply', ...proved }
    const { action, ...words } = recipient
    return { kind: action === 'failed' ? 'bounce' : 'delayed', ...proved, ...words }
  }
  if (!looksLikeBounce(message)) return undefined
  const { type, parameters } = contentType(message)
  const receipt = type === 'multipart/report' && parameters.get('report-type')?.toLowerCase() !== 'delivery-status'
  if (receipt) return { kind: 'auto_reply', ...proved }
  const words = looseDiagnostic(message)
  return { kind: words.status?.startsWith('4') === true ? 'delayed' : 'bounce', ...proved, ...words }
}

const isReply = (message: Message): boolean =>
  headerValues(message, 'auto-submitted').some((value) => /^auto-(replied|notified)\b/i.test(value)) ||
  ['x-autoreply', 'x-autorespond', 'x-autoresponder'].some((name) => headerValue(message, name) !== undefined)

const answersTo = (message: Message, messageId: string): boolean =>
  headerValues(message, 'in-reply-to').some((value) => value.includes(messageId))

function quotedTrace(bodyTexts: readonly string[]): Hop[] {
  const quoted = bodyTexts.flatMap((text) => rawBlocks(text, 'TRACE'))[0] ?? ''
  const head = quoted.split(/\r?\n/).map((line) => line.replace(/^[>|]+ ?/, '').replace(/^> ?/, ''))
  return parseTrace(headerValues({ headers: readHeaders(head.filter((line) => line.trim() !== '').join('\n')) }, 'received'))
}

function hintsOf(message: Message): Hints {
  const values = ['in-reply-to', 'references', 'message-id'].flatMap((name) => headerValues(message, name))
  const messageIds = values.flatMap((value) => value.slice(0, 4000).match(/<[^<>\s]{3,250}>/g) ?? [])
  const short = /\bMailscout test ([0-9a-f]{12})\b/.exec((headerValue(message, 'subject') ?? '').slice(0, 1000))?.[1]
  return { messageIds: [...new Set(messageIds)].slice(0, hintsMax), ...(short === undefined ? {} : { shortTestId: short }) }
}
