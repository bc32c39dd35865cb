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
 * Who holds the monitor's positions from now on: healthy holders stay where they are, vacancies go to healthy candidates in distinct
 * failure domains, and where there are none a lost holder stays: it may still be testing.
 */
export function fillPositions(
  monitorId: string,
  count: number,
  holders: readonly Holder[],
  candidates: readonly (Candidate & { healthy: boolean })[],
): Holder[] {
  const byId = new Map(candidates.map((candidate) => [candidate.probe_id, candidate]))
  const kept: (Holder & Candidate)[] = []
  for (const holder of holders) {
    const candidate = byId.get(holder.probe_id)
    if (candidate?.healthy !== true || holder.position >= count) continue
    if (!kept.some((other) => shareFate(other.domain, candidate.domain))) kept.push({ ...holder, ...candidate })
  }
  const free = (chosen: readonly Holder[]) =>
    Array.from({ length: count }, (_, position) => position).filter(
      (position) => !chosen.some((holder) => holder.position === position),
    )
  const healthy = candidates.filter(
    (candidate) => candidate.healthy && !kept.some((holder) => holder.probe_id === candidate.probe_id),
  )
  const newcomers = chooseVantages(monitorId, healthy, healthy.length)
    .toSorted((a, b) => Number(clashes(a, kept)) - Number(clashes(b, kept)))
    .slice(0, count - kept.length)
  const staffed = [...kept, ...zip(newcomers, free(kept))]
  const lost = holders.filter(({ probe_id }) => byId.has(probe_id) && !staffed.some((holder) => holder.probe_id === probe_id))
  return [...staffed, ...zip(lost, free(staffed))]
    .map(({ probe_id, position }) => ({ probe_id, position }))
    .sort((a, b) => a.position - b.position)
}

const clashes = (candidate: Candidate, kept: readonly Candidate[]): boolean =>
  kept.some((holder) => shareFate(holder.domain, candidate.domain))

const zip = (probes: readonly { probe_id: string }[], positions: number[]): Holder[] =>
  positions.flatMap((position, index) => {
    const probe = probes[index]
    return probe === undefined ? [] : [{ probe_id: probe.probe_id, position }]
  })
