/**
 * A slot may start up to 30 s late, where its probe was away at its instant. The budget of the bound holds 5 s of it: what is found later
 * than that counts from the probe's return, or against the bound of those that were there; and a late start is better than none.
 */
import { describe, expect, test } from 'vitest'
import { boundS, detectionBoundS, detectionBudgetS } from '../../coordinator/core/detection-bound.ts'
import { defaultRules as rules } from '../support/judgement-setting.ts'
import { judgeHistory } from './oracle.ts'
import { Random } from './random.ts'
import type { Trouble } from './setting.ts'
import { promptWorld } from './sweep.ts'
import { World } from './world.ts'

/** The outage begins when the slot of the first vantage has started, with its jitter of up to 3 s; that of the second is due 400 s after it. */
const afterSlotS = 4
const untilSlotS = 400 - afterSlotS

/** The second vantage is away over the instant of its slot, and back so many seconds after it. */
function story(mode: 'seed' | 'fast' | 'hedged', lateS: number) {
  const setting = promptWorld({ ...rules, mode })
  const world = new World(setting, new Random(1n))
  const fromMs = setting.startMs + (rules.period_s + afterSlotS) * 1000
  const returnMs = fromMs + (untilSlotS + lateS) * 1000
  const toMs = fromMs + 7_200_000
  const troubles: Trouble[] = [
    { kind: 'mail', fault: 'swallowed', regions: null, fromMs, toMs },
    { kind: 'crash', probe: 'probe-1', reboot: false, fromMs: returnMs - 35_000, toMs: returnMs },
  ]
  world.fold(fromMs - 1000)
  world.play(troubles, toMs)
  const account = judgeHistory({ setting, troubles, pages: world.pages, watches: world.watches, failedMails: new Set() })
  const pagedMs = world.pages.find(({ kind }) => kind === 'down')?.atMs ?? Number.NaN
  return { account, sinceOutageS: (pagedMs - fromMs) / 1000, sinceReturnS: (pagedMs - returnMs) / 1000 }
}

describe.each(['seed', 'fast', 'hedged'] as const)('a slot that starts late, in mode %s', (mode) => {
  const contractS = detectionBoundS({ ...rules, mode })
  const othersS = boundS({ ...rules, mode }, [
    { start_ms: 0, witness: 0 },
    { start_ms: 800_000, witness: 2 },
  ])

  test.each([8, 29])(
    'by %i s: the bound holds from the return of its vantage, and that of the others from the outage',
    (lateS) => {
      const { account, sinceOutageS, sinceReturnS } = story(mode, lateS)
      expect(account.violations).toEqual([])
      expect(sinceReturnS).toBeLessThanOrEqual(contractS - detectionBudgetS)
      expect(sinceOutageS).toBeLessThanOrEqual((othersS ?? 0) - detectionBudgetS)
    },
  )

  test('is found the sooner for it: a slot that was missed waits for the next vantage', () => {
    expect(story(mode, 29).sinceOutageS).toBeLessThan(story(mode, 34).sinceOutageS)
    expect(story(mode, 34).account.violations).toEqual([])
  })
})

// In mode fast the slot of the third vantage, which is on time, brings the second word.
test.each(['seed', 'hedged'] as const)(
  '29 s late are too much for the budget beside jitter, decision and gateway, in mode %s',
  (mode) => {
    expect(story(mode, 29).sinceOutageS).toBeGreaterThan(detectionBoundS({ ...rules, mode }) - detectionBudgetS + 20)
  },
)
