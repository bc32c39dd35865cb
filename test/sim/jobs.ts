/** The signed one-off orders that coordinators have given, as their store holds them. */
import { jobStartMsMax } from '../../common/limits.ts'
import type { SimJob, Surroundings } from './coordination.ts'
import { domainOf } from './seats.ts'

export class Jobs {
  readonly #around: Surroundings
  readonly #byId = new Map<string, SimJob>()

  constructor(around: Surroundings) {
    this.#around = around
  }

  /** For admission. */
  get given(): ReadonlyMap<string, SimJob> {
    return this.#byId
  }

  get count(): number {
    return this.#byId.size
  }

  give(id: string, probeId: string, cause: SimJob['cause']): void {
    const { events, customerId, plan, onJob, note } = this.#around
    const whose = {
      id,
      customer_id: customerId,
      monitor_id: plan.monitor_id,
      target_domain: domainOf(plan.target.address),
      generation: 1,
    }
    const job = { ...whose, probeId, cause, givenMs: events.nowMs, expiresMs: events.nowMs + jobStartMsMax, sent: false }
    this.#byId.set(id, job)
    note(() => `asks ${probeId} (${cause})`)
    onJob(job)
  }

  /** What waits for this probe. */
  waitingFor(probeId: string): SimJob[] {
    const nowMs = this.#around.events.nowMs
    return [...this.#byId.values()].filter((job) => job.probeId === probeId && !job.sent && job.expiresMs > nowMs)
  }

  clear(): void {
    this.#byId.clear()
  }
}
