/** Where did it die: evidence and place, and the table that people read. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { outcomes, type ResultDetail } from '../../common/wire/test.ts'
import { describeCause } from '../../coordinator/core/cause.ts'
import { diagnose, type EvidenceKind, type Place, places, rules, type TestEvidence } from '../../coordinator/core/diagnosis.ts'
import type { VoteView } from '../../coordinator/core/evidence.ts'
import { septets } from '../../coordinator/core/gsm7.ts'
import { downText, type PageFacts, pastText, unconfirmedText } from '../../coordinator/core/sms-text.ts'

const accepted: ResultDetail = { server_words: '250 2.0.0 Ok: queued as 4F1', mx: 'mx.example', address: '192.0.2.7' }
const span = (min: number, max: number) => ({ min, max })
const late = { rtt_ms: 840_000, legs: null }

/** What a result holds, the place it points to, and what the incident says. */
const cases: [string, EvidenceKind, Place, Partial<TestEvidence>, string][] = [
  ['the probe could not run it', 'not_run', 'our_side', { outcome: 'not_run' }, 'our probe could not run the test'],
  [
    'a blocklist',
    'blocked',
    'our_side',
    { outcome: 'blocked', detail: { server_words: '554 5.7.1 blocked using zen.spamhaus.org', mx: 'mx.example' } },
    'our address is blocked: 554 5.7.1 blocked using zen.spamhaus.org (mx.example)',
  ],
  ['no MX', 'no_route', 'name_resolution', { outcome: 'dns' }, 'no mail server is found in DNS'],
  [
    'nobody listens',
    'no_connection',
    'connection',
    { outcome: 'unreachable', detail: { stage: 'connect', mx: 'mx.example' } },
    'no connection to mx.example',
  ],
  [
    'a server that hangs up',
    'no_connection',
    'connection',
    { outcome: 'unreachable', detail: { stage: 'rcpt', mx: 'mx.example' } },
    'connection breaks off at rcpt (mx.example)',
  ],
  [
    'a server that throws us out',
    'no_connection',
    'connection',
    { outcome: 'unreachable', detail: { stage: 'data', server_words: '421 4.3.2 shutting down', mx: 'mx.example' } },
    'connection breaks off at data: 421 4.3.2 shutting down (mx.example)',
  ],
  ['a broken handshake', 'no_tls', 'tls', { outcome: 'tls', detail: { mx: 'mx.example' } }, 'no TLS (mx.example)'],
  [
    'a server without a certificate',
    'no_tls',
    'tls',
    { outcome: 'tls', detail: { server_words: '454 4.7.0 TLS not available', mx: 'mx.example' } },
    'no TLS: 454 4.7.0 TLS not available (mx.example)',
  ],
  [
    'a false password',
    'no_login',
    'refused',
    { outcome: 'auth', detail: { server_words: '535 5.7.8 no' } },
    'login fails: 535 5.7.8 no',
  ],
  [
    'no such user',
    'refused',
    'refused',
    { outcome: 'refused', detail: { server_words: '550 5.1.1 no such user', mx: 'mx.example' } },
    'mail refused: 550 5.1.1 no such user (mx.example)',
  ],
  [
    'a full disk',
    'deferred',
    'deferred',
    { outcome: 'deferred', detail: { server_words: '452 4.3.1 insufficient storage', mx: 'mx.example' } },
    'mail deferred: 452 4.3.1 insufficient storage (mx.example)',
  ],
  ['a plain forward', 'unstamped', 'responder_silent', { outcome: 'echo' }, 'mail came back without the stamp of the responder'],
  [
    'a responder that is not installed any more',
    'responder_failed',
    'responder_silent',
    {
      outcome: 'bounced',
      detail: { dsn_status: '5.3.0', dsn_words: 'Command died with status 127: "/usr/local/bin/mailscout-responder"' },
    },
    'responder fails: Command died with status 127: "/usr/local/bin/mailscout-responder"',
  ],
  [
    'a responder that fails for now',
    'responder_failed',
    'responder_silent',
    { detail: { ...accepted, dsn_status: '4.3.0', dsn_words: 'temporary failure. Command output: exec: node: not found' } },
    'responder fails: temporary failure. Command output: exec: node: not found',
  ],
  [
    'a mailbox server that was away too long',
    'bounced_after_delay',
    'deferred',
    { outcome: 'bounced', detail: { dsn_status: '4.4.1', dsn_words: 'connect to mbx.example: Connection timed out' } },
    'mail bounced: connect to mbx.example: Connection timed out',
  ],
  [
    'a mailbox server that refuses',
    'bounced',
    'refused',
    { outcome: 'bounced', detail: { dsn_status: '5.2.2', dsn_words: '552 5.2.2 mailbox full' } },
    'mail bounced: 552 5.2.2 mailbox full',
  ],
  [
    'a queue behind the server',
    'delayed',
    'deferred',
    { detail: { ...accepted, dsn_status: '4.4.1', dsn_words: 'connect to mbx.example: Connection refused' } },
    'mail held up: connect to mbx.example: Connection refused',
  ],
  [
    'no answer to the final dot',
    'unanswered',
    'connection',
    { detail: { stage: 'accept', mx: 'mx.example' } },
    'no answer to the mail, not back in 10 min (mx.example)',
  ],
  [
    'nothing at all',
    'nothing',
    'accepted_then_lost',
    { detail: accepted },
    'mail accepted, not back in 10 min: 250 2.0.0 Ok: queued as 4F1 (mx.example)',
  ],
  ['back after the deadline', 'late', 'returned_late', { detail: accepted, late }, 'mail comes back late, after 14 min'],
  [
    'held on its way back',
    'late_on_the_way_back',
    'return_leg',
    { detail: accepted, late: { ...late, legs: { outbound_ms: span(0, 2000), return_ms: span(836_000, 838_000) } } },
    'mail late on its way back, after 14 min',
  ],
  [
    'held on its way out',
    'late',
    'returned_late',
    { detail: accepted, late: { ...late, legs: { outbound_ms: span(836_000, 838_000), return_ms: span(0, 2000) } } },
    'mail comes back late, after 14 min',
  ],
  [
    'late after a notice of delay',
    'late',
    'returned_late',
    { detail: { ...accepted, dsn_words: '452 4.2.2 mailbox full' }, late },
    'mail comes back late, after 14 min: 452 4.2.2 mailbox full',
  ],
  [
    'an echo whose stamped mail came late',
    'late',
    'returned_late',
    { outcome: 'echo', late },
    'mail comes back late, after 14 min',
  ],
]

const testOf = (given: Partial<TestEvidence>): TestEvidence => ({ outcome: 'timeout', detail: {}, late: null, ...given })
const voteOf = (test: TestEvidence, changes: Partial<VoteView> = {}): VoteView => ({
  probe_id: 'p1',
  region: 'eu',
  vote: 'fail',
  reason: 'failed',
  outcome: test.outcome,
  test_id: 't1',
  ...changes,
})

describe('where did it die', () => {
  it.each(cases)('%s: %s, %s', (_, evidence, place, given) => {
    expect(diagnose(testOf(given))).toMatchObject({ evidence, place })
  })

  it('gives the words of the server that knows most', () => {
    expect(diagnose(testOf({ detail: { ...accepted, dsn_words: '452 full' } }))?.words).toBe('452 full')
    expect(diagnose(testOf({ detail: accepted }))?.words).toBe('250 2.0.0 Ok: queued as 4F1')
    expect(diagnose(testOf({ outcome: 'dns' }))?.words).toBeNull()
    // It came back: what the first server said as it took the mail tells nothing of the trouble.
    expect(diagnose(testOf({ detail: accepted, late }))?.words).toBeNull()
    expect(diagnose(testOf({ outcome: 'echo', detail: accepted }))?.words).toBeNull()
  })

  it('has a place for every outcome but the good ones, and a case for every rule and place', () => {
    for (const outcome of outcomes) {
      const good = outcome === 'ok' || outcome === 'slow'
      expect(diagnose(testOf({ outcome })) === null, outcome).toBe(good)
    }
    expect(new Set(cases.map(([, evidence]) => evidence))).toEqual(new Set(rules.map(({ evidence }) => evidence)))
    expect(new Set(rules.map(({ place }) => place))).toEqual(new Set(places))
  })

  it('stands in docs/judgement.md as it stands in the code', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/judgement.md'), 'utf8')
    const section = page.split(/^## /m).find((text) => text.startsWith('Where did it die'))
    const rows = [...(section ?? '').matchAll(/^\| (.+?) \| `(\w+)` \|$/gm)].map(([, means, place]) => ({ means, place }))
    expect(rows).toEqual(rules.map(({ means, place }) => ({ means, place })))
  })
})

describe('the cause of an incident', () => {
  it.each(cases)('%s', (_, __, place, given, text) => {
    const test = testOf(given)
    expect(describeCause([voteOf(test)], new Map([['t1', test]]), 600)).toEqual({ outcome: test.outcome, place, text })
  })

  it('is told by the vantage whose evidence says most', () => {
    const lost = testOf({ detail: accepted })
    const delayed = testOf({ detail: { ...accepted, dsn_words: '452 full' } })
    const evidence = new Map([
      ['t1', lost],
      ['t2', delayed],
    ])
    const votes = [voteOf(lost), voteOf(delayed, { probe_id: 'p2', test_id: 't2' })]
    expect(describeCause(votes, evidence, 600)).toMatchObject({
      place: 'deferred',
      text: 'mail held up: 452 full',
    })
  })

  it.each([
    ['probe_unproven', 'our probe unproven: '],
    ['fails_widely', 'our probe fails widely: '],
    ['never_passed_greylisting', 'our probe perhaps greylisted: '],
  ] as const)('lies on our side, and says so, where the word of no probe counts, whatever it saw: %s', (reason, ours) => {
    for (const [, , place, given, seen] of cases) {
      const test = testOf(given)
      const told = describeCause([voteOf(test, { vote: 'abstain', reason })], new Map([['t1', test]]), 600)
      expect(told).toEqual({ outcome: test.outcome, place: 'our_side', text: place === 'our_side' ? seen : ours + seen })
    }
  })

  it('is unknown where there is no result, and plain where its test is not there any more', () => {
    expect(describeCause([], new Map(), 600)).toEqual({ outcome: 'no_data', place: null, text: 'no probe has a result to show' })
    expect(describeCause([], new Map(), 600, ['eu'])).toMatchObject({
      outcome: 'no_data',
      text: 'only eu can tell, too few to agree: add a probe elsewhere',
    })
    expect(describeCause([voteOf(testOf({ outcome: 'refused' }))], new Map(), 600)).toEqual({
      outcome: 'refused',
      place: 'refused',
      text: 'mail refused',
    })
  })
})

describe('the SMS of a cause', () => {
  const hosts = ['mx.example', 'contoso-com.mail.protection.outlook.com', `${'mail-gateway.'.repeat(18)}example`]
  const names = ['Acme', 'Head office of the Example Company, second building']
  const regions = ['ap-northeast', 'ap-southeast', 'eu-central', 'eu-west', 'me-south', 'sa-east', 'us-east', 'us-west']
  const splits = [8, 2, 5].map((count) => ({ failing_regions: regions.slice(0, count), passing_regions: regions.slice(count) }))
  const settings = hosts.flatMap((mx) => names.flatMap((monitor_name) => splits.map((split) => ({ mx, monitor_name, ...split }))))
  const anHour = 3_600_000
  const texts: [string, number, (facts: PageFacts) => string, Partial<VoteView>][] = [
    ['DOWN', 10, downText, {}],
    ['UNSTABLE', 6, (facts) => downText({ ...facts, flapping: true }), {}],
    ['WAS DOWN', 3, (facts) => pastText({ ...facts, ended_ms: facts.since_ms + 23 * anHour + 59 * 60_000 }), {}],
    ['UNCONFIRMED', 10, unconfirmedText, {}],
    ['UNCONFIRMED', 6, unconfirmedText, { vote: 'abstain', reason: 'probe_unproven' }],
  ]
  const spoken = cases.flatMap(([name, , , given]) => {
    const words = diagnose(testOf(given))?.words ?? null
    return words === null ? [] : [{ name, given, words }]
  })

  it.each(texts)(
    '%s has at least %i characters of what the server said, whatever else is long',
    (word, least, write, changes) => {
      for (const { given, words, name } of spoken) {
        for (const { mx, ...facts } of settings) {
          const test = testOf({ ...given, detail: { ...given.detail, mx } })
          const { text } = describeCause([voteOf(test, changes)], new Map([['t1', test]]), 600)
          const sms = write({ ...facts, cause: text, code: 'K7QX', since_ms: 0, flapping: false })
          expect(sms, name).toContain(words.slice(0, least))
          expect(sms.startsWith(`${word} `)).toBe(true)
          expect(sms).toMatch(/\. Code K7QX$/)
          expect(septets(sms)).toBeLessThanOrEqual(160)
        }
      }
    },
  )

  it('of the longest words names the server no more, and of short ones does', () => {
    const facts = {
      monitor_name: 'Acme',
      code: 'K7QX',
      since_ms: 0,
      failing_regions: ['eu'],
      passing_regions: [],
      flapping: false,
    }
    const smsOf = (server_words: string) => {
      const test = testOf({ outcome: 'refused', detail: { server_words, mx: 'mx.example' } })
      return downText({ ...facts, cause: describeCause([voteOf(test)], new Map([['t1', test]]), 600).text })
    }
    expect(smsOf('550 5.1.1 no such user')).toBe(
      'DOWN Acme since 00:00 UTC 1 Jan: mail refused: 550 5.1.1 no such user (mx.example). Agreed: eu. Code K7QX',
    )
    expect(smsOf(`550 5.1.1 The email account that you tried to reach does not exist. ${'Please check it. '.repeat(9)}`)).toBe(
      'DOWN Acme since 00:00 UTC 1 Jan: mail refused: 550 5.1.1 The email account that you tried to reach does not exist. Please chec... Agreed: eu. Code K7QX',
    )
  })
})
