/**
 * The customer's responder: the rules of responder/reply.ts on a clock and a memory of the simulator. Keys, MIME and files are not
 * played: every mail that comes here is genuine.
 */
import { dayMs, hourMs } from '../../common/durations.ts'
import { type Genuine, type Memory, type Stamping, stampFor } from '../../responder/reply.ts'
import { isActive, type Trouble, type WorldSetting } from './setting.ts'

/** A test mail, as far as a responder reads it. */
export type TestMail = { tid: string; probeId: string; window: { iat: number; exp: number } }

/** As responder/memory.ts without a directory that it can use: every mail is the first. */
const noMemory: Memory = { firstStamp: (_, stampMs) => stampMs, countAnswer: () => 1 }
/** A probe's certificate is made for 14 days and renewed after 7. */
const certifiedS = (7 * dayMs) / 1000

/** What the responder's clock says at a moment: it drifts, may be wrong, and is set by troubles. */
export const responderClockMs = (setting: WorldSetting, troubles: readonly Trouble[], atMs: number): number => {
  const { driftPpm, aheadMs } = setting.responder
  const set = troubles.flatMap((trouble) => (trouble.kind === 'responder_clock' && isActive(trouble, atMs) ? [trouble.byMs] : []))
  const aheadNowMs = aheadMs + ((atMs - setting.startMs) * driftPpm) / 1e6 + set.reduce((sum, byMs) => sum + byMs, 0)
  return Math.floor(atMs + aheadNowMs)
}

export class SimResponder {
  /** When each test's mail came here: true time, one for each delivery. */
  readonly deliveries = new Map<string, number[]>()
  readonly #setting: WorldSetting
  readonly #troubles: () => readonly Trouble[]
  readonly #stamps = new Map<string, { atMs: number; stampMs: number }>()
  readonly #answers = new Map<string, number>()

  constructor(setting: WorldSetting, troubles: () => readonly Trouble[]) {
    this.#setting = setting
    this.#troubles = troubles
  }

  /** Null where the probe's budget is spent. */
  answer({ tid, probeId, window }: TestMail, atMs: number): Stamping | null {
    const deliveries = this.deliveries.get(tid)
    if (deliveries === undefined) this.deliveries.set(tid, [atMs])
    else deliveries.push(atMs)
    const certificate = { sub: probeId, nbf: window.iat - certifiedS, exp: window.iat + certifiedS }
    const genuine: Genuine = { certificate, token: { tid, ...window } }
    return stampFor(genuine, responderClockMs(this.#setting, this.#troubles(), atMs), this.#memoryAt(atMs)) ?? null
  }

  /** What was long ago is asked about no more. */
  forget(): void {
    this.deliveries.clear()
    this.#stamps.clear()
    this.#answers.clear()
  }

  /** What it knew is lost wherever its state was out of order since. */
  #memoryAt(atMs: number): Memory {
    const lost = this.#troubles().filter(({ kind, fromMs }) => kind === 'responder_state' && fromMs <= atMs)
    if (lost.some(({ toMs }) => atMs < toMs)) return noMemory
    return {
      firstStamp: (tid, stampMs) => {
        const known = this.#stamps.get(tid)
        if (known !== undefined && !lost.some(({ toMs }) => toMs > known.atMs)) return known.stampMs
        this.#stamps.set(tid, { atMs, stampMs })
        return stampMs
      },
      countAnswer: (probeId, nowMs) => {
        const key = `${probeId} ${Math.floor(nowMs / hourMs)}`
        const count = (this.#answers.get(key) ?? 0) + 1
        this.#answers.set(key, count)
        return count
      },
    }
  }
}
