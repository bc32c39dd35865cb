/** Where a mail died, in words, and as stations on its way. */
import type { Place, Result } from '../api/resources.ts'
import { humanise, type Mark } from './verdicts.ts'

const places: Record<Place, { word: string; meaning: string }> = {
  name_resolution: { word: 'name resolution', meaning: 'The mail server of the domain could not be looked up.' },
  connection: { word: 'connection', meaning: 'No address answers, or the dialogue breaks off before the mail is taken.' },
  tls: { word: 'TLS', meaning: 'The encrypted connection could not be made.' },
  refused: { word: 'refused', meaning: 'A mail server refuses the mail for good.' },
  deferred: { word: 'deferred', meaning: 'A mail server keeps putting the mail off.' },
  accepted_then_lost: {
    word: 'accepted, then lost',
    meaning: 'The server took the mail. Whether it was lost behind it or the responder is silent, nobody outside can see.',
  },
  responder_silent: { word: 'responder silent', meaning: 'The mail is delivered, and the responder does not answer it.' },
  returned_late: { word: 'returned late', meaning: 'The mail came back, but after the deadline.' },
  return_leg: { word: 'return leg', meaning: 'The mail came back after the deadline; it was held on its way back.' },
  our_side: {
    word: 'our side',
    meaning: 'The probes could not run this test or prove their own health, or their address is blocked.',
  },
}

export const placeWord = (place: Place): string => places[place]?.word ?? humanise(place)
export const placeMeaning = (place: Place): string => places[place]?.meaning ?? ''

/** Of these the outcome's own word says where. */
const plainOutcomes: readonly Result['outcome'][] = ['dns', 'unreachable', 'tls', 'refused', 'deferred', 'not_run']

/** The place beside an outcome in a table; null where it would only repeat it. */
export function placeBeside({ outcome, place }: Pick<Result, 'outcome' | 'place'>): string | null {
  if (place === null || place === undefined) return null
  const mayDiffer = place === 'returned_late' || place === 'return_leg'
  return plainOutcomes.includes(outcome) && !mayDiffer ? null : placeWord(place)
}

export type Station = { name: string; mark: Pick<Mark, 'tone' | 'shape' | 'word'> }

const passed = { tone: 'good', shape: 'check', word: 'passed' } as const
const died = { tone: 'bad', shape: 'cross', word: 'here' } as const
const unsure = { tone: 'unsure', shape: 'question', word: 'perhaps here' } as const
const beyond = { tone: 'idle', shape: 'ring', word: 'not reached' } as const

/** Where on the way it ended: the first station that is in question, and the last. */
const spans: Partial<Record<Place, readonly [number, number]>> = {
  name_resolution: [0, 0],
  connection: [1, 1],
  tls: [1, 1],
  refused: [2, 2],
  deferred: [2, 2],
  accepted_then_lost: [3, 4],
  responder_silent: [4, 4],
  return_leg: [5, 5],
}

/** The stations of the mail's way; none for a place that is no station. */
export function stations(place: Place): Station[] {
  const span = spans[place]
  if (span === undefined) return []
  const [first, last] = span
  const names = ['name', place === 'tls' ? 'TLS' : 'connection', 'server', 'mailbox', 'responder', 'way back']
  return names.map((name, index) => {
    if (index < first) return { name, mark: passed }
    if (index > last) return { name, mark: beyond }
    return { name, mark: first === last ? died : unsure }
  })
}
