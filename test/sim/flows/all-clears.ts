/** Whether only those who were told of the trouble were told of its end, and not before it. That they all were is seen in fates.ts. */
import type { FlowHistory, FlowViolation } from './history.ts'
import { endsOf, firstTaken, isAllClear, isMarked, isTrouble, type Message, read, type Told } from './messages.ts'
import { endOf } from './policy.ts'
import type { ToldEvent, ToldIncident } from './told.ts'

/** So long an attempt may be claimed before, and not yet recorded after, the gateway sees it. */
const recordMs = 10_000

export function allClearFaults(history: FlowHistory, incident: ToldIncident, messages: readonly Message[]): FlowViolation[] {
  const end = endOf(incident)
  const early = messages.filter(
    (message) => isAllClear(message) && (end === undefined || !isOf(end, message) || end.committedMs > message.atMs),
  )
  const faults = early.map(({ atMs, to }): FlowViolation => {
    return { kind: 'groundless_all_clear', atMs, what: `${to} hears that ${incident.code} is over, and it is not` }
  })
  if (end === undefined || faults.length > 0) return faults
  return [...troubles.flatMap((trouble) => groundless(history, incident, end, messages, trouble)), ...afterAllClear(messages)]
}

const troubles = Object.keys(endsOf) as (keyof typeof endsOf)[]
const isOf = ({ type }: ToldEvent, { told }: Message): boolean => (told === 'closed') === (type !== 'resolved')

function groundless(
  history: FlowHistory,
  incident: ToldIncident,
  end: ToldEvent,
  messages: readonly Message[],
  trouble: keyof typeof endsOf,
): FlowViolation[] {
  const troubled = messages.filter(({ told }) => told === trouble)
  const cleared = firstTaken(messages.filter(({ told }) => told === endsOf[trouble]))
  return cleared
    .filter(({ to }) => !troubled.some((message) => message.to === to) && !mayHaveHeard(history, incident, to, trouble, end))
    .map(({ atMs, to }) => ({ kind: 'groundless_all_clear', atMs, what: `${to} had heard nothing of ${incident.code}` }))
}

/** Who may have been told is told of the end too: an attempt whose outcome nobody knew, or not yet. */
function mayHaveHeard(
  { attempts, crashesMs }: FlowHistory,
  { code, openedMs }: ToldIncident,
  to: string,
  trouble: Told,
  end: ToldEvent,
): boolean {
  const own = attempts.filter((attempt) => {
    const message = read({ ...attempt, gateway: '' })
    return message.to === to && message.code === code && message.told === trouble && attempt.atMs < end.committedMs + recordMs
  })
  if (own.some(({ knownMs }) => knownMs === null || knownMs > end.at_ms - recordMs)) return true
  return crashesMs.some((atMs) => openedMs <= atMs && atMs <= end.committedMs)
}

/** Once a phone has heard that it is over, it hears of the trouble only as a marked repeat. */
function afterAllClear(messages: readonly Message[]): FlowViolation[] {
  return messages.flatMap((message): FlowViolation[] => {
    if (!isTrouble(message) || isMarked(message.text)) return []
    const clear = messages.find((other) => isAllClear(other) && other.to === message.to && other.atMs < message.atMs)
    if (clear === undefined) return []
    const afterS = Math.round((message.atMs - clear.atMs) / 1000)
    return [{ kind: 'after_all_clear', atMs: message.atMs, what: `${afterS} s after the all-clear: ${message.text}` }]
  })
}
