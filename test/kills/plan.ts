/** What is killed when, and whose mail breaks how: drawn from the seed. Real processes make of it a history that is never twice the same. */
import type { Random } from '../sim/random.ts'

export type Target = 'a' | 'b' | 'both' | 'probe' | 'database'

export type Blow = {
  /** After the blow before. */
  pauseMs: number
  target: Target
  /** Until it is started again. */
  downMs: number
}

/** Longer than a session must last for a probe to dial again without delay, and than a step may take. */
const calmMs = { low: 11_000, high: 15_000 }
const burstGapMs = { low: 100, high: 1_600 }
const downMs = { low: 50, high: 2_500 }

const mean = ({ low, high }: { low: number; high: number }): number => (low + high) / 2

/** Coordinators die in bursts, also while they start, and then have a while to show that all goes on. `everyMs` is the mean of it all. */
export function drawBlows(random: Random, kills: number, everyMs: number): Blow[] {
  const perBurst = Math.max(2, Math.round(mean(calmMs) / Math.max(200, everyMs - mean(burstGapMs))))
  const blows: Blow[] = []
  const draw = (target: Target, pause = burstGapMs) => {
    blows.push({
      pauseMs: random.between(pause.low, pause.high),
      target,
      downMs: random.between(downMs.low, downMs.high) * random.next(),
    })
  }
  let killed = 0
  for (let burst = 0; killed < kills; burst++) {
    const size = Math.min(kills - killed, random.whole(Math.ceil(perBurst / 2), Math.floor(perBurst * 1.5)))
    // Every second burst takes the database too, every third one probe: two probes away at once would be two witnesses less.
    const extras: [number, Target][] = []
    if (burst % 2 === 0) extras.push([random.whole(0, size - 1), 'database'])
    if (burst % 3 === 1) extras.push([random.whole(0, size - 1), 'probe'])
    for (let inBurst = 0; inBurst < size; ) {
      const left = size - inBurst
      const both = left >= 2 && random.chance(0.15)
      draw(both ? 'both' : random.pick(['a', 'b']), inBurst === 0 ? calmMs : burstGapMs)
      inBurst += both ? 2 : 1
      for (const [at, target] of extras.splice(0)) {
        if (at < inBurst) draw(target)
        else extras.push([at, target])
      }
    }
    killed += size
  }
  return blows
}

export type Outage = {
  /** How long the mail system works before. */
  afterMs: number
  lastsMs: number
  /** `stop`: nothing listens. `freeze`: it accepts connections and says nothing. */
  how: 'stop' | 'freeze'
}

export const drawOutage = (random: Random): Outage => ({
  afterMs: random.between(20_000, 70_000),
  lastsMs: random.between(20_000, 70_000),
  how: random.chance(0.5) ? 'stop' : 'freeze',
})

/** One that outlasts a round of the escalation policy, so that the next round falls due. */
export const longOutage: Outage = { afterMs: 30_000, lastsMs: 19 * 60_000, how: 'stop' }
