/**
 * A small world around paging: the flows of production on the store in memory, gateways that do as the story says, and incidents that
 * open and end when it says so. Times are seconds since its start; what happens is told as lines:
 *
 *   00:00 m1 first takes DOWN for Alice
 *   10:00 m1 first is silent on DOWN (repeat) for Bob
 */
import { MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Effect, MonitorState, OpenIncident, VoteView } from '../../coordinator/core/evidence.ts'
import type { MaintenanceWindow } from '../../coordinator/core/maintenance.ts'
import { escalateNext } from '../../coordinator/flow/escalate.ts'
import {
  acknowledge,
  confirmOpenIncident,
  noteReturn,
  openIncident,
  recordPastIncident,
  resolveOpenIncident,
} from '../../coordinator/flow/incident.ts'
import { Outgoing, type SendContext, sendNextPage } from '../../coordinator/flow/send-pages.ts'
import type { Transaction } from '../../coordinator/flow/store.ts'
import type { Gateway, Sms } from '../../coordinator/gateways/gateway.ts'
import type { Recipient } from '../../coordinator/store/incident-log.ts'
import type { ClaimedMonitor } from '../../coordinator/store/judging.ts'
import { wellState } from '../sim/coordinator.ts'
import { quietFleet, theFleet } from '../sim/flows/fleet-row.ts'
import { MemoryStore, type StoredEvent, storedMonitor } from '../sim/flows/store.ts'
import { FakeRuntime } from './fake-runtime.ts'
import { defaultRules } from './judgement-setting.ts'
import { clock, startMs } from './judgement-words.ts'

/** What a gateway does with a message: takes it; gives no answer; is not there; will not have it. */
export type Way = 'takes' | 'silent' | 'away' | 'refuses'
export type PagingSetting = {
  monitors: string[]
  /** How many mail domains are watched in all. */
  watched: number
  /** Who is told by each step, and how long after the one before. */
  steps: { after_s: number; who: string }[]
  repeat: number
  wayOf: (gateway: string, at: number) => Way
  maintenance: readonly { from: number; to: number }[]
}

const operatorPhone = 'operator'
const gatewayNames = ['first', 'second']
const toldEvents = new Set<StoredEvent['type']>([
  'page_held_by_fleet_guard',
  'page_suppressed_by_blind_spell',
  'page_suppressed_by_maintenance',
  'page_suppressed_by_flapping',
  'page_cancelled',
  'page_failed',
  'all_clear_waits',
  'fails_again',
  'nobody_to_page',
  'no_policy',
  'policy_changed',
])
const failing: VoteView[] = ['eu', 'us'].map((region) => ({
  ...{ probe_id: region, region, vote: 'fail', reason: 'failed', outcome: 'timeout', test_id: null },
}))
const passing: VoteView[] = failing.map((view) => ({ ...view, vote: 'pass', reason: 'returned', outcome: 'ok' }))

export class PagingStory {
  readonly #setting: PagingSetting
  readonly #runtime = new FakeRuntime({ wallMs: startMs, monotonicMs: 0 })
  readonly #recipients = new Map<string, Recipient[]>()
  readonly #store: MemoryStore
  readonly #context: SendContext
  #lines: string[] = []

  constructor(setting: PagingSetting) {
    this.#setting = setting
    const nowMs = this.#runtime.wallMs
    for (const { who } of setting.steps) this.#recipients.set(who, [{ contact_method_id: who, address: who, contact_name: who }])
    this.#store = new MemoryStore(
      {
        nowMs,
        evidence: (_, observing_since_ms) => ({ vantages: [], pool: [], observing_since_ms, late_since_ms: null }),
        details: () => new Map(),
        lateReturns: () => [],
        sentBy: () => [],
        policy: () => ({
          steps: setting.steps.map(({ after_s, who }) => ({ after_s, contact_ids: [who] })),
          repeat: setting.repeat,
        }),
        recipients: this.#recipients,
        windows: () => setting.maintenance.map(windowOf),
      },
      (commit) => this.#tellEvents(commit.events),
    )
    for (const name of setting.monitors) {
      const row = storedMonitor({ customer_id: 'customer', monitor_id: name }, defaultRules, wellState(startMs))
      this.#store.monitors.committed.set(name, { ...row, name, target_domain: `${name}.example` })
    }
    this.#store.fleet.committed.set(theFleet, { ...quietFleet, watched: setting.watched })
    this.#context = {
      ...{ store: this.#store, runtime: this.#runtime, logger: quietLogger, coordinatorId: 'coordinator', operatorPhone },
      ...{ outgoing: new Outgoing(), gateways: gatewayNames.map((name) => this.#gateway(name)) },
    }
    this.#store.heartbeats.start('coordinator')
  }

  async changePolicy({ steps, repeat }: Pick<PagingSetting, 'steps' | 'repeat'>): Promise<void> {
    Object.assign(this.#setting, { steps, repeat })
    for (const { who } of steps) this.#recipients.set(who, [{ contact_method_id: who, address: who, contact_name: who }])
    await this.#store.transaction((tx) => tx.amendPaging('customer', this.#setting.monitors))
  }

  /** What the judgement decides about a monitor, or a person does, at this moment. */
  async does(
    what: 'down' | 'unconfirmed' | 'confirmed' | 'past' | 'returning' | 'failing' | 'resolved' | 'acknowledged',
    name: string,
  ): Promise<void> {
    await this.#store.transaction(async (tx) => {
      const monitor = await tx.lockMonitor('customer', name)
      if (monitor === null) throw new Error(`no monitor is called ${name}`)
      const incidentId = await this.#carryOut(what, tx, monitor)
      const state = { ...monitor.state, incident: incidentId === null ? null : this.#incidentOf(what, monitor.state) }
      await noteReturn(this.#context, tx, monitor, incidentId, state)
      await tx.saveJudgement(monitor, { state, incidentId, quiet: false, awaitingProof: [], judgeAtMs: null })
    })
  }

  /** Lets time pass until this second: steps are taken and pages sent as they fall due. */
  async until(at: number): Promise<this> {
    const endMs = startMs + at * 1000
    for (;;) {
      while (await escalateNext(this.#context));
      while (await sendNextPage(this.#context));
      const due = [this.#store.nextStepDue(), this.#store.nextPageDue()].filter((ms) => ms !== null)
      const nextMs = Math.min(...due)
      if (nextMs > endMs) break
      this.#runtime.advance(Math.max(0, nextMs - this.#runtime.wallMs()))
    }
    this.#runtime.advance(endMs - this.#runtime.wallMs())
    return this
  }

  told = (): string[] => this.#lines.splice(0)

  async #carryOut(what: string, tx: Transaction, monitor: ClaimedMonitor): Promise<string | null> {
    const nowMs = this.#runtime.wallMs()
    const known = { since_ms: nowMs - 60_000, last_good_ms: null, flapping: false, votes: failing }
    const opening = (incident_kind: 'down' | 'unconfirmed'): Extract<Effect, { kind: 'open_incident' }> => ({
      ...{ kind: 'open_incident', incident_kind, ...known },
    })
    const { incident_id } = monitor
    if (what === 'down' || what === 'unconfirmed') return await openIncident(this.#context, tx, monitor, opening(what))
    if (what === 'past') {
      await recordPastIncident(this.#context, tx, monitor, {
        kind: 'past_incident',
        ...known,
        withheld: false,
        ...{ last_fail_ms: known.since_ms, first_pass_ms: null, ended_ms: nowMs },
      })
      return null
    }
    if (incident_id === null) throw new Error(`${monitor.name} has no open incident`)
    if (what === 'resolved') {
      await resolveOpenIncident(this.#context, tx, monitor, incident_id, { votes: passing, well_since_ms: nowMs })
      return null
    }
    if (what === 'returning' || what === 'failing') return incident_id
    if (what === 'confirmed')
      await confirmOpenIncident(this.#context, tx, monitor, incident_id, { kind: 'confirm_incident', ...known })
    else await acknowledge(this.#context, tx, { ...monitor, id: incident_id }, 'a person')
    return incident_id
  }

  #incidentOf(what: string, { incident }: MonitorState): OpenIncident {
    const nowMs = this.#runtime.wallMs()
    const known: OpenIncident = incident ?? {
      ...{ kind: 'down', since_ms: nowMs, opened_ms: nowMs, asked_ms: nowMs, flapping: false, well_since_ms: null },
    }
    if (what === 'returning') return { ...known, well_since_ms: nowMs }
    return what === 'failing' ? { ...known, well_since_ms: null } : known
  }

  #gateway = (name: string): Gateway => ({
    ...{ name, kind: 'played' },
    send: async (sms) => {
      const way = this.#setting.wayOf(name, (this.#runtime.wallMs() - startMs) / 1000)
      this.#tellOfMessage(name, way, sms)
      if (way === 'silent') throw new MailscoutError('GATEWAY_OUTCOME_UNKNOWN', 'no answer')
      if (way === 'away') throw new MailscoutError('GATEWAY_UNAVAILABLE', 'not there')
      if (way === 'refuses') throw new MailscoutError('GATEWAY_REFUSED', 'no')
      return {}
    },
  })

  #tellOfMessage(gateway: string, way: Way, { to, text, reference }: Sms): void {
    const incident = this.#store.incidents.committed.get(this.#store.pages.committed.get(reference)?.incident_id ?? '')
    const did = { takes: 'takes', silent: 'is silent on', away: 'is away for', refuses: 'refuses' }[way]
    const kind = /^(?:\(repeat\) )?([A-Z]+(?: [A-Z]+)*)\b/.exec(text)?.[1] ?? text
    const repeat = text.includes('(repeat)') ? ' (repeat)' : ''
    this.#tell(`${incident?.monitor_name} ${gateway} ${did} ${kind}${repeat} for ${to}`)
  }

  #tellEvents(events: readonly StoredEvent[]): void {
    for (const { type, incident_id } of events) {
      if (toldEvents.has(type)) this.#tell(`${this.#store.incidents.committed.get(incident_id)?.monitor_name} ${type}`)
    }
  }

  #tell(line: string): void {
    this.#lines.push(`${clock(this.#runtime.wallMs())} ${line}`)
  }
}

const windowOf = ({ from, to }: { from: number; to: number }, index: number): MaintenanceWindow => ({
  id: `window-${index}`,
  schedule: { kind: 'once', starts_ms: startMs + from * 1000, ends_ms: startMs + to * 1000 },
  valid_from_ms: startMs - 86_400_000,
  valid_until_ms: null,
})

const quiet = (): void => {}
const quietLogger = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet } as unknown as Logger
