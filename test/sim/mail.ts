/** The mail world: what becomes of one attempt to send a mail, given the troubles of the moment. */
import type { ResultDetail } from '../../common/wire/test.ts'
import type { Failure } from '../../probe/round-trip.ts'
import type { Random } from './random.ts'
import { isActive, type MailFault, type Trouble, type WorldSetting } from './setting.ts'

/** A mail on its way back to the probe. */
export type Homecoming = { atMs: number; kind: 'returned' | 'echo' | 'bounce' }

export type Carried = {
  /** When the dialogue with the server has ended. */
  endsMs: number
  failure: Failure | null
  back: Homecoming[]
  /** The mail world is to blame if this mail is not back in time. */
  fault: boolean
}

type FailureKind = Failure['outcome']

/** Mail servers that cannot deliver try again after so long (Postfix: minimal_backoff_time). */
export const queueRetryMs = 300_000
/** A port that drops everything is given up after so long, if the attempt has no less. */
const connectMs = 30_000
/** No healthy mail takes so long there and back. */
const healthyMsMax = 60_000

const failing = (outcome: FailureKind, permanent: boolean): Failure => ({
  outcome,
  permanent,
  stages: [],
  detail: {} as ResultDetail,
})

/** Faults of the dialogue: how it ends, and whether at once. */
const dialogueFaults: Partial<Record<MailFault, { failure: Failure; hangs: boolean }>> = {
  dropped: { failure: failing('unreachable', false), hangs: true },
  closed: { failure: failing('unreachable', false), hangs: false },
  refused: { failure: failing('refused', true), hangs: false },
  deferred: { failure: failing('deferred', false), hangs: false },
  tls: { failure: failing('tls', false), hangs: false },
  dns_missing: { failure: failing('dns', true), hangs: false },
  dns_silent: { failure: failing('dns', false), hangs: true },
}

export class MailWorld {
  readonly #setting: WorldSetting
  readonly #random: Random
  readonly #troubles: () => readonly Trouble[]
  /** When the server first saw the mails of a probe, and when it last let one pass. */
  readonly #greylist = new Map<string, { firstMs: number; passed: boolean }>()

  constructor(setting: WorldSetting, random: Random, troubles: () => readonly Trouble[]) {
    this.#setting = setting
    this.#random = random
    this.#troubles = troubles
  }

  forgetGreylist(): void {
    this.#greylist.clear()
  }

  /** These have been mailing for long. */
  knows(probeId: string): void {
    this.#greylist.set(probeId, { firstMs: 0, passed: true })
  }

  /** To the customer. `reaches` tells whether the probe gets out at all. */
  toCustomer(probe: { id: string; region: string }, nowMs: number, budgetMs: number, reaches: boolean): Carried {
    const hung = { endsMs: nowMs + Math.min(budgetMs, connectMs), failure: failing('unreachable', false), back: [], fault: true }
    if (!reaches) return { ...hung, fault: false }
    const fault = this.#faultAt(nowMs, probe.region)
    const broken = fault === null ? undefined : dialogueFaults[fault]
    const tookMs = Math.min(budgetMs, this.#lasting(this.#setting.pace.dialogue))
    if (broken !== undefined)
      return { endsMs: broken.hangs ? hung.endsMs : nowMs + tookMs, failure: broken.failure, back: [], fault: true }
    if (this.#random.chance(this.#setting.chances.hiccup)) return hung
    const deferral = this.#greylisted(probe.id, nowMs)
    const endsMs = nowMs + tookMs
    if (deferral !== null) return { endsMs, failure: deferral, back: [], fault: true }
    const back = this.#journey(probe, endsMs)
    const [first] = back
    return { endsMs, failure: null, back, fault: first?.kind !== 'returned' || first.atMs > endsMs + healthyMsMax }
  }

  /** To a reference, on a control trip. */
  toReference(nowMs: number, budgetMs: number, reaches: boolean): Carried {
    const out = !reaches || this.#troubles().some((trouble) => trouble.kind === 'references' && isActive(trouble, nowMs))
    if (out)
      return { endsMs: nowMs + Math.min(budgetMs, connectMs), failure: failing('unreachable', false), back: [], fault: false }
    const endsMs = nowMs + Math.min(budgetMs, this.#lasting(this.#setting.pace.dialogue))
    return { endsMs, failure: null, back: [{ atMs: endsMs + this.#leg() + this.#leg(), kind: 'returned' }], fault: false }
  }

  #journey({ id, region }: { id: string; region: string }, acceptedMs: number): Homecoming[] {
    const { chances } = this.#setting
    const glitch = this.#takeGlitch(id, acceptedMs)
    if (glitch !== undefined && glitch.lateMs === null) return []
    if (this.#random.chance(chances.lost)) return []
    const delayMs = glitch?.lateMs ?? (this.#random.chance(chances.late) ? this.#random.spread(120_000, 86_400_000) : 0)
    const thereMs = acceptedMs + this.#leg() + delayMs
    const brownout = this.#troubles().find((trouble) => trouble.kind === 'brownout' && isActive(trouble, thereMs))
    if (brownout?.kind === 'brownout' && this.#random.chance(brownout.share)) return []
    const backMs = thereMs + this.#leg()
    switch (this.#faultAt(thereMs, region)) {
      case 'swallowed':
        return []
      case 'bounced':
        return [{ atMs: backMs + this.#random.between(0, 10_000), kind: 'bounce' }]
      case 'unstamped':
        return [{ atMs: backMs, kind: 'echo' }]
      case 'held':
        return [{ atMs: this.#heldUntil(thereMs, region) + this.#random.between(0, 60_000), kind: 'returned' }]
      default: {
        const first: Homecoming = { atMs: backMs, kind: 'returned' }
        return this.#random.chance(chances.doubled)
          ? [first, { atMs: backMs + this.#random.spread(10, 3_600_000), kind: 'returned' }]
          : [first]
      }
    }
  }

  #faultAt(atMs: number, region: string): MailFault | null {
    return this.#fault(atMs, region)?.fault ?? null
  }

  #fault(atMs: number, region: string) {
    for (const trouble of this.#troubles()) {
      if (trouble.kind === 'mail' && isActive(trouble, atMs) && (trouble.regions === null || trouble.regions.includes(region)))
        return trouble
    }
    return null
  }

  #heldUntil(atMs: number, region: string): number {
    return this.#fault(atMs, region)?.toMs ?? atMs
  }

  #takeGlitch(probeId: string, atMs: number): { lateMs: number | null } | undefined {
    const glitch = this.#troubles().find(
      (trouble) => trouble.kind === 'glitch' && trouble.probe === probeId && isActive(trouble, atMs),
    )
    if (glitch?.kind !== 'glitch') return undefined
    // It meets one mail.
    glitch.toMs = atMs
    return { lateMs: glitch.lateMs }
  }

  #greylisted(probeId: string, nowMs: number): Failure | null {
    const { greylistMs } = this.#setting
    if (greylistMs === null) return null
    const seen = this.#greylist.get(probeId) ?? { firstMs: nowMs, passed: false }
    if (!seen.passed) seen.passed = nowMs - seen.firstMs >= greylistMs
    this.#greylist.set(probeId, seen)
    return seen.passed ? null : failing('deferred', false)
  }

  #leg = (): number => this.#lasting(this.#setting.pace.leg)
  #lasting = ({ median, sigma }: { median: number; sigma: number }): number =>
    sigma === 0 ? median : this.#random.lognormal(median, sigma)
}
