import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { checker } from '../../common/wire/schema.ts'
import {
  type Assignment,
  ControlTrip,
  LateReturn,
  Overdue,
  type Reference,
  RouteTest,
  TestResult,
} from '../../common/wire/test.ts'
import type { StandingOrders } from '../../probe/assignments.ts'
import { Machinery } from '../../probe/machinery.ts'
import type { Courier, SendingOutcome } from '../../probe/send.ts'
import { createSpool } from '../../probe/spool.ts'
import { openStore } from '../../probe/store.ts'
import type { TripOrder } from '../../probe/trip.ts'
import { bounceOf, inInbox, stampedAnswer, tokenFor } from '../support/customer-mail.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { assignmentOf, testPlan, uuidOf } from '../support/plans.ts'
import { enrolledIdentity, temporaryDirectory } from '../support/probe-parts.ts'

/** What the customer's mail system does with a mail, and after how long it comes back. */
type Fate = { returnedAfterMs: number } | 'lost' | 'refused' | 'deferred' | 'bounced' | 'hangs'

const checks = {
  result: checker(TestResult, 'RESULT_MALFORMED'),
  overdue: checker(Overdue, 'RESULT_MALFORMED'),
  late: checker(LateReturn, 'RESULT_MALFORMED'),
  control: checker(ControlTrip, 'RESULT_MALFORMED'),
  route: checker(RouteTest, 'RESULT_MALFORMED'),
}

const installation = new Installation()

/** A probe on a clock of its own. `fate` decides about the mail to the customer, the reference always answers within 1 s. */
function probe(assignments: Assignment[], options: { references?: Reference[]; testsMax?: number } = {}) {
  const runtime = new FakeRuntime({ wallMs: Date.UTC(2026, 10, 23) - 1000 })
  const directory = temporaryDirectory()
  const identity = enrolledIdentity(installation, directory.path, runtime.wallMs())
  const store = openStore(':memory:')
  const spool = createSpool({ store, logger: silentLogger })
  onTestFinished(() => {
    store.close()
    directory.remove()
  })
  const orders: StandingOrders = { assignments, references: options.references ?? [], validUntilMs: Number.MAX_SAFE_INTEGER }
  const listeners = new Set<() => void>()
  const world = { fate: { returnedAfterMs: 1000 } as Fate, sends: [] as string[], lastId: '', orders, broken: false }
  const now = () => ({ wallMs: runtime.wallMs(), monotonicMs: runtime.monotonicMs() })
  const epochMs = runtime.wallMs() + 1000

  const courier: Courier = {
    async send(order, _startedAt, { signal }): Promise<SendingOutcome> {
      const fate: Fate = order.kind === 'control' ? { returnedAfterMs: 500 } : world.fate
      world.lastId = order.id
      world.sends.push(
        `${clock(runtime.wallMs() - epochMs)} ${order.kind === 'test' ? `${order.cause} ${order.attempt}` : 'control'}`,
      )
      if (fate === 'refused' || fate === 'deferred') {
        const words = { stages: [{ name: 'rcpt', ms: 1 }], detail: { server_words: '550 no' } }
        return { kind: 'failed', failure: { outcome: fate, permanent: fate === 'refused', ...words } }
      }
      if (fate === 'hangs') {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
        return { kind: 'failed', failure: { outcome: 'unreachable', permanent: false, stages: [], detail: {} } }
      }
      if (typeof fate === 'object') runtime.setTimer(fate.returnedAfterMs, () => void returnMail(order))
      if (fate === 'bounced') runtime.setTimer(1000, () => void machinery.receive(inInbox(bounceOf(order.id), now())))
      return { kind: 'sent', sent: { startedAt: now(), at: now(), stages: [{ name: 'accept', ms: 2 }], detail: {} } }
    },
  }
  const create = () =>
    new Machinery({
      runtime,
      config: { dnsServers: [], ntpServers: [], allowTargets: [] },
      identity,
      store,
      spool: {
        put(record) {
          if (world.broken) throw new Error('the disk is full')
          spool.put(record)
        },
      },
      orders: {
        current: () => world.orders,
        onChange(callback) {
          listeners.add(callback)
          return () => listeners.delete(callback)
        },
      },
      courier,
      logger: silentLogger,
      ...(options.testsMax === undefined ? {} : { testsMax: options.testsMax }),
    })
  let machinery = create()
  const returnMail = (order: Pick<TripOrder, 'id'>) =>
    machinery.receive(inInbox(stampedAnswer(tokenFor(identity, order.id, runtime.wallMs()), runtime.wallMs()), now()))
  machinery.start()

  return {
    world,
    runtime,
    returnMail,
    machinery: () => machinery,
    /** A new process on the same machine and disk. */
    restart: async (offForMs: number, earlyReturns: Pick<TripOrder, 'id'>[] = []) => {
      const stopped = machinery.stop()
      await runtime.advanceAsync(offForMs)
      await stopped
      machinery = create()
      // A mail may be here before the start has taken up what it belongs to.
      for (const order of earlyReturns) void returnMail(order)
      machinery.start()
    },
    newOrders: (changed: Assignment[]) => {
      world.orders = { ...world.orders, assignments: changed }
      for (const callback of listeners) callback()
    },
    /** What the coordinator would be told, each record in the shape of the wire. */
    told: () =>
      spool.next({ afterSeq: 0, rowsMax: 1000, bytesMax: 1e9 }).map(({ kind, json }) => {
        const body = JSON.parse(json)
        checks[kind](body)
        return { kind, ...body }
      }),
    outcomes: () =>
      spool
        .next({ afterSeq: 0, rowsMax: 1000, bytesMax: 1e9 })
        .filter(({ kind }) => kind === 'result')
        .map(({ json }) => JSON.parse(json) as TestResult)
        .map(({ cause, attempt, outcome, finished_at }) => `${clock(finished_at - epochMs)} ${cause} ${attempt} ${outcome}`),
  }
}

const clock = (ms: number): string => {
  const seconds = Math.floor(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

const minutes = (n: number) => n * 60_000
/** Without jitter worth a second, so that the stories can name their seconds. */
const plan = { period_s: 1200, timeout_s: 600, slow_s: 120 }
const jitterFree = (changes: Parameters<typeof assignmentOf>[1] = {}) => assignmentOf({ id: uuidOf(61) }, { ...plan, ...changes })
const reference = { address: 'rt@reference.example' }

describe('the machinery of a probe', () => {
  it('runs every slot and tells of each round trip once', async () => {
    const { runtime, outcomes, told } = probe([jitterFree()])
    await runtime.advanceAsync(minutes(41))
    expect(outcomes()).toHaveLength(3)
    expect(told()[0]).toMatchObject({
      kind: 'result',
      outcome: 'ok',
      cause: 'slot',
      slot: 0,
      rtt_ms: 1000,
      stages: [
        { name: 'accept', ms: 2 },
        { name: 'return', ms: 1000 },
      ],
      detail: { via: 'smtp', responder_version: '0.1.0', attempts: 1 },
    })
  })

  it('tests again 30 s after a lost test, then every 5 min until one passes', async () => {
    const { runtime, world, outcomes } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(27))
    const before = world.sends.length
    world.fate = { returnedAfterMs: 1000 }
    await runtime.advanceAsync(minutes(60))
    const jitter = Number(world.sends[0]?.slice(2, 4))
    const at = (m: number, s: number) => clock(minutes(m) + (s + jitter) * 1000)
    expect(world.sends.slice(0, before)).toEqual([
      `${at(0, 0)} slot 1`,
      `${at(10, 30)} retest 2`,
      expect.stringMatching(/^20:0\d slot 1$/),
      `${at(20, 30)} open 3`,
      `${at(25, 30)} open 4`,
    ])
    expect(outcomes().slice(0, 2)).toEqual([`${at(10, 0)} slot 1 timeout`, `${at(20, 30)} retest 2 timeout`])
    const after = world.sends.slice(before)
    expect(after.map((line) => line.split(' ').slice(1).join(' '))).toEqual(['open 5', 'slot 1', 'slot 1', 'slot 1'])
  })

  it('confirms a refusal 3 min after the first test, not at once', async () => {
    const { runtime, world } = probe([jitterFree()])
    world.fate = 'refused'
    await runtime.advanceAsync(minutes(4))
    const [first, second] = world.sends.map((line) => line.split(' '))
    expect([first?.slice(1), second?.slice(1)]).toEqual([
      ['slot', '1'],
      ['retest', '2'],
    ])
    const secondsOf = (time: string | undefined) => Number(time?.split(':')[0]) * 60 + Number(time?.split(':')[1])
    expect(secondsOf(second?.[0]) - secondsOf(first?.[0])).toBe(180)
  })

  it('tells that a mail is overdue and proves its own health at the start, at the slow mark, before the deadline and at the end', async () => {
    const { runtime, world, told } = probe([jitterFree()], { references: [reference] })
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(10) + 6000)
    expect(told().map(({ kind, outcome }) => (outcome === undefined ? kind : `${kind} ${outcome}`))).toEqual([
      'control ok',
      'overdue',
      'control ok',
      'control ok',
      'result timeout',
    ])
  })

  it('proves its health at once when a mail is refused', async () => {
    const { runtime, world, told } = probe([jitterFree()], { references: [reference] })
    world.fate = 'refused'
    await runtime.advanceAsync(10_000)
    expect(told().map(({ kind, outcome }) => `${kind} ${outcome}`)).toEqual(['result refused', 'control ok'])
    const [result, control] = told()
    expect(control.started_at).toBeGreaterThanOrEqual(result.started_at)
  })

  it('lets one control trip serve many tests that fail together', async () => {
    const many = Array.from({ length: 50 }, (_, n) =>
      assignmentOf({ id: uuidOf(100 + n) }, { ...plan, monitor_id: uuidOf(200 + n) }),
    )
    const { runtime, world, told } = probe(many, { references: [reference] })
    world.fate = 'refused'
    await runtime.advanceAsync(12_000)
    expect(told().filter(({ kind }) => kind === 'result')).toHaveLength(50)
    expect(told().filter(({ kind }) => kind === 'control').length).toBeLessThanOrEqual(2)
  })

  it('starts a slot although an earlier test of the monitor is still out', async () => {
    const { runtime, world, outcomes, machinery } = probe([jitterFree({ period_s: 60 })])
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(5) + 10_000)
    expect(world.sends.filter((line) => line.includes('slot'))).toHaveLength(6)
    expect(outcomes()).toHaveLength(0)
    expect(machinery().health().tests_running).toBe(6)
  })

  it('says at once when it is bounced', async () => {
    const { runtime, world, told } = probe([jitterFree()])
    world.fate = 'bounced'
    await runtime.advanceAsync(10_000)
    expect(told()[0]).toMatchObject({ outcome: 'bounced', detail: { dsn_status: '5.1.1', dsn_words: '550 5.1.1 User unknown' } })
  })

  it('tries a deferred mail again and passes', async () => {
    const { runtime, world, told } = probe([jitterFree()])
    world.fate = 'deferred'
    await runtime.advanceAsync(20_000)
    world.fate = { returnedAfterMs: 500 }
    await runtime.advanceAsync(30_000)
    const [result] = told()
    expect(result).toMatchObject({ outcome: 'ok', rtt_ms: 30_500, detail: { attempts: 2 } })
    expect(result.stages[0]).toEqual({ name: 'wait', ms: 30_000 })
  })

  it('notes a late return once and ignores what comes twice', async () => {
    const { runtime, world, told, returnMail, machinery } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(10) + 10_000)
    const result = told().find(({ kind }) => kind === 'result')
    await returnMail(result)
    await returnMail(result)
    const lates = told().filter(({ kind }) => kind === 'late')
    expect(lates).toHaveLength(1)
    expect(lates[0]).toMatchObject({ test_id: result.id, rtt_ms: expect.closeTo(minutes(10) + 10_000, -5) })
    expect(machinery().counts().mails).toEqual({ late: 1, duplicate: 1 })
    expect(told().filter(({ id }) => id === result.id)).toHaveLength(1)
  })

  it('does not take mail that is not its own', async () => {
    const { runtime, machinery } = probe([])
    const at = { wallMs: runtime.wallMs(), monotonicMs: runtime.monotonicMs() }
    expect(await machinery().receive(inInbox('Subject: buy this\r\n\r\nnow\r\n', at))).toBe('not_ours')
    expect(machinery().counts().mails).toEqual({ foreign: 1 })
  })

  it('refuses a returned mail while it cannot be written down, and takes it later', async () => {
    const { runtime, world, told, returnMail } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(10_000)
    world.broken = true
    await expect(returnMail({ id: world.lastId })).rejects.toThrow('the disk is full')
    world.broken = false
    expect(told()).toEqual([])
    expect(await returnMail({ id: world.lastId })).toBe('recorded')
    expect(told()).toMatchObject([{ kind: 'result', outcome: 'ok' }])
  })

  it('writes the result a second later when the disk was full at the deadline', async () => {
    const { runtime, world, outcomes } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(9))
    world.broken = true
    await runtime.advanceAsync(minutes(2))
    expect(outcomes()).toEqual([])
    world.broken = false
    await runtime.advanceAsync(2000)
    expect(outcomes()).toEqual([expect.stringMatching(/slot 1 timeout$/)])
  })

  it('goes on after a restart: the mail that is out is still awaited, and no slot runs twice', async () => {
    const { runtime, world, outcomes, restart } = probe([jitterFree()])
    world.fate = { returnedAfterMs: 20_000 }
    await runtime.advanceAsync(10_000)
    await restart(2000)
    await runtime.advanceAsync(minutes(1))
    expect(world.sends).toHaveLength(1)
    expect(outcomes()).toEqual([expect.stringMatching(/slot 1 ok$/)])
  })

  it('takes a mail that is there before the start has taken up its test', async () => {
    const { runtime, world, outcomes, restart, machinery } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(10_000)
    await restart(1000, [{ id: world.lastId }])
    await runtime.advanceAsync(1000)
    expect(outcomes()).toEqual([expect.stringMatching(/slot 1 ok$/)])
    expect(machinery().counts().mails).toEqual({ returned: 1 })
  })

  it('begins nothing more once it has been stopped', async () => {
    const { runtime, world, machinery } = probe([])
    await machinery().stop()
    machinery().startJob({ id: uuidOf(9), cause: 'confirm', plan: testPlan(plan) })
    await runtime.advanceAsync(1000)
    expect(world.sends).toEqual([])
  })

  it('keeps a pending re-test over a restart', async () => {
    const { runtime, world, restart } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(10) + 10_000)
    await restart(5000)
    await runtime.advanceAsync(30_000)
    expect(world.sends.map((line) => line.split(' ')[1])).toEqual(['slot', 'retest'])
  })

  it('says that a test has not run when a stop cut its dialogue off', async () => {
    const { runtime, world, outcomes, restart } = probe([jitterFree()])
    world.fate = 'hangs'
    await runtime.advanceAsync(5000)
    await restart(6000)
    expect(outcomes()).toEqual([expect.stringMatching(/slot 1 not_run$/)])
  })

  it('says that the mail of an earlier boot proves nothing', async () => {
    const { runtime, world, outcomes, restart } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(10_000)
    runtime.bootId = 'boot-2'
    await restart(1000)
    expect(outcomes()).toEqual([expect.stringMatching(/slot 1 not_run$/)])
  })

  it('runs a job at once and lets no re-test follow', async () => {
    const { runtime, world, machinery, told } = probe([])
    world.fate = 'refused'
    machinery().startJob({ id: uuidOf(9), cause: 'confirm', plan: testPlan(plan) }, runtime.wallMs() + 1000)
    await runtime.advanceAsync(minutes(10))
    expect(told()).toMatchObject([{ outcome: 'refused', cause: 'job', job_id: uuidOf(9), generation: null }])
  })

  it('reports a job that came too late as not run', async () => {
    const { runtime, world, machinery, told } = probe([])
    machinery().startJob({ id: uuidOf(9), cause: 'confirm', plan: testPlan(plan) }, runtime.wallMs())
    await runtime.advanceAsync(1000)
    expect(world.sends).toEqual([])
    expect(told()).toMatchObject([{ outcome: 'not_run', job_id: uuidOf(9), detail: { attempts: 0 } }])
  })

  it('reports what is beyond its bound as not run', async () => {
    const two = [1, 2].map((n) => assignmentOf({ id: uuidOf(100 + n) }, { ...plan, monitor_id: uuidOf(n) }))
    const { runtime, world, outcomes } = probe(two, { testsMax: 1 })
    world.fate = 'lost'
    await runtime.advanceAsync(10_000)
    expect(world.sends).toHaveLength(1)
    expect(outcomes()).toEqual([expect.stringMatching(/slot 1 not_run$/)])
  })

  it('drops the sequence of a monitor that is taken away', async () => {
    const { runtime, world, newOrders, machinery } = probe([jitterFree()])
    world.fate = 'lost'
    await runtime.advanceAsync(minutes(10) + 10_000)
    expect(machinery().counts().pendingRetests).toBe(1)
    newOrders([])
    await runtime.advanceAsync(minutes(2))
    expect(world.sends).toHaveLength(1)
    expect(machinery().counts().pendingRetests).toBe(0)
  })
})
