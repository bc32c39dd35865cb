/** Who holds the monitor, and who held it: coordinator/flow/assign.ts and its tables, retold in memory over the product's placement. */
import { firstSlotFrom, slotStartMs } from '../../common/timetable.ts'
import type { Assignment } from '../../common/wire/test.ts'
import type { Holding } from '../../coordinator/core/admission.ts'
import { fillPositions, phaseMs } from '../../coordinator/core/placement.ts'
import type { Surroundings } from './coordination.ts'
import type { SimProbe } from './probe.ts'

export type Seat = { probeId: string; position: number; assignment: Assignment; assignedMs: number }

export const lostMs = 60_000
export const domainOf = (address: string): string => (address.split('@')[1] ?? '').toLowerCase()

export class Seats {
  readonly #around: Surroundings
  #held: Seat[] = []
  /** Seats that were taken away, for their last period. */
  #ended: Seat[] = []
  #holdings: (Holding & { probeId: string })[] = []
  #names = 0

  constructor(around: Surroundings, holders: readonly SimProbe[]) {
    this.#around = around
    for (const [position, probe] of holders.entries()) this.#seat(probe, position, 0)
  }

  get all(): readonly Seat[] {
    return this.#held
  }

  of = (probeId: string): Seat | undefined => this.#held.find((seat) => seat.probeId === probeId)
  holdingsOf = (probeId: string): Holding[] => this.#holdings.filter((holding) => holding.probeId === probeId)

  /** The standing orders of a probe: what it holds, and what it held and has not yet ended. */
  ordersOf(probeId: string): Assignment[] {
    return [...this.#held, ...this.#ended].filter((seat) => seat.probeId === probeId).map(({ assignment }) => assignment)
  }

  /** Lost holders are replaced, the successor starts before the predecessor ends. */
  review(): void {
    const { events, probes, rules, plan, epochMs } = this.#around
    const nowMs = events.nowMs
    const candidates = probes.map((probe) => ({
      probe_id: probe.id,
      domain: probe.domain,
      healthy: nowMs - this.#around.lastSeenMs(probe.id) < lostMs,
    }))
    const holders = this.#held.map(({ probeId, position }) => ({ probe_id: probeId, position }))
    const isThere = (probeId: string) => candidates.some(({ probe_id, healthy }) => probe_id === probeId && healthy)
    const isLost = this.#held.some(({ probeId }) => !isThere(probeId))
    if (!isLost || !candidates.some(({ probe_id, healthy }) => healthy && this.of(probe_id) === undefined)) return
    for (const { probe_id, position } of fillPositions(plan.monitor_id, rules.vantages, holders, candidates)) {
      const held = this.of(probe_id)
      if (held?.position === position) continue
      const rate = { epoch_ms: epochMs, period_s: rules.period_s, phase_ms: phaseMs(rules.period_s, position, rules.vantages) }
      const predecessor = this.#held.find((seat) => seat.position === position)
      for (const leaving of [predecessor, held]) if (leaving !== undefined) this.#unseat(leaving, nowMs)
      this.#seat(this.#probe(probe_id), position, Math.max(0, firstSlotFrom(rate, nowMs)))
    }
  }

  #seat(probe: SimProbe, position: number, first_slot: number): void {
    const { plan, rules, epochMs, events, customerId } = this.#around
    const phase_ms = phaseMs(rules.period_s, position, rules.vantages)
    const id = this.#around.assignmentId(probe.id, ++this.#names)
    const assignment: Assignment = { id, generation: 1, epoch_ms: epochMs, phase_ms, first_slot, last_slot: null, plan }
    this.#held.push({ probeId: probe.id, position, assignment, assignedMs: events.nowMs })
    this.#holdings.push({
      probeId: probe.id,
      customer_id: customerId,
      monitor_id: plan.monitor_id,
      target_domain: domainOf(plan.target.address),
      generation: 1,
      epoch_ms: epochMs,
      period_s: rules.period_s,
      phase_ms,
      first_slot,
      last_slot: null,
    })
    this.#around.note(() => `position ${position} to ${probe.id} from slot ${first_slot}`)
    this.#around.onOrders(probe)
  }

  #unseat(seat: Seat, nowMs: number): void {
    const { rules } = this.#around
    this.#held = this.#held.filter((other) => other !== seat)
    const { assignment } = seat
    const rate = { epoch_ms: assignment.epoch_ms, period_s: rules.period_s, phase_ms: assignment.phase_ms }
    const last_slot = firstSlotFrom(rate, nowMs + rules.period_s * 1000)
    this.#holdings = this.#holdings.map((holding) =>
      holding.probeId === seat.probeId && holding.phase_ms === assignment.phase_ms && holding.last_slot === null
        ? { ...holding, last_slot }
        : holding,
    )
    this.#ended = [...this.#ended.slice(-5), { ...seat, assignment: { ...assignment, last_slot } }]
    this.#around.onOrders(this.#probe(seat.probeId))
  }

  #probe(probeId: string): SimProbe {
    const probe = this.#around.probes.find(({ id }) => id === probeId)
    if (probe === undefined) throw new RangeError(`There is no probe ${probeId}`)
    return probe
  }
}

const rateOf = ({ epoch_ms, phase_ms, plan }: Assignment) => ({ epoch_ms, phase_ms, period_s: plan.period_s })
const slotStart = (assignment: Assignment, slot: number): number => slotStartMs(rateOf(assignment), slot)

/** The start of the last slot at `atMs` or before. */
export const slotBefore = (assignment: Assignment, atMs: number): number =>
  slotStart(assignment, firstSlotFrom(rateOf(assignment), atMs + 1) - 1)

/** The probe starts its slots by its own wall clock, which lacks `offsetMs`; null before its first slot. */
export function slotStartedMs(assignment: Assignment, nowMs: number, offsetMs: number): number | null {
  const wallMs = nowMs - offsetMs
  return wallMs < slotStart(assignment, assignment.first_slot) ? null : slotBefore(assignment, wallMs) + offsetMs
}
