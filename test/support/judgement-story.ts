/**
 * A small world around the pure judgement: probes that keep their timetable, test again and do as they are asked, mail that fares as the
 * story says, links and coordinators that may be away. Times are seconds since the start of the story; what happened is told as lines:
 *
 *   20:05 suspected test_failed
 *   20:06 ask us, ap
 *   40:31 down quorum_fails
 *   40:31 PAGE customer, since 20:00: eu fail, us fail, ap fail
 */
import type {
  Decision,
  Effect,
  Evidence,
  JudgementReason,
  MonitorRules,
  MonitorState,
  VoteView,
} from '../../coordinator/core/evidence.ts'
import { initialMonitorState, isQuiet, judge, judgeInTurns, resolveByHand } from '../../coordinator/core/judgement.ts'
import { isLateNews } from '../../coordinator/core/past-outage.ts'
import { isFailure, type TestFact } from '../../coordinator/core/verdict.ts'
import { type Ended, evidenceOf, goOn, makeProbe, type Probe } from './judgement-probe.ts'
import { defaultRules, type Fate, fateMs, lateMs, outcomeOf, type Setting } from './judgement-setting.ts'
import { ballots, clock, startMs } from './judgement-words.ts'

const heartbeatMs = 5000

type Opening = Extract<Effect, { kind: 'open_incident' | 'confirm_incident' }>

/** Of a decision, or of the reason for it. */
export type Change = { from: Decision; to: Decision; reason: JudgementReason }

export class Story {
  readonly lines: string[] = []
  readonly rules: MonitorRules
  readonly opened: { at: number; kind: string }[] = []
  /** When the customer was told of an outage or of its end. */
  readonly notices: number[] = []
  readonly changes: Change[] = []
  state: MonitorState
  readonly #setting: Required<Setting>
  readonly #probes: Probe[]
  #events: { ms: number; order: number; run: () => void }[] = []
  #nowMs = startMs
  #wakeMs: number | null = null
  #order = 0
  #observingSinceMs = startMs - 86_400_000
  #tests = 0
  #lateSinceMs: number | null = null
  /** An outage that nobody is told of before maintenance ends. */
  #held: Opening | null = null

  constructor(setting: Setting = {}) {
    const regions = setting.regions ?? ['eu', 'us', 'ap']
    this.rules = { ...defaultRules, vantages: regions.length, quorum: Math.min(2, regions.length), ...setting.rules }
    this.#setting = {
      mail: () => 'ok',
      proves: () => true,
      linked: () => true,
      alive: () => true,
      coordinating: () => true,
      maintained: () => false,
      contradicted: () => ({ contradicted: 0, monitors_held: 1 }),
      retired: () => false,
      pool: [],
      watched: true,
      rules: {},
      domainOf: (region) => ({ region, asn: null, return_domain: `${region}.probe.example` }),
      ...setting,
      regions,
    }
    this.state = { ...initialMonitorState(startMs), ...(this.#setting.watched ? { watched: true, decision: 'up' as const } : {}) }
    this.#probes = [...regions, ...this.#setting.pool].map((region, index) =>
      makeProbe(region, index < regions.length, (this.rules.period_s * index) / regions.length, startMs),
    )
    for (const probe of this.#probes) {
      if (probe.planned) this.#at(startMs + probe.phase * 1000, () => this.#runSlot(probe))
    }
    this.#at(startMs, () => this.#heartbeat(true))
    this.judge()
  }

  /** Lets time pass until this second. */
  until(at: number): this {
    const endMs = startMs + at * 1000
    for (;;) {
      const event = this.#events.toSorted((a, b) => a.ms - b.ms || a.order - b.order)[0]
      const wakeMs = this.#coordinating(this.#nowMs) ? this.#wakeMs : null
      const nextMs = Math.min(event?.ms ?? Number.POSITIVE_INFINITY, wakeMs ?? Number.POSITIVE_INFINITY)
      if (nextMs > endMs) break
      const wasCoordinating = this.#coordinating(this.#nowMs)
      this.#nowMs = Math.max(this.#nowMs, nextMs)
      if (!wasCoordinating && this.#coordinating(this.#nowMs)) this.#observingSinceMs = this.#nowMs
      if (event !== undefined && event.ms <= nextMs) {
        this.#events = this.#events.filter((other) => other !== event)
        event.run()
      } else this.judge()
    }
    this.#nowMs = endMs
    return this
  }

  /** The lines told since this was last asked. */
  told(): string[] {
    return this.lines.splice(0)
  }

  #isPlanned = ({ planned, region }: Probe): boolean => planned && !this.#setting.retired(region, this.second())

  evidence(): Evidence {
    const now = this.#nowMs
    const substitutes = Object.values(this.state.suspicion?.substitutes ?? {})
    const isLost = (probe: Probe) => now - probe.lastSeenMs > 60_000
    return {
      vantages: this.#probes
        .filter((probe) => this.#isPlanned(probe) || substitutes.includes(probe.region))
        .map((probe) => ({
          ...evidenceOf(probe, startMs),
          domain: this.#setting.domainOf(probe.region),
          lost: isLost(probe),
          ...this.#setting.contradicted(probe.region, this.second()),
        })),
      pool: this.#probes
        .filter((probe) => !probe.planned && !isLost(probe) && !substitutes.includes(probe.region))
        .map((probe) => ({ probe_id: probe.region, domain: this.#setting.domainOf(probe.region) })),
      observing_since_ms: this.#observingSinceMs,
      late_since_ms: this.#lateSinceMs,
      told_ms: this.notices.map((at) => startMs + at * 1000).reverse(),
      incident_told: this.#held === null,
    }
  }

  judge(): void {
    if (!this.#coordinating(this.#nowMs)) return
    const before = this.state
    const evidence = this.evidence()
    const judgement = judge(before, this.rules, evidence, this.#nowMs)
    this.state = judgement.state
    if (this.state.late === null) this.#lateSinceMs = null
    this.#wakeMs = judgement.wake_ms
    this.#noteChange(before, () => judgeInTurns(before, this.rules, evidence, this.#nowMs).map(({ state }) => state))
    const asked = judgement.effects.flatMap((effect) => (effect.kind === 'ask' ? [effect.probe_id] : []))
    if (asked.length > 0) this.#tell(`ask ${asked.join(', ')}`)
    for (const effect of judgement.effects) this.#perform(effect)
  }

  second = (): number => (this.#nowMs - startMs) / 1000

  /** A test out of turn that nobody but a person asked for. */
  testNow(region: string): void {
    this.#giveJob(region)
  }

  /** Somebody ends the incident, as flow/incident.ts does. */
  resolveByHand(): void {
    const before = this.state
    this.state = resolveByHand(before, this.#nowMs)
    if (before.incident?.kind === 'down' && this.#held === null) this.notices.push(this.second())
    this.#held = null
    this.#noteChange(before, () => [this.state])
    this.judge()
  }

  /** A judgement may have made several turns at one moment: only the last is told. */
  #noteChange(before: MonitorState, turns: () => MonitorState[]): void {
    const { decision, reason } = this.state
    if (before.decision === decision && before.reason === reason) return
    let last = before
    for (const next of turns()) {
      if (last.decision !== next.decision || last.reason !== next.reason)
        this.changes.push({ from: last.decision, to: next.decision, reason: next.reason })
      last = next
    }
    if (before.decision !== decision) this.#tell(`${decision} ${reason}`)
  }

  #at(ms: number, run: () => void): void {
    this.#events.push({ ms, order: ++this.#order, run })
  }

  #tell(line: string): void {
    this.lines.push(`${clock(this.#nowMs)} ${line}`)
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'ask':
        this.#giveJob(effect.probe_id)
        break
      case 'open_incident':
        this.opened.push({ at: this.second(), kind: effect.incident_kind })
        if (effect.incident_kind === 'down') this.#tellOutage(effect)
        else this.#tell(`PAGE operator, since ${clock(effect.since_ms)}: ${ballots(effect.votes)}`)
        break
      case 'confirm_incident':
        this.#tellOutage(effect)
        break
      case 'past_incident':
        if (effect.withheld) this.#tell(`withheld, over at ${clock(effect.ended_ms)}, since ${clock(effect.since_ms)}`)
        else this.#tellCustomer(`, over at ${clock(effect.ended_ms)}`, effect)
        break
      case 'sender_blocked':
        this.#tell(`notice ${effect.probe_id} is blocked`)
        break
      case 'block_ended':
        this.#tell(`notice ${effect.probe_id} is blocked no longer`)
        break
      case 'resolve_incident':
        // The end of what was unconfirmed is told to the operator.
        if (effect.well_since_ms !== null && this.#held === null) this.notices.push(this.second())
        this.#tell(this.#held === null ? 'RESOLVED' : 'RESOLVED, told to nobody')
        this.#held = null
    }
  }

  /** In maintenance not before it ends, as flow/escalate.ts does. */
  #tellOutage(outage: Opening): void {
    const isHeld = this.#setting.maintained(this.second())
    this.#held = isHeld ? outage : null
    if (isHeld) this.#tell(`held, since ${clock(outage.since_ms)}: ${ballots(outage.votes)}`)
    else this.#tellCustomer(this.state.incident?.flapping ? ', unstable' : '', outage)
  }

  #tellCustomer(how: string, { since_ms, votes }: { since_ms: number; votes: VoteView[] }): void {
    this.notices.push(this.second())
    this.#tell(`PAGE customer${how}, since ${clock(since_ms)}: ${ballots(votes)}`)
  }

  #coordinating = (ms: number): boolean => this.#setting.coordinating((ms - startMs) / 1000)
  #linked = (probe: Probe): boolean =>
    this.#coordinating(this.#nowMs) && this.#setting.linked(probe.region, this.second()) && this.#alive(probe)
  #alive = (probe: Probe): boolean => this.#setting.alive(probe.region, this.second())

  /** Every 5 s: who is there is seen, and delivers what has waited. */
  #heartbeat(wasCoordinating: boolean): void {
    const coordinating = this.#coordinating(this.#nowMs)
    if (this.#held !== null && !this.#setting.maintained(this.second())) this.#tellOutage(this.#held)
    if (coordinating && !wasCoordinating) this.judge()
    for (const probe of wasCoordinating ? this.#probes.filter(this.#linked) : []) {
      if (this.#nowMs - probe.lastSeenMs > heartbeatMs) probe.connectedMs = this.#nowMs
      probe.lastSeenMs = this.#nowMs
      // One batch, and what it tells is judged once.
      const troubled = probe.spool.splice(0).filter((deliver) => deliver())
      if (troubled.length > 0) this.judge()
    }
    this.#at(this.#nowMs + heartbeatMs, () => this.#heartbeat(coordinating))
  }

  #runSlot(probe: Probe): void {
    probe.slot = this.#nowMs
    this.#at(this.#nowMs + this.rules.period_s * 1000, () => this.#runSlot(probe))
    this.#start(probe, 'slot')
  }

  #giveJob(region: string): void {
    const probe = this.#probes.find((candidate) => candidate.region === region)
    if (probe !== undefined) this.#at(this.#nowMs + 1000, () => this.#linked(probe) && this.#start(probe, 'job'))
  }

  #start(probe: Probe, cause: TestFact['cause']): void {
    if (!this.#alive(probe)) return
    const startedMs = this.#nowMs
    const fate = this.#setting.mail(probe.region, this.second())
    const id = `${probe.region}-${++this.#tests}`
    const tookMs = fateMs(fate, this.rules)
    if (tookMs > this.rules.slow_s * 1000) {
      this.#at(startedMs + this.rules.slow_s * 1000, () => {
        this.#report(probe, () => {
          probe.overdue.push({ test_id: id, started_ms: startedMs })
          return true
        })
      })
    }
    const attempt = cause === 'retest' ? 2 : 1
    const first_test_id = cause === 'retest' ? (probe.sequence?.first ?? null) : null
    this.#at(startedMs + tookMs, () => {
      const test = {
        id,
        cause,
        attempt,
        first_test_id,
        started_ms: startedMs,
        finished_ms: this.#nowMs,
        outcome: outcomeOf[fate],
      }
      this.#finish(probe, test, fate)
    })
  }

  #finish(probe: Probe, test: Ended, fate: Fate): void {
    if (!this.#alive(probe)) return
    const passes = test.outcome === 'ok' || test.outcome === 'slow'
    if (passes) probe.passedMs = Math.max(probe.passedMs ?? 0, test.started_ms)
    const next = goOn(probe, test, passes, this.rules)
    if (next !== null) this.#at(next.atMs, () => (next.cause === 'retest' ? this.#start(probe, 'retest') : this.#runOpen(probe)))
    const proves = this.#setting.proves(probe.region, this.second())
    const slowMs = test.started_ms + this.rules.slow_s * 1000
    const doubted = slowMs < test.finished_ms && !this.#setting.proves(probe.region, (slowMs - startMs) / 1000)
    this.#report(probe, () => {
      probe.tests.push({ ...test, doubted, proved: proves && !passes, proved_since: false })
      if (proves && !passes) probe.proofMs = Math.max(probe.proofMs ?? 0, test.finished_ms)
      if (isFailure(test.outcome) && isLateNews(test.finished_ms, this.#nowMs))
        this.#lateSinceMs = Math.min(this.#lateSinceMs ?? test.started_ms, test.started_ms)
      return !isQuiet(this.state) || test.outcome !== 'ok'
    })
    // A record of its own, which is kept beside the result: no judgement reads it.
    if (fate === 'late') this.#at(this.#nowMs + lateMs, () => this.#tell(`late ${probe.region}, sent ${clock(test.started_ms)}`))
  }

  #runOpen(probe: Probe): void {
    if (probe.sequence?.next !== 'open') return
    this.#at(this.#nowMs + this.rules.open_period_s * 1000, () => this.#runOpen(probe))
    this.#start(probe, 'open')
  }

  /** `deliver` says whether the monitor needs judging because of it. */
  #report(probe: Probe, deliver: () => boolean): void {
    if (this.#linked(probe) && probe.spool.length === 0) {
      if (deliver()) this.judge()
    } else probe.spool.push(deliver)
  }
}
