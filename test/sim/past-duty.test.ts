/** Outages that were over before anybody heard of them: played ones are due and told of, and the oracle of them can fail. */
import { describe, expect, test } from 'vitest'
import { hourMs, minuteMs } from '../../common/durations.ts'
import type { Outcome } from '../../common/wire/test.ts'
import type { KnownTest } from './known-tests.ts'
import type { Loss } from './mail.ts'
import { judgeHistory } from './oracle.ts'
import type { Page } from './pages.ts'
import { emptyPastCounts, judgePastOutages, type PastCounts, type PastHistory, type Unasked } from './past-duty.ts'
import { Random } from './random.ts'
import { restMs } from './run.ts'
import type { Trouble } from './setting.ts'
import { promptWorld } from './sweep.ts'
import { World } from './world.ts'

const rules = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
const setting = promptWorld({ ...rules, vantages: 3, quorum: 2, mode: 'fast' })
const startMs = setting.startMs + hourMs
const awayUntilMs = startMs + 4 * hourMs
const nobodyThere: Trouble = { kind: 'coordinator', fromMs: startMs, toMs: awayUntilMs }
const allCut = setting.probes.map(
  ({ id: probe }): Trouble => ({ kind: 'link', probe, direction: 'both', fromMs: startMs, toMs: awayUntilMs }),
)
const outageAt = (fromMs: number, lastsMs: number) =>
  ({ kind: 'mail', fault: 'swallowed', regions: null, fromMs, toMs: fromMs + lastsMs }) as const
const outage = outageAt(startMs + hourMs, hourMs)

const counted = (counts: Partial<PastCounts>): PastCounts => ({ ...emptyPastCounts(), ...counts })
const notAsked = (why: Unasked): PastCounts => counted({ unasked: { ...emptyPastCounts().unasked, [why]: 1 } })

describe('an outage that is played', () => {
  /** What it must be told of, and what was told. */
  const play = (mode: 'seed' | 'fast' | 'hedged', ...troubles: Trouble[]) => {
    const world = new World({ ...setting, rules: { ...setting.rules, mode } }, new Random(1n))
    world.fold(startMs - minuteMs)
    expect(world.play(troubles, startMs + 8 * hourMs + restMs(setting))).toBe(true)
    const { pages, withheld, watches, failedMails, tests, mail, coordinator, events } = world
    const { outages, violations } = judgeHistory({ setting: world.setting, troubles, pages, watches, failedMails })
    const known = { tests: tests.all, losses: mail.losses, holders: coordinator.seats.all, endMs: events.nowMs }
    const past = judgePastOutages({ setting: world.setting, troubles, outages, pages, withheld, ...known })
    return { told: pages.map(({ kind }) => kind).filter((kind) => kind !== 'unconfirmed'), past, violations }
  }

  test.each(['seed', 'fast', 'hedged'] as const)('while no coordinator was there is told of afterwards (%s)', (mode) => {
    const { told, past, violations } = play(mode, outage, nobodyThere)
    expect([told, past.counts, past.violations, violations]).toEqual([['past'], counted({ due: 1 }), [], []])
  })

  test('while all links were cut is told of afterwards', () => {
    const { told, past, violations } = play('seed', outage, ...allCut)
    expect([told, past.counts, violations]).toEqual([['past'], counted({ due: 1 }), []])
  })

  test('twice in one absence is told of twice', () => {
    const { told, past } = play('fast', outage, outageAt(outage.toMs + hourMs / 2, hourMs), nobodyThere)
    expect([told, past.counts]).toEqual([['past', 'past'], counted({ due: 2 })])
  })

  test('is told of where those that met it are heard after a later one was told of', () => {
    const earlier = { ...outageAt(startMs + hourMs - minuteMs, 12 * minuteMs), fault: 'bounced' as const }
    const later = outageAt(earlier.toMs + hourMs / 2, hourMs)
    const [cutFirst, cutLast, cutOther] = allCut
    if (cutFirst === undefined || cutLast === undefined || cutOther === undefined) throw new RangeError('There are three')
    const lastBack = { ...cutLast, toMs: awayUntilMs + minuteMs }
    const { told, past } = play('fast', earlier, later, cutFirst, lastBack, cutOther)
    expect([told, past.counts]).toEqual([['past', 'past'], counted({ due: 2 })])
  })

  test('for a minute only is nothing that a quorum can have seen', () => {
    const { told, past } = play('seed', outageAt(startMs + hourMs, minuteMs), nobodyThere)
    expect([told, past.counts]).toEqual([[], notAsked('too_little')])
  })
})

describe('the oracle of outages that were over', () => {
  const beganMs = outage.fromMs + minuteMs
  const tested = (
    id: string,
    probeId: string,
    atMs: number,
    outcome: Outcome = 'timeout',
    tookMs = 10 * minuteMs,
  ): KnownTest => ({
    ...{ id, probeId, outcome, startedMs: atMs, beganMs: atMs, endedMs: atMs + tookMs },
    toldMs: awayUntilMs + 2000,
  })
  const one = tested('one', 'probe-0', beganMs)
  const other = tested('other', 'probe-1', beganMs + 7 * minuteMs)
  const again = tested('again', 'probe-0', one.endedMs + minuteMs / 2)
  const met = (...tests: KnownTest[]) =>
    new Map(tests.map(({ id, beganMs: atMs }): [string, Loss] => [id, { why: 'mail', atMs: atMs + 10 }]))
  const page: Page = {
    ...{ atMs: awayUntilMs + 5000, kind: 'past', votes: [], resolvedMs: awayUntilMs + 5000 },
    ...{ sinceMs: beganMs, lastGoodMs: beganMs - hourMs, endedMs: outage.toMs + minuteMs },
  }
  const truth: PastHistory = {
    ...{ setting, troubles: [outage, nobodyThere], pages: [page], withheld: [], tests: [one, other, again] },
    outages: [{ fromMs: outage.fromMs, toMs: outage.toMs, must: null, detectionMs: null }],
    losses: met(one, other, again),
    holders: setting.probes.map(({ id }) => ({ probeId: id, assignedMs: setting.startMs })),
    endMs: awayUntilMs + hourMs,
  }
  const inSeed = { ...setting, rules: { ...setting.rules, mode: 'seed' as const } }
  const refusedAt = (test: KnownTest): KnownTest => ({ ...test, outcome: 'refused', endedMs: test.beganMs + 400 })
  const soon = { ...other, beganMs: beganMs + minuteMs }
  const shareOne = setting.probes.map((probe) => ({ ...probe, domain: { ...probe.domain, asn: 64_500 } }))
  const ill = (changes: { fromMs: number; toMs: number }): Trouble => ({ kind: 'uplink', probe: 'probe-1', ...changes })
  const many = Array.from({ length: 60 }, (_, index) =>
    tested(`ok-${index}`, 'probe-0', outage.toMs + index * minuteMs, 'ok', 3000),
  )

  type Row = { what: string; history: Partial<PastHistory>; says: PastCounts }
  const due = counted({ due: 1 })
  const missed = counted({ due: 1, missed: 1 })

  test.each<Row>([
    { what: 'finds nothing in what was told', history: {}, says: due },
    { what: 'names what was told to nobody', history: { pages: [] }, says: missed },
    { what: 'takes no word to the operator for it', history: { pages: [{ ...page, kind: 'unconfirmed' }] }, says: missed },
    { what: 'nor what was told hours later', history: { pages: [{ ...page, atMs: awayUntilMs + 2 * hourMs }] }, says: missed },
    {
      what: 'nor an outage that was over before it',
      history: { pages: [{ ...page, sinceMs: startMs, endedMs: outage.fromMs - minuteMs }] },
      says: missed,
    },
    { what: 'nor one that began after it', history: { pages: [{ ...page, sinceMs: outage.toMs + minuteMs }] }, says: missed },
    {
      what: 'takes one that was opened for it',
      history: { pages: [{ ...page, kind: 'down', resolvedMs: awayUntilMs + hourMs }] },
      says: due,
    },
    {
      what: 'counts what stands in the log alone',
      history: { pages: [], withheld: [{ fromMs: beganMs, toMs: outage.toMs }] },
      says: counted({ due: 1, withheld: 1 }),
    },
    {
      what: 'leaves what had to be told of at once to the other oracle',
      history: { outages: [{ ...outage, must: { countedFrom: 'start', fromMs: startMs, boundMs: hourMs }, detectionMs: null }] },
      says: notAsked('seen'),
    },
    {
      what: 'asks nothing of what was heard while it lasted',
      history: { tests: [{ ...one, toldMs: outage.toMs - minuteMs }, other, again] },
      says: notAsked('heard_meanwhile'),
    },
    { what: 'nor of what one vantage lost', history: { tests: [one, again] }, says: notAsked('too_little') },
    {
      what: 'nor of what vantages lost that are one witness',
      history: { setting: { ...setting, probes: shareOne } },
      says: notAsked('too_little'),
    },
    {
      what: 'nor of what was lost for another reason',
      history: { losses: new Map([...met(one, again), ['other', { why: 'chance', atMs: other.beganMs }]]) },
      says: notAsked('too_little'),
    },
    {
      what: 'nor, in mode seed, without the re-test',
      history: { setting: inSeed, tests: [one, other] },
      says: notAsked('too_little'),
    },
    { what: 'and with it does', history: { setting: inSeed, pages: [] }, says: missed },
    {
      what: 'nor with one that came when the failure was old',
      history: {
        setting: inSeed,
        tests: [one, other, tested('again', 'probe-0', one.endedMs + 21 * minuteMs)],
      },
      says: notAsked('too_little'),
    },
    {
      what: 'nor of hard failures that did not last',
      history: { tests: [refusedAt(one), refusedAt(soon)] },
      says: notAsked('too_little'),
    },
    { what: 'and of those that did', history: { tests: [refusedAt(one), refusedAt(other)], pages: [] }, says: missed },
    {
      what: 'nor where a mail passed in between',
      history: { tests: [one, other, tested('good', 'probe-2', beganMs + minuteMs, 'ok', 3000)] },
      says: notAsked('too_little'),
    },
    {
      what: 'nor of a vantage that has been replaced',
      history: { holders: truth.holders.filter(({ probeId }) => probeId !== 'probe-1') },
      says: notAsked('replaced'),
    },
    {
      what: 'nor of one that came back to its place',
      history: { holders: truth.holders.map((holder) => ({ ...holder, assignedMs: awayUntilMs })) },
      says: notAsked('replaced'),
    },
    {
      what: 'nor of a probe that was ill itself',
      history: { troubles: [...truth.troubles, ill({ fromMs: other.beganMs, toMs: other.endedMs })] },
      says: notAsked('own_side'),
    },
    {
      what: 'but does of one that was ill before',
      history: { pages: [], troubles: [...truth.troubles, ill({ fromMs: startMs, toMs: startMs + minuteMs })] },
      says: missed,
    },
    {
      what: 'asks nothing where mail was lost besides',
      history: { tests: [tested('before', 'probe-2', startMs), ...truth.tests] },
      says: notAsked('other_failures'),
    },
    {
      what: 'but does where that had passed again',
      history: {
        pages: [],
        tests: [
          tested('before', 'probe-2', startMs),
          tested('good', 'probe-2', startMs + hourMs / 2, 'ok', 3000),
          ...truth.tests,
        ],
      },
      says: missed,
    },
    {
      what: 'asks nothing of more tests than a judgement reads',
      history: { tests: [...truth.tests, ...many] },
      says: notAsked('too_many_tests'),
    },
    {
      what: 'and names it where a later one alone was told of',
      history: { pages: [{ ...page, sinceMs: outage.toMs + minuteMs }] },
      says: missed,
    },
    {
      what: 'asks nothing where more trouble comes before it is judged',
      history: { troubles: [...truth.troubles, ill({ fromMs: awayUntilMs + 3000, toMs: awayUntilMs + hourMs })] },
      says: notAsked('disturbed'),
    },
    { what: 'nor where the history ends before', history: { endMs: awayUntilMs + 5000 }, says: notAsked('cut_short') },
  ])('$what', ({ history, says }) => {
    const { counts, violations } = judgePastOutages({ ...truth, ...history })
    expect(counts).toEqual(says)
    expect(violations.map(({ kind }) => kind)).toEqual(says.missed > 0 ? ['past_missed'] : [])
  })
})
