/** Single judgements on evidence made by hand, where a story would have to be contrived. Ages in seconds. */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../common/wire/test.ts'
import type { Evidence, MonitorState, OpenIncident, VantageEvidence } from '../../coordinator/core/evidence.ts'
import { initialMonitorState, judge } from '../../coordinator/core/judgement.ts'
import { newIncident } from '../../coordinator/core/suspicion.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'
import { defaultRules } from '../support/judgement-setting.ts'

const nowMs = Date.UTC(2026, 10, 23, 12)
const ago = (seconds: number) => nowMs - seconds * 1000

let count = 0
const ended = (outcome: Outcome, startedAgo: number, endedAgo: number, cause: TestFact['cause'] = 'slot'): TestFact => ({
  id: `test-${++count}`,
  cause,
  attempt: 1,
  first_test_id: null,
  started_ms: ago(startedAgo),
  finished_ms: ago(endedAgo),
  outcome,
  doubted: false,
  proved: false,
  proved_since: true,
})
const vantage = (region: string, tests: TestFact[], changes: Partial<VantageEvidence> = {}): VantageEvidence => ({
  probe_id: region,
  region,
  domain: { region, asn: null, return_domain: `${region}.example` },
  planned: true,
  lost: false,
  assigned_ms: ago(86_400),
  tests,
  overdue: [],
  slot_started_ms: null,
  connected_ms: null,
  passed_ms: ago(86_400),
  contradicted: 0,
  monitors_held: 1,
  ...changes,
})
const evidence = (vantages: VantageEvidence[], changes: Partial<Evidence> = {}): Evidence => ({
  vantages,
  pool: [],
  observing_since_ms: ago(86_400),
  late_since_ms: null,
  told_ms: [],
  incident_told: true,
  ...changes,
})
const up: MonitorState = { ...initialMonitorState(ago(86_400)), decision: 'up', reason: 'all_well', watched: true }
const down = (incident: Partial<OpenIncident> = {}): MonitorState => ({
  ...up,
  decision: 'down',
  reason: 'quorum_fails',
  incident: { ...newIncident('down', ago(7200), ago(6000)), asked_ms: ago(10), ...incident },
})
const effects = (state: MonitorState, of: Evidence, rules = defaultRules) =>
  judge(state, rules, of, nowMs).effects.map((effect) => (effect.kind === 'ask' ? `ask ${effect.probe_id}` : effect.kind))

const lostTwice = [ended('timeout', 601, 1, 'retest'), ended('timeout', 1231, 631)]
const pool = [{ probe_id: 'sa', domain: { region: 'sa', asn: null, return_domain: 'sa.example' } }]

describe('a suspicion', () => {
  test('counts no vote from a test that is older than a standing verdict may be', () => {
    const old = ended('timeout', 4000, 3400, 'job')
    const since = {
      ...up,
      suspicion: {
        first_test_id: 'x',
        first_probe_id: 'eu',
        since_ms: ago(4100),
        deadline_ms: ago(2800),
        asked: {},
        substitutes: {},
      },
    }
    expect(effects(since, evidence([vantage('eu', lostTwice), vantage('us', [old])]))).toEqual(['open_incident', 'ask us'])
    expect(judge(since, defaultRules, evidence([vantage('eu', lostTwice), vantage('us', [old])]), nowMs).state.decision).toBe(
      'unconfirmed',
    )
  })

  test('is not settled in the turn that seats a substitute: its vote is missing', () => {
    const passing = vantage('us', [ended('ok', 100, 96)])
    const lost = vantage('ap', [], { lost: true })
    const { state } = judge(up, defaultRules, evidence([vantage('eu', lostTwice), passing, lost], { pool }), nowMs)
    expect(state).toMatchObject({ decision: 'suspected', suspicion: { substitutes: { ap: 'sa' } } })
  })

  test('is not opened by old news', () => {
    const well = (region: string) => vantage(region, [ended('ok', 9, 5)])
    const old = evidence([vantage('eu', [ended('timeout', 5000, 4400)]), well('us'), well('ap')])
    expect(effects(up, old)).toEqual([])
    expect(judge(up, defaultRules, old, nowMs).state).toMatchObject({ decision: 'up', suspicion: null })
  })
})

describe('a test that was not run', () => {
  const failing = vantage('eu', lostTwice)
  const suspected = judge(up, defaultRules, evidence([failing, vantage('us', []), vantage('ap', [])]), nowMs).state
  const asksUs = (test: TestFact, afterS: number) =>
    judge(
      suspected,
      defaultRules,
      evidence([failing, vantage('us', [test]), vantage('ap', [])]),
      nowMs + afterS * 1000,
    ).effects.some((effect) => effect.kind === 'ask' && effect.probe_id === 'us')

  test('is no answer: its probe is asked again half a minute later, and not before', () => {
    const cutShort = ended('not_run', -1, -5, 'job')
    expect([asksUs(cutShort, 6), asksUs(cutShort, 34), asksUs(cutShort, 35)]).toEqual([false, false, true])
  })

  test('is asked for again once: what was asked since has the time to answer', () => {
    const news = evidence([failing, vantage('us', [ended('not_run', -1, -5, 'job')]), vantage('ap', [])])
    const asked: number[] = []
    let state = suspected
    for (let afterS = 6; afterS <= 600; afterS += 1) {
      const judgement = judge(state, defaultRules, news, nowMs + afterS * 1000)
      state = judgement.state
      if (judgement.effects.some((effect) => effect.kind === 'ask' && effect.probe_id === 'us')) asked.push(afterS)
    }
    expect(asked).toEqual([35])
  })

  test('nor does it keep a late mail from asking its probe', () => {
    const hedged = { ...defaultRules, mode: 'hedged' as const }
    const late = vantage('eu', [ended('ok', 1330, 1325)], {
      overdue: [{ test_id: 'late', started_ms: ago(130) }],
      slot_started_ms: ago(130),
    })
    expect(
      effects(up, evidence([late, vantage('us', [ended('not_run', 100, 20, 'slot')], { passed_ms: ago(1300) })]), hedged),
    ).toEqual(['ask us'])
  })
})

describe('a probe that has connected anew since it was asked', () => {
  const failing = vantage('eu', lostTwice)
  const suspected = judge(up, defaultRules, evidence([failing, vantage('us', []), vantage('ap', [])]), nowMs).state
  const asksUs = (afterS: number, changes: Partial<VantageEvidence>) =>
    judge(
      suspected,
      defaultRules,
      evidence([failing, vantage('us', [], changes), vantage('ap', [])]),
      nowMs + afterS * 1000,
    ).effects.some((effect) => effect.kind === 'ask' && effect.probe_id === 'us')

  test('is asked again, and whoever was connected all the time is not', () => {
    expect([asksUs(30, { connected_ms: ago(-20) }), asksUs(30, { connected_ms: ago(20) })]).toEqual([true, false])
  })

  test('is not where its test is under way', () => {
    const overdue = [{ test_id: 'late', started_ms: ago(-1) }]
    expect([asksUs(150, { connected_ms: ago(-140), overdue }), asksUs(700, { connected_ms: ago(-140), overdue })]).toEqual([
      false,
      true,
    ])
  })
})

describe('a mail that is told of as overdue', () => {
  test.each([
    ['is asked about once', -130, 1],
    ['is not asked about again and again where it is dated in the future', 1500, 0],
  ])('%s', (_, sentInS, times) => {
    const hedged = { ...defaultRules, mode: 'hedged' as const }
    const eu = vantage('eu', [ended('timeout', 601, 1)])
    const slow = vantage('ap', [ended('ok', 1300, 1290)], {
      overdue: [{ test_id: 'slow', started_ms: nowMs + sentInS * 1000 }],
    })
    let state = up
    let asked = 0
    for (let seconds = 0; seconds < 60; seconds += 5) {
      // Each time it is asked it passes within 4 s.
      const us = vantage('us', [ended('ok', 300, 295), ...(asked === 0 ? [] : [ended('ok', 4 - seconds, 0 - seconds, 'job')])])
      const judged = judge(state, hedged, evidence([eu, slow, us]), nowMs + seconds * 1000)
      state = judged.state
      asked += judged.effects.filter((effect) => effect.kind === 'ask' && effect.probe_id === 'us').length
    }
    expect(asked).toBe(times)
  })
})

describe('a probe whose clock is ahead by seconds that nobody knows of: its slot seems to begin after the test', () => {
  test.each([
    ['a slot mail that is late starts the others', 5, ['ask us']],
    ['what was started half a minute before the slot starts nobody', 30, []],
  ])('%s', (_, aheadS, asked) => {
    const hedged = { ...defaultRules, mode: 'hedged' as const }
    const late = vantage('eu', [ended('ok', 1330, 1325)], {
      overdue: [{ test_id: 'late', started_ms: ago(130) }],
      slot_started_ms: ago(130 - aheadS),
    })
    expect(effects(up, evidence([late, vantage('us', [ended('ok', 700, 695)])]), hedged)).toEqual(asked)
  })

  test('a slot that has answered is not waited for', () => {
    const failing = vantage('eu', [ended('refused', 58, 57)])
    const answered = vantage('us', [ended('ok', 60, 58)], { slot_started_ms: ago(55) })
    expect(effects(up, evidence([failing, answered]))).toEqual(['ask us'])
  })
})

describe('an open incident', () => {
  test('is not resolved because nobody is left to test', () => {
    expect(effects(down(), evidence([]))).toEqual([])
  })

  test('is not resolved by tests sent before it was opened', () => {
    const state = down({ since_ms: ago(1230), opened_ms: ago(20) })
    const sent = (startedAgo: number) => ['eu', 'us'].map((region) => vantage(region, [ended('ok', startedAgo, 5)]))
    expect(effects(state, evidence(sent(21)))).not.toContain('resolve_incident')
    expect(effects(state, evidence(sent(20)))).toContain('resolve_incident')
  })
})

describe('without a suspicion', () => {
  test('a monitor that nobody watches any more is not all well', () => {
    expect(effects(up, evidence([]))).toEqual(['open_incident'])
  })
})
