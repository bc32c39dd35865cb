/** What speaks against a probe: mail that fails for it and returns elsewhere. */
import { describe, expect, test } from 'vitest'
import { countContradicted, isContradicted, type ProbeFailure } from '../../coordinator/core/contradiction.ts'

const failure = (known: Partial<ProbeFailure> = {}): ProbeFailure => ({
  ...{ probe_id: 'eu-1', region: 'eu', domain: 'a.example', started_ms: 1000, returned_since: false },
  others: [{ region: 'us', outcome: 'ok', started_ms: 1000 }],
  ...known,
})
const others = (...said: [string, ProbeFailure['others'][number]['outcome'], number][]): Partial<ProbeFailure> => ({
  others: said.map(([region, outcome, started_ms]) => ({ region, outcome, started_ms })),
})

describe('mail that fails for one probe', () => {
  test.each<[string, boolean, Partial<ProbeFailure>]>([
    ['and returns from another region is contradicted', true, {}],
    ['and is slow from another region is contradicted', true, others(['us', 'slow', 1000])],
    ['and fails from every other region is not', false, others(['us', 'timeout', 1000], ['ap', 'refused', 2000])],
    ['and returns from one of several is contradicted', true, others(['us', 'timeout', 1000], ['ap', 'ok', 2000])],
    ['and returned from elsewhere before is not: the outage may have begun since', false, others(['us', 'ok', 999])],
    ['and returns from its own region is not', false, others(['eu', 'ok', 2000])],
    ['and was refused elsewhere by policy is not', false, others(['us', 'blocked', 2000])],
    ['and has returned to it since is not', false, { returned_since: true }],
    ['and nobody else watches is not', false, { others: [] }],
  ])('%s', (_, contradicted, known) => {
    expect(isContradicted(failure(known))).toBe(contradicted)
  })

  test('counts once a mail domain, for each probe by itself', () => {
    const failures = [
      failure(),
      failure({ started_ms: 900 }),
      failure({ domain: 'b.example' }),
      failure({ domain: 'c.example', returned_since: true }),
      failure({ probe_id: 'us-1', region: 'us', ...others(['eu', 'ok', 5000]) }),
      failure({ probe_id: 'ap-1', region: 'ap', ...others(['ap', 'ok', 5000]) }),
    ]
    expect(Object.fromEntries(countContradicted(failures))).toEqual({ 'eu-1': 2, 'us-1': 1 })
  })
})
