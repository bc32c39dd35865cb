/** The table of votes in docs/judgement.md: each row is what the code makes of such a test, and the first row that fits decides. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { VantageEvidence, VoteView } from '../../coordinator/core/evidence.ts'
import type { TestFact } from '../../coordinator/core/verdict.ts'
import { castVote } from '../../coordinator/core/votes.ts'
import { defaultRules } from '../support/judgement-setting.ts'

const nowMs = Date.UTC(2026, 10, 23, 12)
const ago = (seconds: number): number => nowMs - seconds * 1000
const sinceMs = ago(7200)

/** A test that was lost a moment ago, at a probe that has proved its health, for a quorum that asks for no re-test. */
type Situation = { test: TestFact | null; vantage: Partial<VantageEvidence>; suspected: boolean }
const lost: TestFact = {
  ...{ id: 'lost', cause: 'slot', attempt: 1, first_test_id: null, outcome: 'timeout' },
  ...{ started_ms: ago(601), finished_ms: ago(1), doubted: false, proved: false, proved_since: true },
}
const proven: Situation = { test: lost, vantage: {}, suspected: false }

const ended =
  (changes: Partial<TestFact>) =>
  (situation: Situation): Situation => ({ ...situation, test: situation.test && { ...situation.test, ...changes } })
const known =
  (changes: Partial<VantageEvidence>) =>
  (situation: Situation): Situation => ({ ...situation, vantage: { ...situation.vantage, ...changes } })
const longAgo = ended({ started_ms: ago(1200 + 600 + 60 + 180 + 601), finished_ms: ago(1200 + 600 + 60 + 180 + 1) })
const unproven = ended({ proved_since: false })

/** By the reason of its row: what makes it fit. */
const situations: Record<VoteView['reason'], (situation: Situation) => Situation> = {
  no_test_yet: (situation) => ({ ...situation, test: null }),
  stale: longAgo,
  returned: ended({ outcome: 'ok' }),
  returned_slow: ended({ outcome: 'slow' }),
  not_run: ended({ outcome: 'not_run' }),
  sender_blocked: ended({ outcome: 'blocked' }),
  never_passed_greylisting: (situation) => known({ passed_ms: null })(ended({ outcome: 'deferred' })(situation)),
  fails_widely: known({ contradicted: 3, monitors_held: 3 }),
  awaiting_proof: unproven,
  probe_unproven: (situation) => unproven(ended({ started_ms: ago(700), finished_ms: ago(60) })(situation)),
  retest_awaited: (situation) => ({ ...situation, suspected: true }),
  failed: (situation) => situation,
}
/** Of these, one test has one: they stand in each other's way. */
const outcomes = ['returned', 'returned_slow', 'not_run', 'sender_blocked', 'never_passed_greylisting']
const ages = ['stale', 'probe_unproven', 'awaiting_proof']

function voteOn({ test: latest, vantage, suspected }: Situation): string {
  const evidence: VantageEvidence = {
    ...{ probe_id: 'eu', region: 'eu', domain: { region: 'eu', asn: null, return_domain: 'eu.example' }, planned: true },
    ...{ lost: false, assigned_ms: sinceMs, overdue: [], slot_started_ms: null, connected_ms: null },
    ...{ passed_ms: ago(86_400), contradicted: 0, monitors_held: 1, tests: latest === null ? [] : [latest] },
    ...vantage,
  }
  const { vote, reason } = castVote(evidence, sinceMs, suspected ? lost : null, defaultRules, nowMs)
  return `${vote} ${reason}`
}

const page = readFileSync(join(import.meta.dirname, '../../docs/judgement.md'), 'utf8')
const rows = [...page.matchAll(/^\| .+ \| (pass|fail|abstain|missing) \| `(\w+)` \|$/gm)].map(([, vote = '', reason = '']) => ({
  vote,
  reason: reason as VoteView['reason'],
}))

describe('the table of votes', () => {
  test('has a row for every reason of a vote, and no other', () => {
    expect(rows.map(({ reason }) => reason).toSorted()).toEqual(Object.keys(situations).toSorted())
  })

  test.each(rows)('$vote $reason', ({ vote, reason }) => {
    expect(voteOn(situations[reason](proven))).toBe(`${vote} ${reason}`)
  })

  const pairs = rows.flatMap((first, index) => rows.slice(index + 1).map((second) => ({ first, second })))
  const exclude = (group: string[], { first, second }: (typeof pairs)[number]) =>
    group.includes(first.reason) && group.includes(second.reason)
  test.each(pairs.filter((pair) => !exclude(outcomes, pair) && !exclude(ages, pair)))(
    '$first.reason stands above $second.reason and decides where both fit',
    ({ first, second }) => {
      expect(voteOn(situations[first.reason](situations[second.reason](proven)))).toBe(`${first.vote} ${first.reason}`)
    },
  )
})
