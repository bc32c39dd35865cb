/** How a story of the judgement tells of times and votes. */
import type { VoteView } from '../../coordinator/core/evidence.ts'

export const startMs = Date.UTC(2026, 10, 23, 0, 0, 0)

/** Minutes and seconds since the start of the story. */
export const clock = (ms: number): string => {
  const s = Math.round((ms - startMs) / 1000)
  return `${String(Math.floor(s / 60)).padStart(2, '0')}:${String(s % 60).padStart(2, '0')}`
}

export const ballots = (votes: VoteView[]): string =>
  votes.length === 0 ? 'no votes' : votes.map(({ region, vote }) => `${region} ${vote}`).join(', ')
