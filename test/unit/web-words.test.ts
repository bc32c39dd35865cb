/** What the dashboard says. */
import { describe, expect, it } from 'vitest'
import { asSentence, problemSentence, readProblem } from '../../coordinator/web/api/problem.ts'
import type { Decision, MonitorRoute, Probe } from '../../coordinator/web/api/resources.ts'
import { eventWords } from '../../coordinator/web/words/events.ts'
import { boundSentence, monitorFacts, plainFacts } from '../../coordinator/web/words/facts.ts'
import { clockWords, healthWords } from '../../coordinator/web/words/health.ts'
import { routeMark, routeName, routeNote } from '../../coordinator/web/words/mail-routes.ts'
import { decisionReason } from '../../coordinator/web/words/reasons.ts'
import { explanation } from '../../coordinator/web/words/results.ts'
import { keyFromHash, monitorHref, parseRoute } from '../../coordinator/web/words/routes.ts'
import { incidentNews, incidentSpan, probeSentence, statusSentence, tabTitle } from '../../coordinator/web/words/sentence.ts'
import { ago, clockOffset, howLong, measured, measuredShort, utc } from '../../coordinator/web/words/time.ts'
import { decisionMark, humanise, outcomeMark, pageWord, verdictMark } from '../../coordinator/web/words/verdicts.ts'
import { at, lost, nightMs, sampleIncident, sampleMonitor, sampleProbe } from '../support/web-samples.ts'

/** Times do not break before UTC; here that does not matter. */
const plain = (text: string): string => text.replaceAll('\u00a0', ' ')

describe('times', () => {
  it.each([
    [0, '0.0 ms'],
    [7, '7 ms'],
    [840.4, '840 ms'],
    [999.6, '1.0 s'],
    [4210, '4.2 s'],
    [9960, '10 s'],
    [125_400, '2 min 5 s'],
    [Number.NaN, '–'],
    [null, '–'],
  ])('writes a measured %s ms as %s', (ms, words) => expect(measured(ms)).toBe(words))

  it.each([
    [4210, '4.2 s'],
    [97_400, '97 s'],
    [125_400, '2.1 min'],
    [7_200_000, '2.0 h'],
  ])('writes %s ms with one unit as %s', (ms, words) => expect(measuredShort(ms)).toBe(words))

  it.each([
    [0, 'just now'],
    [-3, 'just now'],
    [12, '12 s ago'],
    [59, '59 s ago'],
    [60, '1 min ago'],
    [3600, '1 h ago'],
    [47 * 3600, '47 h ago'],
    [49 * 3600, '2 d ago'],
    [-90, 'in 1 min'],
  ])('tells the age of what was %s s ago as %s', (secondsAgo, words) => expect(ago(at(secondsAgo), nightMs)).toBe(words))

  it('says never where there is no time', () => expect(ago(null, nightMs)).toBe('never'))
  it('names the day only when it is another one', () => {
    expect(plain(utc(at(60), nightMs))).toBe('03:25 UTC')
    expect(plain(utc(at(86_400), nightMs, true))).toBe('22 Nov 03:26:14 UTC')
    expect(plain(utc(at(365 * 86_400), nightMs))).toBe('23 Nov 2025 03:26 UTC')
  })
  it('leaves seconds out once they stop to matter', () => {
    expect(howLong(95_000)).toBe('1 min 35 s')
    expect(howLong(14 * 60_000 + 40_000)).toBe('14 min')
  })
  it.each([
    [2.4, '2 ms behind'],
    [-1840, '1.8 s ahead'],
    [0.2, '±0 ms'],
    [-0.7, '1 ms ahead'],
    [null, '–'],
  ])('writes a clock offset of %s ms as %s', (ms, words) => expect(clockOffset(ms)).toBe(words))
})

describe('the sentence on top', () => {
  const say = (decisions: Decision[], incidents = [sampleIncident({ monitor_id: 'm0' })]) => {
    const monitors = decisions.map((decision, index) => sampleMonitor({ id: `m${index}`, decision }))
    const { text, rest, tone } = statusSentence(monitors, incidents, nightMs)
    return plain([text, rest, tone].filter((part) => part !== null).join(' | '))
  }

  it('does not say down of what comes and goes, unless another is down', () => {
    const onAndOff = sampleIncident({ monitor_id: 'm0', flapping: true })
    expect(say(['down', 'up'], [onAndOff])).toBe('1 monitor is down on and off since 03:12 UTC (14 min) | The other is up | bad')
    expect(say(['down', 'down'], [onAndOff, sampleIncident({ monitor_id: 'm1' })])).toContain(
      'Both monitors are down, the first since',
    )
  })

  it.each<[Decision[], string]>([
    [[], 'Nothing is watched yet | idle'],
    [['up'], 'The monitor is up | good'],
    [['up', 'up', 'up'], 'All 3 monitors are up | good'],
    [['down'], 'The monitor is down since 03:12 UTC (14 min) | bad'],
    [['down', 'up', 'up'], '1 monitor is down since 03:12 UTC (14 min) | The other 2 are up | bad'],
    [['down', 'slow', 'up'], '1 monitor is down since 03:12 UTC (14 min) | 1 slow, 1 up | bad'],
    [['suspected', 'up'], '1 monitor is suspected; other regions are testing now | The other is up | warn'],
    [['partial', 'up'], '1 monitor is reached from some regions only | The other is up | warn'],
    [['unconfirmed', 'up'], '1 monitor cannot be judged since 03:12 UTC (14 min) | The other is up | unsure'],
    [['unconfirmed', 'unconfirmed'], 'Neither monitor can be judged, the first since 03:12 UTC (14 min) | unsure'],
    [
      ['unconfirmed', 'unconfirmed', 'unconfirmed'],
      'None of the 3 monitors can be judged, the first since 03:12 UTC (14 min) | unsure',
    ],
    [['pending', 'pending'], 'Both monitors wait for their first returned mail | idle'],
  ])('for %j says: %s', (decisions, words) => expect(say(decisions)).toBe(words))

  it('gives the first of several outages', () => {
    const incidents = [
      sampleIncident({ monitor_id: 'm0', since_at: at(60) }),
      sampleIncident({ id: 'i2', monitor_id: 'm1', since_at: at(600) }),
    ]
    expect(say(['down', 'down', 'up'], incidents)).toContain('2 monitors are down, the first since 03:16 UTC (10 min)')
  })

  it('tells when nobody watches', () => {
    expect(probeSentence([])?.text).toBe('no probe yet')
    expect(probeSentence([sampleProbe({ state: 'lost' })])).toEqual({ tone: 'bad', text: 'no probe is connected' })
    expect(probeSentence([sampleProbe(), sampleProbe({ state: 'lost' }), sampleProbe({ state: 'retired' })])?.text).toBe(
      '1 of 2 probes connected',
    )
    expect(probeSentence(null)).toBeNull()
  })

  it('puts the state first in the title of the tab', () => {
    expect(tabTitle([sampleMonitor({ decision: 'down' })], nightMs)).toBe('✕ 1 down · Mailscout')
    expect(tabTitle([sampleMonitor()], nightMs)).toBe('Mailscout')
  })
})

describe('incidents in words', () => {
  it('spans from the first failing test to the end or to now', () => {
    expect(plain(incidentSpan(sampleIncident(), nightMs))).toBe('Down since 03:12 UTC (14 min)')
    expect(plain(incidentSpan(sampleIncident({ resolved_at: at(14) }), nightMs))).toBe(
      'Down from 03:12 UTC to 03:26 UTC (14 min)',
    )
  })
  it('ends a span when mail returned, not when it was told of', () => {
    const bounds = { earliest_start_at: null, latest_start_at: at(854), earliest_end_at: at(314) }
    const over = sampleIncident({ resolved_at: at(14), outage: { ...bounds, latest_end_at: at(254) } })
    expect(plain(incidentSpan(over, nightMs))).toBe('Down from 03:12 UTC to 03:22 UTC (10 min)')
  })
  it('says of an unstable monitor that it comes and goes', () => {
    expect(plain(incidentSpan(sampleIncident({ flapping: true }), nightMs))).toBe('Down on and off since 03:12 UTC (14 min)')
  })
  it('announces an opening, an acknowledgement and the end, and nothing that is long over', () => {
    const open = sampleIncident()
    expect(incidentNews(undefined, open)).toEqual(['Incident K7QX, Head office mail: mail accepted, not back in 10 min.'])
    expect(incidentNews(open, { ...open, acknowledged_at: at(5) })).toEqual(['Incident K7QX, Head office mail was acknowledged.'])
    expect(incidentNews(open, { ...open, resolved_at: at(5) })).toEqual(['Incident K7QX, Head office mail is resolved.'])
    expect(incidentNews(undefined, { ...open, resolved_at: at(5) })).toEqual([])
  })
  it('tells its events, with the votes as verdicts', () => {
    const votes = [{ probe_id: 'p1', region: 'eu', vote: 'missing', reason: 'no_test_yet', outcome: null, test_id: null }]
    expect(eventWords({ type: 'opened', detail: { kind: 'down', cause: { text: 'mail bounced' }, votes } })).toEqual({
      title: 'Incident opened',
      text: 'Mail bounced.',
      votes: [{ probe_id: 'p1', region: 'eu', verdict: 'no_data', outcome: null }],
    })
    const ways = { outbound_ms: { min: 1900, max: 2100 }, return_ms: { min: 897_000, max: 898_000 } }
    const late = { region: 'eu', rtt_ms: 900_000, stamp_at: '2026-11-23T03:02:02.000Z', place: 'return_leg', ...ways }
    expect(eventWords({ type: 'returned_late', detail: late })).toEqual({
      title: 'A mail came back late to eu',
      text: 'After 15 min, stamped at 03:02:02\u00a0UTC by the clock of your server. It was held on its way back. Out: 1.9 to 2.1 s; back: 14 min 57 s to 14 min 58 s.',
      votes: [],
    })
    expect(eventWords({ type: 'paged', detail: { to: ['Robin', 'operator'], round: 0 } }).title).toBe(
      'Paging Robin, the operator',
    )
  })
  it('shows an event that it does not know with its facts', () => {
    expect(eventWords({ type: 'fleet_held', detail: { wait_s: 30, probes: ['a', 'b'] } })).toEqual({
      title: 'Fleet held',
      text: 'wait 30 s · probes a, b',
      votes: [],
    })
    expect(eventWords({ type: 'constructor', detail: null }).title).toBe('Constructor')
  })
})

describe('pages', () => {
  it.each([
    ['down', 'Down'],
    ['past', 'Was down'],
    ['blind_resolved', 'Blind over'],
    ['carrier_pigeon', 'Carrier pigeon'],
  ])('of the kind %s are called %s', (kind, word) => expect(pageWord({ kind })).toBe(word))
})

describe('words that a newer coordinator brings', () => {
  it('are shown as they are', () => {
    expect(decisionMark('asleep' as Decision).word).toBe('Asleep')
    expect(verdictMark('half_pass' as never).word).toBe('Half pass')
    expect(outcomeMark('greylisted' as never).shape).toBe('question')
    expect(decisionReason('moon_phase')).toBe('Moon phase')
    expect(humanise('A sentence already.')).toBe('A sentence already.')
  })
})

describe('a monitor and its parts', () => {
  it('says its configuration as its owner would', () => {
    const facts = new Map(monitorFacts(sampleMonitor()).map(({ term, value, note }) => [term, [value, note]]))
    expect(facts.get('Tests')).toEqual(['every 20 min from each of 3 vantages', 'spread evenly: one every 6 min 40 s'])
    expect(facts.get('Down')?.[0]).toBe('when 2 regions agree')
    expect(monitorFacts(sampleMonitor({ vantages: 1, quorum: 1 })).find(({ term }) => term === 'Down')?.value).toBe(
      'when the second test fails too',
    )
  })
  it('says within what time an outage is told of, and that it takes longer while not all vantages are well', () => {
    expect(boundSentence(sampleMonitor())).toBe('An outage is reported by SMS within 27 min 40 s, counted from its first second.')
    expect(boundSentence(sampleMonitor({ detection_bound_now_s: 2060 }))).toBe(
      'An outage that begins now is reported by SMS within 34 min 20 s, counted from its first second, because only 2 of 3 vantages have a probe. When all are well, it is within 27 min 40 s.',
    )
    expect(boundSentence(sampleMonitor({ vantages: 2, detection_bound_now_s: 2060 }))).toContain(
      'because not all vantages are well. When all are well, it is within',
    )
  })
  it('promises no time while too few vantages are well to agree, before the first return, and in maintenance', () => {
    expect(boundSentence(sampleMonitor({ detection_bound_now_s: null }))).toBe(
      'No time can be promised at this moment: fewer than 2 vantages in different places are working, and 2 must agree. The operator is paged if a test fails or the silence lasts. When all 3 vantages are well, an outage is reported by SMS within 27 min 40 s.',
    )
    expect(boundSentence(sampleMonitor({ vantages: 1, quorum: 1, detection_bound_now_s: null }))).toBe(
      'No time can be promised at this moment: the vantage is not working. The operator is paged if a test fails or the silence lasts. When the vantage is well, an outage is reported by SMS within 27 min 40 s.',
    )
    expect(boundSentence(sampleMonitor({ vantages: 1, quorum: 1, verdicts: [], detection_bound_now_s: null }))).toContain(
      'the vantage has no probe.',
    )
    expect(boundSentence(sampleMonitor({ decision: 'pending', detection_bound_now_s: null }))).toBe(
      'Nobody is paged before the first mail has come back. From then on an outage is reported by SMS within 27 min 40 s, counted from its first second.',
    )
    expect(boundSentence(sampleMonitor({ maintenance: { id: 'w1', ends_at: at(-600) } }))).toBe(
      'An outage is reported by SMS within 27 min 40 s, counted from the end of the maintenance.',
    )
  })
  it('explains a result by the words of the server, and a late return', () => {
    expect(explanation(lost({ detail: { server_words: '550 no such user', mx: 'mx1.example.com' } }))).toBe(
      '550 no such user (mx1.example.com)',
    )
    expect(explanation(lost({ sent_at: at(900), late_returned_at: at(60) }))).toBe('Came back late, after 14 min.')
    expect(explanation(lost())).toBeNull()
  })
  it('sums up the health of a probe', () => {
    const words = (health: Readonly<Record<string, unknown>> | null, state: Probe['state'] = 'connected') =>
      healthWords({ state, health })
    expect(words({ inbox_ok: true, spool_depth: 0, tests_running: 2 })).toEqual({ tone: 'good', text: 'good, 2 running' })
    expect(words({ inbox_ok: true, spool_depth: 0 }, 'lost')).toEqual({ tone: 'idle', text: 'good, when it was last heard' })
    expect(words({ inbox_ok: false, inbox_detail: 'login refused' })).toEqual({
      tone: 'bad',
      text: 'inbox fails: login refused',
    })
    expect(words({ inbox_ok: true, spool_depth: 212 }).tone).toBe('warn')
    expect(words(null).text).toBe('not reported')
  })
  it.each([
    [{}, 'good', '2 ms behind'],
    [{ clock_offset_ms: null }, 'idle', '–'],
    [{ clock_offset_ms: 4000 }, 'warn', '4.0 s behind'],
    [{ state: 'lost', clock_offset_ms: -125_000 }, 'bad', '2 min 5 s ahead: cut off until it is set'],
    [{ state: 'lost', clock_offset_ms: 665_000 }, 'bad', '11 min 5 s behind: cut off until it is set'],
    [{ state: 'lost', clock_offset_ms: 600_000 }, 'warn', '10 min behind'],
    [{ state: 'lost', clock_offset_ms: -3000 }, 'warn', '3.0 s ahead'],
    [{ state: 'connected', clock_offset_ms: -61_000 }, 'warn', '1 min 1 s ahead'],
  ] as const)('says of a probe with the clock %j: %s, %s', (given, tone, text) =>
    expect(clockWords(sampleProbe(given))).toEqual({ tone, text }),
  )
  it('reads facts of any shape', () => {
    expect(plainFacts({ gateway: 'kannel', rtt_ms: 3, ok: false, none: null, deep: { a: 1 } })).toEqual([
      'gateway kannel',
      'rtt 3 ms',
      'ok no',
      'deep a 1',
    ])
  })
})

describe('sentences', () => {
  it.each([
    ['no connection to mx1.example.com', 'No connection to mx1.example.com.'],
    ['mx1.example.com over IPv6 has not taken mail', 'mx1.example.com over IPv6 has not taken mail.'],
    ['mail refused: 550 5.1.1 who?', 'Mail refused: 550 5.1.1 who?'],
  ])('of "%s": %s', (words, sentence) => expect(asSentence(words)).toBe(sentence))
})

describe('problems', () => {
  it.each([
    [
      { status: 400, body: { detail: 'name must not be empty', errors: [{ field: 'name', message: 'must not be empty' }] } },
      'Name must not be empty.',
    ],
    [
      { status: 400, body: { detail: 'Bad request', errors: [{ field: 'name', message: 'is too long' }] } },
      'Bad request. Name: is too long.',
    ],
    [{ status: 403, body: null }, 'This API key is not allowed to do that. Use a key with a wider scope.'],
    [{ status: 0, body: null }, 'The coordinator cannot be reached. Check the network; this page keeps trying.'],
    [{ status: 502, body: '<html>' }, 'The coordinator answered with status 502.'],
  ])('of %j become: %s', ({ status, body }, sentence) => expect(problemSentence(readProblem(status, body))).toBe(sentence))
})

describe('addresses', () => {
  it.each([
    ['', { view: 'overview' }],
    ['#/', { view: 'overview' }],
    ['#/monitors/a%2Fb', { view: 'monitor', id: 'a/b' }],
    ['#/incidents/i1', { view: 'incident', id: 'i1' }],
    ['#/monitors/', { view: 'overview' }],
    ['#/monitors/%E0%A4%A', { view: 'monitor', id: '%E0%A4%A' }],
  ])('reads %s', (hash, route) => expect(parseRoute(hash)).toEqual(route))
  it('finds its way back', () => expect(parseRoute(monitorHref('a/b'))).toEqual({ view: 'monitor', id: 'a/b' }))
  it('takes a key from the fragment only', () => {
    expect(keyFromHash('#key=ms_abc%2B1')).toBe('ms_abc+1')
    expect(keyFromHash('#key=')).toBeUndefined()
    expect(keyFromHash('#/monitors/key=1')).toBeUndefined()
  })
})

describe('the routes to a target in words', () => {
  const route = { mx: 'mx2.example.com', family: 'ipv6' as const, failing_since: null, tested_at: at(60), passed_at: at(3660) }
  const refused = { failing_since: at(7200), outcome: 'refused' as const, words: '550 5.7.1 Relay access denied' }
  it.each<[Pick<MonitorRoute, 'standing' | 'outcome' | 'words'> & Partial<MonitorRoute>, word: string, note: string]>([
    [{ standing: 'ok', outcome: 'ok', words: null }, 'works', 'mail passed 1 h ago'],
    [{ standing: 'failing', ...refused }, 'fails', 'since 01:26 UTC: refused (550 5.7.1 Relay access denied)'],
    [{ standing: 'failing', ...refused, words: null }, 'fails', 'since 01:26 UTC: refused'],
    [{ standing: 'unknown', outcome: null, words: null }, 'not known', 'last tested 1 min ago'],
  ])('%o: %s, %s', (changes, word, note) => {
    const shown = { ...route, ...changes }
    expect([routeMark(shown.standing).word, routeName(shown), plain(routeNote(shown, nightMs))]).toEqual([
      word,
      'mx2.example.com over IPv6',
      note,
    ])
  })
})
