/** What holds whatever the evidence: random tests, times, losses and proofs, judged at random moments. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Outcome, outcomes } from '../../common/wire/test.ts'
import type { Evidence, MonitorRules, MonitorState, VantageEvidence } from '../../coordinator/core/evidence.ts'
import { witnesses } from '../../coordinator/core/failure-domain.ts'
import { withNotices } from '../../coordinator/core/flapping.ts'
import { initialMonitorState, judge } from '../../coordinator/core/judgement.ts'
import { isFailure, type TestFact } from '../../coordinator/core/verdict.ts'
import { defaultRules } from '../support/judgement-setting.ts'

const nowMs = Date.UTC(2026, 10, 23, 12)
const s = 1000
const runs = { numRuns: 1500 }

const rulesOf = fc
  .record({
    vantages: fc.constantFrom(1, 2, 3, 4),
    quorum: fc.constantFrom(1, 2, 3),
    mode: fc.constantFrom<MonitorRules['mode']>('seed', 'fast', 'hedged'),
    period_s: fc.constantFrom(60, 300, 1200),
    timeout_s: fc.constantFrom(20, 600),
  })
  .map((drawn): MonitorRules => ({ ...defaultRules, slow_s: 10, ...drawn, quorum: Math.min(drawn.quorum, drawn.vantages) }))

const drawnTest = fc.record({
  outcome: fc.constantFrom<Outcome>('ok', 'ok', 'timeout', 'timeout', 'timeout', ...outcomes),
  cause: fc.constantFrom<TestFact['cause']>('slot', 'slot', 'retest', 'open', 'job'),
  startedAgoS: fc.integer({ min: 0, max: 4000 }),
  tookS: fc.integer({ min: 0, max: 600 }),
  doubted: fc.constantFrom(false, false, false, true),
  proved: fc.constantFrom(false, true),
})

const drawnVantage = fc.record({
  region: fc.constantFrom('eu', 'us', 'ap', 'sa'),
  asn: fc.constantFrom(null, 1, 2),
  planned: fc.boolean(),
  lost: fc.boolean(),
  proved: fc.option(fc.integer({ min: 0, max: 4000 }), { nil: null }),
  passedAgoS: fc.constantFrom(null, 5000, 40 * 86_400),
  contradicted: fc.constantFrom(0, 0, 0, 3),
  slotAgoS: fc.option(fc.integer({ min: 0, max: 1200 }), { nil: null }),
  overdueAgoS: fc.option(fc.integer({ min: 0, max: 700 }), { nil: null }),
  tests: fc.array(drawnTest, { maxLength: 5 }),
})

const vantageOf = (drawn: typeof drawnVantage extends fc.Arbitrary<infer T> ? T : never, index: number): VantageEvidence => ({
  probe_id: `probe-${index}`,
  region: drawn.region,
  domain: { region: drawn.region, asn: drawn.asn, return_domain: `${index}.example` },
  planned: drawn.planned,
  lost: drawn.lost,
  assigned_ms: nowMs - 5000 * s,
  tests: drawn.tests
    .map((test, number): TestFact => {
      const started_ms = nowMs - test.startedAgoS * s
      const finished_ms = Math.min(nowMs, started_ms + test.tookS * s)
      return {
        id: `${index}-${number}`,
        cause: test.cause,
        attempt: 1,
        first_test_id: null,
        started_ms,
        finished_ms,
        outcome: test.outcome,
        doubted: test.doubted,
        proved: test.proved,
        proved_since: drawn.proved !== null && nowMs - drawn.proved * s >= started_ms,
      }
    })
    .toSorted((a, b) => b.started_ms - a.started_ms),
  overdue: drawn.overdueAgoS === null ? [] : [{ test_id: `late-${index}`, started_ms: nowMs - drawn.overdueAgoS * s }],
  slot_started_ms: drawn.slotAgoS === null ? null : nowMs - drawn.slotAgoS * s,
  connected_ms: null,
  passed_ms: drawn.passedAgoS === null ? null : nowMs - drawn.passedAgoS * s,
  contradicted: drawn.contradicted,
  monitors_held: 1,
})

const evidenceOf = fc.record({
  vantages: fc.array(drawnVantage, { maxLength: 5 }).map((drawn) => drawn.map(vantageOf)),
  pool: fc.constantFrom<Evidence['pool']>(
    [],
    [{ probe_id: 'spare', domain: { region: 'af', asn: null, return_domain: 'af.example' } }],
  ),
  observing_since_ms: fc.integer({ min: 0, max: 5000 }).map((ago) => nowMs - ago * s),
  late_since_ms: fc.option(fc.integer({ min: 0, max: 8000 }).map((ago) => nowMs - ago * s)),
  told_ms: fc
    .array(
      fc.integer({ min: 0, max: 8000 }).map((ago) => nowMs - ago * s),
      { maxLength: 3 },
    )
    .map((told) => told.sort((a, b) => b - a)),
  incident_told: fc.boolean(),
})

/** A state that a former judgement left, of the same rules. */
const history = fc.record({
  rules: rulesOf,
  before: evidenceOf,
  evidence: evidenceOf,
  watched: fc.boolean(),
  laterS: fc.integer({ min: 0, max: 900 }),
})
const stateAfter = (rules: MonitorRules, before: Evidence, watched: boolean, atMs: number): MonitorState =>
  judge({ ...initialMonitorState(atMs - s), watched, decision: watched ? 'up' : 'pending' }, rules, before, atMs).state

describe('whatever the evidence', () => {
  test('judged twice at one moment, the second time changes nothing and asks nobody', () => {
    fc.assert(
      fc.property(history, ({ rules, before, evidence, watched, laterS }) => {
        const state = stateAfter(rules, before, watched, nowMs - laterS * s)
        const first = judge(state, rules, evidence, nowMs)
        const second = judge(first.state, rules, withNotices(evidence, first.effects, nowMs), nowMs)
        expect(second.effects).toEqual([])
        expect(second.state).toEqual(first.state)
      }),
      runs,
    )
  })

  test('the next judgement is later than this one, and a question that is open is never forgotten', () => {
    fc.assert(
      fc.property(history, ({ rules, before, evidence, watched, laterS }) => {
        const state = stateAfter(rules, before, watched, nowMs - laterS * s)
        const { state: after, wake_ms } = judge(state, rules, evidence, nowMs)
        if (wake_ms !== null) {
          expect(wake_ms).toBeGreaterThan(nowMs)
          expect(wake_ms).toBeLessThan(nowMs + 86_400 * s)
        } else expect(after).toMatchObject({ watched: false, suspicion: null, incident: null })
      }),
      runs,
    )
  })

  test('nothing is down without a quorum of distinct witnesses that fail and have proved their health', () => {
    let seen = 0
    fc.assert(
      fc.property(history, ({ rules, before, evidence, watched, laterS }) => {
        const state = stateAfter(rules, before, watched, nowMs - laterS * s)
        const { effects } = judge(state, rules, evidence, nowMs)
        for (const effect of effects) {
          if (effect.kind !== 'confirm_incident' && !(effect.kind === 'open_incident' && effect.incident_kind === 'down'))
            continue
          seen += 1
          const failing = effect.votes.filter(({ vote }) => vote === 'fail')
          const vantages = failing.flatMap(({ probe_id }) => evidence.vantages.filter((vantage) => vantage.probe_id === probe_id))
          for (const { test_id, probe_id } of failing) {
            const vantage = evidence.vantages.find((other) => other.probe_id === probe_id)
            const failed = vantage?.tests.find(({ id }) => id === test_id)
            expect(failed && isFailure(failed.outcome)).toBe(true)
            expect(failed?.doubted).toBe(false)
            expect(failed?.proved || failed?.proved_since).toBe(true)
            expect(failed?.started_ms).toBeGreaterThanOrEqual(effect.since_ms)
          }
          expect(new Set(witnesses(vantages.map(({ domain }) => domain))).size).toBeGreaterThanOrEqual(rules.quorum)
        }
      }),
      { numRuns: 6000 },
    )
    expect(seen).toBeGreaterThan(20)
  })

  test('a monitor that has never returned pages nobody', () => {
    fc.assert(
      fc.property(rulesOf, evidenceOf, (rules, evidence) => {
        const silent = {
          ...evidence,
          vantages: evidence.vantages.map((vantage) => ({
            ...vantage,
            tests: vantage.tests.filter(({ outcome }) => outcome !== 'ok' && outcome !== 'slow'),
          })),
        }
        const { effects, state } = judge(initialMonitorState(nowMs), rules, silent, nowMs)
        expect(state.decision).toBe('pending')
        // That a server refuses the probe is a notice, and worth one from the first test on.
        expect(effects.filter(({ kind }) => kind !== 'sender_blocked')).toEqual([])
      }),
      runs,
    )
  })

  test('with time passing from wake-up to wake-up alone, every suspicion ends', () => {
    fc.assert(
      fc.property(history, ({ rules, before, evidence, laterS }) => {
        let state = stateAfter(rules, before, true, nowMs - laterS * s)
        let atMs = nowMs
        for (let wakes = 0; wakes < 300; wakes++) {
          const judgement = judge(state, rules, evidence, atMs)
          state = judgement.state
          if (state.suspicion === null || state.incident !== null) return
          if (judgement.wake_ms === null) break
          atMs = judgement.wake_ms
        }
        expect.fail(`still ${state.decision} (${state.reason}) after ${(atMs - nowMs) / s} s`)
      }),
      runs,
    )
  })
})
