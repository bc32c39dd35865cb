/** The estimator of the remote clock with fixed seeds, and whether its oracle would notice one that is broken. */
import { describe, expect, it, test } from 'vitest'
import { minuteMs } from '../../common/durations.ts'
import { estimateRemoteClock, type LegsReading, type RemoteClock, readLegs } from '../../coordinator/core/legs.ts'
import { Random } from './random.ts'
import { type ClockCounts, type ClockOptions, simulateRemoteClock } from './remote-clock.ts'
import { judgeClock, type Reread, type Witness } from './remote-clock-oracle.ts'
import { RemoteTruth } from './remote-clock-world.ts'

const startMs = Date.UTC(2026, 0, 1)
const years = 0.25

function play(seeds: number, options: ClockOptions = {}): ClockCounts & { faults: string[] } {
  const counts = { checked: 0, afterUnnoticedStep: 0, stepUnderWay: 0, beyondDrift: 0 }
  const faults: string[] = []
  for (let seed = 1n; seed <= seeds; seed++) {
    const report = simulateRemoteClock(new Random(seed).stream('remote clock'), startMs, years, options)
    for (const key of ['checked', 'afterUnnoticedStep', 'stepUnderWay', 'beyondDrift'] as const) counts[key] += report[key]
    faults.push(...report.violations.map(({ what }) => `${what}; npm run sim -- --seed ${seed} --seeds 1 --years ${years} --log`))
  }
  return { ...counts, faults }
}

describe('the remote clock', { timeout: 60_000 }, () => {
  test('is truly within its bound after every return, and every step that contradicts is noticed', () => {
    const { checked, afterUnnoticedStep, stepUnderWay, beyondDrift, faults } = play(60)
    expect(faults).toEqual([])
    expect(checked).toBeGreaterThan(5000)
    // What is excused happens, and is rare.
    expect(afterUnnoticedStep).toBeGreaterThan(20)
    expect(afterUnnoticedStep / checked).toBeLessThan(0.03)
    expect(stepUnderWay).toBeGreaterThan(10)
    expect(stepUnderWay / checked).toBeLessThan(0.01)
    expect(beyondDrift / checked).toBeLessThan(0.1)
  })
})

const withClock = (change: (clock: RemoteClock) => RemoteClock): typeof readLegs => {
  return (runs, nowMs): LegsReading => {
    const reading = readLegs(runs, nowMs)
    return { ...reading, clock: reading.clock === null ? null : change(reading.clock) }
  }
}

describe('an estimator that is broken is caught', () => {
  it.each<[string, typeof readLegs]>([
    ['whose bound is a tenth too narrow', withClock((clock) => ({ ...clock, error_ms: clock.error_ms * 0.9 }))],
    [
      'that is off by more than its bound',
      withClock((clock) => ({ ...clock, offset_ms: clock.offset_ms + 1.1 * clock.error_ms })),
    ],
    ['that keeps quiet about steps', withClock((clock) => ({ ...clock, step_ms: null }))],
    ['that has the direction of a step wrong', withClock((clock) => ({ ...clock, step_ms: clock.step_ms && -clock.step_ms }))],
    ['that makes steps larger', withClock((clock) => ({ ...clock, step_ms: clock.step_ms && 3 * clock.step_ms }))],
    ['that passes over the newest run', (runs, nowMs) => readLegs(runs.length > 1 ? runs.slice(0, -1) : runs, nowMs)],
    ['that tells nothing', (_, nowMs) => readLegs([], nowMs)],
    [
      'that lets runs count from before a step',
      (runs, nowMs) => {
        const reading = readLegs(runs, nowMs)
        const ids = new Set(runs.filter((run) => run.error_ms <= 1000 && !run.assumed).map(({ id }) => id))
        return { ...reading, clock: reading.clock && { ...reading.clock, run_ids: ids } }
      },
    ],
  ])('%s', (_, read) => {
    expect(play(4, { read }).faults.length).toBeGreaterThan(0)
  })
})

describe('what the oracle excuses', () => {
  const reread: Reread = (witnesses) => estimateRemoteClock(witnesses.map(({ run }) => run))
  /** Judges what is told once these are back, and what is told otherwise. */
  const judge = (remote: RemoteTruth, witnesses: readonly Witness[], change: Partial<RemoteClock> = {}) => {
    const clock = reread(witnesses)
    if (clock === null) throw new Error('nothing is told')
    return judgeClock(remote, witnesses, { ...clock, ...change }, reread).kind
  }
  const still = new RemoteTruth(0, [], [])
  const setAtMin = (...steps: [min: number, byMs: number][]) =>
    new RemoteTruth(
      0,
      [],
      steps.map(([min, byMs]) => ({ atMs: startMs + min * minuteMs, byMs })),
    )
  const mail = (remote: RemoteTruth, id: string, sentMin: number, outMs: number, backMs: number): Witness => {
    const sentMs = startMs + sentMin * minuteMs
    const [stampedMs, returnedMs] = [sentMs + outMs, sentMs + outMs + backMs]
    const stamp_ms = Math.floor(stampedMs + remote.aheadMs(stampedMs))
    const run = { id, sent_ms: sentMs, transit_ms: outMs + backMs, stamp_ms, error_ms: 2, assumed: false }
    const test = { id, started_at: sentMs, sent_at: sentMs, returned_at: returnedMs, rtt_ms: outMs + backMs, stamp_at: stamp_ms }
    return { id, sentMs, stampedMs, returnedMs, test: { ...test, clock_offset_ms: 0, clock_error_ms: 2 }, run }
  }

  it('nothing, where nobody set the clock', () => {
    const mails = [mail(still, 'a', 0, 100, 100), mail(still, 'held', 0, 100, 20 * minuteMs), mail(still, 'b', 10, 100, 100)]
    expect(judge(still, mails)).toBe('held')
    expect(judge(still, mails, { offset_ms: 200 })).toBe('wrong')
    expect(judge(still, mails, { step_ms: 5 })).toBe('wrong')
  })

  it('a step for which the ways leave room, by its size and no more', () => {
    const remote = setAtMin([5, 5000])
    const mails = [mail(remote, 'a', 0, 3000, 3000), mail(remote, 'b', 10, 3000, 3000)]
    expect(judge(remote, mails)).toBe('unnoticed_step')
    expect(judge(remote, mails, { offset_ms: -3000 })).toBe('wrong')
  })

  it('no step for which they leave none', () => {
    const remote = setAtMin([5, 6500])
    const mails = [mail(remote, 'a', 0, 3000, 3000), mail(remote, 'b', 10, 3000, 3000)]
    expect(judge(remote, mails)).toBe('held')
    expect(judge(remote, mails, { run_ids: new Set(['a', 'b']), step_ms: null })).toBe('wrong')
    expect(judge(remote, mails, { run_ids: new Set(['a']), offset_ms: 0 })).toBe('wrong')
  })

  // Set back, the dialogue seems shorter and the way longer than they were; the error told is larger by as much, either way.
  const setDuringDialogue = (from: Witness, byMs: number): Witness => {
    const { run } = from
    return { ...from, run: { ...run, transit_ms: run.transit_ms - byMs, error_ms: run.error_ms + Math.abs(byMs) } }
  }

  it.each([
    ['hides a step where it was set back', -300, 10, 600],
    ['hides none that is larger than its ways, its error and what it was set by', -300, 10, 650],
    ['that was set forward leaves as much less room', 300, 400, 450],
  ])('a probe whose clock was set before the last byte left: %s', (_, probeSetMs, backMs, stepMs) => {
    const remote = setAtMin([5, stepMs])
    const mails = [mail(remote, 'a', 4.9, 10, 10), setDuringDialogue(mail(remote, 'b', 5.1, 10, backMs), probeSetMs)]
    const room = stepMs === 600
    expect(judge(remote, mails)).toBe(room ? 'unnoticed_step' : 'held')
    const told = judge(remote, mails, { run_ids: new Set(['a', 'b']), step_ms: null })
    expect(told).toBe(room ? 'unnoticed_step' : 'wrong')
  })

  it('a mail that was under way over the step and is back later than one that was stamped after it', () => {
    const remote = setAtMin([5, 60_000])
    const mails = [mail(remote, 'held', 0, 100, 10 * minuteMs), mail(remote, 'quick', 6, 10, 10)]
    expect(judge(remote, mails)).toBe('under_way')
    // It hides that step, which says nothing of an estimate that is wrong by more, nor of what is told without it.
    expect(judge(remote, mails, { offset_ms: -10 * minuteMs })).toBe('wrong')
    const clock = reread(mails)
    expect(clock && judgeClock(remote, mails, clock, () => clock).kind).toBe('wrong')
    const later = [...mails, mail(remote, 'next', 20, 10, 10)]
    expect(judge(remote, later)).toBe('held')
  })

  it('no mail that was under way over a step, where it was back before those that show another', () => {
    const remote = setAtMin([5, 120_000], [60, 120_000])
    const mails = [
      mail(remote, 'overtaken', 4.99, 100, 1.5 * minuteMs),
      mail(remote, 'quick', 6, 10, 10),
      mail(remote, 'before', 50, 100, 100),
      mail(remote, 'after', 70, 100, 100),
    ]
    expect(judge(remote, mails)).toBe('held')
    expect(judge(remote, mails, { run_ids: new Set(['before']), at_ms: startMs + 70 * minuteMs, offset_ms: 120_000 })).toBe(
      'wrong',
    )
  })
})
