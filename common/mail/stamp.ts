/**
 * The responder's stamp as text: `v=1; tid=…; at=…; first=…; clock=suspect; responder=0.1.0`. It stands in a header and again
 * in the body, because some gateways drop headers that they do not know.
 */
import { blocks, type Message, ownHeaderValues } from './message.ts'

export type Stamp = {
  tid: string
  /** When the responder received this copy of the mail; UTC by its own clock, milliseconds since the epoch. */
  atMs: number
  /** Only in a repeated answer: when it received the first copy. This is the one to compute with. */
  firstMs?: number
  /** The token's times and the responder's clock do not agree. */
  clockSuspect: boolean
  responderVersion: string
}

export const stampHeaderName = 'X-Mailscout-Stamp'
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** The pairs of a stamp, one a line in the body, joined by blanks in the header. */
export function stampPairs(stamp: Stamp): string[] {
  return [
    'v=1;',
    `tid=${stamp.tid};`,
    `at=${new Date(stamp.atMs).toISOString()};`,
    ...(stamp.firstMs === undefined ? [] : [`first=${new Date(stamp.firstMs).toISOString()};`]),
    ...(stamp.clockSuspect ? ['clock=suspect;'] : []),
    `responder=${stamp.responderVersion}`,
  ]
}

/** The first well-formed stamp for this very test, wherever it stands in the mail. */
export function findStamp(message: Message, bodyTexts: readonly string[], tid: string): Stamp | undefined {
  const candidates = [
    ...ownHeaderValues(message, bodyTexts, stampHeaderName),
    ...bodyTexts.flatMap((text) => blocks(text, 'STAMP')),
  ]
  return candidates.map(parseStamp).find((stamp) => stamp?.tid === tid)
}

/** `text` without blanks, as after any folding and wrapping. */
function parseStamp(text: string): Stamp | undefined {
  if (text.length > 500) return undefined
  const pairs = new Map(text.split(';').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]))
  const atMs = readTime(pairs.get('at'))
  const firstMs = readTime(pairs.get('first'))
  const tid = pairs.get('tid')
  const responderVersion = pairs.get('responder') ?? ''
  if (pairs.get('v') !== '1' || tid === undefined || atMs === undefined || !isVersion(responderVersion)) return undefined
  const clockSuspect = pairs.get('clock') === 'suspect'
  return { tid, atMs, ...(firstMs === undefined ? {} : { firstMs }), clockSuspect, responderVersion }
}

function readTime(text: string | undefined): number | undefined {
  if (text === undefined || !timePattern.test(text)) return undefined
  const timeMs = Date.parse(text)
  return Number.isNaN(timeMs) ? undefined : timeMs
}

export const isVersion = (text: string): boolean => /^[\w.+-]{1,32}$/.test(text)
