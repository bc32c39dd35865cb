/** What an answer settles: nothing that was sent after the passes on which it rests. Seconds after a moment. */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../common/wire/test.ts'
import type { Evidence, MonitorState, VantageEvidence } from '../../coordinator/core/evidence.ts'
import { initialMonitorState, judge } from '../../coordinator/core/judgement.ts'
import { findPastOutage } from '../../coordinator/core/past-outage.ts'
import { newIncident } from '../../coordinator/core/suspicion.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'
import { defaultRules } from '../support/judgement-setting.ts'

const at = (seconds: number) => Date.UTC(2026, 10, 23) + seconds * 1000
const fastRules = { ...defaultRules, mode: 'fast' as const }

let count = 0
const sent = (startedS: number, finishedS: number, outcome: Outcome, changes: Partial<TestFact> = {}): TestFact => ({
  ...{
    id: `test-${++count}`,
    cause: 'slot',
    attempt: 1,
    first_test_id: null,
    outcome,
    doubted: false,
    proved: true,
    proved_since: false,
  },
  started_ms: at(startedS),
  finished_ms: at(finishedS),
  ...changes,
})
const vantage = (region: string, tests: TestFact[]): VantageEvidence => ({
  ...{ probe_id: region, region, planned: true, lost: false, tests, overdue: [], contradicted: 0, monitors_held: 1 },
  domain: { region, asn: null, return_domain: `${region}.example` },
  assigned_ms: at(-9999),
  slot_started_ms: null,
  connected_ms: null,
  passed_ms: at(-9999),
})
const evidence = (vantages: VantageEvidence[], late_since_ms: number | null = null): Evidence => ({
  ...{ vantages, pool: [], observing_since_ms: at(-99_999), late_since_ms, told_ms: [], incident_told: true },
})
const up: MonitorState = { ...initialMonitorState(at(-9999)), watched: true, decision: 'up', reason: 'all_well' }

test('the all-clear settles no failure that was sent after the passes', () => {
  const incident = { ...newIncident('down', at(-2000), at(0)), asked_ms: at(90) }
  const down: MonitorState = { ...up, decision: 'down', reason: 'quorum_fails', incident }
  const told = [
    vantage('eu', [sent(200, 201, 'refused')]),
    vantage('us', [sent(100, 104, 'ok')]),
    vantage('ap', [sent(195, 205, 'ok')]),
  ]
  const { state, effects } = judge(down, fastRules, evidence(told), at(205))
  expect(effects.map(({ kind }) => kind)).toEqual(['resolve_incident', 'ask', 'ask'])
  expect(state.suspicion?.since_ms).toBe(at(200))
})

test('the first return settles no failure that was sent after it', () => {
  const told = [vantage('eu', [sent(200, 201, 'refused')]), vantage('us', [sent(100, 230, 'slow')])]
  const { state } = judge(initialMonitorState(at(-9999)), { ...fastRules, vantages: 2 }, evidence(told), at(230))
  expect(state).toMatchObject({ watched: true, suspicion: { since_ms: at(200) } })
})

test('the first return settles the failures before it, also of a vantage that is heard later', () => {
  const passes = vantage('us', [sent(100, 104, 'ok')])
  const { state } = judge(initialMonitorState(at(-9999)), fastRules, evidence([vantage('eu', []), passes]), at(104))
  const { state: later } = judge(state, fastRules, evidence([vantage('eu', [sent(90, 120, 'refused')]), passes]), at(120))
  expect(later).toMatchObject({ watched: true, suspicion: null })
})

describe('a test that was asked for', () => {
  /** Two fail, each on its own, and a third passes, of whom all three are needed. Who is asked answers at once: how often is each? */
  const askedWithin = (seconds: number, us: Outcome, apBefore: TestFact[]) => {
    const tests: Record<string, TestFact[]> = { eu: [sent(0, 1, 'refused'), sent(-300, -299, 'refused')], us: [], ap: apBefore }
    const asked: Record<string, number> = {}
    let state: MonitorState = { ...up, settled: { eu: at(-300), ap: at(-280) } }
    for (let second = 1; second <= seconds; second += 2) {
      const told = Object.entries(tests).map(([region, facts]) => vantage(region, facts))
      const judgement = judge(state, { ...fastRules, quorum: 3 }, evidence(told), at(second))
      state = judgement.state
      for (const effect of judgement.effects) {
        if (effect.kind !== 'ask') continue
        asked[effect.probe_id] = (asked[effect.probe_id] ?? 0) + 1
        // The clock of the one that passes is a little behind, so that its mail seems to be older than the others' answers.
        const answer = effect.probe_id === 'us' ? sent(second, second + 1, us) : sent(second + 0.2, second + 1, 'refused')
        tests[effect.probe_id]?.unshift({ ...answer, cause: 'job' })
      }
    }
    return { asked, decision: state.decision }
  }

  test('asks nothing in turn where its vantage failed before: two that fail beside one that passes would ask for ever', () => {
    const failing = [sent(-280, -279, 'refused'), sent(-9000, -8999, 'ok')]
    expect(askedWithin(60, 'ok', failing)).toEqual({ asked: { us: 1, ap: 1 }, decision: 'partial' })
  })

  test('asks the others once where its vantage passed before', () => {
    expect(askedWithin(60, 'ok', [sent(-280, -279, 'ok')])).toEqual({ asked: { us: 2, ap: 1, eu: 1 }, decision: 'partial' })
  })

  test('is news where a person has ended what was known', () => {
    const failing = [sent(0, 1, 'refused', { cause: 'job' }), sent(-300, -299, 'refused')]
    const { state } = judge(
      { ...up, settled_all_ms: at(-10) },
      fastRules,
      evidence([vantage('eu', failing), vantage('us', [])]),
      at(2),
    )
    expect(state.suspicion?.since_ms).toBe(at(0))
  })

  test('counts in an outage that is over, although its vantage failed before', () => {
    const asked = sent(0, 600, 'timeout', { cause: 'job' })
    const eu = vantage('eu', [sent(3000, 3004, 'ok'), asked, sent(-300, -299, 'refused'), sent(-9000, -8999, 'ok')])
    const us = vantage('us', [sent(3000, 3004, 'ok'), sent(60, 660, 'timeout'), sent(-9000, -8999, 'ok')])
    const state: MonitorState = { ...up, settled: { eu: at(-300) } }
    expect(findPastOutage(state, fastRules, evidence([eu, us, vantage('ap', [])], at(0)))?.since_ms).toBe(at(0))
  })
})
