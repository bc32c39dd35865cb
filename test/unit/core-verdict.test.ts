/** From the fact that a probe reports to the verdict that only the coordinator makes of it. */
import { describe, expect, test } from 'vitest'
import { dayMs } from '../../common/durations.ts'
import { type Outcome, outcomes } from '../../common/wire/test.ts'
import { standingVerdict, type TestFact, type VantageContext, verdictOf } from '../../coordinator/core/verdict.ts'

const startedMs = Date.UTC(2026, 10, 23, 12)
const ended = (outcome: Outcome): TestFact => ({
  id: 'test',
  cause: 'slot',
  attempt: 1,
  first_test_id: null,
  started_ms: startedMs,
  finished_ms: startedMs + 600_000,
  outcome,
  doubted: false,
  proved: false,
  proved_since: true,
})
const proven: VantageContext = {
  passed_ms: startedMs - dayMs,
  contradicted: 0,
  monitors_held: 1,
}
const soon = startedMs + 601_000
const later = startedMs + 660_000

describe('a verdict', () => {
  test.each<[Outcome, string]>([
    ['ok', 'pass returned'],
    ['slow', 'slow returned_slow'],
    ['timeout', 'fail failed'],
    ['echo', 'fail failed'],
    ['bounced', 'fail failed'],
    ['refused', 'fail failed'],
    ['deferred', 'fail failed'],
    ['unreachable', 'fail failed'],
    ['tls', 'fail failed'],
    ['dns', 'fail failed'],
    ['auth', 'fail failed'],
    ['blocked', 'abstain sender_blocked'],
    ['not_run', 'abstain not_run'],
  ])('%s of a probe that has proved its health: %s', (outcome, expected) => {
    const { verdict, reason } = verdictOf(ended(outcome), proven, soon)
    expect(`${verdict} ${reason}`).toBe(expected)
  })

  test('every outcome has one', () => {
    for (const outcome of outcomes) expect(verdictOf(ended(outcome), proven, soon).reason).not.toBe('')
  })

  test.each<[string, Partial<VantageContext & TestFact>, number, string]>([
    ['without proof yet, it is waited for', { proved_since: false }, soon, 'waiting awaiting_proof'],
    ['after a minute without proof the word does not count', { proved_since: false }, later, 'abstain probe_unproven'],
    [
      'a probe whose control trip was lost meanwhile has not proved itself by recovering',
      { doubted: true },
      later,
      'abstain probe_unproven',
    ],
    ['a control trip beside it that returned is proof enough', { proved_since: false, proved: true }, later, 'fail failed'],
    ['one lost trip outweighs one that returned', { proved: true, doubted: true }, later, 'abstain probe_unproven'],
    ['a proof that comes late still counts', { proved_since: true }, later, 'fail failed'],
  ])('%s', (_, context, nowMs, expected) => {
    const { verdict, reason } = verdictOf({ ...ended('timeout'), ...context }, { ...proven, ...context }, nowMs)
    expect(`${verdict} ${reason}`).toBe(expected)
  })

  test('a deferral of who has never passed is a first greylisting', () => {
    expect(verdictOf(ended('deferred'), { ...proven, passed_ms: null }, soon)).toEqual({
      verdict: 'abstain',
      reason: 'never_passed_greylisting',
    })
  })

  test.each([
    ['30 days before it was sent counts', startedMs - 30 * dayMs, 'fail'],
    ['a millisecond earlier is forgotten', startedMs - 30 * dayMs - 1, 'abstain'],
  ])('of the last pass before a deferral: %s', (_, passed_ms, verdict) => {
    expect(verdictOf(ended('deferred'), { ...proven, passed_ms }, soon).verdict).toBe(verdict)
  })
})

describe('a probe fails widely', () => {
  test.each<[number, number, boolean]>([
    [2, 10, false],
    [3, 10, true],
    [3, 40, false],
    [4, 40, true],
    [49, 4000, false],
    [50, 4000, true],
  ])('with %i mail systems of %i monitors', (contradicted, monitors_held, widely) => {
    const said = verdictOf(ended('timeout'), { ...proven, contradicted, monitors_held }, later)
    expect(said.verdict).toBe(widely ? 'abstain' : 'fail')
  })
})

describe('a standing verdict', () => {
  const monitor = { period_s: 1200, timeout_s: 600 }
  const staleMs = startedMs + 600_000 + (1200 + 600 + 60) * 1000

  test('is no_data before the first test', () => {
    expect(standingVerdict(null, proven, monitor, soon)).toEqual({ verdict: 'no_data', reason: 'no_test_yet' })
  })
  test('becomes no_data after period, timeout and a minute', () => {
    expect(standingVerdict(ended('ok'), proven, monitor, staleMs).verdict).toBe('pass')
    expect(standingVerdict(ended('ok'), proven, monitor, staleMs + 1)).toEqual({ verdict: 'no_data', reason: 'stale' })
  })
  test('shows a failure that waits for its proof as one', () => {
    expect(standingVerdict({ ...ended('timeout'), proved_since: false }, proven, monitor, soon).verdict).toBe('fail')
  })
})
