/** What the judgement has told people, as the oracle reads it. */
import type { Effect, VoteView } from '../../coordinator/core/evidence.ts'
import type { Span } from './oracle.ts'

export type Page = {
  atMs: number
  kind: 'down' | 'past' | 'unconfirmed'
  sinceMs: number
  /** The start of the last good test before it. */
  lastGoodMs: number | null
  votes: VoteView[]
  resolvedMs: number | null
  /** Of a past outage, when it was over. */
  endedMs?: number
  /** When a phone first rang because of it, null where none did; absent where no gateway is simulated. */
  toldMs?: number | null
}

/** What a judgement brings about besides tests. */
export type JudgedEffect = Exclude<Effect, { kind: 'ask' }>
/** Of a block nobody is told but in a notice. */
type PagingEffect = Exclude<JudgedEffect, { kind: 'sender_blocked' | 'block_ended' }>

/** What people were told, and the past outages that stand in the log alone because the hour had its notices. */
export type Told = { pages: Page[]; withheld: Span[] }

/** Adds it to the pages, or ends them; returns the line for the log. */
export function carryOut(told: Told, effect: JudgedEffect, votes: VoteView[], atMs: number): string {
  if (effect.kind === 'sender_blocked' || effect.kind === 'block_ended') return `notice ${effect.kind} ${effect.probe_id}`
  return tell(told, effect, votes, atMs)
}

/**
 * Of an incident that has found its quorum, where no good test is known any more: the one that was known as it opened, if it was sent before
 * what failed first (coordinator/store/incident-log.ts).
 */
export const stillGoodMs = (knownMs: number | null | undefined, sinceMs: number): number | null =>
  typeof knownMs === 'number' && knownMs < sinceMs ? knownMs : null

function tell({ pages, withheld }: Told, effect: PagingEffect, votes: VoteView[], atMs: number): string {
  if (effect.kind === 'resolve_incident') {
    for (const page of pages) page.resolvedMs ??= atMs
    return 'RESOLVED'
  }
  if (effect.kind === 'past_incident') {
    const { since_ms: sinceMs, last_good_ms: lastGoodMs, votes: pastVotes } = effect
    if (effect.withheld) {
      withheld.push({ fromMs: sinceMs, toMs: effect.ended_ms })
      return `withheld: past since ${new Date(sinceMs).toISOString()}`
    }
    pages.push({ atMs, kind: 'past', sinceMs, lastGoodMs, votes: pastVotes, resolvedMs: atMs, endedMs: effect.ended_ms })
    return `PAGE past since ${new Date(sinceMs).toISOString()}`
  }
  if (effect.kind === 'series_over') return 'a series no longer'
  const open = pages.findLast((page) => page.resolvedMs === null)
  const kind = effect.kind === 'confirm_incident' ? 'down' : effect.incident_kind
  if (effect.kind === 'confirm_incident' && open !== undefined) open.resolvedMs = atMs
  const told = effect.votes.length > 0 ? effect.votes : votes
  const keptMs = effect.kind === 'confirm_incident' ? stillGoodMs(open?.lastGoodMs, effect.since_ms) : null
  const lastGoodMs = effect.last_good_ms ?? keptMs
  pages.push({ atMs, kind, sinceMs: effect.since_ms, lastGoodMs, votes: told, resolvedMs: null })
  return `PAGE ${kind}: ${effect.votes.map(({ probe_id, vote, outcome }) => `${probe_id} ${vote} ${outcome ?? ''}`).join(', ')}`
}
