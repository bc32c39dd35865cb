/** The events of an incident as sentences. An event that this page does not know is shown with its plain facts. */

import type { VoteView } from '../../core/evidence.ts'
import type { IncidentEventType } from '../../store/incident-log.ts'
import { asSentence } from '../api/problem.ts'
import type { IncidentEvent, IncidentVantage, Interval } from '../api/resources.ts'
import { plainFacts } from './facts.ts'
import { intervalWords } from './legs.ts'
import { clockTime, dayOf, howLong, timeOf } from './time.ts'
import { humanise } from './verdicts.ts'

export type EventWords = { title: string; text: string | null; votes: IncidentVantage[] }

type Detail = Readonly<Record<string, unknown>>

const titles: Record<IncidentEventType, (detail: Detail) => string> = {
  opened: (detail) => {
    if (detail.kind === 'unconfirmed') return 'Opened as unconfirmed'
    return detail.flapping === true ? 'Incident opened: mail comes and goes' : 'Incident opened'
  },
  confirmed: () => 'Confirmed: the quorum agrees',
  returned_late: (detail) => `A mail came back late${word(detail.region) === null ? '' : ` to ${word(detail.region)}`}`,
  paged: (detail) => `Paging ${names(detail.to) ?? 'somebody'}`,
  page_suppressed_by_maintenance: () => 'Nobody is paged in maintenance',
  page_suppressed_by_flapping: () => 'Nobody is paged: two notices within the hour before',
  page_suppressed_by_blind_spell: () => 'The operator is not paged: many monitors cannot be judged at once',
  page_held_by_fleet_guard: (detail) => `Paging waits: ${detail.failing} mail domains fail at once`,
  nobody_to_page: () => 'Nobody to page in this step',
  no_policy: () => 'Nobody is paged',
  policy_exhausted: () => 'The escalation policy has no further step',
  policy_changed: (detail) => {
    const to = names(detail.to)
    return to === null ? 'The escalation has changed' : `The escalation has changed: paging ${to}`
  },
  page_accepted: (detail) => `SMS accepted by ${word(detail.gateway) ?? 'the gateway'}`,
  page_failed: () => 'No gateway took the SMS',
  page_cancelled: () => 'SMS cancelled',
  all_clear_waits: () => 'Mail is back: the all-clear waits',
  fails_again: () => 'Mail fails again',
  acknowledged: (detail) => `Acknowledged${word(detail.by) === null ? '' : ` by ${word(detail.by)}`}`,
  resolved: (detail) => (detail.over_before_heard === true ? 'Over before we heard of it' : 'Resolved: mail comes back'),
  resolved_by_hand: (detail) => `Resolved by hand${word(detail.by) === null ? '' : ` by ${word(detail.by)}`}`,
  monitor_deleted: () => 'Closed, because the monitor was deleted',
  target_changed: () => 'Closed, because another address is monitored now',
}

const texts: Partial<Record<IncidentEventType, (detail: Detail) => string | null>> = {
  opened: causeText,
  confirmed: causeText,
  returned_late: returnText,
  paged: (detail) =>
    typeof detail.round === 'number' && detail.round > 0 ? `Round ${detail.round + 1} of the escalation policy` : null,
  page_suppressed_by_maintenance: (detail) => untilText(detail),
  page_suppressed_by_blind_spell: (detail) => {
    const code = word(detail.code)
    return code === null ? null : `All of them have one page, with the code ${code}.`
  },
  page_held_by_fleet_guard: (detail) => {
    const until = word(detail.until)
    return until === null
      ? null
      : `The fault may be ours. If it is still open at ${clockTime(until)}\u00a0UTC, customers are paged.`
  },
  nobody_to_page: (detail) =>
    detail.recipient === 'operator'
      ? 'Set MAILSCOUT_OPERATOR_PHONE on the coordinator.'
      : 'The contacts of this step have no phone number. Add one under /v1/contacts.',
  no_policy: () => 'The monitor has no escalation policy. Set its escalation_policy_id.',
  all_clear_waits: () => 'It is given once mail has stayed for half an hour or more. Nobody else is paged unless it fails again.',
  page_accepted: (detail) => toWhom(detail),
  page_failed: (detail) => toWhom(detail),
  page_cancelled: (detail) => toWhom(detail),
}

export function eventWords({ type, detail }: Pick<IncidentEvent, 'type' | 'detail'>): EventWords {
  const known = isObject(detail) ? detail : {}
  const title = Object.hasOwn(titles, type) ? titles[type as IncidentEventType] : undefined
  if (title === undefined) return { title: humanise(type), text: plainFacts(detail).join(' · ') || null, votes: [] }
  return { title: title(known), text: texts[type as IncidentEventType]?.(known) ?? null, votes: votesOf(known.votes) }
}

const verdictOfVote: Record<VoteView['vote'], IncidentVantage['verdict']> = {
  pass: 'pass',
  fail: 'fail',
  abstain: 'abstain',
  missing: 'no_data',
}

function votesOf(votes: unknown): IncidentVantage[] {
  if (!Array.isArray(votes)) return []
  return votes.filter(isObject).map((vote) => {
    const { probe_id, region, vote: cast, outcome } = vote as unknown as VoteView
    return { probe_id, region, verdict: verdictOfVote[cast] ?? 'no_data', outcome }
  })
}

function causeText(detail: Detail): string | null {
  const text = isObject(detail.cause) ? word(detail.cause.text) : null
  return text === null ? null : asSentence(text)
}

/** Where it was held, as far as the two clocks tell; that it is back rewrites no verdict. */
function returnText({ rtt_ms, stamp_at, place, return_ms, outbound_ms }: Detail): string {
  const after = typeof rtt_ms === 'number' ? `After ${howLong(rtt_ms)}` : 'After its deadline'
  const stamp = word(stamp_at)
  const stamped = stamp === null ? '' : `, stamped at ${clockTime(stamp, true)}\u00a0UTC by the clock of your server`
  const legs = isInterval(outbound_ms) && isInterval(return_ms)
  const ways = legs ? ` Out: ${intervalWords(outbound_ms)}; back: ${intervalWords(return_ms)}.` : ''
  return `${after}${stamped}.${place === 'return_leg' ? ' It was held on its way back.' : ''}${ways}`
}

const isInterval = (value: unknown): value is Interval =>
  isObject(value) && typeof value.min === 'number' && typeof value.max === 'number'

const untilText = (detail: Detail): string | null => {
  const until = word(detail.until)
  if (until === null) return null
  const when = `${dayOf(until, timeOf(until))} ${clockTime(until)}\u00a0UTC`
  return `If it is still open when maintenance ends, ${when}, the escalation starts then.`
}
const toWhom = (detail: Detail): string | null => (word(detail.to) === null ? null : `To ${word(detail.to)}`)
const word = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
const names = (value: unknown): string | null =>
  Array.isArray(value) && value.length > 0
    ? value.map((name) => (name === 'operator' ? 'the operator' : String(name))).join(', ')
    : null
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
