/** From refusals by policy to the notices that stand. */
import { describe, expect, test } from 'vitest'
import type { Outcome } from '../../common/wire/test.ts'
import { blockedNotice, findBlocked } from '../../coordinator/core/blocked.ts'
import type { Evidence, VantageEvidence } from '../../coordinator/core/evidence.ts'

/** The newest first; each is sent at the second of its place, counted from the oldest. */
const vantageOf = (outcomes: Outcome[], planned = true): Evidence =>
  ({
    vantages: [
      {
        ...({ probe_id: 'eu', planned } as VantageEvidence),
        tests: outcomes.map((outcome, index) => {
          const started_ms = (outcomes.length - index) * 1000
          return { ...({ id: `test-${outcomes.length - index}` } as VantageEvidence['tests'][number]), started_ms, outcome }
        }),
      },
    ],
  }) as unknown as Evidence

const standing = { eu: { since_ms: 7, test_id: 'older' } }

describe('a vantage', () => {
  test.each<[string, Record<string, { since_ms: number; test_id: string }>, Evidence, object, string[]]>([
    [
      'that is refused is blocked',
      {},
      vantageOf(['blocked', 'ok']),
      { eu: { since_ms: 2000, test_id: 'test-2' } },
      ['sender_blocked'],
    ],
    [
      'that is refused again stays so since the first',
      standing,
      vantageOf(['blocked']),
      { eu: { since_ms: 7, test_id: 'test-1' } },
      [],
    ],
    ['that fails otherwise stays blocked', standing, vantageOf(['timeout', 'not_run']), standing, []],
    ['that has no test yet stays blocked', standing, vantageOf([]), standing, []],
    [
      'that was refused before a failure is blocked',
      {},
      vantageOf(['timeout', 'blocked']),
      { eu: { since_ms: 1000, test_id: 'test-1' } },
      ['sender_blocked'],
    ],
    ['whose mail passes is not', standing, vantageOf(['ok', 'blocked']), {}, ['block_ended']],
    ['whose mail passes slowly is not', standing, vantageOf(['timeout', 'slow', 'blocked']), {}, ['block_ended']],
    ['that tests no longer is not', standing, vantageOf(['blocked'], false), {}, ['block_ended']],
    ['that only stands in is not told of', {}, vantageOf(['blocked'], false), {}, []],
  ])('%s', (_, before, evidence, blocked, effects) => {
    const found = findBlocked(before, evidence)
    expect([found.blocked, found.effects.map(({ kind }) => kind)]).toEqual([blocked, effects])
    expect(findBlocked(found.blocked, evidence)).toEqual({ blocked, effects: [] })
  })
})

test('a notice does without what is not known', () => {
  expect(blockedNotice({ region: 'eu', sender: null, server: null, words: null })).toBe(
    'the mail server refuses our address in eu by policy. Tests from there count for nothing until one passes: allow mail from our probe, and the address that the server names',
  )
})
