/**
 * The text of a page: one SMS segment of the GSM alphabet, written for three in the morning. What, since when (UTC), which
 * vantages agree, what is wrong, and the code to say on the phone. Names and causes are cut, never the facts; of a cause always so much is
 * left that the reply of the mail server begins in it (core/cause.ts has what happened and the reply first).
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
  /** One outage of a series. */
  flapping: boolean
}

/** `03:12 UTC 24 Nov`. */
export function shortTime(wallMs: number): string {
  const [, month, day] = isoTime(wallMs).slice(0, 10).split('-')
  const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  return `${isoTime(wallMs).slice(11, 16)} UTC ${Number(day)} ${months[Number(month) - 1]}`
}

export function downText(facts: PageFacts): string {
  if (facts.flapping) return unstableText(facts)
  return compose([
    fixed('DOWN '),
    name(facts),
    fixed(` since ${shortTime(facts.since_ms)}: `),
    flexible(facts.cause, 54),
    fixed('. Agreed: '),
    flexible(agreed(facts), 20),
    code(facts),
  ])
}

/** Whoever reads it has had two notices within the hour, with the cause: that the next word takes its time is news. */
const unstableText = (facts: PageFacts): string =>
  compose([
    fixed('UNSTABLE '),
    name(facts),
    fixed(`, gone since ${shortTime(facts.since_ms)}: `),
    flexible(facts.cause, 42),
    fixed('. Agreed: '),
    flexible(agreed(facts), 10),
    fixed('. UP if steady 30 min'),
    code(facts),
  ])

const agreed = ({ failing_regions, passing_regions }: PageFacts): string =>
  regions(failing_regions) + (passing_regions.length === 0 ? '' : `; ${regions(passing_regions)} ok`)

export function resolvedText(facts: PageFacts & { resolved_ms: number }): string {
  return compose([
    fixed('UP '),
    name(facts),
    fixed(` since ${shortTime(facts.resolved_ms)}, after ${lasted(facts)}. Mail returns to: `),
    flexible(regions(facts.passing_regions), 30),
    code(facts),
  ])
}

/** Nobody was woken: it was over before we heard of it. */
export function pastText(facts: PageFacts & { ended_ms: number }): string {
  return compose([
    fixed('WAS DOWN '),
    name(facts),
    fixed(` ${shortTime(facts.since_ms)} for ${formatDuration(facts.ended_ms - facts.since_ms)}, heard only now: `),
    flexible(facts.cause, 44),
    fixed('. Agreed: '),
    flexible(regions(facts.failing_regions), 10),
    code(facts),
  ])
}

/** To the operator: many mail systems at once look like a fault of ours. */
export function fleetText(
  { failing, watched }: { failing: number; watched: number },
  untilMs: number,
  incidentCode: string,
): string {
  const share = watched === 0 ? '' : ` of ${watched}`
  return compose([
    fixed(
      `FLEET ${failing}${share} mail domains fail at once. Customers are paged at ${shortTime(untilMs)}. Is it us? Check probes`,
    ),
    fixed(`. Code ${incidentCode}`),
  ])
}

/** To the operator: nobody can say whether mail works, and of many customers at once. */
export function blindText(unjudged: number, incidentCode: string): string {
  const what = `BLIND ${unjudged} monitors or more cannot be judged`
  const look = 'Check that probes are connected, their health, the references'
  return compose([fixed(`${what}: too few healthy probes. ${look}`), fixed(`. Code ${incidentCode}`)])
}

/** `unjudged`: those that are left. */
export function blindOverText(spell: { code: string; since_ms: number; over_ms: number; unjudged: number }): string {
  const { code, since_ms, over_ms, unjudged } = spell
  const left = unjudged === 0 ? 'all monitors are judged again' : `all monitors but ${unjudged} are judged again`
  return compose([
    fixed(`BLIND OVER at ${shortTime(over_ms)}, after ${formatDuration(over_ms - since_ms)}: ${left}`),
    fixed(`. Code ${code}`),
  ])
}

const closings = {
  resolved_by_hand: 'closed by hand',
  monitor_deleted: 'no longer monitored',
  target_changed: 'another address is monitored now',
}

/** A person has ended it, or what it was about is monitored no longer: nobody says that mail returns. */
export function closedText(facts: PageFacts & { resolved_ms: number }, by: keyof typeof closings): string {
  return compose([
    fixed('CLOSED '),
    name(facts),
    fixed(` at ${shortTime(facts.resolved_ms)}, after ${lasted(facts)}: ${closings[by]}`),
    code(facts),
  ])
}

/** To the operator: nobody can say whether the customer's mail works. */
export function unconfirmedText(facts: PageFacts): string {
  return compose([
    fixed('UNCONFIRMED '),
    name(facts),
    fixed(` since ${shortTime(facts.since_ms)}, too few healthy probes: `),
    flexible(facts.cause, 60),
    code(facts),
  ])
}

export function unconfirmedResolvedText(facts: PageFacts & { resolved_ms: number }): string {
  return compose([
    fixed('CONFIRMED OK '),
    name(facts),
    fixed(` at ${shortTime(facts.resolved_ms)}: enough probes report, mail returns`),
    code(facts),
  ])
}

const lasted = (facts: PageFacts & { resolved_ms: number }): string => formatDuration(facts.resolved_ms - facts.since_ms)

const repeatMark = '(repeat) '

/** The mark of a page that may have been delivered before: a doubled page beats silence. */
export const markRepeat = (text: string): string =>
  text.startsWith(repeatMark) ? text : cutToSeptets(`${repeatMark}${text}`, septetsMax)

const regions = (names: string[]): string => (names.length === 0 ? 'none' : names.join(', '))

/** A piece of the text: `keep` is how much of it must stay where room is short. */
type Piece = { text: string; keep: number }

const fixed = (text: string): Piece => ({ text, keep: septetsMax })
const flexible = (text: string, keep: number): Piece => ({ text: toGsm7(text), keep })
const name = (facts: PageFacts): Piece => flexible(facts.monitor_name, 16)
const code = (facts: PageFacts): Piece => fixed(`. Code ${facts.code}`)

/** Room is left for the mark of a repeat, which must not push the code out. */
const textMax = septetsMax - repeatMark.length

/** Joins the pieces. What is left once all have what they keep goes to those that are cut: first to the one that keeps most, the cause. */
function compose(pieces: readonly Piece[]): string {
  const kept = (piece: Piece): number => Math.min(septets(piece.text) ?? 0, piece.keep)
  let room = textMax - pieces.reduce((sum, piece) => sum + kept(piece), 0)
  const cut = new Map<Piece, string>()
  for (const piece of pieces.toSorted((a, b) => b.keep - a.keep)) {
    const text = cutToSeptets(piece.text, kept(piece) + Math.max(0, room))
    room -= (septets(text) ?? 0) - kept(piece)
    cut.set(piece, text)
  }
  return pieces.map((piece) => cut.get(piece)).join('')
}
