import { describe, expect, it } from 'vitest'
import type { Outcome, TestCause } from '../../common/wire/test.ts'
import { afterBegin, afterTest, type EndedTest, isStale, resumed, type Sequence } from '../../probe/retest.ts'
import type { Instant } from '../../probe/round-trip.ts'
import { testPlan, uuidOf } from '../support/plans.ts'

const plan = testPlan()
const instant = (seconds: number): Instant => ({ wallMs: seconds * 1000, monotonicMs: 7000 + seconds * 1000 })
const dueAt = (sequence: Sequence | undefined) => (sequence?.due ? sequence.due.wallMs / 1000 : null)

function ended(id: number, cause: TestCause, attempt: number, [from, to]: [number, number], outcome: Outcome): EndedTest {
  const hard = outcome === 'refused' || outcome === 'bounced'
  const ending = { outcome, hard, finishedAt: instant(to), detail: {} }
  return { id: uuidOf(id), monitorId: plan.monitor_id, cause, attempt, startedAt: instant(from), ending }
}

/** A slot's test from 0:00 to 10:00 was lost, and its re-test runs from 10:30 on. */
const lost = () => afterTest(undefined, ended(1, 'slot', 1, [0, 600], 'timeout'), plan)
function lostTwice(): Sequence {
  const first = lost()
  if (first === undefined) throw new Error('a lost test starts a sequence')
  const sequence = afterTest(afterBegin(first, plan, instant(630)), ended(2, 'retest', 2, [630, 1230], 'timeout'), plan)
  if (sequence === undefined) throw new Error('a lost re-test goes on')
  return sequence
}

describe('the re-test', () => {
  it('comes 30 s after a lost test', () => {
    expect(lost()).toMatchObject({ cause: 'retest', attempt: 2, firstTestId: uuidOf(1) })
    expect(dueAt(lost())).toBe(630)
  })

  it('comes 3 min after the start of a test that was refused, and no sooner than 30 s after its end', () => {
    expect(dueAt(afterTest(undefined, ended(1, 'slot', 1, [0, 2], 'refused'), plan))).toBe(180)
    expect(dueAt(afterTest(undefined, ended(1, 'slot', 1, [0, 170], 'bounced'), plan))).toBe(200)
  })

  it.each<Outcome>(['ok', 'slow', 'blocked', 'not_run'])('does not come after %s', (outcome) => {
    expect(afterTest(undefined, ended(1, 'slot', 1, [0, 5], outcome), plan)).toBeUndefined()
  })

  it('never comes after a job', () => {
    expect(afterTest(undefined, ended(1, 'job', 1, [0, 600], 'timeout'), plan)).toBeUndefined()
  })

  it('is not doubled by another slot that fails meanwhile', () => {
    expect(afterTest(lost(), ended(3, 'slot', 1, [300, 900], 'timeout'), plan)).toEqual(lost())
  })

  it('ends the matter when it passes', () => {
    expect(afterTest(lost(), ended(2, 'retest', 2, [630, 640], 'ok'), plan)).toBeUndefined()
  })

  it('is made again in the faster rhythm when the probe could not make it', () => {
    const again = afterTest(lost(), ended(2, 'retest', 2, [630, 640], 'not_run'), plan)
    expect(again).toMatchObject({ cause: 'retest', attempt: 2 })
    expect(dueAt(again)).toBe(940)
  })
})

describe('the faster rhythm after a lost re-test', () => {
  it('starts a test every 5 min from the start of the re-test, whatever becomes of those under way', () => {
    const sequence = lostTwice()
    expect(sequence).toMatchObject({ cause: 'open', attempt: 3, firstTestId: uuidOf(1) })
    expect(dueAt(sequence)).toBe(1230)
    const third = afterBegin(sequence, plan, instant(1230))
    expect([third.attempt, dueAt(third)]).toEqual([4, 1530])
    expect(afterTest(third, ended(3, 'open', 3, [1230, 1830], 'timeout'), plan)).toEqual(third)
  })

  it('is never slower than the monitor itself', () => {
    const fast = testPlan({ period_s: 60, timeout_s: 20, retest_wait_s: 5 })
    const sequence = afterBegin({ ...lostTwice(), due: instant(0) }, fast, instant(0))
    expect(dueAt(sequence)).toBe(60)
  })

  it.each<TestCause>(['open', 'slot'])('ends when a test of cause %s passes', (cause) => {
    expect(afterTest(lostTwice(), ended(9, cause, 1, [1300, 1310], 'slow'), plan)).toBeUndefined()
  })

  it('does not end by a test that was sent before the first failure', () => {
    const since = { ...lostTwice(), firstStartedAt: instant(900) }
    expect(afterTest(since, ended(9, 'slot', 1, [850, 1310], 'slow'), plan)).toEqual(since)
  })

  it('ends by a pass also where the wall clock was set back by hours since the first failure', () => {
    const setBack = ({ wallMs, monotonicMs }: Instant) => ({ wallMs: wallMs - 10 * 3_600_000, monotonicMs })
    const pass = ended(9, 'open', 3, [1300, 1304], 'ok')
    expect(afterTest(lostTwice(), { ...pass, startedAt: setBack(pass.startedAt) }, plan)).toBeUndefined()
  })

  it('ends by a pass under another boot, whatever the clocks say', () => {
    const rebooted = resumed(lostTwice(), false, { wallMs: 0, monotonicMs: 50 })
    expect(afterTest(rebooted, ended(9, 'slot', 1, [-5000, -4990], 'ok'), plan)).toBeUndefined()
  })

  it('ends when our address is blocked', () => {
    expect(afterTest(lostTwice(), ended(9, 'open', 3, [1230, 1235], 'blocked'), plan)).toBeUndefined()
  })
})

describe('a sequence over a restart', () => {
  it('keeps its instant within one boot and follows the wall clock over another', () => {
    const sequence = lost()
    if (sequence === undefined) throw new Error('a lost test starts a sequence')
    expect(resumed(sequence, true, instant(610))).toEqual(sequence)
    const rebooted = resumed(sequence, false, { wallMs: 620_000, monotonicMs: 50 })
    expect(rebooted.due?.monotonicMs).toBe(10_050)
  })

  it.each([
    ['the re-test', lost, 30],
    ['the next of the faster rhythm', () => afterBegin(lostTwice(), plan, instant(1230)), 300],
  ])('puts %s off for no longer than before, where the machine has booted hours behind', (_, sequence, waitS) => {
    const booted = { wallMs: 640_000 - 3 * 3_600_000, monotonicMs: 10_000 }
    expect(resumed(sequence() as Sequence, false, booted).due?.monotonicMs).toBe(10_000 + waitS * 1000)
  })

  it('is dropped when more than a period has gone by', () => {
    const sequence = lostTwice()
    expect(isStale(sequence, plan, instant(1230 + 1199))).toBe(false)
    expect(isStale(sequence, plan, instant(1230 + 1201))).toBe(true)
  })
})
