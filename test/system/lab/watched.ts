/** One monitor of the lab, seen from the outside: by the API, the gateway's record, and the mail system that it watches. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Api, Decision, Incident, Monitor, Page, Result } from './api.ts'
import type { MailHost } from './mail-host.ts'
import type { SmsGateway, SmsRequest } from './sms-gateway.ts'
import { until } from './until.ts'

export type MonitorOptions = {
  /** Default: the customer that all share. */
  on?: MailHost
  /** Whether the .forward keeps a copy of each mail (default: no), or is not there. */
  forward?: 'drop' | 'keep' | 'none'
  /** Of the responder, beside what the lab says. */
  responder?: { addresses?: string[] }
  /** One phone for each step; default: one, at once. */
  escalation?: { after_s: number }[]
  /** Of the monitor, instead of the lab's. */
  settings?: Partial<Record<'period_s' | 'timeout_s' | 'slow_s' | 'retest_wait_s' | 'hard_confirm_s' | 'open_period_s', number>>
}

type Parts = { api: Api; sms: SmsGateway; id: string; user: string; address: string; on: MailHost; phones: string[] }

/** The API is asked more slowly than a file is read. */
const everyMs = 400
const upWithinMs = 90_000
const vantages = 3

/** Where the responder of a user keeps its state and its log. */
export const responderState = (on: MailHost, user: string): string => join(on.home(user), 'state')

export class Watched {
  readonly id: string
  readonly user: string
  readonly address: string
  readonly on: MailHost
  readonly phones: readonly string[]
  readonly #api: Api
  readonly #sms: SmsGateway

  constructor({ api, sms, id, user, address, on, phones }: Parts) {
    this.#api = api
    this.#sms = sms
    this.id = id
    this.user = user
    this.address = address
    this.on = on
    this.phones = phones
  }

  /** What the responder said of each mail that carried a token, oldest first. */
  journal(): { msg: string; tid?: string; reason?: string; detail?: string; repeated?: boolean; clock_suspect?: boolean }[] {
    const file = join(responderState(this.on, this.user), 'responder.log')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as ReturnType<Watched['journal']>[number])
  }

  monitor(): Promise<Monitor> {
    return this.#api.get(`/v1/monitors/${this.id}`)
  }

  /** Oldest first. */
  async results(): Promise<Result[]> {
    return (await this.#api.list<Result>(`/v1/monitors/${this.id}/results?limit=500`)).reverse()
  }

  /** Oldest first. */
  async incidents(): Promise<Incident[]> {
    return (await this.#api.list<Incident>(`/v1/incidents?monitor_id=${this.id}`)).reverse()
  }

  async pages(incidentId: string): Promise<Page[]> {
    return await this.#api.list<Page>(`/v1/pages?incident_id=${incidentId}`)
  }

  /** What rang the phone of this step. */
  sms(step = 0): SmsRequest[] {
    return this.#sms.received(this.phones[step] ?? 'no such phone')
  }

  /** Waits until every vantage has seen mail come back, so that what follows is a change. */
  async awaitUp(withinMs = upWithinMs): Promise<void> {
    await this.until('mail to return from every region', withinMs, async () => {
      const { decision, verdicts } = await this.monitor()
      return decision === 'up' && verdicts.filter(({ verdict }) => verdict === 'pass').length === vantages
    })
  }

  async awaitDecision(decision: Decision, withinMs: number): Promise<Monitor> {
    return await this.until(`the decision ${decision}`, withinMs, async () => {
      const monitor = await this.monitor()
      return monitor.decision === decision && monitor
    })
  }

  /** Waits for a result of this kind that is not among those `before`. */
  async awaitResult(what: string, before: Result[], withinMs: number, fits: (result: Result) => boolean): Promise<Result> {
    const known = new Set(before.map(({ id }) => id))
    return await this.until(what, withinMs, async () =>
      (await this.results()).find((result) => !known.has(result.id) && fits(result)),
    )
  }

  /** Waits for the one open incident. */
  async awaitIncident(withinMs: number): Promise<Incident> {
    return await this.until('an incident to open', withinMs, async () =>
      (await this.incidents()).find((incident) => incident.resolved_at === null),
    )
  }

  async awaitSms(count: number, withinMs: number, step = 0): Promise<SmsRequest[]> {
    return await this.until(
      `${count} SMS to the phone of step ${step}`,
      withinMs,
      () => this.sms(step).length >= count && this.sms(step),
    )
  }

  /** `until`, with what the API says of this monitor in the error. */
  async until<T>(
    what: string,
    withinMs: number,
    probe: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    try {
      return await until(`${this.user}: ${what}`, probe, { withinMs, everyMs })
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${await this.#account()}`, { cause: error })
    }
  }

  async #account(): Promise<string> {
    try {
      const { decision, decision_reason, verdicts } = await this.monitor()
      const lines = [`decision ${decision} (${decision_reason})`]
      for (const { region, verdict, reason } of verdicts) lines.push(`${region}: ${verdict} (${reason})`)
      for (const { region, cause, outcome, started_at, detail } of (await this.results()).slice(-12))
        lines.push(`${started_at} ${region} ${cause} ${outcome} ${JSON.stringify(detail)}`)
      for (const { kind, cause, resolved_at } of await this.incidents())
        lines.push(`incident ${kind} ${cause.text} resolved ${resolved_at}`)
      for (const step of this.phones.keys())
        for (const { at, text } of this.sms(step)) lines.push(`SMS ${at} step ${step}: ${text}`)
      return lines.join('\n')
    } catch (error) {
      return `and the API is away: ${String(error)}`
    }
  }
}
