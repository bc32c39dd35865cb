/**
 * The core level: one coordinator over the product's judgement. What its store would hold is held here and survives its crashes; a
 * judgement is one transaction.
 */
import type { MonitorState } from '../../coordinator/core/evidence.ts'
import { withNotices } from '../../coordinator/core/flapping.ts'
import { initialMonitorState, isQuiet, judge } from '../../coordinator/core/judgement.ts'
import type { Coordination, SimBatch, SimJob, Surroundings } from './coordination.ts'
import { Jobs } from './jobs.ts'
import type { SimProbe } from './probe.ts'
import { Results } from './results.ts'
import { Seats } from './seats.ts'

export const reviewMs = 10_000
/** Long before a stretch begins: nothing that it meets came in while nobody was there. */
export const alwaysMs = 86_400_000

export const wellState = (nowMs: number): MonitorState => ({
  ...initialMonitorState(nowMs),
  watched: true,
  decision: 'up',
  reason: 'all_well',
})

export class SimCoordinator implements Coordination {
  readonly seats: Seats
  isUp = true
  readonly #around: Surroundings
  readonly #results: Results
  readonly #jobs: Jobs
  #state: MonitorState
  /** When the customer was told, newest first. */
  #toldMs: number[] = []
  #startedMs: number
  #judgeAtMs: number | null = null
  #judgeEvent = 0
  #awaitingProof = new Set<string>()

  constructor(around: Surroundings, holders: readonly SimProbe[]) {
    this.#around = around
    this.#startedMs = around.events.nowMs - alwaysMs
    this.#state = wellState(around.events.nowMs)
    this.#results = new Results(around)
    this.#jobs = new Jobs(around)
    this.seats = new Seats(around, holders)
  }

  get decision(): string {
    return this.#state.decision
  }

  get canTell(): boolean {
    return this.isUp
  }

  get isQuiet(): boolean {
    return isQuiet(this.#state)
  }

  crash(): void {
    this.isUp = false
  }

  start(): void {
    this.isUp = true
    this.#startedMs = this.#around.events.nowMs
    const dueMs = this.#judgeAtMs
    this.#judgeAtMs = null
    if (dueMs !== null) this.#planJudgement(Math.max(dueMs, this.#startedMs))
    this.reviewSoon()
  }

  fold(): void {
    this.#jobs.clear()
    this.#results.fold(this.seats)
    this.#startedMs = Math.min(this.#startedMs, this.#around.events.nowMs - alwaysMs)
    this.#judge()
  }

  ingest(probe: SimProbe, batch: SimBatch): void {
    const { told, troubled, proved } = this.#results.ingest(probe, batch, this.seats, this.#jobs.given)
    if (troubled || (told && !this.isQuiet) || (proved && this.#awaitingProof.has(probe.id)))
      this.#planJudgement(this.#around.events.nowMs)
  }

  hasPassed = (probeId: string, sinceMs: number): boolean => this.#results.hasPassed(probeId, sinceMs)

  testsOf: Coordination['testsOf'] = (probeId) => this.#results.testsOf(probeId)

  jobsFor = (probeId: string): SimJob[] => this.#jobs.waitingFor(probeId)

  reviewSoon(): void {
    this.#around.events.after(reviewMs, () => this.isUp && this.seats.review())
  }

  #judge(): void {
    if (!this.isUp) return
    const { events, rules, onEffect, note } = this.#around
    const before = this.#state
    const evidence = {
      ...this.#results.evidence(before, this.seats, this.#startedMs),
      told_ms: this.#toldMs,
      incident_told: true,
    }
    const { state, effects, wake_ms, votes } = judge(before, rules, evidence, events.nowMs)
    this.#state = state
    this.#toldMs = withNotices(evidence, effects, events.nowMs).told_ms
    this.#results.judged(state)
    this.#awaitingProof = new Set(votes.filter(({ reason }) => reason === 'awaiting_proof').map(({ probe_id }) => probe_id))
    if (state.decision !== before.decision) note(() => `decision ${state.decision} ${state.reason}`)
    for (const effect of effects) {
      if (effect.kind === 'ask') this.#jobs.give(`job-${this.#jobs.count + 1}-${events.nowMs}`, effect.probe_id, effect.cause)
      else onEffect(effect, votes)
    }
    this.#judgeAtMs = null
    if (wake_ms !== null) this.#planJudgement(wake_ms)
  }

  #planJudgement(atMs: number): void {
    const { events, judgingMs } = this.#around
    if (this.#judgeAtMs !== null && this.#judgeAtMs <= atMs) return
    this.#judgeAtMs = atMs
    const event = ++this.#judgeEvent
    events.at(atMs + judgingMs(), () => {
      if (event === this.#judgeEvent) this.#judge()
    })
  }
}
