import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { checker } from '../../common/wire/schema.ts'
import { type Assignment, type Reference, type TestPlan, TestResult } from '../../common/wire/test.ts'
import type { StandingOrders } from '../../probe/assignments.ts'
import { createSmtpInbox, type SmtpInbox } from '../../probe/inbox-smtp.ts'
import { Machinery } from '../../probe/machinery.ts'
import { createSpool } from '../../probe/spool.ts'
import { openStore } from '../../probe/store.ts'
import { type CustomerServer, customerServer } from '../support/customer-server.ts'
import { fastRuntime } from '../support/fast-runtime.ts'
import { Installation } from '../support/installation.ts'
import { assignmentOf, testPlan, uuidOf } from '../support/plans.ts'
import { enrolledIdentity, returnAddress, temporaryDirectory } from '../support/probe-parts.ts'

const installation = new Installation()
const checkResult = checker(TestResult, 'RESULT_MALFORMED')

/** A probe with its own inbox, a customer and a reference, all on loopback, at twenty times the speed of life. */
async function world(order: (plan: TestPlan, nowMs: number) => Assignment[] = () => []) {
  const runtime = fastRuntime(20)
  const directory = temporaryDirectory()
  const identity = enrolledIdentity(installation, directory.path, runtime.wallMs())
  const store = openStore(':memory:')
  const spool = createSpool({ store, logger: silentLogger })
  let inbox: SmtpInbox | undefined
  let inboxPort = 0
  const serverOptions = { runtime, rootX: installation.root.x, inboxPort: () => inboxPort }
  const [customer, reference] = await Promise.all([customerServer(serverOptions), customerServer(serverOptions)])
  const targetOf = (server: CustomerServer): Reference => ({
    address: 'scout@customer.example',
    host: '127.0.0.1',
    port: server.port,
  })
  const plan = testPlan({
    target: targetOf(customer),
    period_s: 600,
    timeout_s: 600,
    slow_s: 300,
    retest_wait_s: 4,
    hard_confirm_s: 10,
    open_period_s: 20,
  })
  const orders: StandingOrders = {
    assignments: order(plan, runtime.wallMs()),
    references: [targetOf(reference)],
    validUntilMs: Number.MAX_SAFE_INTEGER,
  }
  const recorded = new EventTarget()
  const boot = async (): Promise<Machinery> => {
    const machinery = new Machinery({
      runtime,
      config: { dnsServers: [], ntpServers: [], allowTargets: [{ address: '127.0.0.0', prefix: 8, family: 'ipv4' }] },
      identity,
      store,
      spool,
      orders: { current: () => orders, onChange: () => () => {} },
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
    await Promise.all([inbox?.stop(), customer.close(), reference.close()])
    store.close()
    directory.remove()
  })

  const records = (kind: string) =>
    spool
      .next({ afterSeq: 0, rowsMax: 1000, bytesMax: 1e9 })
      .filter((record) => record.kind === kind)
      .map(({ json }) => JSON.parse(json))
  /** The record of this kind with this number, from 0, once it is there. */
  const record = async (kind: 'result' | 'overdue' | 'late' | 'control', number = 0) => {
    for (;;) {
      const found = records(kind)[number]
      if (found !== undefined) return kind === 'result' ? checkResult(found) : found
      await new Promise((resolve) => recorded.addEventListener('record', resolve, { once: true }))
    }
  }
  return {
    customer,
    identity,
    record,
    records,
    counts: () => machinery.counts(),
    runJob: (changes: Partial<TestPlan> = {}) =>
      machinery.startJob({ id: uuidOf(77), cause: 'test_now', plan: { ...plan, ...changes } }),
    /** The process ends and another begins. */
    restart: async () => {
      await machinery.stop()
      await inbox?.stop()
      machinery = await boot()
    },
  }
}

/** For tests that are to be slow or lost. The others have room for a machine that is busy. */
const short = { timeout_s: 60, slow_s: 8 }

/** One assignment whose only slot is now. */
const slotNow = (plan: TestPlan, nowMs: number): Assignment[] => [
  assignmentOf({ epoch_ms: nowMs, last_slot: 0 }, { ...plan, ...short }),
]

describe('a round trip through real sockets', () => {
  it('is ok, with every stage timed, and the mail is what the responder needs', async () => {
    const { customer, identity, record, runJob } = await world()
    runJob()
    const result = await record('result')
    expect(result).toMatchObject({ outcome: 'ok', cause: 'job', detail: { via: 'smtp', address: '127.0.0.1', attempts: 1 } })
    const names = result.stages.map(({ name }: { name: string }) => name)
    expect(names).toEqual(['route', 'connect', 'banner', 'ehlo', 'mail', 'rcpt', 'data', 'accept', 'return'])
    expect(result.started_at).toBeLessThanOrEqual(result.sent_at)
    expect(result.stamp_at).toBeGreaterThanOrEqual(result.sent_at - 1)
    expect(result.returned_at).toBeGreaterThanOrEqual(result.stamp_at)
    expect(customer.taken[0]).toMatchObject({ from: identity.returnAddress, envelopeId: `mailscout-${result.id}` })
  })

  it('is lost, proves the probe healthy meanwhile, and is tested again by itself', async () => {
    const { customer, record, records } = await world(slotNow)
    customer.mode = 'swallow'
    const first = await record('result')
    expect(first).toMatchObject({ outcome: 'timeout', cause: 'slot', attempt: 1, slot: 0, rtt_ms: null })
    expect(records('overdue')).toMatchObject([{ test_id: first.id }])
    // Its time is short: one trip goes with it, and one later proves what was sent before.
    const [along, later] = [await record('control'), await record('control', 1)]
    expect([along, later]).toMatchObject([{ outcome: 'ok' }, { outcome: 'ok' }])
    expect(along.started_at).toBeLessThanOrEqual(first.sent_at)
    expect(later.started_at).toBeGreaterThan(first.sent_at)
    customer.mode = 'answer'
    const second = await record('result', 1)
    // A busy machine may need more than the 400 ms that are slow here.
    expect(second.outcome).toBeOneOf(['ok', 'slow'])
    expect(second).toMatchObject({ cause: 'retest', attempt: 2, first_test_id: first.id, slot: null })
    expect(second.started_at - first.finished_at).toBeGreaterThanOrEqual(3990)
  })

  it('is slow when the mail is held', async () => {
    const { customer, record, runJob } = await world()
    customer.mode = 'hold'
    runJob(short)
    await record('overdue')
    await customer.release(0)
    expect(await record('result')).toMatchObject({ outcome: 'slow' })
  })

  it('is refused with the words of the server, and proved', async () => {
    const { customer, record, runJob } = await world()
    customer.mode = 'refuse'
    runJob()
    const result = await record('result')
    expect(result).toMatchObject({ outcome: 'refused', sent_at: null, detail: { stage: 'rcpt' } })
    expect(result.detail.server_words).toContain('no such user here')
    expect(await record('control')).toMatchObject({ outcome: 'ok' })
  })

  it('is accepted at the second attempt after a 4xx', async () => {
    const { customer, record, runJob } = await world()
    customer.mode = 'defer once'
    runJob()
    const result = await record('result')
    expect(result).toMatchObject({ outcome: 'ok', detail: { attempts: 2 } })
    expect(result.stages[0].name).toBe('wait')
    expect(result.rtt_ms).toBeGreaterThanOrEqual(2990)
  })

  it('is sent once when the answer to the final dot is lost', async () => {
    const { customer, record, runJob } = await world()
    customer.mode = 'drop after dot'
    runJob()
    expect(await record('result')).toMatchObject({ outcome: 'ok' })
    expect(customer.taken).toHaveLength(1)
  })

  it('is bounced', async () => {
    const { customer, record, runJob } = await world()
    customer.mode = 'bounce'
    runJob()
    expect(await record('result')).toMatchObject({ outcome: 'bounced', detail: { dsn_status: '5.1.1' } })
  })

  it('is an echo without a stamp, and a pass only where the monitor says so', async () => {
    const { customer, record, runJob } = await world()
    customer.mode = 'echo'
    runJob(short)
    runJob({ accept_echo: true })
    expect(await record('result')).toMatchObject({ outcome: 'ok', stamp_at: null })
    expect(await record('result', 1)).toMatchObject({ outcome: 'echo' })
  })

  it('is unreachable when nobody listens', async () => {
    const { customer, record, runJob } = await world()
    await customer.close()
    runJob({ timeout_s: 10 })
    const result = await record('result')
    expect(result).toMatchObject({ outcome: 'unreachable', detail: { stage: 'connect' } })
    expect(result.detail.attempts).toBeGreaterThan(1)
  })

  it('has not run against an address that is no target', async () => {
    const { record, runJob } = await world()
    runJob({ target: { address: 'scout@customer.example', host: '10.0.0.1', port: 25 } })
    const result = await record('result')
    expect(result).toMatchObject({ outcome: 'not_run' })
    expect(result.detail.reason).toContain('private network')
  })

  it('notes a mail that comes after the end, once', async () => {
    const { customer, counts, record, records, runJob } = await world()
    customer.mode = 'hold'
    runJob(short)
    const result = await record('result')
    await customer.release(0)
    await customer.release(0)
    expect(await record('late')).toMatchObject({ test_id: result.id })
    expect(counts().mails).toMatchObject({ late: 1, duplicate: 1 })
    expect(records('result')).toHaveLength(1)
  })

  it('takes a mail that is returned twice as one', async () => {
    const { customer, record, records, runJob } = await world()
    customer.mode = 'answer twice'
    runJob()
    await record('result')
    customer.mode = 'answer'
    runJob()
    await record('result', 1)
    expect(records('result')).toHaveLength(2)
    expect(records('late')).toEqual([])
  })

  it('goes on after a restart in the middle', async () => {
    const { customer, record, records, restart } = await world(slotNow)
    customer.mode = 'hold'
    await record('overdue')
    await restart()
    await customer.release(0)
    expect(await record('result')).toMatchObject({ outcome: 'slow', slot: 0 })
    expect(customer.taken).toHaveLength(1)
    expect(records('result')).toHaveLength(1)
  })
})
