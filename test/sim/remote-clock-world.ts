/**
 * A responder's clock and the mails that it stamps: what truly happened in a stretch of some hours, and what the probes write down of it.
 * The clock drifts, mostly as little as is allowed, and is set at random; the probes' own clocks are off by no more than they report.
 */
import { hourMs, minuteMs, secondMs } from '../../common/durations.ts'
import type { StampedTest } from '../../coordinator/core/legs.ts'
import type { Random } from './random.ts'

/** Of the remote clock and of the probes' alike; here it is what the world keeps to, not what the product takes for granted. */
const allowedPpm = 50

/** One mail in true time, and the probe's account of it. */
export type Passage = { id: string; sentMs: number; stampedMs: number; returnedMs: number; test: StampedTest }
export type Step = { atMs: number; byMs: number }

/** What the remote clock is ahead of true time: at first, by its drift in each part of the stretch, and by each step. */
export class RemoteTruth {
  readonly steps: readonly Step[]
  /** It drifts by more than the product allows for. */
  readonly beyond: boolean
  readonly #aheadMs: number
  readonly #drifts: readonly { fromMs: number; ppm: number }[]
  readonly #known = new Map<number, number>()

  constructor(aheadMs: number, drifts: readonly { fromMs: number; ppm: number }[], steps: readonly Step[]) {
    this.#aheadMs = aheadMs
    this.#drifts = drifts
    this.steps = steps.toSorted((a, b) => a.atMs - b.atMs)
    this.beyond = drifts.some(({ ppm }) => Math.abs(ppm) > allowedPpm)
  }

  /** Asked of the same few moments again and again. */
  aheadMs(trueMs: number): number {
    const known = this.#known.get(trueMs)
    if (known !== undefined) return known
    const aheadMs = this.#readAheadMs(trueMs)
    this.#known.set(trueMs, aheadMs)
    return aheadMs
  }

  #readAheadMs(trueMs: number): number {
    const drifted = this.#drifts.map(({ fromMs, ppm }, index) => {
      const toMs = Math.min(trueMs, this.#drifts[index + 1]?.fromMs ?? trueMs)
      return (Math.max(0, toMs - fromMs) * ppm) / 1e6
    })
    return this.#aheadMs + sum(drifted) + sum(this.stepsWithin(Number.NEGATIVE_INFINITY, trueMs).map(({ byMs }) => byMs))
  }

  /** Those after `fromMs`, up to and with `toMs`. */
  stepsWithin = (fromMs: number, toMs: number): Step[] => this.steps.filter(({ atMs }) => atMs > fromMs && atMs <= toMs)
}

function drawRemote(random: Random, fromMs: number, lengthMs: number): RemoteTruth {
  const beyond = random.chance(0.15)
  const aheadMs = random.chance(0.5) ? random.between(-100, 100) : random.between(-2, 2) * hourMs
  const count = random.whole(1, 4)
  const drifts = Array.from({ length: count }, (_, index) => ({
    fromMs: fromMs + (index * lengthMs) / count,
    ppm: beyond ? sign(random) * random.spread(2 * allowedPpm, 20 * allowedPpm) : driftWithin(random),
  }))
  const steps = Array.from({ length: random.pick([0, 0, 1, 1, 2, 4]) }, () => ({
    atMs: fromMs + random.between(0, lengthMs),
    // From what no mail could show to what every mail shows.
    byMs: sign(random) * random.spread(1, 2 * hourMs),
  }))
  return new RemoteTruth(aheadMs, drifts, steps)
}

export type Stretch = { remote: RemoteTruth; passages: Passage[] }

/** Passages in the order of their return. */
export function drawStretch(random: Random, startMs: number): Stretch {
  const lengthMs = random.spread(20 * minuteMs, 30 * hourMs)
  const remote = drawRemote(random.stream('remote'), startMs, lengthMs)
  const count = random.whole(2, 50)
  const pace = { legMs: random.pick([5, 50, 1200, 1200, 1200]), held: random.pick([0, 0.05, 0.3]) }
  const probes = Array.from(
    { length: random.whole(1, 5) },
    (_, index) => new ProbeClock(random.stream(`probe ${index}`), startMs),
  )
  const passages: Passage[] = []
  for (let atMs = startMs; passages.length < count; ) {
    atMs += random.exponential(lengthMs / count)
    passages.push(drawPassage(random, { id: String(passages.length), startedMs: atMs, probe: random.pick(probes), remote, pace }))
  }
  return { remote, passages: passages.sort((a, b) => a.returnedMs - b.returnedMs) }
}

type Sending = {
  id: string
  startedMs: number
  probe: ProbeClock
  remote: RemoteTruth
  pace: { legMs: number; held: number }
}

function drawPassage(random: Random, { id, startedMs, probe, remote, pace }: Sending): Passage {
  const sentMs = startedMs + random.lognormal(Math.min(400, 4 * pace.legMs), 0.8)
  const leg = (): number =>
    random.lognormal(pace.legMs, 0.8) + (random.chance(pace.held) ? random.spread(30 * secondMs, 3 * hourMs) : 0)
  const stampedMs = sentMs + leg()
  const returnedMs = stampedMs + leg()
  const test = probe.account(random, {
    id,
    startedMs,
    sentMs,
    returnedMs,
    stamp: Math.floor(stampedMs + remote.aheadMs(stampedMs)),
  })
  return { id, sentMs, stampedMs, returnedMs, test }
}

type Times = { id: string; startedMs: number; sentMs: number; returnedMs: number; stamp: number }

/** After this the result is written, with what is then known of the clock; a mail that returns later is noted with the same. */
const timeoutMs = 10 * minuteMs

/** A probe's wall clock, its quartz, and what NTP told it. */
class ProbeClock {
  readonly #startMs: number
  readonly #aheadMs: number
  readonly #ppm: number
  readonly #readingErrorMs: number
  /** It has never reached an NTP server, and may be off by anything. */
  readonly #unchecked: boolean

  constructor(random: Random, startMs: number) {
    this.#startMs = startMs
    this.#aheadMs = random.chance(0.8) ? random.between(-50, 50) : random.between(-300, 300) * secondMs
    this.#ppm = driftWithin(random)
    this.#readingErrorMs = random.spread(0.5, 1200)
    this.#unchecked = random.chance(0.05)
  }

  account(random: Random, { id, startedMs, sentMs, returnedMs, stamp }: Times): StampedTest {
    // Now and then somebody sets it during the test.
    const set = {
      atMs: random.between(startedMs, returnedMs),
      byMs: random.chance(0.02) ? sign(random) * random.spread(1, 10 * secondMs) : 0,
    }
    const aheadAt = (ms: number): number =>
      this.#aheadMs + ((ms - this.#startMs) * this.#ppm) / 1e6 + (ms >= set.atMs ? set.byMs : 0)
    const wallMs = (ms: number): number => Math.floor(ms + aheadAt(ms))
    const endedMs = Math.min(returnedMs, sentMs + timeoutMs)
    const ageMs = random.between(0, hourMs)
    // A reading from before the clock was set is put right by as much as it was set.
    const aheadWhenRead = aheadAt(endedMs) - (ageMs * this.#ppm) / 1e6
    const wrongMs = sometimesExtreme(random, -this.#readingErrorMs, this.#readingErrorMs)
    return {
      id,
      started_at: wallMs(startedMs),
      sent_at: wallMs(sentMs),
      returned_at: wallMs(returnedMs),
      rtt_ms: (returnedMs - startedMs) * (1 + this.#ppm / 1e6),
      stamp_at: stamp,
      clock_offset_ms: this.#unchecked ? null : wrongMs - aheadWhenRead,
      clock_error_ms: this.#unchecked ? null : this.#readingErrorMs + (ageMs * allowedPpm) / 1e6,
    }
  }
}

const sign = (random: Random): number => (random.chance(0.5) ? 1 : -1)
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const driftWithin = (random: Random): number => sometimesExtreme(random, -allowedPpm, allowedPpm)

/** A bound is tried hardest at its ends. */
function sometimesExtreme(random: Random, low: number, high: number): number {
  return random.chance(0.2) ? random.pick([low, high]) : random.between(low, high)
}
