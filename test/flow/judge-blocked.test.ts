/** Our address refused by policy: no outage, nobody is woken, and a notice with the server's words stands until a mail passes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readBacklog } from '../../coordinator/store/backlog.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { type Told, WatchedMonitor } from '../support/watched-monitor.ts'

let api: TestApi
let monitor: WatchedMonitor
beforeAll(async () => {
  api = await startTestApi()
})
beforeEach(async () => {
  monitor = await WatchedMonitor.create(api)
})
afterAll(() => api?.stop())

const words = '554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org.'
const blocked = (agoS: number): Told => ({
  outcome: 'blocked',
  agoS,
  tookS: 1,
  cause: 'open',
  detail: { mx: 'mx.customer.example', server_words: words },
})
const other = (outcome: Told['outcome'], agoS: number): Told => ({ outcome, agoS, tookS: 1, cause: 'open' })

async function tell(region: string, ...told: Told[]): Promise<void> {
  await monitor.report(region, told)
  await monitor.judge()
}

const notices = async () => (await api.operator('GET', `/v1/monitors/${monitor.id}`)).body.notices

describe('vantages that say nothing', () => {
  /** The assignments have been there for a day, as the coordinator has; all regions have passed so long ago. */
  const passed = async (agoS: number): Promise<void> => {
    await api.admin`update assignments set assigned_at = now() - interval '1 day' where monitor_id = ${monitor.id}`
    for (const region of ['eu', 'us', 'ap']) await monitor.report(region, [other('ok', agoS)])
  }
  const judged = async (): Promise<string> => {
    await api.admin`update monitor_states set judge_at = now() where monitor_id = ${monitor.id}`
    await monitor.judge()
    return `${(await monitor.state()).decision}, ${(await monitor.pages()).length} pages`
  }
  test('are silent when no mail has passed for two periods, the timeout and a minute, and not before', async () => {
    await passed(7700)
    for (const region of ['eu', 'us']) await monitor.report(region, [other('not_run', 10)])
    expect(await judged()).toBe('up, 0 pages')
  })

  test('are silent then: the operator is told why, and the customer nothing', async () => {
    await passed(8000)
    for (const region of ['eu', 'us', 'ap']) await tell(region, blocked(10))
    expect(await judged()).toBe('unconfirmed, 1 pages')
    const [page] = await monitor.pages()
    expect(page).toMatchObject({ recipient: 'operator', kind: 'unconfirmed' })
    expect(page?.text).toMatch(/too few healthy probes: our address is blocked: 554 5\.7\.1 Service unavailable/)
  })

  test('and fewer witnesses than the quorum: the operator is told who is left, and what to do', async () => {
    await passed(1500)
    await api.admin`
      update assignments set withdrawn_at = now() where monitor_id = ${monitor.id} and probe_id <> ${monitor.probe('eu').id}`
    expect(await judged()).toBe('unconfirmed, 1 pages')
    expect((await monitor.pages())[0]?.text).toMatch(/too few healthy probes: only eu can tell, too few to agree: add a probe/)
  })

  test('a shorter period finds nobody silent before it has been assigned', async () => {
    await passed(1500)
    await api.admin`update monitors set period_s = 300, timeout_s = 60, generation = generation + 1 where id = ${monitor.id}`
    expect(await judged()).toBe('up, 0 pages')
    await api.admin`update assignments set generation = generation + 1 where monitor_id = ${monitor.id}`
    expect(await judged()).toBe('unconfirmed, 1 pages')
  })
})

describe('a vantage whose address is refused by policy', () => {
  test('is told of in a notice that says what to do; nobody is paged, and the decision stays', async () => {
    await tell('eu', blocked(300))
    await tell('us', other('ok', 200))
    expect(await notices()).toEqual([
      {
        kind: 'sender_blocked',
        probe_id: monitor.probe('eu').id,
        region: 'eu',
        since: new Date(monitor.startMs - 300_000).toISOString(),
        text:
          'mx.customer.example refuses our address in eu by policy: 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using ' +
          'zen.spamhaus.org. Tests from there count for nothing until one passes: allow mail from rt@eu.probe.example, and the address that the server names',
      },
    ])
    expect([(await monitor.state()).decision, await monitor.incidents(), await monitor.pages()]).toEqual(['up', [], []])
    const probe = `eu ${monitor.id.slice(-6)}`
    expect((await readBacklog(api.database.system)).blocked).toContainEqual({ probe, count: 1 })
  })

  test('has it until a mail of its own passes, since the first refusal', async () => {
    await tell('eu', blocked(300), blocked(200))
    const [first] = await notices()
    expect(first).toMatchObject({ since: new Date(monitor.startMs - 300_000).toISOString() })
    await tell('eu', other('not_run', 140))
    await tell('us', other('ok', 130))
    await tell('eu', blocked(120))
    expect(await notices()).toMatchObject([{ region: 'eu', since: first.since }])
    await tell('eu', other('ok', 100))
    expect(await notices()).toEqual([])
    expect(await monitor.state()).toMatchObject({ quiet: true, state: { blocked: {} } })
    const probe = `eu ${monitor.id.slice(-6)}`
    expect((await readBacklog(api.database.system)).blocked.map((row) => row.probe)).not.toContain(probe)
  })

  test('tells also of a monitor that is pending, and ends where nobody tests from there any more', async () => {
    monitor = await WatchedMonitor.create(api, { watched: false })
    await tell('eu', blocked(300))
    expect(await notices()).toHaveLength(1)
    expect((await monitor.state()).decision).toBe('pending')
    await api.admin`update assignments set withdrawn_at = now() where monitor_id = ${monitor.id} and probe_id = ${monitor.probe('eu').id}`
    await tell('us', other('not_run', 10))
    expect(await notices()).toEqual([])
  })
})
