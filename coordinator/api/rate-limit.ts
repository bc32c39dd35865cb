/** Token buckets in memory, one a name: so many at once, and then so many a second. */

type Bucket = { tokens: number; atMs: number }

/** Names are bounded by what exists (keys, monitors); this is for the day when they are not. */
const bucketsMax = 20_000

export class TokenBuckets {
  readonly #burst: number
  readonly #perSecond: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(limit: { burst: number; perSecond: number }) {
    this.#burst = limit.burst
    this.#perSecond = limit.perSecond
  }

  /** Takes a token, or tells in how many whole seconds there will be one. `nowMs` never jumps. */
  take(name: string, nowMs: number): { taken: true } | { taken: false; retryAfterS: number } {
    const known = this.#buckets.get(name)
    const refilled = known === undefined ? this.#burst : known.tokens + ((nowMs - known.atMs) / 1000) * this.#perSecond
    const tokens = Math.min(this.#burst, refilled)
    if (tokens < 1) return { taken: false, retryAfterS: Math.max(1, Math.ceil((1 - tokens) / this.#perSecond)) }
    if (known === undefined && this.#buckets.size >= bucketsMax) this.#buckets.clear()
    this.#buckets.set(name, { tokens: tokens - 1, atMs: nowMs })
    return { taken: true }
  }
}
