/** A monitor whose mail goes elsewhere is a new one: nothing that was seen of the old target votes, passes or wakes somebody for the new. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { assignNext } from '../../coordinator/flow/assign.ts'
import { readJobsToSend } from '../../coordinator/store/probe-link.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { type Told, WatchedMonitor } from '../support/watched-monitor.ts'

let api: TestApi
let monitor: WatchedMonitor
beforeAll(async () => {
  api = await startTestApi()
})
beforeEach(async () => {
  // The probes of earlier stories are no candidates any more, and their monitors are gone.
  await api.admin`update probes set retired_at = now()`
  await api.admin`update monitors set deleted_at = now(), assign_at = null`
  monitor = await WatchedMonitor.create(api)
})
afterAll(() => api?.stop())

const shown = async () => (await api.operator('GET', `/v1/monitors/${monitor.id}`)).body
const elsewhere = { address: 'scout@elsewhere.example' }

/** By the API, as a person does; the probes are told, and each is asked to test at once. */
async function moveTo(target: object): Promise<void> {
  const { status, body } = await api.operator('PATCH', `/v1/monitors/${monitor.id}`, { target })
  expect([status, body.target]).toEqual([200, target])
  while (await assignNext(monitor.context));
}

/** The answers to the job that each of these was given last. */
async function answer(told: Record<string, Told>): Promise<void> {
  for (const [region, result] of Object.entries(told))
    await monitor.report(region, [{ ...result, ...(await monitor.job(region)) }])
  await monitor.judge()
}

const askAgain = () => api.operator('POST', `/v1/monitors/${monitor.id}/test`, {})
const back: Told = { outcome: 'ok', agoS: 0, tookS: 0 }
const lost: Told = { outcome: 'timeout', agoS: 60, tookS: 59 }

describe('a monitor whose mail goes elsewhere', () => {
  test('is pending again, and an address that was never proven pages nobody', async () => {
    await moveTo(elsewhere)
    expect(await shown()).toMatchObject({ decision: 'pending', decision_reason: 'no_return_yet', generation: 2 })
    await answer({ eu: lost, us: lost, ap: lost })
    expect((await shown()).verdicts.map(({ verdict }: { verdict: string }) => verdict)).toEqual(['fail', 'fail', 'fail'])
    expect([await monitor.incidents(), await monitor.pages()]).toEqual([[], []])
    expect(await monitor.state()).toMatchObject({ decision: 'pending', state: { suspicion: null } })
    await askAgain()
    await answer({ eu: back })
    // What the others have lost before is shown, and suspects nothing.
    expect(await monitor.state()).toMatchObject({ decision: 'partial', state: { watched: true, suspicion: null } })
    expect(await monitor.pages()).toEqual([])
  })

  test('shows and counts no test of the old target, however late it is told of', async () => {
    await monitor.report('us', [{ outcome: 'timeout', agoS: 1230 }])
    await monitor.judge()
    const asked = await monitor.job('eu')
    expect((await monitor.state()).decision).toBe('suspected')
    await moveTo(elsewhere)
    expect((await shown()).verdicts.map(({ reason }: { reason: string }) => reason)).toEqual(Array(3).fill('no_test_yet'))
    await monitor.report('ap', [{ outcome: 'ok', agoS: 1230 }])
    await monitor.report('eu', [{ ...back, ...asked }])
    await monitor.judge()
    expect(await shown()).toMatchObject({ decision: 'pending' })
    const { data } = (await api.operator('GET', `/v1/monitors/${monitor.id}/results`)).body
    expect(data).toHaveLength(3)
    expect((await api.operator('GET', `/v1/monitors/${monitor.id}/legs`)).body).toMatchObject({ runs: 0, data: [] })
  })

  test('an incident of the old target is closed, which is said to whoever was told of it', async () => {
    const incidentId = await monitor.goDown()
    await api.admin`update pages set state = 'accepted' where incident_id = ${incidentId}`
    await moveTo(elsewhere)
    expect(await monitor.incidents()).toMatchObject([{ resolved_at: expect.any(Number), next_step: null, first_pass_at: null }])
    expect((await monitor.events()).at(-1)).toBe('target_changed')
    expect(await monitor.pages()).toMatchObject([
      { kind: 'down' },
      { kind: 'resolved', text: expect.stringMatching(/^CLOSED Mail of Example at .*: another address is monitored now\. Code/) },
    ])
    expect(await shown()).toMatchObject({ decision: 'pending', incident_id: null })
    await answer({ eu: lost, us: lost, ap: lost })
    expect(await monitor.incidents()).toHaveLength(1)
  })

  test('of who was not told yet nobody hears, and nothing is sent any more', async () => {
    await monitor.goDown()
    await moveTo(elsewhere)
    expect(await monitor.pages()).toMatchObject([{ kind: 'down', state: 'cancelled' }])
  })

  test('a job for the old target is not given to the probe any more', async () => {
    await monitor.report('us', [{ outcome: 'timeout', agoS: 1230 }])
    await monitor.judge()
    const { job_id } = await monitor.job('eu')
    const waiting = () => readJobsToSend(api.database.system, monitor.probe('eu').id)
    expect(await waiting()).toMatchObject([{ id: job_id, plan: { target: { address: 'scout@customer.example' } } }])
    await moveTo(elsewhere)
    expect(await waiting()).toMatchObject([{ cause: 'test_now', plan: { target: elsewhere } }])
  })

  test('the time until its first return is left out of the availability; what was before stays', async () => {
    await api.admin`update monitor_states set watched_since = now() - interval '100 seconds' where monitor_id = ${monitor.id}`
    const pendingS = async () => {
      const from = new Date(Date.now() - 50_000).toISOString()
      return (await api.operator('GET', `/v1/monitors/${monitor.id}/availability?from=${from}`)).body.pending_s
    }
    await moveTo(elsewhere)
    await api.admin`update pending_spans set start_at = now() - interval '20 seconds' where monitor_id = ${monitor.id}`
    expect(await pendingS()).toBeGreaterThanOrEqual(20)
    await answer({ eu: back })
    await api.admin`update pending_spans set end_at = start_at + interval '5 seconds' where monitor_id = ${monitor.id} and end_at is not null`
    expect(await pendingS()).toBe(5)
  })
})

describe('the same destination', () => {
  test.each([
    ['with another encryption', { address: 'scout@customer.example', tls: 'required' }],
    ['whose domain is written otherwise', { address: 'scout@Customer.Example' }],
    ['with the port that it had', { address: 'scout@customer.example', port: 25 }],
  ])('%s is no other target', async (_, target) => {
    await monitor.goDown()
    await moveTo(target)
    expect(await shown()).toMatchObject({ decision: 'down', incident_id: expect.any(String) })
  })

  test.each([
    ['another mailbox', { address: 'Scout@customer.example' }],
    ['another server', { address: 'scout@customer.example', host: 'mx2.customer.example' }],
    ['another port', { address: 'scout@customer.example', port: 2525 }],
  ])('%s is another target', async (_, target) => {
    await moveTo(target)
    expect(await shown()).toMatchObject({ decision: 'pending' })
  })
})

describe('a mail that is deferred until the deadline', () => {
  const deferred: Told = { outcome: 'deferred', agoS: 0, tookS: 0 }
  const verdictOfEu = async () => (await shown()).verdicts.find(({ region }: { region: string }) => region === 'eu')
  const passedDaysAgo = (days: number) =>
    monitor.report('eu', [{ outcome: 'ok', agoS: 1230 }]).then(
      () => api.admin`
    update results set started_at = now() - ${days} * interval '1 day' where monitor_id = ${monitor.id} and outcome = 'ok'`,
    )

  test('counts where mail of the same vantage has passed within 30 days, and suspects', async () => {
    await passedDaysAgo(29.99)
    await askAgain()
    await answer({ eu: deferred })
    expect(await verdictOfEu()).toMatchObject({ verdict: 'fail' })
    expect((await monitor.state()).decision).toBe('suspected')
  })

  test('is a first greylisting where the last pass is more than 30 days old', async () => {
    await passedDaysAgo(30.01)
    await askAgain()
    await answer({ eu: deferred })
    expect(await verdictOfEu()).toMatchObject({ verdict: 'abstain', reason: 'never_passed_greylisting' })
    expect((await monitor.state()).decision).toBe('up')
  })

  test('is one where only the old target has let mail pass', async () => {
    await passedDaysAgo(1)
    await moveTo(elsewhere)
    await answer({ us: back })
    await askAgain()
    await answer({ eu: deferred })
    expect(await verdictOfEu()).toMatchObject({ verdict: 'abstain', reason: 'never_passed_greylisting' })
    expect((await monitor.state()).decision).toBe('up')
  })
})
