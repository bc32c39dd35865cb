/**
 * Giving a monitor to its probes: choose vantages, start successors before predecessors end, tell the probes. Overlap is allowed, a gap
 * is not (DESIGN 3.2).
 */
import { jobStartMsMax } from '../../common/limits.ts'
import { uuidv7 } from '../../common/runtime.ts'
import { firstSlotFrom } from '../../common/timetable.ts'
import { fillPositions, phaseMs } from '../core/placement.ts'
import { announce } from '../store/announce.ts'
import {
  claimMonitorToAssign,
  endAssignment,
  insertAssignment,
  type MonitorToAssign,
  readCandidates,
  readStanding,
  reassignLost,
  reassignUnderstaffed,
  type StandingAssignment,
  setAssigned,
  withdrawEnded,
} from '../store/assignments.ts'
import type { Sql } from '../store/connection.ts'
import { insertJob } from '../store/judging.ts'
import type { DatabaseContext } from './context.ts'

/** Brings the assignments of one monitor up to date; false where none is waiting. */
export async function assignNext(context: DatabaseContext): Promise<boolean> {
  return await context.database.system.begin(async (sql) => {
    const monitor = await claimMonitorToAssign(sql)
    if (monitor === null) return false
    const standing = await readStanding(sql, monitor.customer_id, monitor.id)
    const { given, ended } = monitor.deleted
      ? await endAll(sql, monitor, standing)
      : await assign(context, sql, monitor, standing)
    await setAssigned(sql, monitor)
    const changed = given.union(ended)
    for (const probeId of changed) await announce(sql, 'probe', { probe_id: probeId })
    if (changed.size > 0) {
      const probes = { given_to: [...given], taken_from: [...ended.difference(given)] }
      context.logger.info({ monitor: monitor.id, generation: monitor.generation, ...probes }, 'assigned')
      await announce(sql, 'live', { kind: 'monitor', customer_id: monitor.customer_id, id: monitor.id })
    }
    return true
  })
}

/** Looks for monitors that should be assigned anew: too few vantages, or a lost one that can be replaced. */
export async function reviewAssignments(context: DatabaseContext): Promise<void> {
  await context.database.system.begin(async (sql) => {
    const waiting = (await reassignUnderstaffed(sql)) + (await reassignLost(sql))
    for (const probeId of await withdrawEnded(sql)) await announce(sql, 'probe', { probe_id: probeId })
    if (waiting > 0) await announce(sql, 'assign')
  })
}

/** By probe: who has a new assignment, and whose has an end. Of who is given another in its place, both are true. */
type Changes = { given: Set<string>; ended: Set<string> }

async function assign(
  context: DatabaseContext,
  sql: Sql,
  monitor: MonitorToAssign,
  standing: StandingAssignment[],
): Promise<Changes> {
  const candidates = (await readCandidates(sql)).map(({ probe_id, healthy, ...domain }) => ({ probe_id, healthy, domain }))
  const positionOf = ({ phase_ms, period_s }: StandingAssignment) => Math.round((phase_ms * monitor.vantages) / (period_s * 1000))
  const holders = standing.map((assignment) => ({ probe_id: assignment.probe_id, position: positionOf(assignment) }))
  const wanted = fillPositions(monitor.id, monitor.vantages, distinctPositions(holders), candidates)
  const given = new Set<string>()
  const ended = new Set<string>()
  const isOfOldTarget = ({ generation }: StandingAssignment) => generation < monitor.target_generation
  for (const { probe_id, position } of wanted) {
    const phase = phaseMs(monitor.plan.period_s, position, monitor.vantages)
    const same = standing.find(
      (held) => held.probe_id === probe_id && held.generation === monitor.generation && held.phase_ms === phase,
    )
    if (same !== undefined) continue
    const rate = { epoch_ms: monitor.epoch_ms, period_s: monitor.plan.period_s, phase_ms: phase }
    const first_slot = Math.max(0, firstSlotFrom(rate, monitor.now_ms))
    await insertAssignment(sql, monitor.customer_id, probe_id, {
      id: uuidv7(context.runtime),
      generation: monitor.generation,
      epoch_ms: monitor.epoch_ms,
      phase_ms: phase,
      first_slot,
      last_slot: null,
      plan: monitor.plan,
    })
    given.add(probe_id)
    if (standing.every(isOfOldTarget)) await testAtOnce(context, sql, monitor, probe_id)
  }
  for (const held of standing) {
    const stays = wanted.some(
      ({ probe_id, position }) =>
        probe_id === held.probe_id &&
        held.generation === monitor.generation &&
        held.phase_ms === phaseMs(monitor.plan.period_s, position, monitor.vantages),
    )
    if (stays) continue
    // One period more: by then the successor has started, wherever it is. An old target is mailed no longer.
    const lastSlot = isOfOldTarget(held)
      ? firstSlotFrom(held, monitor.now_ms) - 1
      : firstSlotFrom(held, monitor.now_ms + held.period_s * 1000)
    await endAssignment(sql, monitor.customer_id, held.id, lastSlot)
    ended.add(held.probe_id)
  }
  return { given, ended }
}

/** A new monitor, or a new target, does not wait for its first slot: its first verified return is what everything else waits for. */
async function testAtOnce(context: DatabaseContext, sql: Sql, monitor: MonitorToAssign, probeId: string): Promise<void> {
  const { customer_id, id: monitor_id } = monitor
  await insertJob(sql, {
    id: uuidv7(context.runtime),
    customer_id,
    monitor_id,
    probe_id: probeId,
    cause: 'test_now',
    expires_in_ms: jobStartMsMax,
  })
}

async function endAll(sql: Sql, monitor: MonitorToAssign, standing: StandingAssignment[]): Promise<Changes> {
  for (const held of standing) await endAssignment(sql, monitor.customer_id, held.id, firstSlotFrom(held, monitor.now_ms) - 1)
  return { given: new Set(), ended: new Set(standing.map((held) => held.probe_id)) }
}

/** After a change of the number of vantages two may round to one position: the first keeps it. */
function distinctPositions<T extends { position: number }>(holders: T[]): T[] {
  return holders.filter((holder, index) => holders.findIndex((other) => other.position === holder.position) === index)
}
