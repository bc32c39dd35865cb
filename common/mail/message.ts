/**
 * raw bytes → headers, unfolded → texts → candidate tokens.
 *
 * A bounded reading that builds no MIME tree: deep and wide trees have killed many parsers, and all that we look for is a
 * signed text between two markers. Characters are octets (latin1), because everything that we look for is ASCII.
 */
import { chunks } from './headers.ts'

export type Header = { name: string; value: string }
/** `headers` in their order, names in lower case; `body` as it came, before any decoding. */
export type Message = { headers: readonly Header[]; body: string }

/** Our mails have 8 KiB; what comes after this is somebody's attachment. */
export const messageBytesMax = 256 * 1024
/** Longer than any genuine `certificate~token`, and two copies still leave the test mail below 8 KiB. */
export const tokenCharsMax = 3072
const headerCharsMax = 64 * 1024
const headerLinesMax = 500
const partsMax = 20
const partHeaderLinesMax = 50
const blockCharsMax = 2 * tokenCharsMax
/** A genuine mail holds two copies, a forwarded one perhaps four; each candidate costs its reader two signature checks. */
const candidatesMax = 16

export const tokenHeaderName = 'X-Mailscout-Token'
const tokenPattern = /^[\w-]+\.[\w-]+\.[\w-]+~[\w-]+\.[\w-]+\.[\w-]+$/

export function readMessage(raw: Uint8Array | string): Message {
  const text = (
    typeof raw === 'string' ? raw : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1', 0, messageBytesMax)
  ).slice(0, messageBytesMax)
  // Some delivery agents put the mbox separator above the message that they pipe.
  const start = /^>?From [^\n]*\n/.exec(text.slice(0, 1000))?.[0].length ?? 0
  const { head, rest } = splitAtBlankLine(text.slice(start))
  return { headers: readHeaders(head), body: rest }
}

/** All values of a header, in the order of the mail (the newest trace line first). */
export function headerValues(message: Pick<Message, 'headers'>, name: string): string[] {
  const wanted = name.toLowerCase()
  return message.headers.filter((header) => header.name === wanted).map((header) => header.value)
}

export const headerValue = (message: Pick<Message, 'headers'>, name: string): string | undefined => headerValues(message, name)[0]

/** The media type and the parameters of a Content-Type, both in lower case but for the parameters' values. */
export function contentType(message: Pick<Message, 'headers'>): { type: string; parameters: ReadonlyMap<string, string> } {
  const value = (headerValue(message, 'content-type') ?? 'text/plain').slice(0, 1000)
  const parameters = new Map<string, string>()
  for (const [, name, quoted, bare] of value.matchAll(/;\s*([\w-]+)\s*=\s*(?:"([^"]*)"|([^\s;"]+))/g)) {
    if (name !== undefined) parameters.set(name.toLowerCase(), quoted ?? bare ?? '')
  }
  return { type: (value.split(';')[0] ?? '').trim().toLowerCase(), parameters }
}

/** Unfolded headers within the bounds; lines that are no header are skipped. */
export function readHeaders(head: string): Header[] {
  const headers: Header[] = []
  for (const line of head.slice(0, headerCharsMax).split(/\r?\n/, headerLinesMax)) {
    const last = headers[headers.length - 1]
    const colon = line.indexOf(':')
    if (/^[ \t]/.test(line)) {
      if (last !== undefined) last.value = `${last.value} ${line.trim()}`.trim()
    } else if (colon > 0) {
      headers.push({ name: line.slice(0, colon).trim().toLowerCase(), value: line.slice(colon + 1).trim() })
    }
  }
  return headers
}

/**
 * The texts of a mail that can hold our marks: the body, undone from its Content-Transfer-Encoding, and every encoded part of
 * a multipart. Parts that are not encoded already stand readable in the body, however deep they lie.
 */
export function texts(message: Message): string[] {
  const body = decode(message.body, headerValue(message, 'content-transfer-encoding'))
  return [body, ...encodedParts(body)]
}

/** What stands between BEGIN and END lines of this label, without quote marks and without the blanks of any wrapping. */
export function blocks(text: string, label: string): string[] {
  return rawBlocks(text, label).map((block) => joinLines(block))
}

/** As `blocks`, with the lines kept and only their quote marks taken away. */
export function rawBlocks(text: string, label: string): string[] {
  const begin = `-----BEGIN MAILSCOUT ${label}-----`
  const end = `-----END MAILSCOUT ${label}-----`
  const found: string[] = []
  let from = 0
  while (found.length < candidatesMax) {
    const endAt = text.indexOf(end, from)
    if (endAt < 0) break
    const stretch = text.slice(from, endAt)
    const beginAt = stretch.lastIndexOf(begin)
    if (beginAt >= 0) found.push(stretch.slice(beginAt + begin.length))
    from = endAt + end.length
  }
  return found
}

/** The values of a header of ours, wherever a relay or a bounce has left it: above the mail or quoted within a text. */
export function ownHeaderValues(message: Message, bodyTexts: readonly string[], name: string): string[] {
  const quoted = new RegExp(`^[> \\t]*${name}:(.*(?:\\r?\\n[> \\t]*[ \\t].*)*)`, 'gim')
  const inTexts = bodyTexts.flatMap((text) =>
    Array.from(text.matchAll(quoted), ([, value]) => value ?? '').slice(0, candidatesMax),
  )
  return [...headerValues(message, name), ...inTexts].map(joinLines)
}

/** Every text in the mail that looks like a token, at most 16, the headers' first. Taking the first that verifies is the caller's. */
export function findTokens(message: Message): string[] {
  const bodyTexts = texts(message)
  const inHeaders = ownHeaderValues(message, bodyTexts, tokenHeaderName)
  const inBlocks = bodyTexts.flatMap((text) => blocks(text, 'TOKEN'))
  const candidates = [...inHeaders, ...inBlocks].filter((text) => text.length <= tokenCharsMax && tokenPattern.test(text))
  return [...new Set(candidates)].slice(0, candidatesMax)
}

/** A signed text between its markers, in lines of 72 characters. */
export function block(label: string, lines: readonly string[]): string[] {
  return [`-----BEGIN MAILSCOUT ${label}-----`, ...lines, `-----END MAILSCOUT ${label}-----`]
}

export const tokenBlock = (token: string): string[] => block('TOKEN', chunks(token, 72))

function joinLines(text: string): string {
  const lines = text.slice(0, blockCharsMax).split(/\r?\n|\r/)
  // A trailing `=` is the soft break of a quoted-printable whose declaration has been lost; our alphabet has no `=` there.
  return lines
    .map((line) => line.replace(/^[>|\s]+/, '').replace(/=$/, ''))
    .join('')
    .replace(/\s+/g, '')
}

function splitAtBlankLine(text: string): { head: string; rest: string } {
  const blank = /(?:^|\n)\r?\n/.exec(text)
  if (blank === null) return { head: text, rest: '' }
  return { head: text.slice(0, blank.index), rest: text.slice(blank.index + blank[0].length) }
}

export function decode(text: string, encoding: string | undefined): string {
  switch (encoding?.trim().toLowerCase()) {
    case 'quoted-printable':
      return text
        .replace(/=[ \t]*\r?\n/g, '')
        .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    case 'base64':
      return Buffer.from(text, 'base64').toString('latin1')
    default:
      return text
  }
}

/**
 * The decoded texts of encoded parts at any depth, in one pass over the lines: a part is a line that begins with `--` and has
 * headers below it, and it ends where a line that has begun a part comes again.
 */
function encodedParts(body: string): string[] {
  const lines = body.split(/\r?\n/)
  const delimiters = new Set<string>()
  const found: string[] = []
  for (let at = 0; at < lines.length && delimiters.size <= partsMax && found.length < partsMax; at++) {
    const line = lines[at] ?? ''
    if (!line.startsWith('--') || line.length < 3) continue
    const headEnd = partHeadEnd(lines, at + 1)
    if (headEnd === undefined) continue
    const delimiter = line.trimEnd()
    delimiters.add(delimiter)
    const headers = readHeaders(lines.slice(at + 1, headEnd).join('\n'))
    const encoding = headerValue({ headers }, 'content-transfer-encoding')?.toLowerCase()
    if (encoding !== 'base64' && encoding !== 'quoted-printable') continue
    const next = lines.findIndex((candidate, index) => index > headEnd && endsPart(candidate, delimiters))
    found.push(decode(lines.slice(headEnd + 1, next < 0 ? undefined : next).join('\n'), encoding))
  }
  return found
}

/** The index of the blank line below a part's headers; undefined where these lines are no headers. */
function partHeadEnd(lines: readonly string[], start: number): number | undefined {
  for (let at = start; at < start + partHeaderLinesMax && at < lines.length; at++) {
    const line = lines[at] ?? ''
    if (line === '') return at > start ? at : undefined
    if (!/^[\w-]+:|^[ \t]/.test(line)) return undefined
  }
  return undefined
}

function endsPart(line: string, delimiters: ReadonlySet<string>): boolean {
  if (!line.startsWith('--')) return false
  const trimmed = line.trimEnd()
  return delimiters.has(trimmed) || (trimmed.endsWith('--') && delimiters.has(trimmed.slice(0, -2)))
}
