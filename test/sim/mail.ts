/** The mail world: what becomes of one attempt to send a mail, given the troubles of the moment. */
import type { ResultDetail } from '../../common/wire/test.ts'
import { stampedBack } from '../../probe/match.ts'
import type { Failure, Instant, TripEvent } from '../../probe/round-trip.ts'
import type { Stamping } from '../../responder/reply.ts'
import type { Random } from './random.ts'
import { SimResponder, type TestMail } from './responder.ts'
import { isActive, type MailFault, meets, type Trouble, type WorldSetting } from './setting.ts'

/** A mail on its way back to the probe. */
export type Homecoming = { atMs: number } & (
  | { kind: 'returned'; stamp: Stamping }
  | { kind: 'echo' | 'bounce' | 'policy_bounce' }
)

/** A test mail to the customer, and where it comes from. */
export type CustomerMail = TestMail & { region: string }

export type Carried = {
  /** When the dialogue with the server has ended. */
  endsMs: number
  failure: Failure | null
  back: Homecoming[]
  /** The mail world is to blame if this mail is not back in time. */
  fault: boolean
}

/** Why the mail world kept a mail, and when that was settled; `mail`: by a trouble of that kind. */
export type Loss = { why: 'mail' | 'brownout' | 'chance' | 'greylist'; atMs: number }

type FailureKind = Failure['outcome']
type Blocking = Extract<Trouble, { kind: 'blocked' }>

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

/** Nobody answered, as far as the time went: where that was short it is our own deadline that says so (probe/send.ts). */
const gaveUp = (budgetMs: number): Failure => ({
  ...failing('unreachable', false),
  ...(budgetMs < connectMs ? { cutOff: true } : {}),
})

/** What a mail that is home tells the trip, by the rules of the probe. */
export function arrivalOf(home: Homecoming, at: Instant): TripEvent {
  const arrived = { receivedAtWallMs: at.wallMs, receivedAtMonotonicMs: at.monotonicMs, via: 'smtp' } as const
  switch (home.kind) {
    case 'returned':
      return { kind: 'returned', back: stampedBack(arrived, { ...home.stamp, responderVersion: 'sim' }) }
    case 'echo':
      return { kind: 'echo', back: { at, stampAtMs: null, detail: {} } }
    default:
      return { kind: 'bounce', blocked: home.kind === 'policy_bounce', detail: {} }
  }
}

/** A server that can be talked to; who is not let in hears that before anything else. */
const answers = ({ outcome }: Failure): boolean => !['unreachable', 'tls', 'dns'].includes(outcome)

/** Faults of the dialogue: how it ends, and whether at once. */
const dialogueFaults: Partial<Record<MailFault, { failure: Failure; hangs: boolean }>> = {
  dropped: { failure: failing('unreachable', false), hangs: true },
  closed: { failure: failing('unreachable', false), hangs: false },
  refused: { failure: failing('refused', true), hangs: false },
  deferred: { failure: failing('deferred', false), hangs: false },
  tls: { failure: failing('tls', false), hangs: false },
  auth: { failure: failing('auth', false), hangs: false },
  dns_missing: { failure: failing('dns', true), hangs: false },
  dns_silent: { failure: failing('dns', false), hangs: true },
}

export class MailWorld {
  readonly responder: SimResponder
  /** By test, of its last attempt. */
  readonly losses = new Map<string, Loss>()
  readonly #setting: WorldSetting
  readonly #random: Random
  readonly #troubles: () => readonly Trouble[]
  /** When the server first saw the mails of a probe, and when it last let one pass. */
  readonly #greylist = new Map<string, { firstMs: number; passed: boolean }>()

  constructor(setting: WorldSetting, random: Random, troubles: () => readonly Trouble[]) {
    this.#setting = setting
    this.#random = random
    this.#troubles = troubles
    this.responder = new SimResponder(setting, troubles)
  }

  forgetGreylist(): void {
    this.#greylist.clear()
  }

  /** These have been mailing for long. */
  knows(probeId: string): void {
    this.#greylist.set(probeId, { firstMs: 0, passed: true })
  }

  /** To the customer. `reaches` tells whether the probe gets out at all. */
  toCustomer(mail: CustomerMail, nowMs: number, budgetMs: number, reaches: boolean): Carried {
    this.losses.delete(mail.tid)
    const hung = { endsMs: nowMs + Math.min(budgetMs, connectMs), failure: gaveUp(budgetMs), back: [], fault: true }
    if (!reaches) return { ...hung, fault: false }
    const fault = this.#faultAt(nowMs, mail.region)
    const broken = fault === null ? undefined : dialogueFaults[fault]
    const tookMs = Math.min(budgetMs, this.#lasting(this.#setting.pace.dialogue))
    const blocked = this.#blocking(nowMs, mail.region)
    if (blocked !== undefined && (broken === undefined || answers(broken.failure)))
      return this.#refusedByPolicy(blocked.way, nowMs + tookMs)
    if (broken !== undefined) {
      this.#lose(mail, 'mail', nowMs)
      if (fault === 'dropped') return hung
      return { endsMs: broken.hangs ? hung.endsMs : nowMs + tookMs, failure: broken.failure, back: [], fault: true }
    }
    if (this.#random.chance(this.#setting.chances.hiccup)) {
      this.#lose(mail, 'chance', nowMs)
      return hung
    }
    const deferral = this.#greylisted(mail.probeId, nowMs)
    const endsMs = nowMs + tookMs
    if (deferral !== null) {
      this.#lose(mail, 'greylist', nowMs)
      return { endsMs, failure: deferral, back: [], fault: true }
    }
    const back = this.#journey(mail, endsMs)
    const [first] = back
    return { endsMs, failure: null, back, fault: first?.kind !== 'returned' || first.atMs > endsMs + healthyMsMax }
  }

  /** To a reference, on a control trip. */
  toReference(nowMs: number, budgetMs: number, reaches: boolean): Carried {
    const out = !reaches || this.#troubles().some((trouble) => trouble.kind === 'references' && isActive(trouble, nowMs))
    if (out)
      return { endsMs: nowMs + Math.min(budgetMs, connectMs), failure: failing('unreachable', false), back: [], fault: false }
    const endsMs = nowMs + Math.min(budgetMs, this.#lasting(this.#setting.pace.dialogue))
    const thereMs = endsMs + this.#leg()
    const stamp = { stampMs: Math.floor(thereMs), clockSuspect: false }
    return { endsMs, failure: null, back: [{ atMs: thereMs + this.#leg(), kind: 'returned', stamp }], fault: false }
  }

  /** It says nothing of the customer's mail, whatever that is like. */
  #refusedByPolicy(way: Blocking['way'], endsMs: number): Carried {
    if (way !== 'bounced') return { endsMs, failure: failing('blocked', way === 'refused'), back: [], fault: false }
    return { endsMs, failure: null, back: [{ atMs: endsMs + this.#leg() + this.#leg(), kind: 'policy_bounce' }], fault: false }
  }

  #journey(mail: CustomerMail, acceptedMs: number): Homecoming[] {
    const { chances } = this.#setting
    const glitch = this.#takeGlitch(mail.probeId, acceptedMs)
    if ((glitch !== undefined && glitch.lateMs === null) || this.#random.chance(chances.lost)) {
      this.#lose(mail, 'chance', acceptedMs)
      return []
    }
    const delayMs = glitch?.lateMs ?? (this.#random.chance(chances.late) ? this.#random.spread(120_000, 86_400_000) : 0)
    const thereMs = acceptedMs + this.#leg() + delayMs
    const brownout = this.#troubles().find((trouble) => trouble.kind === 'brownout' && isActive(trouble, thereMs))
    if (delayMs > 0) this.#lose(mail, 'chance', acceptedMs)
    if (brownout?.kind === 'brownout' && this.#random.chance(brownout.share)) {
      this.#lose(mail, 'brownout', thereMs)
      return []
    }
    if (delayMs < this.#setting.rules.timeout_s * 1000 && this.#faultAt(thereMs, mail.region) !== null)
      this.#lose(mail, 'mail', thereMs)
    const again = this.#random.chance(chances.doubled) ? this.#random.pick(['delivered', 'returned']) : null
    const laterMs = again === null ? 0 : this.#random.spread(10, 3_600_000)
    const copies = again === 'delivered' ? [thereMs, thereMs + laterMs] : [thereMs]
    // What waits in a queue may be overtaken by its own copy.
    const inTurn = copies.map((atMs) => this.#releasedMs(atMs, mail.region)).sort((a, b) => a - b)
    const homes = inTurn.flatMap((atMs) => this.#deliver(mail, atMs))
    return again === 'returned' ? [...homes, ...homes.map((home) => ({ ...home, atMs: home.atMs + laterMs }))] : homes
  }

  #lose(mail: CustomerMail, why: Loss['why'], atMs: number): void {
    this.losses.set(mail.tid, { why, atMs })
  }

  /** A mail that is held waits until nothing holds it any more. */
  #releasedMs(atMs: number, region: string): number {
    let releasedMs = atMs
    while (this.#faultAt(releasedMs, region) === 'held')
      releasedMs = this.#heldUntil(releasedMs, region) + this.#random.between(0, 60_000)
    return releasedMs
  }

  /** One copy is at the customer's; what comes of it, there and on its way home. */
  #deliver(mail: CustomerMail, atMs: number): Homecoming[] {
    const backMs = atMs + this.#leg()
    switch (this.#faultAt(atMs, mail.region)) {
      case 'swallowed':
        return []
      case 'bounced':
        return [{ atMs: backMs + this.#random.between(0, 10_000), kind: 'bounce' }]
      case 'unstamped':
        return [{ atMs: backMs, kind: 'echo' }]
      case 'return_lost':
        this.#answer(mail, atMs, backMs)
        return []
      case 'return_held':
        return this.#answer(mail, atMs, this.#heldUntil(atMs, mail.region) + this.#random.between(0, 60_000))
      default:
        return this.#answer(mail, atMs, backMs)
    }
  }

  /** The responder gets it at `atMs`, and its answer is home at `homeMs`. */
  #answer(mail: CustomerMail, atMs: number, homeMs: number): Homecoming[] {
    const stamp = this.responder.answer(mail, atMs)
    return stamp === null ? [] : [{ atMs: homeMs, kind: 'returned', stamp }]
  }

  #faultAt(atMs: number, region: string): MailFault | null {
    return this.#fault(atMs, region)?.fault ?? null
  }

  #fault(atMs: number, region: string) {
    for (const trouble of this.#troubles()) {
      if (trouble.kind === 'mail' && isActive(trouble, atMs) && meets(trouble, region)) return trouble
    }
    return null
  }

  #blocking(atMs: number, region: string): Blocking | undefined {
    return this.#troubles().find(
      (trouble): trouble is Blocking => trouble.kind === 'blocked' && isActive(trouble, atMs) && meets(trouble, region),
    )
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
