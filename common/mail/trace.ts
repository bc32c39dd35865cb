/** `Received` lines (RFC 5321 §4.4) as data: who took the mail from whom, how, and when by that machine's own clock. */

export type Hop = { from?: string; by?: string; with?: string; atMs?: number }

/** RFC 5321 §6.3 lets a mail pass about a hundred hops; a chain that we could show has far fewer. */
const hopsMax = 50
const wordCharsMax = 255
const lineCharsMax = 2000

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
/** RFC 5322 §4.3; every other zone name means that the offset is unknown, which is written -0000. */
const namedZones: Record<string, number> = {
  edt: -240,
  est: -300,
  cdt: -300,
  cst: -360,
  mdt: -360,
  mst: -420,
  pdt: -420,
  pst: -480,
}

/** The hops in the order of travel; `receivedValues` as they stand in the mail, the newest first. At most the newest 50. */
export function parseTrace(receivedValues: readonly string[]): Hop[] {
  return receivedValues.slice(0, hopsMax).map(parseHop).reverse()
}

function parseHop(value: string): Hop {
  const line = value.slice(0, lineCharsMax)
  const dateAt = line.lastIndexOf(';')
  const words = withoutComments(dateAt < 0 ? line : line.slice(0, dateAt)).split(/\s+/)
  const hop: Hop = {}
  for (const clause of ['from', 'by', 'with'] as const) {
    const at = words.findIndex((word) => word.toLowerCase() === clause)
    const word = at < 0 ? undefined : words[at + 1]
    if (word !== undefined && word !== '') hop[clause] = word.slice(0, wordCharsMax)
  }
  const atMs = dateAt < 0 ? undefined : parseMailDate(line.slice(dateAt + 1))
  return atMs === undefined ? hop : { ...hop, atMs }
}

/** RFC 5322 date and time in any zone, as UTC milliseconds; undefined where it cannot be read. */
export function parseMailDate(text: string): number | undefined {
  const pattern =
    /^(?:[a-z]{3,9}\s*,?\s*)?(\d{1,2})[\s-]+([a-z]{3})[a-z]*[\s-]+(\d{2,4})\s+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([+-]\d{4}|[a-z]{1,5})?/i
  const match = pattern.exec(withoutComments(text.slice(0, 200)).trim())
  if (match === null) return undefined
  const [, day, monthName, yearText, hour, minute, second, zone] = match
  const month = months.indexOf((monthName ?? '').toLowerCase())
  const utcMs = Date.UTC(
    fullYear(yearText ?? ''),
    month,
    Number(day),
    Number(hour),
    Number(minute),
    Math.min(59, Number(second ?? 0)),
  )
  const plausible = month >= 0 && Number(day) >= 1 && Number(day) <= 31 && Number(hour) <= 23 && Number(minute) <= 59
  return plausible && Number.isFinite(utcMs) ? utcMs - zoneMinutes(zone) * 60_000 : undefined
}

/** RFC 5322 §4.3: two digits below 50 are 20xx, other two and three digits count from 1900. */
function fullYear(text: string): number {
  const year = Number(text)
  if (text.length === 2 && year < 50) return 2000 + year
  return text.length < 4 ? 1900 + year : year
}

function zoneMinutes(zone: string | undefined): number {
  const numeric = /^([+-])(\d{2})(\d{2})$/.exec(zone ?? '')
  if (numeric === null) return namedZones[(zone ?? '').toLowerCase()] ?? 0
  return (numeric[1] === '-' ? -1 : 1) * (Number(numeric[2]) * 60 + Number(numeric[3]))
}

/** Comments in parentheses may nest (RFC 5322 §3.2.2). */
function withoutComments(text: string): string {
  let depth = 0
  let kept = ''
  for (const character of text) {
    if (character === '(') depth++
    else if (character === ')') depth = Math.max(0, depth - 1)
    else if (depth === 0) kept += character
    // A comment parts two words as a blank does.
    if (character === '(') kept += ' '
  }
  return kept
}
