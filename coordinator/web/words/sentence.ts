/** The sentences on top of the page and for the screen reader: what a person needs first at three in the morning. */
import { asSentence } from '../api/problem.ts'
import type { Decision, Incident, Monitor, Probe } from '../api/resources.ts'
import { decisionsBySeverity } from '../state/select.ts'
import { inMaintenance } from './maintenance.ts'
import { ago, howLong, timeOf, utc } from './time.ts'
import type { Tone } from './verdicts.ts'
import { decisionMark } from './verdicts.ts'

export type StatusSentence = { tone: Tone; decision: Decision | null; text: string; rest: string | null }

/** `1 monitor is down since 03:12 UTC (14 min)`: the worst there is, and what the others do. */
export function statusSentence(monitors: readonly Monitor[], incidents: readonly Incident[], nowMs: number): StatusSentence {
  // What happens in maintenance was announced: it alarms nobody.
  const alarming = monitors.filter((monitor) => !inMaintenance(monitor, nowMs))
  const first = decisionsBySeverity.find((decision) => alarming.some((monitor) => monitor.decision === decision))
  if (first === undefined) return { tone: 'idle', decision: null, text: quietSentence(monitors, nowMs), rest: null }
  const affected = alarming.filter((monitor) => monitor.decision === first)
  const tone = decisionMark(first).tone
  const troubled = affected.map((monitor) => ({ monitor, incident: openIncident(monitor, incidents) }))
  const clause = first === 'down' && troubled.every(({ incident }) => incident?.flapping) ? comesAndGoes : clauses[first]
  const noneJudged = first === 'unconfirmed' && affected.length === monitors.length && monitors.length > 1
  const what = noneJudged
    ? noneCanBeJudged(affected.length)
    : `${counted(affected.length, monitors.length)} ${clause(affected.length)}`
  const text = `${what}${sinceWords(first, troubled, nowMs)}`
  return { tone, decision: first, text, rest: restSentence(alarming, first, monitors.length - alarming.length) }
}

function quietSentence(monitors: readonly Monitor[], nowMs: number): string {
  if (monitors.length === 0) return 'Nothing is watched yet'
  const [only] = monitors
  const until = monitors.length === 1 ? ` until ${utc(only?.maintenance?.ends_at, nowMs)}` : ''
  return `${counted(monitors.length, monitors.length)} ${be(monitors.length)} in maintenance${until}`
}

function counted(count: number, total: number): string {
  if (count === total) return total === 1 ? 'The monitor' : total === 2 ? 'Both monitors' : `All ${total} monitors`
  return count === 1 ? '1 monitor' : `${count} monitors`
}

/** That all cannot be judged might mean that some can. */
const noneCanBeJudged = (count: number): string =>
  `${count === 2 ? 'Neither monitor' : `None of the ${count} monitors`} can be judged`

const be = (count: number): string => (count === 1 ? 'is' : 'are')
const clauses: Record<Decision, (count: number) => string> = {
  up: (count) => `${be(count)} up`,
  slow: (count) => `${be(count)} slow`,
  suspected: (count) => `${be(count)} suspected; other regions are testing now`,
  partial: (count) => `${be(count)} reached from some regions only`,
  down: (count) => `${be(count)} down`,
  unconfirmed: () => 'cannot be judged',
  pending: (count) => (count === 1 ? 'waits for its first returned mail' : 'wait for their first returned mail'),
}

/** Mail may be passing just now: that it is down would be no news to believe. */
const comesAndGoes = (count: number): string => `${be(count)} down on and off`

type Troubled = { monitor: Monitor; incident: Incident | undefined }
const openIncident = (monitor: Monitor, incidents: readonly Incident[]): Incident | undefined =>
  incidents.find(({ monitor_id, resolved_at }) => monitor_id === monitor.id && resolved_at === null)

/** Only a state that wakes people has its time in the headline. */
function sinceWords(decision: Decision, troubled: readonly Troubled[], nowMs: number): string {
  if (decision !== 'down' && decision !== 'unconfirmed') return ''
  const sinceMs = troubled
    .map(({ monitor, incident }) => timeOf(incident?.since_at ?? monitor.decision_since))
    .filter((timeMs) => !Number.isNaN(timeMs))
  if (sinceMs.length === 0) return ''
  const firstMs = Math.min(...sinceMs)
  return `${troubled.length > 1 ? ', the first' : ''} since ${utc(firstMs, nowMs)} (${howLong(nowMs - firstMs).replaceAll(' ', '\u00a0')})`
}

function restSentence(monitors: readonly Monitor[], first: Decision, maintained: number): string | null {
  const rest = decisionsBySeverity
    .filter((decision) => decision !== first)
    .map((decision) => ({ what: word(decision), count: monitors.filter((monitor) => monitor.decision === decision).length }))
    .concat({ what: 'in maintenance', count: maintained })
    .filter(({ count }) => count > 0)
  if (rest.length === 0) return null
  const only = rest.length === 1 ? rest[0] : undefined
  if (only !== undefined) {
    return only.count === 1 ? `The other is ${only.what}` : `The other ${only.count} are ${only.what}`
  }
  return rest.map(({ what, count }) => `${count} ${what}`).join(', ')
}

const word = (decision: Decision): string => decisionMark(decision).word.toLowerCase()

/** What stands under the headline about the watchers themselves; null where probes are not visible. */
export function probeSentence(probes: readonly Probe[] | null): { tone: Tone; text: string } | null {
  if (probes === null) return null
  const inService = probes.filter((probe) => probe.state !== 'retired')
  const connected = inService.filter((probe) => probe.state === 'connected').length
  if (inService.length === 0) return { tone: 'warn', text: 'no probe yet' }
  if (connected === 0) return { tone: 'bad', text: 'no probe is connected' }
  if (connected === inService.length)
    return { tone: 'good', text: `${connected} ${connected === 1 ? 'probe' : 'probes'} connected` }
  return { tone: 'warn', text: `${connected} of ${inService.length} probes connected` }
}

/** How fresh the picture is. */
export function freshnessSentence(lastResultAtMs: number | null, nowMs: number): string {
  return lastResultAtMs === null ? 'no result yet' : `last result ${ago(lastResultAtMs, nowMs)}`
}

/** The title of the browser tab: the state first, because a tab shows only its beginning. */
export function tabTitle(all: readonly Monitor[], nowMs: number): string {
  const monitors = all.filter((monitor) => !inMaintenance(monitor, nowMs))
  const down = monitors.filter((monitor) => monitor.decision === 'down').length
  const doubt = monitors.filter((monitor) => monitor.decision === 'suspected' || monitor.decision === 'unconfirmed').length
  if (down > 0) return `✕ ${down} down · Mailscout`
  return doubt > 0 ? `? ${doubt} in doubt · Mailscout` : 'Mailscout'
}

/** `Down since 03:12 UTC (14 min)` or, once it is over, `Down from 03:12 UTC to 03:40 UTC (28 min)`. */
export function incidentSpan(incident: Incident, nowMs: number): string {
  const sinceMs = timeOf(incident.since_at)
  const kind = incident.flapping ? 'Down on and off' : decisionMark(incident.kind).word
  if (incident.resolved_at === null) return `${kind} since ${utc(sinceMs, nowMs)} (${howLong(nowMs - sinceMs)})`
  // It may have been over long before it was told of.
  const endMs = timeOf(incident.outage?.latest_end_at ?? incident.resolved_at)
  return `${kind} from ${utc(sinceMs, nowMs)} to ${utc(endMs, nowMs)} (${howLong(endMs - sinceMs)})`
}

/** What changed between two pictures of an incident, for the live region. Old incidents that come into view are no news. */
export function incidentNews(before: Incident | undefined, after: Incident): string[] {
  const name = `Incident ${after.code}, ${after.monitor_name}`
  if (before === undefined) {
    return after.resolved_at === null ? [asSentence(`${name}: ${after.cause?.text ?? decisionMark(after.kind).meaning}`)] : []
  }
  const news: string[] = []
  if (before.acknowledged_at === null && after.acknowledged_at !== null) news.push(`${name} was acknowledged.`)
  if (before.resolved_at === null && after.resolved_at !== null) news.push(`${name} is resolved.`)
  return news
}
