/** Who holds the monitor: new probes, lost probes, changed monitors. An overlap is allowed, a gap is not. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { slotStartMs } from '../../common/timetable.ts'
import { assignNext, reviewAssignments } from '../../coordinator/flow/assign.ts'
import { deleteMonitor } from '../../coordinator/store/monitors.ts'
import { freshDatabase, type TestDatabase } from '../support/database.ts'
import { recordingLogger } from '../support/probe-parts.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

type Held = {
  id: string
  region: string
  generation: number
  phase_ms: number
  epoch_ms: number
  first_slot: number
  last_slot: number | null
  period_s: number
}

let own: TestDatabase
let monitor: WatchedMonitor
beforeAll(async () => {
  own = await freshDatabase()
})
beforeEach(async () => {
  // The probes of earlier stories are no candidates any more, and their monitors are gone.
  await own.admin`update probes set retired_at = now()`
  await own.admin`update monitors set deleted_at = now(), assign_at = null`
})
afterAll(() => own?.drop())

const held = async (): Promise<Held[]> => [
  ...(await own.admin<Held[]>`
    select a.id, p.region, generation, phase_ms, epoch_ms, first_slot, last_slot, (plan->>'period_s')::int as period_s
    from assignments a join probes p on p.id = a.probe_id where monitor_id = ${monitor.id} order by phase_ms, a.id`),
]
const standing = async () => (await held()).filter((assignment) => assignment.last_slot === null)

async function assign(context = monitor.context): Promise<number> {
  await reviewAssignments(context)
  let count = 0
  while (await assignNext(context)) count += 1
  return count
}

const silentFor = (region: string, seconds: number) =>
  own.admin`update probes set last_seen_at = now() - ${`${seconds} seconds`}::interval where id = ${monitor.probe(region).id}`

/** A monitor that has nobody yet. */
const unassigned = async (regions: string[], vantages: number) => {
  monitor = await WatchedMonitor.create(own, { regions: [], settings: { vantages, quorum: Math.min(2, vantages) } })
  for (const region of regions) await monitor.addProbe(region)
  await own.admin`update monitors set assign_at = now() where id = ${monitor.id}`
}

describe('a new monitor', () => {
  test('is given to probes in distinct regions, evenly spread, each of which tests at once', async () => {
    await unassigned(['eu', 'us', 'ap'], 3)
    await assign()
    const assignments = await standing()
    expect(assignments.map(({ phase_ms }) => phase_ms)).toEqual([0, 1_200_000, 2_400_000])
    expect(new Set(assignments.map(({ region }) => region)).size).toBe(3)
    expect(await monitor.askedRegions()).toHaveLength(3)
    expect(await assign()).toBe(0)
  })

  test('whose places cannot all be filled is filled by a probe that comes later, and is not looked at again and again until then', async () => {
    await unassigned(['eu', 'us'], 3)
    await assign()
    expect(await standing()).toHaveLength(2)
    expect(await assign()).toBe(0)
    await monitor.addProbe('ap')
    expect(await assign()).toBe(1)
    expect((await standing()).map(({ phase_ms }) => phase_ms)).toEqual([0, 1_200_000, 2_400_000])
    expect(await held()).toHaveLength(3)
  })
})

describe('a lost probe', () => {
  test('is replaced after 60 s, the others stay as they are, and it ends only after its successor has begun', async () => {
    await unassigned(['eu', 'us'], 2)
    await assign()
    const before = await standing()
    await monitor.addProbe('ap')
    await silentFor('us', 50)
    expect(await assign()).toBe(0)
    await silentFor('us', 61)
    const { logger, lines } = recordingLogger()
    expect(await assign({ ...monitor.context, logger })).toBe(1)
    expect(lines.find(({ msg }) => msg === 'assigned')).toMatchObject({
      given_to: [monitor.probe('ap').id],
      taken_from: [monitor.probe('us').id],
    })

    const after = await held()
    const eu = before.find(({ region }) => region === 'eu')
    expect(after).toContainEqual(eu)
    const [successor] = after.filter(({ region }) => region === 'ap')
    const [predecessor] = after.filter(({ region }) => region === 'us')
    if (successor === undefined || predecessor === undefined) throw new Error('nobody was replaced')
    expect(successor.phase_ms).toBe(predecessor.phase_ms)
    expect(slotStartMs(successor, successor.first_slot)).toBeLessThanOrEqual(slotStartMs(predecessor, predecessor.last_slot ?? 0))
  })

  test('keeps its place where nobody can take it: it may still be testing', async () => {
    await unassigned(['eu', 'us'], 2)
    await assign()
    await silentFor('us', 3600)
    expect(await assign()).toBe(0)
    expect(await standing()).toHaveLength(2)
  })
})

describe('a changed monitor', () => {
  test('gets a new generation, whose first slots come before the old last ones', async () => {
    await unassigned(['eu', 'us'], 2)
    await assign()
    await own.admin`update monitors set generation = 2, period_s = 600, assign_at = now() where id = ${monitor.id}`
    await assign()
    const all = await held()
    const nowMs = Date.now()
    for (const old of all.filter(({ generation }) => generation === 1)) {
      const successors = all.filter((next) => next.generation === 2 && next.region === old.region)
      expect(successors).toMatchObject([{ last_slot: null, period_s: 600 }])
      expect(slotStartMs(old, old.last_slot ?? 0)).toBeGreaterThanOrEqual(nowMs)
      for (const next of successors) expect(slotStartMs(next, next.first_slot)).toBeLessThan(nowMs + 600_000)
    }
  })

  test('whose mail goes elsewhere mails the old target no longer, and the new one at once', async () => {
    await unassigned(['eu', 'us'], 2)
    await assign()
    expect(await monitor.askedRegions()).toHaveLength(2)
    await own.admin`update monitors set generation = 2, target_generation = 2, assign_at = now() where id = ${monitor.id}`
    await assign()
    const all = await held()
    const nowMs = Date.now()
    for (const old of all.filter(({ generation }) => generation === 1)) {
      expect(slotStartMs(old, old.last_slot ?? 0)).toBeLessThanOrEqual(nowMs)
      const [next] = all.filter(({ generation, region }) => generation === 2 && region === old.region)
      expect(next?.first_slot).toBe((old.last_slot ?? 0) + 1)
    }
    expect(await monitor.askedRegions()).toHaveLength(4)
    await own.admin`update monitors set generation = 3, assign_at = now() where id = ${monitor.id}`
    await assign()
    expect(await monitor.askedRegions()).toHaveLength(4)
  })

  test('that is deleted ends at once everywhere', async () => {
    await unassigned(['eu', 'us'], 2)
    await assign()
    await deleteMonitor(monitor.sql, monitor.customerId, monitor.id)
    await assign()
    expect(await standing()).toEqual([])
    const nowMs = Date.now()
    for (const ended of await held()) expect(slotStartMs(ended, ended.last_slot ?? 0)).toBeLessThanOrEqual(nowMs)
  })
})
