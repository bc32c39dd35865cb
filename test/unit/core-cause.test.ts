import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../common/wire/test.ts'
import { leadingFailures } from '../../coordinator/core/cause.ts'
import type { VoteView } from '../../coordinator/core/evidence.ts'

describe('the cause that people are told', () => {
  const vote = (of: VoteView['vote'], outcome: Outcome | null): VoteView => ({
    probe_id: 'p',
    region: 'eu',
    vote: of,
    reason: 'failed',
    outcome,
    test_id: null,
  })

  test.each<[string, VoteView[], Outcome | undefined]>([
    ['what most failing vantages report', [vote('fail', 'refused'), vote('fail', 'timeout'), vote('fail', 'timeout')], 'timeout'],
    ['of equals the first', [vote('fail', 'refused'), vote('fail', 'timeout')], 'refused'],
    [
      'those whose word does not count are not asked',
      [vote('abstain', 'blocked'), vote('abstain', 'blocked'), vote('fail', 'timeout')],
      'timeout',
    ],
    ['unless there is nobody else', [vote('abstain', 'not_run'), vote('missing', null)], 'not_run'],
    ['a pass is no cause', [vote('pass', 'ok'), vote('missing', null)], undefined],
  ])('%s', (_, votes, outcome) => {
    expect(leadingFailures(votes)[0]?.outcome ?? undefined).toBe(outcome)
  })
})
