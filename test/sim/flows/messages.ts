/** What a phone was told, read from the words of the SMS alone. */
import type { Taken } from './gateways.ts'

/** The trouble, and the all-clears; `past`: an outage that was over before it was heard of, which needs none. */
export type Told =
  | 'down'
  | 'past'
  | 'unconfirmed'
  | 'fleet'
  | 'blind'
  | 'blind_resolved'
  | 'resolved'
  | 'unconfirmed_resolved'
  | 'closed'
export type Message = Taken & { told: Told | null; code: string; repeated: boolean }

/** The first words of each text. Every one of them ends with the code of an incident; there is no SMS of another kind. */
const openings: readonly [string, Told][] = [
  ['DOWN ', 'down'],
  ['UNSTABLE ', 'down'],
  ['WAS DOWN ', 'past'],
  ['UNCONFIRMED ', 'unconfirmed'],
  ['FLEET ', 'fleet'],
  ['BLIND OVER ', 'blind_resolved'],
  ['BLIND ', 'blind'],
  ['UP ', 'resolved'],
  ['CONFIRMED OK ', 'unconfirmed_resolved'],
  ['CLOSED ', 'closed'],
]
const repeatMark = '(repeat) '

export const isMarked = (text: string): boolean => text.startsWith(repeatMark)

export function read(taken: Taken): Message {
  const repeated = isMarked(taken.text)
  const text = repeated ? taken.text.slice(repeatMark.length) : taken.text
  const code = /Code (\w+)$/.exec(text)?.[1] ?? ''
  const told = openings.find(([opening]) => text.startsWith(opening))?.[1] ?? null
  return { ...taken, told, code, repeated }
}

/** Each trouble with the word for its end. */
export const endsOf = { down: 'resolved', unconfirmed: 'unconfirmed_resolved' } as const
const allClears: readonly (Told | null)[] = ['resolved', 'unconfirmed_resolved', 'closed']

export const isAllClear = ({ told }: Message): boolean => allClears.includes(told)
/** Of the customer's mail, which an all-clear ends; a notice of the fleet or of the past has none. */
export const isTrouble = ({ told }: Message): boolean => told !== null && told in endsOf

/** Each message once, as it was first taken, in that order. */
export const firstTaken = (messages: readonly Message[]): Message[] =>
  [...Map.groupBy(messages, ({ reference }) => reference).values()].flatMap(([first]) => first ?? [])
