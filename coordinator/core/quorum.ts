/** What the votes of the vantages make of a suspicion (DESIGN 3.3). A missing vote is counted, and is never a failing one. */
import { type FailureDomain, witnesses } from './failure-domain.ts'

export type Vote = 'fail' | 'pass' | 'abstain' | 'missing'
export type Ballot = { domain: FailureDomain; vote: Vote }

export type Tally = {
  /** Witnesses (failure domains) in which a vantage fails and none passes. */
  failing: number
  /** Witnesses in which a vantage passes. */
  passing: number
  /** Vantages whose vote is not in yet. */
  missing: number
}

export type Quorum = 'down' | 'partial' | 'up' | 'open'

/** A witness that contradicts itself lets mail through: it passes. */
export function tally(ballots: readonly Ballot[]): Tally {
  const group = witnesses(ballots.map((ballot) => ballot.domain))
  const groupsWith = (vote: Vote) => new Set(group.filter((_, index) => ballots[index]?.vote === vote))
  const passing = groupsWith('pass')
  return {
    failing: groupsWith('fail').difference(passing).size,
    passing: passing.size,
    missing: ballots.filter((ballot) => ballot.vote === 'missing').length,
  }
}

export const quorumFails = ({ failing, passing }: Tally, quorum: number): boolean => failing >= quorum && failing > passing

/**
 * `down` needs `quorum` failing witnesses and more failing than passing ones, and waits for nobody else. `partial` and `up` need
 * every vote and a pass. Everything else stays open.
 */
export function decide(tally: Tally, quorum: number): Quorum {
  const { failing, passing, missing } = tally
  if (quorumFails(tally, quorum)) return 'down'
  if (missing > 0 || passing === 0) return 'open'
  return failing > 0 ? 'partial' : 'up'
}
