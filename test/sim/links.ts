/** The links between probes and coordinator: sessions that break and are opened again, frames that arrive or do not. */
import type { SimBatch } from './coordination.ts'
import type { Events } from './events.ts'
import type { SimProbe } from './probe.ts'
import type { Random } from './random.ts'
import type { WorldSetting } from './setting.ts'
import { isHeard, wholeSecond } from './signatures.ts'

export type LinkSurroundings = {
  events: Events
  random: Random
  setting: WorldSetting
  /** Whether a session can be open now, as far as the way is concerned. */
  isOpen: (probe: SimProbe) => boolean
  /** Whether what the coordinator says reaches the probe. */
  ordersPass: (probe: SimProbe) => boolean
  deliver: (probe: SimProbe, batch: SimBatch) => void
  onOpen: (probe: SimProbe) => void
  onChange: () => void
  note: (line: () => string) => void
}

type Session = {
  probe: SimProbe
  connected: boolean
  opening: boolean
  sending: boolean
  seenMs: number
  sinceMs: number
  number: number
}

/** As probe/report.ts: records that come together travel together; a batch without an answer ends the session. */
const gatherMs = 20
const acknowledgementMsMax = 30_000
/** As probe/report.ts: with nothing else to tell, a probe reports its health. */
const healthMs = 30_000
/** A live session is noted this often (common/limits.ts, heartbeat). */
const heartbeatMs = 15_000
/** Loses of a session are reviewed after the minute that makes a probe lost. */
const lostMs = 61_000

export class Links {
  readonly #around: LinkSurroundings
  readonly #sessions = new Map<string, Session>()

  constructor(around: LinkSurroundings) {
    this.#around = around
  }

  connect(probe: SimProbe): void {
    this.#sessions.set(probe.id, { probe, connected: true, opening: false, sending: false, seenMs: 0, sinceMs: 0, number: 1 })
  }

  isConnected = (probe: SimProbe): boolean => this.#sessions.get(probe.id)?.connected === true

  lastSeenMs(probeId: string): number {
    const session = this.#sessions.get(probeId)
    return session === undefined || session.connected ? this.#around.events.nowMs : session.seenMs
  }

  /** Since when it has been connected, or was. */
  connectedMs = (probeId: string): number => this.#sessions.get(probeId)?.sinceMs ?? 0

  /** Looks which sessions break, and which may be opened again. */
  refresh(probes: readonly SimProbe[]): void {
    for (const probe of probes) {
      const session = this.#sessions.get(probe.id)
      if (session === undefined) continue
      if (session.connected && !this.#around.isOpen(probe)) this.#break(session)
      if (session.connected && !this.#believes(probe)) this.#reportHealth(session)
      if (!session.connected && this.#canOpen(probe)) this.#reopen(session, this.#reconnectMs())
    }
  }

  /** What was lost on the way ends the session, and the next one sends it again. */
  restart(probeId: string): void {
    const session = this.#sessions.get(probeId)
    if (session === undefined || !session.connected) return
    this.#break(session)
    this.#reopen(session, this.#reconnectMs())
  }

  /** To the probe, if it is there when the frame arrives; what is lost is sent again with the next session. */
  send(probeId: string, arrive: () => void): void {
    const session = this.#sessions.get(probeId)
    if (session === undefined || !session.connected) return
    const { number, probe } = session
    this.#around.events.after(this.#latency(), () => {
      if (session.connected && session.number === number && this.#around.ordersPass(probe)) arrive()
    })
  }

  /** Something is in the spool. */
  transmit(probe: SimProbe): void {
    const session = this.#sessions.get(probe.id)
    if (session !== undefined && probe.spool.length > 0) this.#report(session)
  }

  #report(session: Session): void {
    if (!session.connected || session.sending) return
    session.sending = true
    const { number, probe } = session
    const sealedAtMs = wholeSecond(probe.clock.wallMs(this.#around.events.nowMs + gatherMs))
    this.#around.events.after(gatherMs + this.#latency(), () => {
      if (session.number !== number || !session.connected) return
      session.sending = false
      const { events, random, setting, ordersPass } = this.#around
      const heard = isHeard(sealedAtMs, events.nowMs)
      const records = [...probe.spool]
      if (heard) this.#around.deliver(probe, { records, sealedAtMs })
      if (!heard || !ordersPass(probe) || random.chance(setting.chances.unacknowledged)) {
        this.#around.note(() => `${probe.id} gets no acknowledgement${heard ? '' : ': its clock is wrong'}`)
        this.#break(session)
        this.#reopen(session, acknowledgementMsMax)
        return
      }
      probe.settle(records)
      this.transmit(probe)
    })
  }

  /** A session stays open under a clock that is set, until the probe reports by it. */
  #reportHealth(session: Session): void {
    const { number, probe } = session
    this.#around.events.after(this.#around.random.between(0, healthMs), () => {
      if (session.number === number && !this.#believes(probe)) this.#report(session)
    })
  }

  #break(session: Session): void {
    const { events, random, note } = this.#around
    session.connected = false
    session.sending = false
    session.number += 1
    session.seenMs = events.nowMs - Math.floor(random.between(0, heartbeatMs))
    note(() => `${session.probe.id} disconnected`)
    this.#around.onChange()
    events.after(lostMs, () => this.#around.onChange())
  }

  #reopen(session: Session, delayMs: number): void {
    if (session.opening) return
    session.opening = true
    this.#around.events.after(delayMs, () => {
      session.opening = false
      if (session.connected || !this.#canOpen(session.probe)) return
      session.connected = true
      session.sinceMs = this.#around.events.nowMs
      session.number += 1
      this.#around.note(() => `${session.probe.id} connected`)
      this.#around.onOpen(session.probe)
      this.#around.onChange()
      this.transmit(session.probe)
    })
  }

  /** Who cannot prove itself by its clock is refused as it dials, until that is set. */
  #canOpen = (probe: SimProbe): boolean => this.#around.isOpen(probe) && this.#believes(probe)

  #believes(probe: SimProbe): boolean {
    const { nowMs } = this.#around.events
    return isHeard(probe.clock.wallMs(nowMs), nowMs)
  }

  #latency(): number {
    const { random, setting } = this.#around
    const { median, sigma } = setting.pace.link
    return sigma === 0 ? median : random.lognormal(median, sigma)
  }

  #reconnectMs(): number {
    const { low, high } = this.#around.setting.pace.reconnect
    return this.#around.random.between(low, high)
  }
}
