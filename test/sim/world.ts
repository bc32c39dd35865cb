/**
 * One monitor and everything around it: probes, the mail world, the links and a coordinator, driven by troubles on a virtual time.
 * Stretches without trouble are passed over: healthy tests change nothing (`isQuiet`), so that only what happens around a trouble is
 * played, test by test.
 */
import { slotStartMs } from '../../common/timetable.ts'
import type { VoteView } from '../../coordinator/core/evidence.ts'
import type { Coordination, SimBatch, SimJob, Surroundings } from './coordination.ts'
import { SimCoordinator } from './coordinator.ts'
import { Events } from './events.ts'
import { KnownTests } from './known-tests.ts'
import type { CrashPoint } from './life.ts'
import { Links } from './links.ts'
import { MailWorld } from './mail.ts'
import type { Span } from './oracle.ts'
import { carryOut, type JudgedEffect, type Page } from './pages.ts'
import { SimProbe } from './probe.ts'
import { ProbeCrashes } from './probe-crashes.ts'
import { ProbePromises } from './probe-promises.ts'
import type { Random } from './random.ts'
import { describeTrouble, isActive, isSameKind, planOf, type Trouble, type WorldSetting } from './setting.ts'
import { jobAtProbe } from './signatures.ts'
import { type Returned, returnedOf } from './stamps.ts'
import { addWatch, clockAfterMs, isImpaired, type Watch } from './watch.ts'

export type WorldOptions = {
  log?: (line: string) => void
  /** At points between what they write down and what they do, besides the troubles. */
  probesDie?: boolean
  /** Names the assignments; the jitter of their slots follows from it. */
  assignmentId?: (probeId: string, number: number) => string
  /** The coordinators, where they are not those of the core level. */
  coordination?: (around: Surroundings, holders: readonly SimProbe[]) => Coordination
}

type HasOptions = { atMs?: number; direction?: 'both' | 'orders'; loses?: true }

const customerId = 'customer-1'

export class World {
  readonly events: Events
  readonly setting: WorldSetting
  readonly probes: SimProbe[]
  readonly coordinator: Coordination
  readonly pages: Page[] = []
  readonly withheld: Span[] = []
  readonly watches: Watch[] = []
  readonly failedMails = new Set<string>()
  readonly returned: Returned[] = []
  readonly tests = new KnownTests()
  readonly mail: MailWorld
  readonly promises: ProbePromises
  readonly crashes: ProbeCrashes
  readonly #links: Links
  readonly #random: Random
  readonly #log: ((line: string) => void) | undefined
  #troubles: Trouble[] = []

  constructor(setting: WorldSetting, random: Random, options: WorldOptions = {}) {
    this.setting = setting
    this.events = new Events(setting.startMs)
    this.#random = random.stream('world')
    this.#log = options.log
    this.promises = new ProbePromises(() => this.events.nowMs)
    this.crashes = new ProbeCrashes(options.probesDie === true ? random.stream('probe crashes') : null)
    this.mail = new MailWorld(setting, random.stream('mail'), () => this.#troubles)
    const note = (line: () => string) => this.#note(line)
    this.probes = setting.probes.map(
      (probe) =>
        new SimProbe(probe, {
          events: this.events,
          mail: this.mail,
          references: Array.from({ length: setting.references }, (_, index) => ({
            address: `echo@reference-${index + 1}.example`,
          })),
          uplinkWorks: (id) => !this.#has('uplink', id),
          inboxWorks: (id) => !this.#has('inbox', id),
          inboxLoses: (id) => this.#has('inbox', id, { loses: true }),
          dies: (dying, point) => this.#dies(dying, point),
          onBegin: (id) => this.tests.begun(id, this.events.nowMs),
          onMail: (id, order) => this.promises.mailed(id, order),
          onMailFault: (testId) => this.failedMails.add(testId),
          onRecord: (reporter) => this.#links.transmit(reporter),
          note,
        }),
    )
    this.#links = new Links({
      events: this.events,
      random: random.stream('links'),
      setting,
      isOpen: (probe) =>
        probe.isUp &&
        this.coordinator.isUp &&
        !this.#has('uplink', probe.id) &&
        !this.#has('link', probe.id, { direction: 'both' }),
      ordersPass: (probe) => !this.#has('link', probe.id, { direction: 'orders' }),
      deliver: (probe, batch) => this.#ingest(probe, batch),
      onOpen: (probe) => this.#opened(probe),
      onChange: () => {
        this.coordinator.reviewSoon()
        this.#watch()
      },
      note,
    })
    const coordination = options.coordination ?? ((...given) => new SimCoordinator(...given))
    this.coordinator = coordination(
      {
        events: this.events,
        probes: this.probes,
        plan: planOf(setting),
        rules: setting.rules,
        customerId,
        epochMs: setting.startMs - setting.rules.period_s * 1000 * 1000,
        busy: setting.busy,
        assignmentId: options.assignmentId ?? ((probeId, number) => `assignment-${number}-${probeId}`),
        lastSeenMs: (id) => this.#links.lastSeenMs(id),
        connectedMs: this.#links.connectedMs,
        sideWorks: (id, atMs) => !this.#has('uplink', id, { atMs }) && !this.#has('inbox', id, { atMs }),
        judgingMs: () => this.#lasting(setting.pace.judging),
        onEffect: (effect, votes) => this.#carryOut(effect, votes),
        onJob: (job) => this.#links.send(job.probeId, () => this.#startJob(job)),
        onOrders: (probe) => this.#links.send(probe.id, () => probe.takeOrders(this.coordinator.seats.ordersOf(probe.id))),
        onPresence: () => {
          this.#links.refresh(this.probes)
          this.#watch()
        },
        dropSessions: (ids) => {
          for (const id of ids) this.#links.restart(id)
        },
        note,
      },
      this.probes.slice(0, setting.rules.vantages),
    )
    for (const probe of this.probes) {
      this.#links.connect(probe)
      probe.takeOrders(this.coordinator.seats.ordersOf(probe.id))
    }
    for (const probe of this.probes.slice(0, setting.rules.vantages)) this.mail.knows(probe.id)
    this.#watch()
  }

  /** Nothing is under way, nothing is suspected. */
  get isIdle(): boolean {
    return (
      this.coordinator.isUp &&
      this.coordinator.isQuiet &&
      this.probes.every((probe) => probe.isIdle && this.#links.isConnected(probe))
    )
  }

  /** Healthy slots until `toMs` are taken as passed; only where the world is idle. */
  fold(toMs: number): void {
    this.events.skip(toMs)
    this.#troubles = []
    for (const probe of this.probes) {
      probe.jumpClock(null)
      probe.passOver()
    }
    this.coordinator.fold()
    this.#forgetTests()
    this.pages.length = 0
    this.withheld.length = 0
    this.watches.length = 0
    this.failedMails.clear()
    this.mail.responder.forget()
    this.returned.length = 0
    this.promises.forget()
    this.#watch()
    this.#note(() => 'goes on here')
  }

  /** Plays these troubles, until all is quiet again after the last of them (or `enough` says so), or until `endMs`; false at that. */
  play(troubles: Trouble[], endMs: number, enough: () => boolean = () => false): boolean {
    const isOver = this.#plan(troubles)
    return this.events.run(endMs, () => enough() || isOver())
  }

  /** As `play`, with coordinators whose work goes on in promises. */
  playSettling(troubles: Trouble[], endMs: number): Promise<boolean> {
    return this.events.runSettling(endMs, this.#plan(troubles))
  }

  #plan(troubles: Trouble[]): () => boolean {
    this.#troubles = troubles
    for (const trouble of troubles) {
      this.events.at(trouble.fromMs, () => this.#begin(trouble))
      this.events.at(trouble.toMs, () => this.#end(trouble))
    }
    const lastMs = Math.max(...troubles.map((trouble) => trouble.toMs), this.events.nowMs)
    this.crashes.untilMs = lastMs + this.setting.rules.period_s * 1000
    return () => this.events.nowMs > lastMs + 60_000 && this.isIdle
  }

  #begin(trouble: Trouble): void {
    this.#note(() => `TROUBLE ${describeTrouble(trouble)}`)
    if (trouble.kind === 'crash') this.#probe(trouble.probe)?.crash(trouble.reboot)
    if (trouble.kind === 'coordinator') this.coordinator.crash()
    if (trouble.kind === 'clock') this.#probe(trouble.probe)?.jumpClock(trouble.byMs)
    if (trouble.kind === 'greylist_forgotten') this.mail.forgetGreylist()
    this.#links.refresh(this.probes)
    this.#watch()
  }

  #dies(probe: SimProbe, point: CrashPoint): boolean {
    const trouble = this.crashes.strike(probe.id, point, this.events.nowMs)
    if (trouble === null) return false
    this.promises.died(probe.spool, probe.uptimeMs, probe.disk.sequences().length > 0)
    this.#troubles.push(trouble)
    this.#begin(trouble)
    this.events.at(trouble.toMs, () => this.#end(trouble))
    return true
  }

  #end(trouble: Trouble): void {
    this.#note(() => `over: ${describeTrouble(trouble)}`)
    const stillDown = this.#troubles.some(
      (other) => other !== trouble && isSameKind(other, trouble) && isActive(other, this.events.nowMs),
    )
    if (trouble.kind === 'crash' && !stillDown) this.#probe(trouble.probe)?.start()
    if (trouble.kind === 'coordinator' && !stillDown) this.coordinator.start()
    if (trouble.kind === 'clock') {
      this.#probe(trouble.probe)?.jumpClock(null)
      this.events.after(clockAfterMs(trouble.byMs, this.setting), () => this.#watch())
    }
    if (trouble.kind === 'link' && trouble.direction === 'orders') this.#links.restart(trouble.probe)
    this.#links.refresh(this.probes)
    this.#watch()
  }

  #ingest(probe: SimProbe, batch: SimBatch): void {
    this.promises.told(batch.records)
    this.coordinator.ingest(probe, batch)
    this.#known(probe.id)
    this.returned.push(...batch.records.flatMap((record) => returnedOf(record) ?? []))
    if (batch.records.some(({ kind, body }) => kind === 'result' && body.outcome === 'ok')) this.#watch()
  }

  /** What its tests are taken for; those that were refused are none. */
  #known(probeId: string): void {
    const { tests } = this
    // What came before one that is known is known as well.
    const known = this.coordinator.testsOf(probeId)
    const news = known.slice(known.findLastIndex(({ fact }) => tests.isTold(fact.id)) + 1)
    for (const { fact } of news) {
      const { id, outcome, started_ms: startedMs, finished_ms } = fact
      const tookMs = finished_ms - startedMs
      tests.told({ id, probeId, outcome, startedMs, tookMs, toldMs: this.events.nowMs })
    }
  }

  /** But for those that are taken as passed. */
  #forgetTests(): void {
    this.tests.forget()
    this.mail.losses.clear()
    for (const { id } of this.probes) {
      for (const healthy of this.coordinator.testsOf(id)) this.tests.begun(healthy.fact.id, healthy.fact.started_ms)
      this.#known(id)
    }
  }

  #opened(probe: SimProbe): void {
    this.#links.send(probe.id, () => {
      probe.takeOrders(this.coordinator.seats.ordersOf(probe.id))
      for (const job of this.coordinator.jobsFor(probe.id)) this.#startJob(job)
    })
  }

  #startJob(job: SimJob): void {
    const probe = this.#probe(job.probeId)
    if (probe === undefined || job.sent || job.expiresMs <= this.events.nowMs) return
    const fate = jobAtProbe(job, probe.clock.wallMs(this.events.nowMs))
    job.sent = fate !== 'refused'
    if (job.sent) probe.startJob({ id: job.id, cause: job.cause, plan: planOf(this.setting) }, fate === 'too_late')
  }

  #carryOut(effect: JudgedEffect, votes: VoteView[]): void {
    const said = carryOut(this, effect, votes, this.events.nowMs)
    this.#note(() => said)
  }

  /** Notes who could see an outage from now on, where that has changed. */
  #watch(): void {
    const nowMs = this.events.nowMs
    const { period_s } = this.setting.rules
    const healthy = this.coordinator.seats.all.flatMap(({ probeId, assignment, assignedMs }) => {
      const probe = this.#probe(probeId)
      if (probe === undefined || !this.#links.isConnected(probe) || isImpaired(this.setting, this.#troubles, probeId, nowMs))
        return []
      const firstMs = slotStartMs({ ...assignment, period_s }, assignment.first_slot)
      if (assignedMs > this.setting.startMs && (nowMs < firstMs || !this.coordinator.hasPassed(probeId, assignedMs))) return []
      const periodMs = period_s * 1000
      const startsMs = (((assignment.phase_ms - probe.clock.wallMs(nowMs) + nowMs) % periodMs) + periodMs) % periodMs
      return [{ probeId, startsMs }]
    })
    addWatch(this.watches, { fromMs: nowMs, coordinating: this.coordinator.canTell, healthy })
  }

  #has(kind: Trouble['kind'], probeId: string, { atMs = this.events.nowMs, direction, loses }: HasOptions = {}): boolean {
    return this.#troubles.some(
      (trouble) =>
        trouble.kind === kind &&
        isActive(trouble, atMs) &&
        'probe' in trouble &&
        trouble.probe === probeId &&
        (loses === undefined || (trouble.kind === 'inbox' && trouble.loses)) &&
        (direction === undefined || (trouble.kind === 'link' && trouble.direction === direction)),
    )
  }

  #probe = (id: string): SimProbe | undefined => this.probes.find((probe) => probe.id === id)
  #lasting = ({ median, sigma }: { median: number; sigma: number }): number =>
    sigma === 0 ? median : this.#random.lognormal(median, sigma)

  #note(line: () => string): void {
    this.#log?.(`${new Date(this.events.nowMs).toISOString()} ${line()}`)
  }
}
