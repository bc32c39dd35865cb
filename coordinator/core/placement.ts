/**
 * Which probes watch a monitor, and when in the period each starts: distinct failure domains first, stable by rendezvous hashing
 * (Thaler and Ravishankar 1998), phases spread evenly.
 */
import { createHash } from 'node:crypto'
import { type FailureDomain, shareFate } from './failure-domain.ts'

export type Candidate = { probe_id: string; domain: FailureDomain }

/**
 * The `count` best candidates for the monitor, in the order of their phases. A candidate that shares a failure domain with one
 * already chosen is taken only when nothing else is left. The order of the input does not matter.
 */
export function chooseVantages(monitorId: string, candidates: readonly Candidate[], count: number): Candidate[] {
  const ranked = candidates
    .map((candidate) => ({ candidate, weight: rendezvousWeight(monitorId, candidate.probe_id) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ candidate }) => candidate)
  const chosen: Candidate[] = []
  for (const candidate of ranked) {
    if (chosen.length === count) break
    if (!chosen.some((other) => shareFate(other.domain, candidate.domain))) chosen.push(candidate)
  }
  for (const candidate of ranked) {
    if (chosen.length === count) break
    if (!chosen.includes(candidate)) chosen.push(candidate)
  }
  return chosen
}

/** The phase of vantage `index` of `count`, in ms: evenly spread over the period. */
export const phaseMs = (periodS: number, index: number, count: number): number => Math.floor((periodS * 1000 * index) / count)

const rendezvousWeight = (monitorId: string, probeId: string): string =>
  createHash('sha256').update(`${monitorId} ${probeId}`).digest('hex')
