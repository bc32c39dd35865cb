/** The coordinators' heartbeats (store/probe-link.ts `beat`), one a second, told only where somebody asks. */
type Heart = { startedMs: number; seenMs: number; beatingSinceMs: number | null }

const beatMs = 1_000
/** store/outbox.ts: a sender silent for longer is gone. */
const goneAfterMs = 5_000
/** store/judging.ts: nobody heard for longer was there. */
const freshMs = 10_000

export class Heartbeats {
  readonly #nowMs: () => number
  readonly #hearts = new Map<string, Heart>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** One beat; after a break it names a new beginning. */
  beat(id: string): void {
    const nowMs = this.#nowMs()
    const before = this.#hearts.get(id)
    const goesOn = before !== undefined && this.#seenMs(before) >= nowMs - freshMs
    this.#hearts.set(id, { startedMs: goesOn ? before.startedMs : nowMs, seenMs: nowMs, beatingSinceMs: null })
  }

  /** From now on a beat every second. */
  start(id: string): void {
    this.beat(id)
    const heart = this.#hearts.get(id)
    if (heart !== undefined) heart.beatingSinceMs = heart.seenMs
  }

  stop(id: string): void {
    const heart = this.#hearts.get(id)
    if (heart !== undefined) this.#hearts.set(id, { ...heart, seenMs: this.#seenMs(heart), beatingSinceMs: null })
  }

  /** No beat of it in the last five seconds. */
  isGone(id: string, nowMs: number): boolean {
    const heart = this.#hearts.get(id)
    return heart === undefined || this.#seenMs(heart) <= nowMs - goneAfterMs
  }

  /** From when on it counts as gone, as far as can be known now. */
  goneMs(id: string): number {
    const heart = this.#hearts.get(id)
    if (heart === undefined) return 0
    return heart.beatingSinceMs === null ? heart.seenMs + goneAfterMs : Number.POSITIVE_INFINITY
  }

  observingSinceMs(nowMs: number): number {
    const fresh = [...this.#hearts.values()].filter((heart) => this.#seenMs(heart) > nowMs - freshMs)
    return fresh.length === 0 ? nowMs : Math.min(...fresh.map(({ startedMs }) => startedMs))
  }

  tidyUp(): void {
    for (const [id, { beatingSinceMs }] of this.#hearts) if (beatingSinceMs === null) this.#hearts.delete(id)
  }

  #seenMs = ({ seenMs, beatingSinceMs }: Heart): number =>
    beatingSinceMs === null ? seenMs : this.#nowMs() - ((this.#nowMs() - beatingSinceMs) % beatMs)
}
