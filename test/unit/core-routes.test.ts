/** From the tests of a route to how it stands, and to the words of its notice. */
import { describe, expect, test } from 'vitest'
import { dayMs, hourMs, minuteMs } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'
import { type RouteFact, recordOf, routeNotice, standingOf } from '../../coordinator/core/routes.ts'

const nowMs = Date.UTC(2026, 10, 24, 12, 3)

/** The newest first; the newest was sent `agoMs` ago, each older one an hour before the next, by another survey. */
function factsOf(outcomes: readonly Outcome[], agoMs = 0): [RouteFact, ...RouteFact[]] {
  const facts = outcomes.map((outcome, n) => ({
    id: `test-${n}`,
    job_id: `survey-${n}`,
    probe_id: n % 2 === 0 ? 'eu' : 'us',
    started_ms: nowMs - agoMs - n * hourMs,
    outcome,
  }))
  return facts as [RouteFact, ...RouteFact[]]
}
const never = () => null

describe('a route', () => {
  test.each<[string, Outcome[], string, hoursAgo: number | null]>([
    ['works where mail passes', ['ok'], 'ok', null],
    ['works where mail passes slowly', ['slow', 'timeout'], 'ok', null],
    ['of which one mail was lost works still', ['timeout', 'ok'], 'ok', null],
    ['of which one mail was lost and none has passed is unknown', ['timeout'], 'unknown', null],
    ['fails with two surveys in a row, since the first', ['refused', 'refused', 'ok'], 'failing', 1],
    ['fails however differently', ['timeout', 'bounced', 'unreachable', 'tls', 'dns', 'ok'], 'failing', 4],
    ['that has never worked fails as well', ['unreachable', 'unreachable'], 'failing', 1],
    ['works again with the first mail that passes', ['ok', 'refused', 'refused'], 'ok', null],
    ['of which nobody could say anything is unknown', ['not_run', 'blocked'], 'unknown', null],
    ['fails still where a probe cannot say', ['not_run', 'refused', 'not_run', 'refused'], 'failing', 3],
    ['does not fail by one survey and a probe that is blocked', ['blocked', 'refused', 'ok'], 'ok', null],
    ['that defers who never passed is unknown', ['deferred', 'deferred'], 'unknown', null],
    ['that defers the same probe again is not greylisting', ['deferred', 'deferred', 'deferred', 'deferred'], 'failing', 1],
    [
      'that defers one probe twice and the other once is not known to fail',
      ['deferred', 'deferred', 'deferred'],
      'unknown',
      null,
    ],
  ])('%s', (_, outcomes, standing, hoursAgo) => {
    const record = recordOf(factsOf(outcomes), never)
    expect(standingOf(record, nowMs)).toBe(standing)
    expect(record.failing_since_ms).toBe(hoursAgo === null ? null : nowMs - hoursAgo * hourMs)
    expect(record.tested_ms).toBe(nowMs)
  })

  test('that defers whom it has taken within 30 days fails', () => {
    const passed = (agoMs: number) => () => nowMs - agoMs
    expect(standingOf(recordOf(factsOf(['deferred', 'deferred']), passed(29 * dayMs)), nowMs)).toBe('failing')
    expect(standingOf(recordOf(factsOf(['deferred', 'deferred']), passed(31 * dayMs)), nowMs)).toBe('unknown')
    // A greylisting of the one is no failure, whatever the other has seen.
    const onlyEu = (probe: string) => (probe === 'eu' ? nowMs - dayMs : null)
    expect(standingOf(recordOf(factsOf(['deferred', 'deferred']), onlyEu), nowMs)).toBe('unknown')
  })

  test('does not fail twice by one survey', () => {
    const [first, ...rest] = factsOf(['refused', 'refused'])
    const record = recordOf([first, ...rest.map((fact) => ({ ...fact, job_id: first.job_id }))], never)
    expect(standingOf(record, nowMs)).toBe('unknown')
  })

  test.each<[agoMs: number, standing: string]>([
    [6 * hourMs, 'failing'],
    [6 * hourMs + minuteMs, 'unknown'],
  ])('is unknown once nothing has been heard of it for six hours: %i ms', (agoMs, standing) => {
    expect(standingOf(recordOf(factsOf(['refused', 'refused'], agoMs), never), nowMs)).toBe(standing)
  })
})

describe('the notice of a failing route', () => {
  const seen = { mx: 'mx2.example.com', family: 'ipv6', since_ms: nowMs, region: 'eu' } as const
  test.each<[Outcome, string | null, boolean, string]>([
    [
      'refused',
      '550 5.7.1 Relay access denied.',
      true,
      'mx2.example.com over IPv6 has not taken mail since 12:03 UTC 24 Nov, last tried from eu: 550 5.7.1 Relay access denied; mail still arrives by other routes',
    ],
    ['unreachable', null, false, 'mx2.example.com over IPv6 has not taken mail since 12:03 UTC 24 Nov, last tried from eu'],
    [
      'timeout',
      '250 2.0.0 queued',
      true,
      'mx2.example.com over IPv6 has taken mail that did not come back since 12:03 UTC 24 Nov, last tried from eu: 250 2.0.0 queued; mail still arrives by other routes',
    ],
  ])('says what is seen: %s', (outcome, words, arrives, text) => {
    expect(routeNotice({ ...seen, outcome, words }, arrives)).toBe(text)
  })
})
