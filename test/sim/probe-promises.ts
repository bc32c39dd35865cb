/**
 * What a probe promises whatever moment it dies in, judged by the mails that left it, by what it told, and by what it left on its disk:
 * a slot is mailed by one test, a test that was mailed is told of, always in the same words, and a lost one is followed by its re-test. Nor may
 * a customer's server be flooded: no probe is asked for test after test.
 */
import type { TripOrder } from '../../probe/trip.ts'
import type { SpoolRecord } from './journal.ts'

export type ProbeViolation = {
  kind: 'slot_twice' | 'told_otherwise' | 'untold' | 'retest_lost' | 'flood'
  atMs: number
  what: string
}

const lost = ['timeout', 'echo', 'bounced', 'refused', 'deferred', 'unreachable', 'tls', 'dns', 'auth']

/** Each vantage that begins to fail, or to pass, may ask the others: no more than so many within a minute. */
const jobsMax = 12
const minuteMs = 60_000

export class ProbePromises {
  violations: ProbeViolation[] = []
  readonly #slots = new Map<string, string>()
  readonly #mailed = new Set<string>()
  readonly #told = new Map<string, SpoolRecord['body']>()
  readonly #jobs = new Map<string, number[]>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** A mail of this trip leaves the probe. */
  mailed(probeId: string, order: TripOrder): void {
    // A mail that is put off is tried again, and is one mail.
    const isNew = !this.#mailed.has(order.id)
    this.#mailed.add(order.id)
    if (isNew && order.kind === 'test' && order.cause === 'job') this.#asked(probeId)
    if (order.kind !== 'test' || order.slot === null) return
    const { assignmentId, number, atMs } = order.slot
    for (const name of [`slot ${number} of ${assignmentId}`, `instant ${atMs} of ${probeId}`]) {
      const other = this.#slots.get(name)
      if (other !== undefined && other !== order.id) this.#broken('slot_twice', `${name} is mailed by ${other} and ${order.id}`)
      this.#slots.set(name, order.id)
    }
  }

  /** The coordinator hears this, perhaps again. */
  told(records: readonly SpoolRecord[]): void {
    for (const { kind, id, body } of records) {
      if (kind !== 'result' && kind !== 'control') continue
      const before = this.#told.get(id)
      if (before !== undefined && before !== body) this.#compare(id, JSON.stringify(before), JSON.stringify(body))
      this.#told.set(id, body)
    }
  }

  /** It dies. What it has just noted of a lost slot must not stand there without the re-test. */
  died(spool: readonly SpoolRecord[], uptimeMs: number, hasSequence: boolean): void {
    for (const { kind, id, body } of spool) {
      if (kind !== 'result' || body.cause !== 'slot' || Math.abs((body.finished_uptime_ms ?? 0) - uptimeMs) > 1 || hasSequence)
        continue
      if (lost.includes(body.outcome)) this.#broken('retest_lost', `${id}: ${body.outcome}, and no re-test stands in the journal`)
    }
  }

  /** Everything has come to rest. */
  rested(): void {
    for (const id of this.#mailed) if (!this.#told.has(id)) this.#broken('untold', `${id} was mailed, and nobody was told`)
  }

  forget(): void {
    this.violations = []
    this.#slots.clear()
    this.#mailed.clear()
    this.#told.clear()
    this.#jobs.clear()
  }

  #compare(id: string, before: string, words: string): void {
    if (before !== words) this.#broken('told_otherwise', `${id}: ${before} and then ${words}`)
  }

  #asked(probeId: string): void {
    const nowMs = this.#nowMs()
    const recent = [...(this.#jobs.get(probeId) ?? []).filter((atMs) => atMs > nowMs - minuteMs), nowMs]
    this.#jobs.set(probeId, recent)
    if (recent.length === jobsMax + 1)
      this.#broken('flood', `${probeId} sends ${recent.length} mails that it was asked for in a minute`)
  }

  #broken(kind: ProbeViolation['kind'], what: string): void {
    this.violations.push({ kind, atMs: this.#nowMs(), what })
  }
}
