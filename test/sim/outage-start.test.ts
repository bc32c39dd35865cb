/** The start of an outage as an interval: what the product says of played ones, and that the oracle of it can fail. */
import { describe, expect, test } from 'vitest'
import { hourMs, minuteMs } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'
import type { KnownTest } from './known-tests.ts'
import type { Loss } from './mail.ts'
import { emptyStartCounts, judgeStarts, type StartCounts, type StartHistory } from './outage-start.ts'
import { carryOut, type Page, type Told } from './pages.ts'
import { Random } from './random.ts'
import { restMs } from './run.ts'
import type { MailFault, Trouble } from './setting.ts'
import { promptWorld } from './sweep.ts'
import { World } from './world.ts'

const rules = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
const setting = promptWorld({ ...rules, vantages: 3, quorum: 2, mode: 'fast' })
const fromMs = setting.startMs + hourMs
const outage = { kind: 'mail', fault: 'swallowed', regions: null, fromMs, toMs: fromMs + hourMs } as const

describe('an outage that is played', () => {
  /** Its pages, and what the oracle says of them. */
  const play = (...troubles: Trouble[]) => {
    const world = new World(setting, new Random(1n))
    world.fold(fromMs - minuteMs)
    expect(world.play(troubles, fromMs + 3 * hourMs + restMs(setting))).toBe(true)
    const { pages, tests, mail } = world
    return { pages, ...judgeStarts({ setting, troubles, pages, tests: tests.all, losses: mail.losses }) }
  }

  test.each<MailFault>(['swallowed', 'refused', 'deferred', 'dropped', 'bounced', 'return_lost', 'held'])(
    'began between the last good test and the first failing one (%s)',
    (fault) => {
      const { pages, counts, violations } = play({ ...outage, fault })
      expect(violations).toEqual([])
      expect(counts).toEqual({ ...emptyStartCounts(), checked: 1 })
      const [{ sinceMs = 0, lastGoodMs = 0 } = {}] = pages
      expect(lastGoodMs).toBeLessThan(fromMs)
      expect(sinceMs).toBeGreaterThanOrEqual(fromMs)
      // A third of the period, and the jitter of both slots.
      expect(sinceMs - (lastGoodMs ?? 0)).toBeLessThan(400_000 + 6000)
    },
  )

  test('so it did where everybody was cut off and told of it afterwards', () => {
    const toMs = outage.toMs + 20 * minuteMs
    const cut = setting.probes.map(({ id: probe }): Trouble => ({ kind: 'link', probe, direction: 'both', fromMs, toMs }))
    const { pages, counts, violations } = play(outage, ...cut)
    expect(violations).toEqual([])
    expect([pages.map(({ kind }) => kind), counts.checked]).toEqual([['unconfirmed', 'past'], 1])
  })

  test('while one region failed already, it began where that one had, as far as the votes can tell', () => {
    const region = { ...outage, regions: ['region-0', 'region-1'], fromMs: fromMs - 2 * minuteMs }
    const later = { ...outage, fromMs: fromMs + 10 * minuteMs }
    const { counts, violations } = play(region, later)
    expect(violations).toEqual([])
    expect(counts.preceded.region).toBe(1)
  })
})

describe('an outage that nobody could confirm at first began, as the store keeps it,', () => {
  const openedMs = fromMs + hourMs
  const unknown = { flapping: false, votes: [] }
  test.each<[string, number | null, number | null, number | null]>([
    ['after the good test that is known as it is confirmed', fromMs + minuteMs, fromMs - minuteMs, fromMs - minuteMs],
    ['where none is, after the one that was known as it opened', fromMs - minuteMs, null, fromMs - minuteMs],
    ['and not after one that was sent once it had begun', fromMs + minuteMs, null, null],
    ['nor after one that was sent with its first failing test', fromMs, null, null],
    ['and where none was known at all, after none', null, null, null],
  ])('%s', (_, knownMs, last_good_ms, expected) => {
    const told: Told = { pages: [], withheld: [] }
    const silence = { since_ms: openedMs, last_good_ms: knownMs, ...unknown }
    carryOut(told, { kind: 'open_incident', incident_kind: 'unconfirmed', ...silence }, [], openedMs)
    carryOut(told, { kind: 'confirm_incident', since_ms: fromMs, last_good_ms, ...unknown }, [], openedMs + minuteMs)
    expect(told.pages).toMatchObject([{ kind: 'unconfirmed' }, { kind: 'down', sinceMs: fromMs, lastGoodMs: expected }])
  })
})

describe('the oracle of the start', () => {
  const tested = (id: string, outcome: Outcome, beganMs: number, changes: Partial<KnownTest> = {}): KnownTest => ({
    ...{
      id,
      probeId: 'probe-0',
      outcome,
      startedMs: beganMs,
      beganMs,
      endedMs: beganMs + minuteMs,
      toldMs: beganMs + 10 * minuteMs,
    },
    ...changes,
  })
  const good = tested('good', 'ok', fromMs - 5 * minuteMs)
  const failing = tested('failing', 'timeout', fromMs + minuteMs)
  const met: Loss = { why: 'mail', atMs: failing.beganMs + 10 }
  const page: Page = {
    ...{ atMs: fromMs + 20 * minuteMs, kind: 'down', votes: [], resolvedMs: null },
    ...{ sinceMs: failing.startedMs, lastGoodMs: good.startedMs },
  }
  const truth: StartHistory = {
    ...{ setting, troubles: [outage], pages: [page], tests: [good, failing] },
    losses: new Map([['failing', met]]),
  }
  const early = tested('failing', 'timeout', fromMs - minuteMs)
  const told = (test: KnownTest): Partial<StartHistory> => ({
    tests: [good, test],
    pages: [{ ...page, sinceMs: test.startedMs }],
  })
  const because = (loss?: Loss) => ({ losses: new Map(loss === undefined ? [] : [['failing', loss]]) })
  const short = { ...outage, toMs: fromMs + 8 * minuteMs }
  const late = tested('good', 'ok', fromMs + minuteMs / 2)
  const lateGood = { tests: [late, failing], pages: [{ ...page, lastGoodMs: late.startedMs }] }

  type Row = { what: string; history: Partial<StartHistory>; counts?: Partial<StartCounts>; wrong?: string }
  const preceded = (why: keyof StartCounts['preceded']) => ({ preceded: { ...emptyStartCounts().preceded, [why]: 1 } })

  test.each<Row>([
    { what: 'finds nothing in what is true', history: {} },
    { what: 'asks nothing where no outage was', history: { troubles: [] }, counts: { checked: 0 } },
    {
      what: 'asks nothing of what nobody could confirm',
      history: { pages: [{ ...page, kind: 'unconfirmed' }] },
      counts: { checked: 0 },
    },
    {
      what: 'names a start that is no test',
      history: { pages: [{ ...page, sinceMs: page.sinceMs + 1 }] },
      counts: { checked: 0 },
      wrong: 'no failing test',
    },
    {
      what: 'names a start of which nobody had told',
      history: { tests: [good, { ...failing, toldMs: page.atMs + 1 }] },
      counts: { checked: 0 },
      wrong: 'no failing test',
    },
    {
      what: 'names an interval that begins with the first failing test',
      history: { pages: [{ ...page, lastGoodMs: page.sinceMs }] },
      wrong: 'no good test',
    },
    {
      what: 'and one whose good test was sent after the failing one, true as it is',
      history: {
        tests: [good, failing, tested('later', 'ok', page.sinceMs + minuteMs)],
        pages: [{ ...page, lastGoodMs: page.sinceMs + minuteMs }],
      },
      wrong: 'no good test',
    },
    {
      what: 'names a good test that was sent in the outage',
      history: lateGood,
      wrong: 'the last good test began 30000 ms after',
    },
    {
      what: 'counts one whose mail was back in time as the outage ended',
      history: { ...lateGood, troubles: [short] },
      counts: { survived: 1 },
    },
    {
      what: 'counts a mail that was on its way as the outage began',
      history: { ...told(early), ...because({ why: 'mail', atMs: fromMs }) },
      counts: { in_flight: 1 },
    },
    {
      what: 'and names one that was on its way for longer than it is waited for',
      history: {
        tests: [tested('good', 'ok', fromMs - hourMs), tested('failing', 'timeout', fromMs - 11 * minuteMs)],
        pages: [{ ...page, sinceMs: fromMs - 11 * minuteMs, lastGoodMs: fromMs - hourMs }],
        ...because({ why: 'mail', atMs: fromMs }),
      },
      wrong: 'longer than a mail is waited for',
    },
    {
      what: 'counts what one region had lost before',
      history: { ...told(early), ...because({ why: 'mail', atMs: fromMs - 1 }) },
      counts: preceded('region'),
    },
    {
      what: 'counts what was lost by chance before',
      history: { ...told(early), ...because({ why: 'chance', atMs: fromMs - 1 }) },
      counts: preceded('chance'),
    },
    {
      what: 'counts what a probe lost that was ill itself',
      history: {
        ...told(early),
        ...because(),
        troubles: [outage, { kind: 'inbox', probe: 'probe-0', loses: true, fromMs: fromMs - hourMs, toMs: fromMs }],
      },
      counts: preceded('own_side'),
    },
    { what: 'and names what was lost for no reason', history: { ...told(early), ...because() }, wrong: 'lost for no reason' },
    {
      what: 'names a time that is off by more than the clock is known to be',
      history: told({ ...failing, startedMs: failing.startedMs + 5 }),
      wrong: 'failing is dated 5 ms off, and its clock 2 ms',
    },
    {
      what: 'counts it where nobody knows the clock',
      history: {
        ...told({ ...failing, startedMs: failing.startedMs + minuteMs }),
        setting: {
          ...setting,
          probes: setting.probes.map((probe) => ({ ...probe, clock: { ...probe.clock, readingErrorMs: null } })),
        },
      },
      counts: { unknown_clock: 1 },
    },
    {
      what: 'counts an interval without a beginning',
      history: { pages: [{ ...page, lastGoodMs: null }] },
      counts: { without_good: 1, wider: { good: 1, failing: 0 } },
    },
    {
      what: 'counts one that could have been shorter',
      history: {
        tests: [good, tested('better', 'ok', fromMs - minuteMs), tested('sooner', 'timeout', fromMs + 1000), failing],
        losses: new Map([
          ['failing', met],
          ['sooner', met],
        ]),
      },
      counts: { wider: { good: 1, failing: 1 } },
    },
  ])('$what', ({ history, counts = {}, wrong }) => {
    const judged = judgeStarts({ ...truth, ...history })
    expect(judged.counts).toEqual({ ...emptyStartCounts(), checked: 1, ...counts })
    expect(judged.violations.map(({ what }) => what)).toEqual(wrong === undefined ? [] : [expect.stringContaining(wrong)])
  })
})
