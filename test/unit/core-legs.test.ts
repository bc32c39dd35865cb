/** Random worlds whose truth is known: what the estimator guarantees must hold in every one of them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assumedErrorMs, errorAt, type LegRun, legRunOf, readLegs, type StampedTest } from '../../coordinator/core/legs.ts'

const dayStartMs = Date.UTC(2026, 10, 23)
const hourMs = 3_600_000

/** What truly happened to one mail, all in true time but for the clocks' faults. */
type Passage = {
  /** After the one before it. */
  waitMs: number
  /** From the start of the test to the last byte. */
  dialogueMs: number
  outMs: number
  returnMs: number
  /** Of the bound that the probe gives for its clock, the part that it really is off, −1 to 1. */
  fault: number
}
type World = { aheadMs: number; driftPpm: number; clockErrorMs: number; clockOffsetMs: number; passages: Passage[] }

/** What probe and responder write down of it: whole milliseconds of clocks that are off. */
function witnessed(
  world: World,
  stepAt = Number.POSITIVE_INFINITY,
  stepMs = 0,
): { tests: StampedTest[]; aheadAt: (ms: number) => number } {
  const aheadAt = (ms: number): number => world.aheadMs + ((ms - dayStartMs) * world.driftPpm) / 1e6
  let nowMs = dayStartMs
  const tests = world.passages.map((passage, index): StampedTest => {
    nowMs += passage.waitMs
    const probeClock = (ms: number) => Math.floor(ms - world.clockOffsetMs + passage.fault * world.clockErrorMs)
    const sentMs = nowMs + passage.dialogueMs
    const stampedMs = sentMs + passage.outMs
    const returnedMs = stampedMs + passage.returnMs
    return {
      id: String(index),
      started_at: probeClock(nowMs),
      sent_at: probeClock(sentMs),
      returned_at: probeClock(returnedMs),
      rtt_ms: returnedMs - nowMs,
      stamp_at: Math.floor(stampedMs + aheadAt(stampedMs) + (index >= stepAt ? stepMs : 0)),
      clock_offset_ms: world.clockOffsetMs,
      clock_error_ms: world.clockErrorMs,
    }
  })
  return { tests, aheadAt }
}

const ms = (min: number, max: number) => fc.double({ min, max, noNaN: true })
/** Mostly quick, at times held by greylisting or a queue. */
const leg = fc.oneof({ weight: 9, arbitrary: ms(0, 3000) }, { weight: 1, arbitrary: ms(30_000, 400_000) })
const passage = fc.record({ waitMs: ms(1000, 2 * hourMs), dialogueMs: ms(0, 5000), outMs: leg, returnMs: leg, fault: ms(-1, 1) })
const world: fc.Arbitrary<World> = fc.record({
  aheadMs: ms(-2 * hourMs, 2 * hourMs),
  driftPpm: ms(-50, 50),
  clockErrorMs: ms(0, 300),
  clockOffsetMs: ms(-60_000, 60_000),
  passages: fc.array(passage, { minLength: 1, maxLength: 30 }),
})

const lastReturnMs = (runs: readonly LegRun[]) => Math.max(...runs.map((run) => run.sent_ms + run.transit_ms))

describe('in any world whose clocks nobody sets', () => {
  it('the true offset lies within the bound, no step is seen, and every true leg lies in its interval', () => {
    fc.assert(
      fc.property(world, (given) => {
        const { tests, aheadAt } = witnessed(given)
        const runs = tests.map(legRunOf)
        const { clock, legs } = readLegs(runs, lastReturnMs(runs))
        if (clock === null) return false
        const held = Math.abs(aheadAt(clock.at_ms) - clock.offset_ms) <= clock.error_ms + 1e-6
        // The start of a test and its last byte are told in whole milliseconds: so coarse is the way itself.
        const legsHeld = given.passages.every(({ outMs, returnMs }, index) => {
          const found = legs.get(String(index))
          const within = (value: number, { min, max }: { min: number; max: number }) => value >= min - 1 && value <= max + 1
          return found === undefined || (within(outMs, found.outbound_ms) && within(returnMs, found.return_ms))
        })
        return held && legsHeld && clock.step_ms === null
      }),
      { numRuns: 10_000, seed: 20_261_123 },
    )
  })
})

describe('a clock that somebody sets', () => {
  it('is found out by the second test after it at the latest, and nothing older counts', () => {
    // Each is back before the next leaves: of a mail that is under way meanwhile nobody can say when it was stamped.
    const quick = fc.record({
      waitMs: ms(10_000, 1_200_000),
      dialogueMs: ms(0, 500),
      outMs: ms(0, 3000),
      returnMs: ms(0, 3000),
      fault: ms(-1, 1),
    })
    const worlds = fc.record({
      before: fc.array(quick, { minLength: 1, maxLength: 20 }),
      after: fc.tuple(passage, quick, fc.boolean()).map(([any, sure, swap]) => (swap ? [sure, any] : [any, sure])),
      step: fc.tuple(fc.boolean(), ms(20_000, 7_200_000)).map(([back, size]) => (back ? -size : size)),
      clock: world,
    })
    fc.assert(
      fc.property(worlds, ({ before, after, step, clock: given }) => {
        const { tests, aheadAt } = witnessed({ ...given, passages: [...before, ...after] }, before.length, step)
        const runs = tests.map(legRunOf)
        const { clock } = readLegs(runs, lastReturnMs(runs))
        if (clock === null || clock.step_ms === null) return false
        const onlyNewer = before.every((_, index) => !clock.run_ids.has(String(index)))
        const size = Math.sign(clock.step_ms) === Math.sign(step) && Math.abs(clock.step_ms) <= Math.abs(step)
        const held = Math.abs(aheadAt(clock.at_ms) + step - clock.offset_ms) <= clock.error_ms + 1e-6
        return onlyNewer && size && held
      }),
      { numRuns: 2000, seed: 20_261_124 },
    )
  })
})

/** Stamped `outMs` after it was sent, by a clock that is `aheadMs` ahead; the probe's own clock is right within 10 ms. */
function run(id: string, atMin: number, outMs: number, returnMs: number, aheadMs = 0, changes: Partial<LegRun> = {}): LegRun {
  const sentMs = dayStartMs + atMin * 60_000
  const base = {
    id,
    sent_ms: sentMs,
    transit_ms: outMs + returnMs,
    stamp_ms: sentMs + outMs + aheadMs,
    error_ms: 10,
    assumed: false,
  }
  return { ...base, ...changes }
}
const nowMs = dayStartMs + 60 * 60_000

describe('what is told of a remote clock', () => {
  it('takes the quickest way out of one run and the quickest way back of another', () => {
    const { clock } = readLegs([run('a', 10, 500, 9000), run('b', 11, 8000, 700)], nowMs)
    // (500 + 700 + 1 + 2 × 10) / 2, and the drift of 69 s and 9 s.
    expect(clock?.error_ms).toBeCloseTo(610.5 + (3.435 + 0.435) / 2, 3)
    expect(clock?.offset_ms).toBeCloseTo(-100, -1)
  })

  it('tells a held mail its leg, and of the quickest nothing that its round trip does not tell', () => {
    const { state, legs } = readLegs([run('quick', 10, 600, 700), run('held', 20, 120_000, 800)], nowMs)
    expect(state).toBe('known')
    expect([...legs.keys()]).toEqual(['held'])
    expect(legs.get('held')?.outbound_ms.min).toBeGreaterThan(119_000)
    expect(legs.get('held')?.outbound_ms.max).toBeLessThan(120_801)
    expect(legs.get('held')?.return_ms.max).toBeLessThan(1600)
  })

  it('cannot tell the legs of mails that are all alike', () => {
    expect(readLegs([run('a', 10, 600, 700), run('b', 20, 610, 700)], nowMs)).toMatchObject({ state: 'unknown', legs: new Map() })
  })

  it('knows nothing without a stamp, and forgets after a day', () => {
    expect(readLegs([], nowMs)).toMatchObject({ state: 'unknown', clock: null, notice: null })
    expect(readLegs([run('old', 0, 600, 700)], dayStartMs + 25 * hourMs)).toMatchObject({ state: 'unknown', clock: null })
  })

  it('keeps silent where the own clocks may be off by more than a second', () => {
    const lax = { error_ms: 1500 }
    expect(readLegs([run('a', 10, 600, 700, 94_000, lax)], nowMs)).toMatchObject({
      state: 'suppressed',
      clock: null,
      notice: null,
    })
  })

  it('does not let a probe that checks no clock spoil what the others know', () => {
    const unsure = run('unsure', 30, 600, 700, 50_000, { assumed: true })
    const reading = readLegs([run('sure', 10, 600, 700), unsure], nowMs)
    expect(reading.assumed).toBe(false)
    expect([...(reading.clock?.run_ids ?? [])]).toEqual(['sure'])
    expect(readLegs([unsure], nowMs)).toMatchObject({ assumed: true })
  })

  it.each<[string, number, boolean, string | null]>([
    ['94 s ahead', 94_000, false, "your server's clock is 94 s ahead"],
    ['an hour behind', -hourMs, false, "your server's clock is 1 h behind"],
    ['30 s ahead, which may be less', 30_300, false, null],
    ['right', 0, false, null],
    [
      '94 s ahead by unchecked clocks',
      94_000,
      true,
      "your server's clock is 94 s ahead, as seen by probes that do not check their own clock",
    ],
  ])('a clock that is %s', (_, aheadMs, assumed, notice) => {
    expect(readLegs([run('a', 10, 600, 600, aheadMs, { assumed })], nowMs).notice).toBe(notice)
  })

  it('widens its bound with age, by the drift of an ordinary quartz', () => {
    const { clock } = readLegs([run('a', 10, 600, 600)], nowMs)
    expect(clock).not.toBeNull()
    if (clock !== null) expect(errorAt(clock, clock.at_ms + hourMs) - clock.error_ms).toBeCloseTo(180, 6)
  })
})

describe('a step of the remote clock', () => {
  it('cannot be told from a quicker or slower way where it fits between the bounds: then the bound rests on its premise', () => {
    const slow = (id: string, atMin: number, aheadMs: number) => run(id, atMin, 3000, 3000, aheadMs, { error_ms: 2 })
    const { clock } = readLegs([slow('before', 10, 0), slow('after', 11, 5000)], nowMs)
    expect(clock).toMatchObject({ step_ms: null, since_ms: dayStartMs + 600_000 })
    expect(clock?.offset_ms).toBeCloseTo(2502, -1)
    expect(clock?.error_ms).toBeLessThan(510)
  })

  it('is not forgotten as the runs that showed it grow old', () => {
    const runs = [run('before', 0, 100, 100), run('after', 1, 100, 100, 2000), run('much later', 1200, 100, 100, 2000)]
    const { clock } = readLegs(runs, dayStartMs + 20 * hourMs + 10_000)
    expect([...(clock?.run_ids ?? [])]).toEqual(['much later', 'after'])
    expect(clock?.step_ms).toBeGreaterThan(1700)
  })

  it('lies anywhere between the two runs that contradict each other, so that none between them counts', () => {
    const clear = run('clear', 10, 100, 100)
    const vague = run('vague', 20, 6000, 6000)
    const set = run('set', 30, 100, 100, 5000)
    const { clock } = readLegs([clear, vague, set, run('later', 40, 6000, 6000, 5000)], nowMs)
    expect([...(clock?.run_ids ?? [])]).toEqual(['later', 'set'])
    expect(clock?.since_ms).toBe(dayStartMs + 30 * 60_000)
    expect(clock?.step_ms).toBeGreaterThan(4600)
    expect(Math.abs((clock?.offset_ms ?? 0) - 5000)).toBeLessThan(clock?.error_ms ?? 0)
  })
})

describe('a test as evidence', () => {
  const test: StampedTest = {
    id: 'a',
    started_at: dayStartMs,
    sent_at: dayStartMs + 200,
    returned_at: dayStartMs + 1500,
    rtt_ms: 1500,
    stamp_at: dayStartMs + 700,
    clock_offset_ms: 40,
    clock_error_ms: 8,
  }
  it.each<[string, Partial<StampedTest>, Partial<LegRun>]>([
    [
      'is put right by what the probe knows of its clock',
      {},
      { sent_ms: dayStartMs + 240, transit_ms: 1300, error_ms: 10.075, assumed: false },
    ],
    [
      'is assumed to be right where the probe knows nothing',
      { clock_offset_ms: null, clock_error_ms: null },
      { sent_ms: dayStartMs + 200, error_ms: assumedErrorMs + 2.075, assumed: true },
    ],
    [
      'is of no use where the coordinator has only estimated the clock of the probe',
      { clock_error_ms: null },
      { error_ms: Number.POSITIVE_INFINITY, assumed: true },
    ],
    [
      'is as wrong as its wall clock was set by in between',
      { returned_at: dayStartMs + 6500 },
      { transit_ms: 1300, error_ms: 5010.075 },
    ],
    [
      'is as wrong as the own clock drifts while a mail is held for two hours',
      { returned_at: dayStartMs + 2 * hourMs, rtt_ms: 2 * hourMs },
      { error_ms: 370 },
    ],
  ])('%s', (_, changes, expected) => {
    expect(legRunOf({ ...test, ...changes })).toMatchObject(expected)
  })
})
