/**
 * The flows level: one to three coordinators that share a store, each with the product's workers over the product's flows. They die at
 * any point and come back; gateways falter; somebody acknowledges; maintenance holds pages. Ingest and assign are retold, as at the core
 * level.
 */
import { type MaintenanceWindow, maintenanceAt } from '../../../coordinator/core/maintenance.ts'
import { acknowledge } from '../../../coordinator/flow/incident.ts'
import type { Coordination, SimBatch, SimJob, Surroundings } from '../coordination.ts'
import { reviewMs, wellState } from '../coordinator.ts'
import { Jobs } from '../jobs.ts'
import type { Span } from '../oracle.ts'
import type { SimProbe } from '../probe.ts'
import type { Random } from '../random.ts'
import { Results } from '../results.ts'
import { Seats } from '../seats.ts'
import { SimGateways, type Taken } from './gateways.ts'
import { SimProcess } from './process.ts'
import type { FlowSetting, FlowTrouble } from './setting.ts'
import { type Commit, MemoryStore, type StoredEvent, storedMonitor } from './store.ts'
import { addEvent, newIncident, type ToldIncident } from './told.ts'

type Machine = { process: SimProcess | null; aheadMs: number }

export class SimCoordinators implements Coordination {
  readonly seats: Seats
  readonly gateways: SimGateways
  readonly setting: FlowSetting
  readonly incidents = new Map<string, ToldIncident>()
  /** When at least one coordinator was there. */
  upSpans: Span[] = []
  windows: MaintenanceWindow[] = []
  readonly faults: { atMs: number; what: string }[] = []
  readonly crashesMs: number[] = []
  crashes = 0
  readonly #around: Surroundings
  readonly #random: Random
  readonly #results: Results
  readonly #jobs: Jobs
  readonly #store: MemoryStore
  readonly #machines: Machine[]
  /** Which machine each probe has its session with. */
  readonly #homes = new Map<string, Machine>()
  #isAway = false
  #troubledUntilMs = 0

  constructor(around: Surroundings, holders: readonly SimProbe[], setting: FlowSetting, random: Random) {
    this.#around = around
    this.setting = setting
    this.#random = random
    this.#results = new Results(around)
    this.#jobs = new Jobs(around)
    this.seats = new Seats(around, holders)
    this.gateways = new SimGateways(around.events, random.stream('gateways'), (taken) => this.#reached(taken))
    const { events, rules, plan, customerId } = around
    this.#store = new MemoryStore(
      {
        nowMs: () => events.nowMs,
        evidence: ({ state, late_since_ms }, observingSinceMs) => ({
          ...this.#results.evidence(state, this.seats, observingSinceMs),
          late_since_ms,
        }),
        details: this.#results.details,
        lateReturns: this.#results.lateReturns,
        sentBy: this.#results.sentBy,
        policy: () => setting.policy,
        recipients: setting.contacts,
        windows: () => this.windows,
      },
      (commit) => this.#committed(commit),
    )
    const name = { customer_id: customerId, monitor_id: plan.monitor_id }
    this.#store.monitors.committed.set(plan.monitor_id, storedMonitor(name, rules, wellState(events.nowMs)))
    this.#machines = setting.machines.map(({ aheadMs }) => ({ process: null, aheadMs }))
    for (const machine of this.#machines) this.#makeProcess(machine)
    // The world around them must be whole when the first of them dies.
    events.after(0, () => {
      for (const process of this.#processes) process.start()
    })
    for (const [index, probe] of around.probes.entries()) this.#move(probe.id, index)
  }

  get decision(): string {
    return this.#monitor.state.decision
  }

  get isUp(): boolean {
    return this.#processes.length > 0
  }

  get canTell(): boolean {
    const nowMs = this.#around.events.nowMs
    const somebodyWants = this.setting.policy !== null && maintenanceAt(this.windows, nowMs) === null
    return this.isUp && somebodyWants && this.gateways.workAt(nowMs)
  }

  get isQuiet(): boolean {
    const processes = this.#processes
    return (
      this.#monitor.quiet &&
      this.#around.events.nowMs > this.#troubledUntilMs &&
      processes.length === this.#machines.length &&
      processes.every(({ isIdle }) => isIdle) &&
      this.#store.nextPageDue() === null &&
      this.#store.nextStepDue() === null
    )
  }

  /** All of them, at once. */
  crash(): void {
    this.#isAway = true
    for (const process of this.#processes) process.crash('trouble')
  }

  start(): void {
    this.#isAway = false
    for (const machine of this.#machines) this.#startOn(machine)
    this.reviewSoon()
  }

  fold(): void {
    this.#jobs.clear()
    this.#results.fold(this.seats)
    this.#store.tidyUp()
    this.incidents.clear()
    this.gateways.forget()
    this.crashesMs.length = 0
    this.faults.length = 0
    this.upSpans = [{ fromMs: this.#around.events.nowMs, toMs: Number.POSITIVE_INFINITY }]
    this.begin([])
    for (const process of this.#processes) process.forgetPolls()
    void this.#mark()
  }

  /** What goes wrong in the stretch that begins now. */
  begin(troubles: FlowTrouble[]): void {
    const { events, onPresence, note } = this.#around
    this.gateways.troubles = troubles
    this.windows = troubles.flatMap(({ kind, fromMs, toMs }, index): MaintenanceWindow[] => {
      const schedule = { kind: 'once' as const, starts_ms: fromMs, ends_ms: toMs }
      return kind === 'maintenance' ? [{ id: `window-${index}`, schedule, valid_from_ms: 0, valid_until_ms: null }] : []
    })
    this.#troubledUntilMs = Math.max(0, ...troubles.map(({ toMs }) => toMs))
    for (const { fromMs, toMs, ...what } of troubles) {
      const name = Object.values(what).join(' ')
      const say = (words: string) => () => {
        note(() => `${words} ${name}`)
        onPresence()
      }
      events.at(fromMs, say('TROUBLE'))
      events.at(toMs, say('over:'))
    }
  }

  ingest(probe: SimProbe, batch: SimBatch): void {
    const { told, troubled, proved } = this.#results.ingest(probe, batch, this.seats, this.#jobs.given)
    const { quiet, awaiting_proof } = this.#monitor
    if (troubled || (told && !quiet) || (proved && awaiting_proof.includes(probe.id))) void this.#mark()
  }

  hasPassed = (probeId: string, sinceMs: number): boolean => this.#results.hasPassed(probeId, sinceMs)

  testsOf: Coordination['testsOf'] = (probeId) => this.#results.testsOf(probeId)

  jobsFor = (probeId: string): SimJob[] => this.#jobs.waitingFor(probeId)

  reviewSoon(): void {
    this.#around.events.after(reviewMs, () => this.isUp && this.seats.review())
  }

  get #monitor() {
    const monitor = this.#store.monitors.committed.get(this.#around.plan.monitor_id)
    if (monitor === undefined) throw new RangeError('The monitor is gone')
    return monitor
  }

  get #processes(): SimProcess[] {
    return this.#machines.flatMap(({ process }) => (process === null ? [] : [process]))
  }

  #startOn(machine: Machine): void {
    if (machine.process !== null || this.#isAway) return
    const { events, onPresence, note } = this.#around
    const number = this.#machines.indexOf(machine) + 1
    if (!this.isUp) this.upSpans.push({ fromMs: events.nowMs, toMs: Number.POSITIVE_INFINITY })
    note(() => `coordinator ${number} starts`)
    this.#makeProcess(machine).start()
    onPresence()
  }

  #makeProcess(machine: Machine): SimProcess {
    const { events } = this.#around
    const number = this.#machines.indexOf(machine) + 1
    const process = new SimProcess({
      events,
      store: this.#store,
      random: this.#random.stream(`machine ${number} ${events.nowMs}`),
      aheadMs: machine.aheadMs,
      crashChance: this.setting.crashChance,
      operatorPhone: this.setting.operatorPhone,
      gateways: this.gateways.reachedBy,
      onCrash: (where) => this.#crashed(machine, where),
      onFault: (what) => this.faults.push({ atMs: events.nowMs, what }),
    })
    machine.process = process
    return process
  }

  #crashed(machine: Machine, where: string): void {
    const { events, note, dropSessions, onPresence } = this.#around
    const number = this.#machines.indexOf(machine) + 1
    machine.process = null
    this.crashes += 1
    this.crashesMs.push(events.nowMs)
    note(() => `coordinator ${number} dies (${where})`)
    const last = this.upSpans.at(-1)
    if (!this.isUp && last !== undefined) last.toMs = events.nowMs
    if (this.isUp) {
      const homeless = [...this.#homes].filter(([, home]) => home === machine).map(([probeId]) => probeId)
      for (const probeId of homeless) this.#move(probeId, this.#random.whole(0, 9))
      dropSessions(homeless)
    }
    onPresence()
    this.#planPolls()
    events.after(this.#random.spread(1_000, 180_000), () => this.#startOn(machine))
  }

  #move(probeId: string, choice: number): void {
    const there = this.#machines.filter(({ process }) => process !== null)
    const home = there[choice % Math.max(1, there.length)]
    if (home !== undefined) this.#homes.set(probeId, home)
  }

  async #mark(): Promise<void> {
    const { events, plan } = this.#around
    events.unsettled()
    await this.#store.mark(plan.monitor_id, events.nowMs, this.#results.takeLateSinceMs(), this.#results.takeReturnedLate())
    this.#notify('judge')
    this.#planPolls()
  }

  #notify(kind: 'judge' | 'pages'): void {
    for (const process of this.#processes)
      if (!this.#random.chance(0.02)) this.#around.events.after(this.#around.judgingMs(), () => process.wake(kind))
  }

  #planPolls(): void {
    for (const process of this.#processes) process.planPolls()
  }

  #committed({ announced, jobs, events }: Commit): void {
    for (const { id, probe_id, cause } of jobs) this.#jobs.give(id, probe_id, cause)
    for (const event of events) this.#logged(event)
    for (const kind of ['judge', 'pages'] as const) if (announced.includes(kind)) this.#notify(kind)
    this.#planPolls()
  }

  #logged(event: StoredEvent): void {
    const atMs = this.#around.events.nowMs
    const stored = this.#store.incidents.committed.get(event.incident_id)
    if (stored === undefined) throw new RangeError(`An event of no incident: ${event.type}`)
    const incident = this.incidents.get(event.incident_id) ?? newIncident(stored, event)
    this.incidents.set(event.incident_id, incident)
    addEvent(incident, stored, event, atMs)
    this.#around.note(() => `${stored.code} ${event.type} ${JSON.stringify(event.detail)}`)
  }

  /** A phone rings. */
  #reached(taken: Taken): void {
    const { chance, afterMs } = this.setting.acknowledging
    this.#around.note(() => `${taken.gateway} takes for ${taken.to}: ${taken.text}`)
    if (!taken.text.includes('DOWN ') || !this.#random.chance(chance)) return
    this.#around.events.after(this.#random.exponential(afterMs), () => this.#acknowledge(taken))
  }

  #acknowledge({ text }: Taken): void {
    const incident = [...this.#store.incidents.committed.values()].find(({ code }) => text.includes(`Code ${code}`))
    const process = this.#processes[0]
    if (incident === undefined || process === undefined) return
    const { context } = process
    void context.store.transaction((tx) => acknowledge(context, tx, incident, 'Alice'))
    this.#around.events.unsettled()
  }
}
