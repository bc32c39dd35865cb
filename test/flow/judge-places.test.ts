/** Where did it die: every place, from what the probes tell to the incident, what the API shows of it, and the SMS. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Outcome, ResultDetail, TestResult } from '../../common/wire/test.ts'
import { places } from '../../coordinator/core/diagnosis.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { type Told, WatchedMonitor } from '../support/watched-monitor.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.stop())

type Seen = { outcome: Outcome; detail?: ResultDetail; lateStampMs?: number }

const mx = 'mx.example'
const taken: ResultDetail = { server_words: '250 2.0.0 Ok: queued as 4F1', mx }
const lateS = 700

/** What both probes see, and what people are told of it. */
const cases: [(typeof places)[number], Seen, string][] = [
  ['name_resolution', { outcome: 'dns' }, 'no mail server is found in DNS'],
  ['connection', { outcome: 'unreachable', detail: { stage: 'connect', mx } }, 'no connection to mx.example'],
  [
    'tls',
    { outcome: 'tls', detail: { server_words: '454 4.7.0 TLS not available', mx } },
    'no TLS: 454 4.7.0 TLS not available (mx.example)',
  ],
  [
    'refused',
    { outcome: 'refused', detail: { server_words: '550 5.1.1 no such user', mx } },
    'mail refused: 550 5.1.1 no such user (mx.example)',
  ],
  [
    'deferred',
    { outcome: 'deferred', detail: { server_words: '452 4.3.1 disk full', mx } },
    'mail deferred: 452 4.3.1 disk full (mx.example)',
  ],
  [
    'accepted_then_lost',
    { outcome: 'timeout', detail: taken },
    'mail accepted, not back in 10 min: 250 2.0.0 Ok: queued as 4F1 (mx.example)',
  ],
  ['responder_silent', { outcome: 'echo', detail: taken }, 'mail came back without the stamp of the responder'],
  ['returned_late', { outcome: 'timeout', detail: taken, lateStampMs: 600_000 }, 'mail comes back late, after 11 min 40 s'],
  ['return_leg', { outcome: 'timeout', detail: taken, lateStampMs: 500 }, 'mail late on its way back, after 11 min 40 s'],
]

/** Mail has returned before, by clocks that are known. */
async function watchedFor(hours: number): Promise<WatchedMonitor> {
  const monitor = await WatchedMonitor.create(api, { settings: { name: 'Acme' } })
  for (const region of ['eu', 'us']) {
    const runs = Array.from({ length: hours }, (_, hour) => {
      const run = monitor.result({ outcome: 'ok', agoS: (hour + 1) * 3600, tookS: 1, cause: 'open' })
      const known = { sent_at: run.started_at + 100, rtt_ms: 1000, clock_offset_ms: 0, detail: { clock_error_ms: 8 } }
      return { ...run, ...known, stamp_at: run.started_at + 500 }
    })
    await monitor.report(region, runs)
  }
  await monitor.judge()
  return monitor
}

/** What a probe reports of it, with the mail that came back when the test was over. */
async function tell(monitor: WatchedMonitor, region: string, seen: Seen, told: Partial<Told> & { agoS: number }): Promise<void> {
  const { outcome, detail = {}, lateStampMs } = seen
  const known = { clock_offset_ms: 0, detail: { ...detail, clock_error_ms: 8 } }
  const result: TestResult = monitor.result({ outcome, ...known, ...told })
  const { id, started_at, sent_at } = result
  const late = {
    ...{ test_id: id, monitor_id: monitor.id, returned_at: started_at + lateS * 1000, rtt_ms: lateS * 1000 },
    stamp_at: (sent_at ?? started_at) + (lateStampMs ?? 0),
  }
  await monitor.report(region, [result], { lates: lateStampMs === undefined ? [] : [late] })
}

async function toldOf(monitor: WatchedMonitor) {
  const [incident, ...more] = await monitor.incidents()
  expect(more).toEqual([])
  const shown = (await api.operator('GET', `/v1/incidents/${incident?.id}`)).body
  const [page] = await monitor.pages()
  return { kind: shown.kind, outcome: shown.cause.outcome, place: shown.cause.place, text: shown.cause.text, sms: page?.text }
}

test.each(cases)('%s', async (place, seen, text) => {
  const monitor = await watchedFor(3)
  await tell(monitor, 'eu', seen, { agoS: 1600, cause: 'open' })
  await monitor.judge()
  await tell(monitor, 'us', seen, { agoS: 900, ...(await monitor.job('us')) })
  await tell(monitor, 'eu', seen, { agoS: 900, cause: 'retest', attempt: 2 })
  await monitor.judge()
  const sms = expect.stringMatching(/^DOWN Acme since \d\d:\d\d UTC .*\. Agreed: eu, us\. Code \w{4}$/)
  const told = await toldOf(monitor)
  expect(told).toEqual({ kind: 'down', outcome: seen.outcome, place, text, sms })
  expect(told.sms).toContain(`: ${text}. Agreed`)
})

test('our_side', async () => {
  const monitor = await watchedFor(1)
  await monitor.becomeUnconfirmed(() => api.admin`update probes set contradicted = 50, monitors_held = 50`)
  const told = await toldOf(monitor)
  const text = 'our probe fails widely: mail accepted, not back in 10 min'
  const sms = expect.stringMatching(/^UNCONFIRMED Acme since .*, too few healthy probes: our probe fails widely: mail accepted, /)
  expect(told).toEqual({ kind: 'unconfirmed', outcome: 'timeout', place: 'our_side', text, sms })
})

test('there is a story for each place', () => {
  expect(new Set([...cases.map(([place]) => place), 'our_side'])).toEqual(new Set(places))
})
