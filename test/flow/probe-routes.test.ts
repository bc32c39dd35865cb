/** A survey through real sockets: each mail server of a domain gets its own mail, and none covers for another. */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { createAddressPolicy } from '../../common/smtp/address-policy.ts'
import type { MailResolver } from '../../common/smtp/mx.ts'
import { checker } from '../../common/wire/schema.ts'
import { RouteTest } from '../../common/wire/test.ts'
import { sortRecords } from '../../probe/batch.ts'
import { createSmtpInbox, type SmtpInbox } from '../../probe/inbox-smtp.ts'
import { Machinery } from '../../probe/machinery.ts'
import { createCourier } from '../../probe/send.ts'
import { createSpool } from '../../probe/spool.ts'
import { openStore } from '../../probe/store.ts'
import { createSurvey } from '../../probe/survey.ts'
import { customerServer } from '../support/customer-server.ts'
import { fastRuntime } from '../support/fast-runtime.ts'
import { Installation } from '../support/installation.ts'
import { testPlan, uuidOf } from '../support/plans.ts'
import { enrolledIdentity, returnAddress, temporaryDirectory } from '../support/probe-parts.ts'

const installation = new Installation()
const checkRoute = checker(RouteTest, 'RESULT_MALFORMED')
const fault = (code: string) => Promise.reject(Object.assign(new Error(code), { code }))
const servers: Record<string, string> = { 'mx1.customer.example': '127.0.0.2', 'mx2.customer.example': '127.0.0.3' }
/** Two mail servers, of which the second has an IPv6 address too, where nobody is. */
const zone: MailResolver = {
  resolveMx: async () => [
    { exchange: 'mx1.customer.example', priority: 10 },
    { exchange: 'mx2.customer.example', priority: 20 },
  ],
  resolve4: async (host) => (servers[host] === undefined ? fault('ENOTFOUND') : [servers[host]]),
  resolve6: async (host) => (host === 'mx2.customer.example' ? ['2001:db8::3'] : fault('ENODATA')),
}

/** A probe and the customer's two mail servers on loopback, at twenty times the speed of life. */
async function world() {
  const runtime = fastRuntime(20)
  const directory = temporaryDirectory()
  const identity = enrolledIdentity(installation, directory.path, runtime.wallMs())
  const store = openStore(':memory:')
  const spool = createSpool({ store, logger: silentLogger })
  let inbox: SmtpInbox | undefined
  let inboxPort = 0
  const options = { runtime, rootX: installation.root.x, inboxPort: () => inboxPort }
  const first = await customerServer({ ...options, host: '127.0.0.2' })
  const second = await customerServer({ ...options, host: '127.0.0.3', port: first.port })
  const policy = createAddressPolicy(['127.0.0.0/8', '2001:db8::/32'])
  const recorded = new EventTarget()
  const boot = async (): Promise<Machinery> => {
    const machinery = new Machinery({
      runtime,
      config: { dnsServers: [], ntpServers: [], allowTargets: [] },
      identity,
      store,
      spool,
      orders: {
        current: () => ({ assignments: [], references: [], validUntilMs: Number.MAX_SAFE_INTEGER }),
        onChange: () => () => {},
      },
      courier: createCourier({ runtime, identity, resolver: zone, policy }),
      survey: createSurvey({ runtime, resolver: zone, hasWayTo: async (address) => !address.includes(':') }),
      logger: silentLogger,
    })
    machinery.onRecord(() => recorded.dispatchEvent(new Event('record')))
    inbox = createSmtpInbox({
      host: '127.0.0.1',
      port: inboxPort,
      returnAddress,
      onMail: machinery.receive,
      runtime,
      logger: silentLogger,
    })
    await inbox.start()
    inboxPort = inbox.address()?.port ?? 0
    machinery.start()
    return machinery
  }
  let machinery = await boot()
  onTestFinished(async () => {
    await machinery.stop()
    await Promise.all([inbox?.stop(), first.close(), second.close()])
    store.close()
    directory.remove()
  })
  const spooled = () => spool.next({ afterSeq: 0, rowsMax: 1000, bytesMax: 1e9 })
  return {
    first,
    second,
    spooled,
    survey: (timeout_s = 600) =>
      machinery.startJob({
        id: uuidOf(77),
        cause: 'routes',
        plan: testPlan({ target: { address: 'scout@customer.example', port: first.port }, timeout_s, slow_s: timeout_s / 2 }),
      }),
    /** The tests of the three routes, or of so many of them, by route, once they are there. */
    told: async (count = 3) => {
      while (spooled().length < count)
        await new Promise((resolve) => recorded.addEventListener('record', resolve, { once: true }))
      const tests = spooled().map(({ json }) => checkRoute(JSON.parse(json)))
      return Object.fromEntries(tests.map((each) => [`${each.route.mx.split('.')[0]} ${each.route.family}`, each]))
    },
    restart: async () => {
      await machinery.stop()
      await inbox?.stop()
      machinery = await boot()
    },
  }
}

describe('a survey of two mail servers', () => {
  it('tells that the backup refuses what the first one takes; an address family that the probe has not says nothing', async () => {
    const { first, second, survey, told, spooled } = await world()
    second.mode = 'refuse'
    survey()
    const routes = await told()
    expect(routes['mx1 ipv4']).toMatchObject({
      outcome: 'ok',
      job_id: uuidOf(77),
      detail: { mx: 'mx1.customer.example', address: '127.0.0.2' },
    })
    expect(routes['mx2 ipv4']).toMatchObject({ outcome: 'refused', rtt_ms: null, detail: { mx: 'mx2.customer.example' } })
    expect(routes['mx2 ipv4']?.detail.server_words).toContain('no such user here')
    expect(routes['mx2 ipv6']).toMatchObject({ outcome: 'not_run', detail: { reason: 'This probe has no way out over IPv6.' } })
    expect([first.taken.length, second.taken.length]).toEqual([1, 0])
    const { body, malformed } = sortRecords(spooled())
    expect([body.routes?.length, body.results, malformed]).toEqual([3, [], []])
  })

  it('falls back to no other server: one that is gone is unreachable', async () => {
    const { first, second, survey, told } = await world()
    await second.close()
    survey(60)
    expect((await told())['mx2 ipv4']).toMatchObject({ outcome: 'unreachable', detail: { address: '127.0.0.3' } })
    expect(first.taken).toHaveLength(1)
  })

  it('retries as a mail server does, within the deadline', async () => {
    const { second, survey, told } = await world()
    second.mode = 'defer once'
    survey()
    expect((await told())['mx2 ipv4']).toMatchObject({ outcome: 'ok', detail: { attempts: 2 } })
  })

  it('tells of a lost mail once: nothing overdue, no re-test, no control trip, and nothing when it comes late', async () => {
    const { second, survey, told, spooled } = await world()
    second.mode = 'hold'
    survey(60)
    expect((await told())['mx2 ipv4']).toMatchObject({ outcome: 'timeout', returned_at: null })
    await second.release(0)
    expect(spooled().map(({ kind }) => kind)).toEqual(['route', 'route', 'route'])
  })

  it('goes on after a restart of the probe while a mail is out', async () => {
    const { second, survey, told, restart } = await world()
    second.mode = 'hold'
    survey()
    await told(2)
    await vi.waitUntil(() => second.taken.length > 0)
    await restart()
    await second.release(0)
    expect((await told())['mx2 ipv4']).toMatchObject({ outcome: 'ok' })
    expect(second.taken).toHaveLength(1)
  })
})
