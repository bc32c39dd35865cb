/** All chance in the simulator comes from one 64-bit seed. Streams are drawn by name, so that a new draw in one disturbs no other. */

const mask = 0xffff_ffff_ffff_ffffn

/** splitmix64 (Steele, Lea and Flood 2014): spreads a seed over the state of the generator. */
function splitmix(state: bigint): { state: bigint; value: bigint } {
  const next = (state + 0x9e37_79b9_7f4a_7c15n) & mask
  let value = next
  value = ((value ^ (value >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & mask
  value = ((value ^ (value >> 27n)) * 0x94d0_49bb_1331_11ebn) & mask
  return { state: next, value: value ^ (value >> 31n) }
}

/** FNV-1a, 64 bit. */
function hash(text: string): bigint {
  let value = 0xcbf2_9ce4_8422_2325n
  for (const char of text) value = ((value ^ BigInt(char.codePointAt(0) ?? 0)) * 0x100_0000_01b3n) & mask
  return value
}

/** The seed of run number `index` of a set: close seeds make unrelated worlds. */
export const seedAt = (first: bigint, index: number): bigint => (first + BigInt(index)) & mask

/** sfc32 (Doty-Humphrey 2018): fast, with a state of 128 bits. */
export class Random {
  readonly #seed: bigint
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(seed: bigint) {
    this.#seed = seed & mask
    const first = splitmix(this.#seed)
    const second = splitmix(first.state)
    this.#a = Number(first.value & 0xffff_ffffn) | 0
    this.#b = Number(first.value >> 32n) | 0
    this.#c = Number(second.value & 0xffff_ffffn) | 0
    for (let round = 0; round < 12; round++) this.next()
  }

  stream(name: string): Random {
    return new Random(splitmix(this.#seed ^ hash(name)).value)
  }

  /** From 0 to below 1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return (sum >>> 0) / 2 ** 32
  }

  chance = (probability: number): boolean => this.next() < probability
  between = (low: number, high: number): number => low + (high - low) * this.next()
  /** A whole number from `low` to `high`, both included. */
  whole = (low: number, high: number): number => low + Math.floor(this.next() * (high - low + 1))
  /** As likely between 1 and 10 as between 10 and 100. */
  spread = (low: number, high: number): number => low * (high / low) ** this.next()
  exponential = (mean: number): number => -mean * Math.log(1 - this.next())
  /** Box and Muller; `sigma` of the logarithm. */
  lognormal(median: number, sigma: number): number {
    const normal = Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
    return median * Math.exp(sigma * normal)
  }

  pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.next() * items.length)]
    if (item === undefined) throw new RangeError('Nothing to pick from')
    return item
  }
}
