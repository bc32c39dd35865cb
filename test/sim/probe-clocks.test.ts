/** Worlds made by hand, in which one probe does not know that its clock is wrong: NTP does not answer it. The same where it knows. */
import { describe, expect, test } from 'vitest'
import type { MonitorRules } from '../../coordinator/core/evidence.ts'
import { Random } from './random.ts'
import type { MailFault, ProbeSetting, WorldSetting } from './setting.ts'
import { World } from './world.ts'

const startMs = Date.UTC(2026, 0, 1)
const steady = (median: number) => ({ median, sigma: 0 })

function probe(region: string, asn: number, behindS: number, knows: boolean): ProbeSetting {
  const clock = { driftPpm: 0, aheadMs: -behindS * 1000, readingErrorMs: knows ? 0 : null }
  return { id: region, domain: { region, asn, return_domain: `${region}.example` }, clock }
}

function settingOf(mode: MonitorRules['mode'], behindS: number, knows: boolean): WorldSetting {
  const times = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
  return {
    startMs,
    rules: { ...times, vantages: 3, quorum: 2, mode },
    probes: [probe('eu', 64501, behindS, knows), probe('us', 64502, 0, true), probe('ap', 64503, 0, true)],
    references: 2,
    greylistMs: null,
    busy: false,
    responder: { driftPpm: 0, aheadMs: 0 },
    pace: {
      dialogue: steady(400),
      leg: steady(1200),
      link: steady(80),
      judging: steady(60),
      reconnect: { low: 500, high: 15_000 },
    },
    chances: { lost: 0, late: 0, doubled: 0, hiccup: 0, unacknowledged: 0 },
  }
}

/** After how many seconds the customer is paged, where the mail fails from then on. */
function pagedAfterS(setting: WorldSetting, fault: MailFault, fromS: number): number {
  const world = new World(setting, new Random(1n))
  const fromMs = startMs + fromS * 1000
  const outage = { kind: 'mail' as const, fault, regions: null, fromMs, toMs: fromMs + 3_600_000 }
  world.play([outage], outage.toMs + 7_200_000)
  const [page] = world.pages.filter(({ kind }) => kind !== 'unconfirmed')
  return page === undefined ? Number.POSITIVE_INFINITY : (page.atMs - fromMs) / 1000
}

const moments = Array.from({ length: 30 }, (_, index) => 2400 + index * 40)
const faults: MailFault[] = ['swallowed', 'refused']

describe.each(['seed', 'fast', 'hedged'] as const)('mode %s', (mode) => {
  test.each(faults)('the clock of eu is 540 s behind: an outage (%s) is told of as if it knew', { timeout: 60_000 }, (fault) => {
    const [known, unknown] = [true, false].map((knows) => settingOf(mode, 540, knows)) as [WorldSetting, WorldSetting]
    const apartS = moments.map((fromS) => pagedAfterS(unknown, fault, fromS) - pagedAfterS(known, fault, fromS))
    // By as much as a batch may be on its way, and the second in which it was sealed.
    expect(apartS.filter((seconds) => !(Math.abs(seconds) <= 2))).toEqual([])
  })
})

// A batch may be on its way for so long that nobody sees it of the clock either.
test('the clock of eu is 4.9 s ahead: an outage is told of as if it knew, in mode hedged', { timeout: 60_000 }, () => {
  const [known, unknown] = [true, false].map((knows) => settingOf('hedged', -4.9, knows)) as [WorldSetting, WorldSetting]
  const apartS = moments.map((fromS) => pagedAfterS(unknown, 'swallowed', fromS) - pagedAfterS(known, 'swallowed', fromS))
  expect(apartS.filter((seconds) => !(Math.abs(seconds) <= 2))).toEqual([])
})
