/**
 * What a judgement reads of a monitor's vantages, held by PostgreSQL and by the simulator's retelling of its queries alike: see
 * store-contract.test.ts. All times are minutes before the story began.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { MonitorState, Suspicion, VantageEvidence } from '../../coordinator/core/evidence.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { type EvidenceGround, postgresEvidence, type Region, simulatedEvidence, standby } from '../support/evidence-grounds.ts'

let own: TestDatabase
beforeAll(async () => {
  own = await freshDatabase()
})
afterAll(() => own?.drop())

describe.each([
  ['PostgreSQL', () => postgresEvidence(own)],
  ['the simulator', simulatedEvidence],
])('the evidence on %s', (_name, make) => {
  let ground: EvidenceGround
  beforeEach(async () => {
    ground = await make()
  })

  const ago = (ms: number | null): number | null => (ms === null ? null : Math.round((ground.startMs - ms) / 6000) / 10)
  /** Where the time of ingestion is in it, which on a busy machine goes on between two statements. */
  const about = (ms: number | null): number | null => (ms === null ? null : Math.round((ground.startMs - ms) / 60_000))
  const vantage = async (region: Region, state: Partial<MonitorState> = {}): Promise<VantageEvidence> => {
    const { vantages } = await ground.evidence(state)
    const found = vantages.find(({ probe_id }) => probe_id === ground.probeId(region))
    if (found === undefined) throw new Error(`${region} is no vantage`)
    return found
  }
  const suspicion = (agoMin: number, substitutes: Suspicion['substitutes'] = {}): Partial<MonitorState> => {
    const since_ms = ground.startMs - agoMin * 60_000
    const first = { first_test_id: 'first', first_probe_id: ground.probeId('eu') }
    return { suspicion: { ...first, since_ms, deadline_ms: since_ms, asked: {}, substitutes } }
  }
  const startsOf = async (region: Region, state: Partial<MonitorState> = {}) =>
    (await vantage(region, state)).tests.map(({ started_ms }) => ago(started_ms))

  describe('a vantage', () => {
    test('is whoever holds the monitor, with its failure domain', async () => {
      const { vantages } = await ground.evidence()
      expect(vantages.map(({ region }) => region).sort()).toEqual(['ap', 'eu', 'us'])
      const { assigned_ms, slot_started_ms: _, connected_ms, ...eu } = await vantage('eu')
      expect(eu).toEqual({
        probe_id: ground.probeId('eu'),
        region: 'eu',
        domain: { region: 'eu', asn: null, return_domain: 'eu.probe.example' },
        planned: true,
        lost: false,
        tests: [],
        overdue: [],
        passed_ms: null,
        contradicted: 0,
        monitors_held: eu.monitors_held,
      })
      expect([about(assigned_ms), about(connected_ms)]).toEqual([0, 0].map((minutes) => expect.closeTo(minutes, 0)))
    })

    test('is lost a minute after it was last heard, and says when it was connected anew', async () => {
      await ground.hear('eu', { connectedMin: 30, heardMin: 0.1 })
      await ground.hear('us', { connectedMin: 40, heardMin: 1.1 })
      const [eu, us] = [await vantage('eu'), await vantage('us')]
      expect([eu.lost, us.lost]).toEqual([false, true])
      expect([ago(eu.connected_ms), ago(us.connected_ms)]).toEqual([30, 40])
    })

    test.each([
      { lacksMin: 0, agoMin: 20.5 },
      { lacksMin: 15, agoMin: 5.5 },
      { lacksMin: -15, agoMin: 35.5 },
      { lacksMin: 30, agoMin: 50.5 },
    ])('whose clock lacks $lacksMin min began its last slot $agoMin min ago', async ({ lacksMin, agoMin }) => {
      await ground.knowClock('eu', lacksMin)
      expect(ago((await vantage('eu')).slot_started_ms)).toBe(agoMin)
    })

    test('that stands in for a lost one is none that is planned, and has no slots', async () => {
      const [lost, substitute] = [ground.probeId('us'), ground.probeId(standby)]
      const seated = await vantage(standby, suspicion(5, { [lost]: substitute }))
      expect(seated).toMatchObject({ planned: false, lost: false, slot_started_ms: null, tests: [] })
      expect(about(seated.assigned_ms)).toBeCloseTo(0, 0)
    })
  })

  test('the pool is asked where somebody is lost: who is heard, and is no vantage', async () => {
    await ground.hear('us', { connectedMin: 40, heardMin: 2 })
    const pool = async (state = {}) => (await ground.evidence(state)).pool
    const domain = { region: standby, asn: null, return_domain: `${standby}.probe.example` }
    expect(await pool()).toEqual([{ probe_id: ground.probeId(standby), domain }])
    expect(await pool(suspicion(5, { [ground.probeId('us')]: ground.probeId(standby) }))).toEqual([])
    await ground.hear(standby, { connectedMin: 40, heardMin: 0.8 })
    expect(await pool()).toEqual([])
  })

  describe('of the tests of a vantage', () => {
    const many = (fromMin: number, count: number) =>
      Array.from({ length: count }, (_, index) => ({ outcome: 'ok' as const, agoMin: fromMin - index, tookMin: 0.1 }))

    test('the newest five are read, the newest first', async () => {
      await ground.tell('eu', { tests: many(300, 8) })
      expect(await startsOf('eu')).toEqual([293, 294, 295, 296, 297])
      expect(await startsOf('us')).toEqual([])
    })

    test('and all since the question, with a period and five minutes before it; sixty at most', async () => {
      await ground.tell('eu', { tests: many(300, 100) })
      expect(await startsOf('eu', suspicion(230))).toEqual(Array.from({ length: 60 }, (_, index) => 201 + index))
      expect((await startsOf('eu', suspicion(150))).at(-1)).toBe(215)
      const incident = { since_ms: ground.startMs - 160 * 60_000, kind: 'down' as const, opened_ms: 0, asked_ms: 0 }
      const both = { ...suspicion(150), incident: { ...incident, flapping: false, well_since_ms: null } }
      expect((await startsOf('eu', both)).at(-1)).toBe(225)
    })

    test('what came back and what did not are told with their cause and their end', async () => {
      await ground.tell('eu', {
        tests: [
          { outcome: 'timeout', agoMin: 30, tookMin: 10 },
          { outcome: 'slow', agoMin: 15, tookMin: 5, cause: 'retest' },
        ],
      })
      const told = (await vantage('eu')).tests.map(({ id: _, started_ms, finished_ms, ...fact }) => ({
        ...fact,
        ran: [ago(started_ms), ago(finished_ms)],
      }))
      const health = { doubted: false, proved: false, proved_since: false, first_test_id: null }
      expect(told).toEqual([
        { outcome: 'slow', cause: 'retest', attempt: 2, ran: [15, 10], ...health },
        { outcome: 'timeout', cause: 'open', attempt: 1, ran: [30, 20], ...health },
      ])
    })

    test('each is put right by what its probe knew of its clock', async () => {
      await ground.tell('eu', {
        tests: [
          { outcome: 'ok', agoMin: 40, offsetMin: 20 },
          { outcome: 'ok', agoMin: 10, offsetMin: -20 },
        ],
      })
      expect(await startsOf('eu')).toEqual([20, 30])
    })

    test('one whose probe does not know its clock is put right by when the batch was sealed', async () => {
      await ground.tell('eu', { tests: [{ outcome: 'refused', agoMin: 49 }] }, 9)
      expect((await vantage('eu')).tests.map(({ started_ms }) => about(started_ms))).toEqual([40])
    })

    test('none ended after it was told of', async () => {
      await ground.tell('eu', { tests: [{ outcome: 'timeout', agoMin: 20, tookMin: 10, offsetMin: 30 }] })
      const [told] = (await vantage('eu')).tests
      expect([about(told?.started_ms ?? null), about(told?.finished_ms ?? null)]).toEqual([
        expect.closeTo(10, 0),
        expect.closeTo(0, 0),
      ])
    })

    test('none was sent before the job that asked for it was given', async () => {
      const jobId = await ground.giveJob('eu', 20)
      await ground.tell('eu', { tests: [{ outcome: 'ok', agoMin: 25, jobId, offsetMin: 1 }] })
      expect(await startsOf('eu')).toEqual([20])
    })

    test('where a clock was ahead and has been set right, the newest are read among the old ones', async () => {
      const old = Array.from({ length: 6 }, (_, index) => ({ outcome: 'ok' as const, agoMin: -2 - index, offsetMin: -60 }))
      await ground.tell('eu', { tests: old })
      await ground.tell('eu', { tests: [{ outcome: 'timeout', agoMin: 1.5, offsetMin: 0 }] })
      expect(await startsOf('eu')).toEqual([1.5, 53, 54, 55, 56, 57])
    })
  })

  describe('beside a failing test', () => {
    const failing = { outcome: 'timeout' as const, agoMin: 30, tookMin: 10 }
    const health = async () => {
      const [{ doubted, proved, proved_since } = {}] = (await vantage('eu')).tests
      return { doubted, proved, proved_since }
    }

    test.each([
      { what: 'nothing', trips: [], says: { doubted: false, proved: false, proved_since: false } },
      {
        what: 'a trip that returned',
        trips: [{ agoMin: 25, outcome: 'ok' as const }],
        says: { doubted: false, proved: true, proved_since: true },
      },
      {
        what: 'a trip that returned long after',
        trips: [{ agoMin: 5, outcome: 'ok' as const }],
        says: { doubted: false, proved: false, proved_since: true },
      },
      {
        what: 'a trip that returned before',
        trips: [{ agoMin: 31, outcome: 'ok' as const }],
        says: { doubted: false, proved: false, proved_since: false },
      },
      {
        what: 'a trip that was lost',
        trips: [{ agoMin: 25, outcome: 'timeout' as const }],
        says: { doubted: true, proved: false, proved_since: false },
      },
      {
        what: "a trip that returned from the customer's own domain",
        trips: [{ agoMin: 25, outcome: 'ok' as const, reference: 'echo@customer.example' }],
        says: { doubted: false, proved: false, proved_since: false },
      },
      {
        what: 'one of two that were sent together',
        trips: [
          { agoMin: 25, outcome: 'timeout' as const },
          { agoMin: 25, outcome: 'ok' as const, reference: 'echo@second.example' },
        ],
        says: { doubted: false, proved: true, proved_since: true },
      },
    ])('$what', async ({ trips, says }) => {
      await ground.tell('eu', { tests: [failing], trips })
      expect(await health()).toEqual(says)
    })

    test('what is told in a later batch counts as well', async () => {
      await ground.tell('eu', { tests: [failing] })
      await ground.tell('eu', { trips: [{ agoMin: 15, outcome: 'ok' }] })
      expect(await health()).toEqual({ doubted: false, proved: false, proved_since: true })
    })
  })

  describe('a mail that is overdue', () => {
    const overdue = async (region: Region = 'eu') => (await vantage(region)).overdue.map(({ started_ms }) => about(started_ms))

    test('was sent when it was told, its clock put right', async () => {
      await ground.knowClock('us', 8)
      await ground.tell('eu', { overdues: [{ agoMin: 4, atMin: 2 }] })
      await ground.tell('us', { overdues: [{ agoMin: 15, atMin: 13 }] })
      expect([await overdue('eu'), await overdue('us'), await overdue('ap')]).toEqual([[4], [7], []])
    })

    test('was sent the slow mark before it was told at the latest', async () => {
      await ground.tell('eu', { overdues: [{ agoMin: -5, atMin: -7 }] })
      expect(await overdue()).toEqual([expect.closeTo(2, 0)])
    })

    test.each([0, 9, -9])(
      'is none any more a timeout and a minute after it was told, of a clock that lacks %i min',
      async (lacksMin) => {
        await ground.knowClock('eu', lacksMin)
        await ground.tell('eu', { overdues: [{ agoMin: 2 + lacksMin, atMin: lacksMin }] })
        await ground.passMinutes(10)
        expect(await overdue()).toHaveLength(1)
        await ground.passMinutes(2)
        expect(await overdue()).toHaveLength(0)
      },
    )

    test('and is told of long after is none', async () => {
      await ground.tell('eu', { overdues: [{ agoMin: 92, atMin: 90 }] })
      expect(await overdue()).toEqual([])
    })
  })

  describe('mail that has passed', () => {
    test('is known of the vantage where it is put off now', async () => {
      await ground.tell('eu', { tests: [{ outcome: 'ok', agoMin: 200 }] })
      await ground.tell('eu', { tests: [{ outcome: 'slow', agoMin: 150, tookMin: 5 }] })
      await ground.tell('eu', { tests: [{ outcome: 'deferred', agoMin: 30, tookMin: 10 }] })
      expect(ago((await vantage('eu')).passed_ms)).toBe(150)
      expect((await vantage('us')).passed_ms).toBeNull()
    })
  })

  describe('news that come late', () => {
    const lateMin = async () => ago((await ground.evidence()).late_since_ms)

    test('reach back to the oldest failing test among them', async () => {
      await ground.tell('eu', { tests: [{ outcome: 'timeout', agoMin: 11, tookMin: 10.5 }] })
      expect(await lateMin()).toBeNull()
      await ground.tell('eu', { tests: [{ outcome: 'ok', agoMin: 90 }] })
      expect(await lateMin()).toBeNull()
      await ground.tell('eu', { tests: [{ outcome: 'timeout', agoMin: 50, tookMin: 10 }] })
      await ground.tell('us', { tests: [{ outcome: 'timeout', agoMin: 40, tookMin: 10 }] })
      expect(await lateMin()).toBe(50)
    })

    test.each([8, -8])('by a clock that lacks %i min are put right', async (offsetMin) => {
      await ground.tell('eu', { tests: [{ outcome: 'timeout', agoMin: 50, tookMin: 10, offsetMin }] })
      expect(await lateMin()).toBe(50 - offsetMin)
    })
  })
})
