/** The responder's stamps in simulated worlds: what they must be, whatever its clock and its memory do; and that their oracle can fail. */
import { describe, expect, test } from 'vitest'
import { hourMs, secondMs } from '../../common/durations.ts'
import { drawSetting, drawTroubles } from './draw.ts'
import { Random } from './random.ts'
import { SimResponder } from './responder.ts'
import { restMs, stampFaultsIn } from './run.ts'
import type { Trouble, WorldSetting } from './setting.ts'
import { type Returned, stampFaults } from './stamps.ts'
import { promptWorld } from './sweep.ts'
import { World } from './world.ts'

const rules = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
const calm = promptWorld({ ...rules, vantages: 3, quorum: 2, mode: 'fast' })
const doubling: WorldSetting = { ...calm, chances: { ...calm.chances, doubled: 1 } }
const fromMs = calm.startMs + hourMs
const toMs = fromMs + 4 * hourMs

/** Four hours with these troubles, in which every mail comes twice somewhere. */
function play(troubles: Trouble[], setting = doubling): World {
  const world = new World(setting, new Random(1n))
  world.fold(fromMs - 60_000)
  // Something must go wrong for a stretch to be played at all.
  expect(world.play([{ kind: 'greylist_forgotten', fromMs: toMs, toMs }, ...troubles], toMs + restMs(setting))).toBe(true)
  return world
}

describe('a responder', () => {
  const troubles: { what: string; troubles: Trouble[]; suspect: boolean }[] = [
    { what: 'that is well', troubles: [], suspect: false },
    {
      what: 'whose clock is set back by an hour',
      troubles: [{ kind: 'responder_clock', byMs: -hourMs, fromMs, toMs }],
      suspect: true,
    },
    {
      what: 'whose clock is set ahead by two days',
      troubles: [{ kind: 'responder_clock', byMs: 48 * hourMs, fromMs, toMs }],
      suspect: true,
    },
    {
      what: 'whose clock is set ahead by half a minute',
      troubles: [{ kind: 'responder_clock', byMs: 30 * secondMs, fromMs, toMs }],
      suspect: false,
    },
    { what: 'that cannot remember', troubles: [{ kind: 'responder_state', fromMs, toMs }], suspect: false },
  ]

  test.each(troubles)('$what answers every mail, and wakes nobody', ({ troubles, suspect }) => {
    const world = play(troubles)
    expect(world.returned.length).toBeGreaterThan(30)
    expect(world.returned.some(({ clockSuspect }) => clockSuspect)).toBe(suspect)
    expect(world.pages).toEqual([])
    expect(stampFaultsIn(world, troubles)).toEqual([])
  })

  test('whose first answer was lost says when it got the first copy', () => {
    const setting: WorldSetting = { ...doubling, rules: { ...rules, vantages: 3, quorum: 2, mode: 'fast', period_s: 30 } }
    const troubles: Trouble[] = [{ kind: 'mail', fault: 'return_lost', regions: null, fromMs, toMs: fromMs + 5 * 60_000 }]
    const world = play(troubles, setting)
    expect(world.returned.some(({ firstStampAtMs }) => firstStampAtMs !== null)).toBe(true)
    expect(stampFaultsIn(world, troubles)).toEqual([])
  })

  test('gets the copy of a held mail before the mail itself', () => {
    const troubles: Trouble[] = [{ kind: 'mail', fault: 'held', regions: null, fromMs, toMs: fromMs + hourMs }]
    expect(stampFaultsIn(play(troubles), troubles)).toEqual([])
  })

  const mail = { tid: 'a', probeId: 'probe-0', window: { iat: fromMs / 1000, exp: fromMs / 1000 + 87_000 } }
  const stateLost: Trouble = { kind: 'responder_state', fromMs: fromMs + 2000, toMs: fromMs + 3000 }

  test('answers a copy with the stamp of the first, whatever its clock was set to since', () => {
    const set: Trouble = { kind: 'responder_clock', byMs: -hourMs, fromMs: fromMs + 2000, toMs }
    const responder = new SimResponder(calm, () => [set])
    expect(responder.answer(mail, fromMs)).toEqual({ stampMs: fromMs, clockSuspect: false })
    expect(responder.answer(mail, fromMs + 5000)).toEqual({
      stampMs: fromMs + 5000 - hourMs,
      firstStampMs: fromMs,
      clockSuspect: true,
    })
  })

  test('whose memory is lost in between takes the copy for the first', () => {
    const responder = new SimResponder(calm, () => [stateLost])
    for (const atMs of [fromMs, fromMs + 2500, fromMs + 5000])
      expect(responder.answer(mail, atMs)).toEqual({ stampMs: atMs, clockSuspect: false })
    expect(responder.answer(mail, fromMs + 6000)).toMatchObject({ firstStampMs: fromMs + 5000 })
  })

  test('answers six hundred times in an hour and no more', () => {
    const responder = new SimResponder(calm, () => [])
    const answers = Array.from({ length: 601 }, (_, index) => responder.answer({ ...mail, tid: `test-${index}` }, fromMs + index))
    expect(answers.indexOf(null)).toBe(600)
    expect(responder.answer(mail, fromMs + hourMs)).not.toBeNull()
  })
})

describe('the oracle of stamps', () => {
  const right: Returned = {
    testId: 'a',
    startedAtMs: fromMs,
    stampAtMs: fromMs + 1000,
    firstStampAtMs: null,
    clockSuspect: false,
  }
  const again = { ...right, firstStampAtMs: fromMs + 1000 }
  const lost: Trouble = { kind: 'responder_state', fromMs: fromMs + 1500, toMs: fromMs + 1600 }
  test.each<[string, Returned, Trouble[], boolean]>([
    ['the first copy', right, [], true],
    ['the second copy with the first stamp', again, [], true],
    ['the second copy with its own stamp', { ...right, stampAtMs: fromMs + 2000 }, [], false],
    ['the second copy with its own stamp, where the first was forgotten', { ...right, stampAtMs: fromMs + 2000 }, [lost], true],
    ['the first stamp, where it was forgotten', again, [lost], false],
    ['a clock that is suspected for nothing', { ...right, clockSuspect: true }, [], false],
    ['the time of the probe', { ...right, stampAtMs: fromMs + 1001 }, [], false],
    ['no stamp', { ...right, stampAtMs: null }, [], false],
    ['a mail that never came to the responder', { ...right, testId: 'b' }, [], false],
  ])('%s', (_, account, troubles, isRight) => {
    const deliveries = new Map([['a', [fromMs + 1000, fromMs + 2000]]])
    const faults = stampFaults({ setting: calm, troubles, deliveries, returned: [account] })
    expect(faults.map(({ kind }) => kind)).toEqual(isRight ? [] : ['wrong_stamp'])
  })
})

test('thirty seeds meet copies that come twice and suspect clocks, and every stamp is right', {
  timeout: 60_000,
}, () => {
  const met = { copies: 0, suspect: 0 }
  for (let seed = 0n; seed < 30n; seed++) {
    const random = new Random(seed)
    const setting = drawSetting(random.stream('setting'))
    const world = new World(setting, random)
    world.fold(setting.startMs + hourMs - 60_000)
    const troubles = drawTroubles(random.stream('stretch'), setting, setting.startMs + hourMs, { outages: true })
    world.play(troubles, Math.max(...troubles.map((trouble) => trouble.toMs)) + restMs(setting))
    expect(stampFaultsIn(world, troubles)).toEqual([])
    met.copies += [...world.mail.responder.deliveries.values()].filter((copies) => copies.length > 1).length
    met.suspect += world.returned.filter(({ clockSuspect }) => clockSuspect).length
  }
  expect(Math.min(met.copies, met.suspect)).toBeGreaterThan(0)
})
