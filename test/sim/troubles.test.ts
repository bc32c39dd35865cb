/** Troubles one at a time, in a world in which nothing else happens: what the product makes of each. And that the seeds meet them all. */
import { describe, expect, test } from 'vitest'
import { hourMs } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'
import { drawSetting, drawTroubles } from './draw.ts'
import type { KnownTest } from './known-tests.ts'
import { MailWorld } from './mail.ts'
import { judgeHistory, type Span } from './oracle.ts'
import { Random } from './random.ts'
import { restMs } from './run.ts'
import type { MailFault, Trouble } from './setting.ts'
import { promptWorld } from './sweep.ts'
import type { Watch } from './watch.ts'
import { World } from './world.ts'

const rules = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
type Told = { pages: string[]; outcomes: Outcome[]; violations: string[]; tests: KnownTest[]; watches: Watch[]; log: string[] }
type Spanless<T> = T extends unknown ? Omit<T, 'fromMs' | 'toMs'> : never

const setting = promptWorld({ ...rules, vantages: 3, quorum: 2, mode: 'fast' })
const fromMs = setting.startMs + hourMs
const toMs = fromMs + 2 * hourMs

/** What becomes of these troubles, two hours long: the pages, and the outcomes that the probes came to. */
function play(...what: Spanless<Trouble>[]): Told {
  const outcomes = new Set<Outcome>()
  const lines: string[] = []
  const log = (line: string) => {
    lines.push(line)
    const outcome = / ends \S+ (\S+)$/.exec(line)?.[1]
    if (outcome !== undefined) outcomes.add(outcome as Outcome)
  }
  const world = new World(setting, new Random(1n), { log })
  const troubles = what.map((trouble): Trouble => ({ ...trouble, fromMs, toMs }))
  world.fold(fromMs - 60_000)
  expect(world.play(troubles, toMs + restMs(setting))).toBe(true)
  const { pages, watches, failedMails } = world
  const { violations } = judgeHistory({ setting, troubles, pages, watches, failedMails })
  return {
    pages: pages.map(({ kind }) => kind),
    outcomes: [...outcomes].sort(),
    violations: violations.map(({ kind }) => kind),
    tests: world.tests.all,
    watches,
    log: lines,
  }
}

const all = { regions: null }
const one = { regions: ['region-1'] }

describe('two hours of', () => {
  test.each<{ what: string; trouble: Spanless<Trouble>; pages: string[]; outcomes: Outcome[] }>([
    {
      what: 'returns lost for all',
      trouble: { kind: 'mail', fault: 'return_lost', ...all },
      pages: ['down'],
      outcomes: ['ok', 'timeout'],
    },
    {
      what: 'returns lost for one region',
      trouble: { kind: 'mail', fault: 'return_lost', ...one },
      pages: [],
      outcomes: ['ok', 'timeout'],
    },
    {
      what: 'returns held for all',
      trouble: { kind: 'mail', fault: 'return_held', ...all },
      pages: ['down'],
      outcomes: ['ok', 'slow', 'timeout'],
    },
    {
      what: 'logins refused for all',
      trouble: { kind: 'mail', fault: 'auth', ...all },
      pages: ['down'],
      outcomes: ['auth', 'ok', 'slow'],
    },
    {
      what: 'one address refused by policy',
      trouble: { kind: 'blocked', way: 'refused', ...one },
      pages: [],
      outcomes: ['blocked', 'ok'],
    },
    {
      what: 'one address put off by policy',
      trouble: { kind: 'blocked', way: 'deferred', ...one },
      pages: [],
      outcomes: ['blocked', 'ok'],
    },
    {
      what: 'bounces for one address by policy',
      trouble: { kind: 'blocked', way: 'bounced', ...one },
      pages: [],
      outcomes: ['blocked', 'ok'],
    },
    {
      what: 'all addresses refused by policy',
      trouble: { kind: 'blocked', way: 'refused', ...all },
      pages: ['unconfirmed'],
      outcomes: ['blocked', 'ok'],
    },
    { what: 'a brownout that loses all', trouble: { kind: 'brownout', share: 1 }, pages: ['down'], outcomes: ['ok', 'timeout'] },
    {
      what: 'an inbox that loses what comes',
      trouble: { kind: 'inbox', probe: 'probe-1', loses: true },
      pages: [],
      outcomes: ['ok', 'timeout'],
    },
  ])('$what', ({ trouble, pages, outcomes }) => {
    const told = play(trouble)
    expect(told).toMatchObject({ pages, outcomes })
    expect(told.violations.filter((kind) => kind !== 'in_brownout')).toEqual([])
  })

  test('one address refused by policy and another region that gets nothing: one witness, no page to the customer', () => {
    const told = play(
      { kind: 'blocked', way: 'refused', regions: ['region-1'] },
      { kind: 'mail', fault: 'swallowed', regions: ['region-2'] },
    )
    expect(told.pages).not.toContain('down')
    expect(told.violations).toEqual([])
  })

  test('all of two regions refused by policy: the third alone tells of an outage to nobody but the operator', () => {
    const told = play(
      { kind: 'blocked', way: 'refused', regions: ['region-0', 'region-1'] },
      { kind: 'mail', fault: 'swallowed', ...all },
    )
    expect(told).toMatchObject({ pages: ['unconfirmed'], violations: [] })
  })
})

test('addresses that are let in again a second before a last attempt, beside one region that gets nothing: no page to the customer', () => {
  // Within 40 s a mail is back, which is more than is left.
  const unhurried = { ...setting, pace: { ...setting.pace, leg: { median: 20_000, sigma: 0 } } }
  const blockedUntil = (untilMs: number) => {
    const log: string[] = []
    const world = new World(unhurried, new Random(1n), { log: (line) => log.push(line) })
    world.fold(fromMs - 60_000)
    const troubles: Trouble[] = [
      { kind: 'mail', fault: 'swallowed', regions: ['region-2'], fromMs, toMs },
      { kind: 'blocked', way: 'deferred', regions: ['region-0', 'region-1'], fromMs, toMs: untilMs },
    ]
    world.play(troubles, toMs + restMs(unhurried))
    return { log, pages: world.pages.map(({ kind }) => kind) }
  }
  const asked = blockedUntil(toMs).log.filter((line) => line.includes('begins job'))
  const askedMs = Date.parse(asked[0]?.split(' ')[0] ?? '')
  const { log, pages } = blockedUntil(askedMs + 569_000)
  expect(pages).not.toContain('down')
  const ended = log.filter((line) => Math.abs(Date.parse(line.split(' ')[0] ?? '') - askedMs - 600_000) < 100)
  expect(ended.some((line) => line.endsWith(' blocked'))).toBe(true)
})

test.each([
  { budgetMs: 29_500, cutOff: true },
  { budgetMs: 300_000, cutOff: undefined },
])('an attempt that nobody answers in $budgetMs ms is cut off by our own deadline: $cutOff', ({ budgetMs, cutOff }) => {
  const mail = new MailWorld({ ...setting, chances: { ...setting.chances, hiccup: 1 } }, new Random(1n), () => [])
  const order = { tid: 'test-1', probeId: 'probe-1', region: 'region-1', window: { iat: 0, exp: 1 } }
  expect(mail.toCustomer(order, fromMs, budgetMs, true).failure?.cutOff).toBe(cutOff)
})

describe('two hours of a clock that is set', () => {
  const clock = (byS: number): Spanless<Trouble> => ({ kind: 'clock', probe: 'probe-1', byMs: byS * 1000 })
  const ofProbe = ({ tests }: Told) => tests.filter(({ probeId, beganMs }) => probeId === 'probe-1' && beganMs >= fromMs)
  /** When the probe was cut off and when it was back, in ms after the clock was set and after it was set right. */
  const absence = ({ log }: Told): Span | null => {
    const atMs = (what: string) =>
      log.filter((line) => line.endsWith(`probe-1 ${what}`)).map((line) => Date.parse(line.split(' ')[0] ?? ''))
    const [goneMs, ...goneAgain] = atMs('disconnected')
    const [backMs, ...backAgain] = atMs('connected')
    expect([...goneAgain, ...backAgain]).toEqual([])
    return goneMs === undefined || backMs === undefined ? null : { fromMs: goneMs - fromMs, toMs: backMs - toMs }
  }

  test.each([600, 90, -1200])('%i s ahead: its probe is away, and what it found arrives afterwards', (byS) => {
    const told = play(clock(byS))
    const away = absence(told)
    expect(away?.fromMs).toBeGreaterThan(0)
    expect(away?.fromMs).toBeLessThan(31_000)
    expect(away?.toMs).toBeGreaterThan(0)
    expect(away?.toMs).toBeLessThan(1000)
    const found = ofProbe(told).filter(({ beganMs }) => beganMs < toMs)
    expect(found.length).toBeGreaterThanOrEqual(5)
    for (const { toldMs, outcome, startedMs, beganMs } of found) {
      expect(outcome).toBe('ok')
      expect(toldMs - toMs).toBeGreaterThan(0)
      expect(toldMs - toMs).toBeLessThan(2000)
      expect(Math.abs(startedMs - beganMs)).toBeLessThan(1000)
    }
    expect(told).toMatchObject({ pages: [], violations: [] })
  })

  test.each([50, -540])('%i s ahead: its probe is heard', (byS) => {
    const told = play(clock(byS))
    expect(absence(told)).toBeNull()
    for (const { toldMs, beganMs } of ofProbe(told)) expect(toldMs - beganMs).toBeLessThan(10_000)
    expect(told).toMatchObject({ pages: [], violations: [] })
  })

  test('and an outage: it is told of by the other two, whom alone the oracle counts', () => {
    const told = play(clock(600), { kind: 'mail', fault: 'swallowed', ...all })
    expect(told).toMatchObject({ pages: ['down'], violations: [] })
    const watching = told.watches.filter((watch) => watch.fromMs >= fromMs && watch.fromMs < toMs)
    expect(watching.flatMap(({ healthy }) => healthy.map(({ probeId }) => probeId))).not.toContain('probe-1')
  })

  test('and one beside another: the third vantage alone must tell nobody but the operator of an outage', () => {
    const told = play(
      clock(600),
      { kind: 'clock', probe: 'probe-2', byMs: 600_000 },
      { kind: 'mail', fault: 'swallowed', ...all },
    )
    expect(told.pages[0]).toBe('unconfirmed')
    expect(told.violations).toEqual([])
  })
})

describe('the troubles of a hundred seeds', () => {
  const drawn = (outages: boolean): Trouble[] =>
    Array.from({ length: 100 }, (_, seed) => {
      const random = new Random(BigInt(seed))
      const setting = drawSetting(random.stream('setting'))
      return Array.from({ length: 20 }, () => drawTroubles(random, setting, setting.startMs + hourMs, { outages })).flat()
    }).flat()
  const kinds: Record<Trouble['kind'], true> = {
    mail: true,
    brownout: true,
    blocked: true,
    glitch: true,
    greylist_forgotten: true,
    crash: true,
    uplink: true,
    link: true,
    inbox: true,
    clock: true,
    references: true,
    responder_clock: true,
    responder_state: true,
    coordinator: true,
  }
  const faults: Record<MailFault, true> = {
    dropped: true,
    closed: true,
    refused: true,
    deferred: true,
    tls: true,
    auth: true,
    dns_missing: true,
    dns_silent: true,
    swallowed: true,
    bounced: true,
    held: true,
    unstamped: true,
    return_lost: true,
    return_held: true,
  }

  test.each([true, false])('are of every kind, and the mail fails in every way; with outages: %s', (outages) => {
    const troubles = drawn(outages)
    expect(new Set(troubles.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)))
    const regional = troubles.filter((trouble) => trouble.kind === 'mail' && trouble.regions !== null)
    expect(new Set(regional.map((trouble) => 'fault' in trouble && trouble.fault))).toEqual(new Set(Object.keys(faults)))
    const total = troubles.filter((trouble) => trouble.kind === 'mail' && trouble.regions === null)
    expect(new Set(total.map((trouble) => 'fault' in trouble && trouble.fault))).toEqual(
      new Set(outages ? Object.keys(faults) : []),
    )
  })

  test('without outages every brownout lets half of the mails through at least', () => {
    const shares = drawn(false).flatMap((trouble) => (trouble.kind === 'brownout' ? [trouble.share] : []))
    expect(shares.length).toBeGreaterThan(20)
    expect(Math.max(...shares)).toBeLessThanOrEqual(0.5)
  })
})
