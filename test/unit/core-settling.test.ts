/** What an answer settles: nothing that was sent after the passes on which it rests. Seconds after a moment. */
import { expect, test } from 'vitest'
import type { Outcome } from '../../common/wire/test.ts'
import type { Evidence, MonitorState, VantageEvidence } from '../../coordinator/core/evidence.ts'
import { initialMonitorState, judge } from '../../coordinator/core/judgement.ts'
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
