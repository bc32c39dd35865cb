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

export type Holder = { probe_id: string; position: number }

/**
 * Who holds the monitor's positions from now on. Healthy holders in distinct failure domains stay where they are; healthy candidates in
 * further domains come next; then whoever shares one, holders before others, so that nobody is moved for nothing. A lost holder stays
 * where nobody takes its place: it may still be testing.
 */
export function fillPositions(
  monitorId: string,
  count: number,
  holders: readonly Holder[],
  candidates: readonly (Candidate & { healthy: boolean })[],
): Holder[] {
  const byId = new Map(candidates.map((candidate) => [candidate.probe_id, candidate]))
  const seats = new Map<number, Candidate>()
  const isSeated = ({ probe_id }: { probe_id: string }) => [...seats.values()].some((seated) => seated.probe_id === probe_id)
  const clashes = ({ domain }: Candidate) => [...seats.values()].some((seated) => shareFate(seated.domain, domain))
  const stay = (may: (candidate: Candidate & { healthy: boolean }) => boolean) => {
    for (const { probe_id, position } of holders) {
      const candidate = byId.get(probe_id)
      if (candidate === undefined || position >= count || seats.has(position) || isSeated(candidate)) continue
      if (may(candidate)) seats.set(position, candidate)
    }
  }
  // Vacant places are filled first, then those of the lost, and only then those of holders that are well.
  const worth = (position: number): number => {
    const holder = holders.find((candidate) => candidate.position === position)
    if (holder === undefined || !byId.has(holder.probe_id)) return 0
    return byId.get(holder.probe_id)?.healthy === true ? 2 : 1
  }
  const seatAll = (arriving: readonly Candidate[], may: (candidate: Candidate) => boolean) => {
    for (const candidate of arriving) {
      const free = Array.from({ length: count }, (_, position) => position).filter((position) => !seats.has(position))
      const [position] = free.toSorted((a, b) => worth(a) - worth(b))
      if (position !== undefined && !isSeated(candidate) && may(candidate)) seats.set(position, candidate)
    }
  }
  const healthy = candidates.filter((candidate) => candidate.healthy)
  const ranked = chooseVantages(monitorId, healthy, healthy.length)
  stay((holder) => holder.healthy && !clashes(holder))
  seatAll(ranked, (candidate) => !clashes(candidate))
  stay((holder) => holder.healthy)
  seatAll(ranked, () => true)
  stay(() => true)
  seatAll(
    holders.flatMap(({ probe_id }) => byId.get(probe_id) ?? []),
    () => true,
  )
  return [...seats].map(([position, { probe_id }]) => ({ probe_id, position })).sort((a, b) => a.position - b.position)
}
