/** Two ways out to phones, and the record of what they took: the one thing that a customer gets to see. */
import { MailscoutError } from '../../../common/errors.ts'
import type { Gateway, Sms } from '../../../coordinator/gateways/gateway.ts'
import type { Events } from '../events.ts'
import type { Span } from '../oracle.ts'
import type { Random } from '../random.ts'
import type { SimProcess } from './process.ts'
import type { FlowTrouble, Way } from './setting.ts'

/** One handing over. `knownMs`: when the coordinator knew its outcome; null: it never did. */
export type Attempt = { atMs: number; to: string; text: string; reference: string; knownMs: number | null }
export type Taken = { atMs: number; gateway: string; to: string; text: string; reference: string }

const names = ['first', 'second']
/** coordinator/gateways/http.ts: how long an answer is waited for. */
const answerMsMax = 10_000

export class SimGateways {
  readonly taken: Taken[] = []
  readonly attempts: Attempt[] = []
  troubles: FlowTrouble[] = []
  readonly #events: Events
  readonly #random: Random
  readonly #onTaken: (taken: Taken) => void

  constructor(events: Events, random: Random, onTaken: (taken: Taken) => void) {
    this.#events = events
    this.#random = random
    this.#onTaken = onTaken
  }

  forget(): void {
    this.taken.length = 0
    this.attempts.length = 0
  }

  /** One of them takes messages and says so. */
  workAt(atMs: number): boolean {
    return names.some((_, gateway) => this.#wayOf(gateway, atMs) === 'accepts')
  }

  /** When none of them does so. */
  deafSpans(): Span[] {
    const changes = [...new Set(this.troubles.flatMap(({ fromMs, toMs }) => [fromMs, toMs]))].sort((a, b) => a - b)
    return changes.flatMap((fromMs, index) => {
      const toMs = changes[index + 1]
      return toMs === undefined || this.workAt(fromMs) ? [] : [{ fromMs, toMs }]
    })
  }

  /** As a process reaches them: it may die while an answer is on its way. */
  reachedBy = (process: SimProcess): Gateway[] =>
    names.map((name, index) => ({ name, kind: 'played', send: (sms) => this.#send(process, name, index, sms) }))

  async #send(process: SimProcess, name: string, index: number, sms: Sms): Promise<{ providerId?: string }> {
    await process.pass('handing over')
    const { to, text, reference } = sms
    const attempt: Attempt = { atMs: this.#events.nowMs, to, text, reference, knownMs: null }
    this.attempts.push(attempt)
    const answerMs = Math.min(this.#random.lognormal(300, 0.8), answerMsMax - 1000)
    const way = this.#drawWay(index)
    const takes = way === 'accepts' || way === 'takes_silently'
    if (takes) this.#events.after(answerMs / 2, () => this.#take({ gateway: name, ...sms }))
    if (way === 'takes_silently' || way === 'loses') {
      await process.wait(answerMsMax)
      throw new MailscoutError('GATEWAY_OUTCOME_UNKNOWN', `${name} gives no answer`)
    }
    await process.wait(way === 'away' && this.#random.chance(0.3) ? answerMsMax : answerMs)
    if (way === 'accepts') await process.pass('accepted')
    attempt.knownMs = this.#events.nowMs
    if (way === 'away') throw new MailscoutError('GATEWAY_UNAVAILABLE', `${name} is not there`)
    if (way === 'refuses') throw new MailscoutError('GATEWAY_REFUSED', `${name} says no`)
    return { providerId: `${name}-${sms.reference.slice(-6)}` }
  }

  #take({ gateway, to, text, reference }: Omit<Taken, 'atMs'>): void {
    const taken = { atMs: this.#events.nowMs, gateway, to, text, reference }
    this.taken.push(taken)
    this.#onTaken(taken)
  }

  #wayOf(gateway: number, atMs = this.#events.nowMs): Way {
    const active = this.troubles.filter((trouble) => trouble.fromMs <= atMs && atMs < trouble.toMs)
    return (
      active.flatMap((trouble) => (trouble.kind === 'gateway' && trouble.gateway === gateway ? [trouble.way] : []))[0] ??
      'accepts'
    )
  }

  /** In good times, too, an answer is lost now and then. */
  #drawWay(gateway: number): Way {
    const way = this.#wayOf(gateway)
    if (way !== 'accepts' || !this.#random.chance(0.01)) return way
    return this.#random.pick<Way>(['takes_silently', 'loses'])
  }
}
