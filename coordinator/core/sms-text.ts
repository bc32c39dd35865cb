/**
 * The text of a page: one SMS segment of the GSM alphabet, written for three in the morning. What, since when (UTC), which
 * vantages agree, what is wrong, and the code to say on the phone. Names and causes are cut, never the facts.
 */
import { formatDuration, isoTime } from '../../common/durations.ts'
import { cutToSeptets, septets, septetsMax, toGsm7 } from './gsm7.ts'

export type PageFacts = {
  monitor_name: string
  code: string
  cause: string
  since_ms: number
  /** Regions that say so. */
  failing_regions: string[]
  passing_regions: string[]
}

/** `03:12 UTC 24 Nov`. */
export function shortTime(wallMs: number): string {
  const [, month, day] = isoTime(wallMs).slice(0, 10).split('-')
  const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  return `${isoTime(wallMs).slice(11, 16)} UTC ${Number(day)} ${months[Number(month) - 1]}`
}

export function downText(facts: PageFacts): string {
  const passing = facts.passing_regions.length === 0 ? '' : `, ${regions(facts.passing_regions)} ok`
  return compose(
    'DOWN ',
    facts.monitor_name,
    ` since ${shortTime(facts.since_ms)}: `,
    facts.cause,
    `. Agreed: ${regions(facts.failing_regions)}${passing}. Code ${facts.code}`,
  )
}

export function resolvedText(facts: PageFacts & { resolved_ms: number }): string {
  const lasted = formatDuration(facts.resolved_ms - facts.since_ms)
  return compose(
    'UP ',
    facts.monitor_name,
    ` since ${shortTime(facts.resolved_ms)}, after ${lasted}. Mail returns to: `,
    regions(facts.passing_regions),
    `. Code ${facts.code}`,
  )
}

/** To the operator: nobody can say whether the customer's mail works. */
export function unconfirmedText(facts: PageFacts): string {
  return compose(
    'UNCONFIRMED ',
    facts.monitor_name,
    ` since ${shortTime(facts.since_ms)}: too few healthy probes to decide. `,
    facts.cause,
    `. Check probes. Code ${facts.code}`,
  )
}

export function unconfirmedResolvedText(facts: PageFacts & { resolved_ms: number }): string {
  return compose(
    'CONFIRMED OK ',
    facts.monitor_name,
    ` at ${shortTime(facts.resolved_ms)}: `,
    'enough probes report, mail returns',
    `. Code ${facts.code}`,
  )
}

/** The mark of a page that may have been delivered before: a doubled page beats silence. */
export const markRepeat = (text: string): string =>
  text.startsWith(repeatMark) ? text : cutToSeptets(`${repeatMark}${text}`, septetsMax)
const repeatMark = '(repeat) '

const regions = (names: string[]): string => (names.length === 0 ? 'none' : names.map(toGsm7).join(', '))

/** Joins the parts; the name is cut to what is left after 60 septets for the cause, then the cause to what is left. */
function compose(head: string, name: string, middle: string, cause: string, tail: string): string {
  const cutTail = cutToSeptets(tail, 75)
  const fixed = (septets(head) ?? 0) + (septets(middle) ?? 0) + (septets(cutTail) ?? 0)
  const causeText = toGsm7(cause)
  const nameText = cutToSeptets(toGsm7(name), Math.max(12, septetsMax - fixed - Math.min(40, septets(causeText) ?? 0)))
  const causeCut = cutToSeptets(causeText, Math.max(0, septetsMax - fixed - (septets(nameText) ?? 0)))
  return cutToSeptets(head + nameText + middle + causeCut + cutTail, septetsMax)
}
