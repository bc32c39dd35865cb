/** The fleet as a whole: pages wait a little where many mail systems fail at once, and probes that fail widely are found out. */
import { isoTime } from '../../common/durations.ts'
import { contradictionWindowMs, countContradicted } from '../core/contradiction.ts'
import { type Fleet, fleetWindowMs, guardFleet } from '../core/fleet-guard.ts'
import { fleetText } from '../core/sms-text.ts'
import { failsWidely } from '../core/verdict.ts'
import { countWatchedDomains, loadFailures, saveContradictions } from '../store/fleet.ts'
import type { IncidentRow } from '../store/incident-log.ts'
import type { DatabaseContext, FlowContext } from './context.ts'
import { logIncidentEvent, pageOperator } from './page.ts'
import type { Transaction } from './store.ts'

/** Due every few seconds: a probe that begins to fail for many must be known before its votes decide. */
export async function reviewFleet({ database, logger }: DatabaseContext): Promise<void> {
  const { system } = database
  await countWatchedDomains(system)
  const contradicted = countContradicted(await loadFailures(system, contradictionWindowMs))
  for (const probe of await saveContradictions(system, contradicted)) {
    const what = { probe: probe.id, name: probe.name, contradicted: probe.contradicted, monitors: probe.monitors_held }
    if (failsWidely(probe)) logger.error(what, 'a probe fails for mail that returns elsewhere: it has no vote')
    else logger.info(what, 'how many mail systems fail for this probe alone')
  }
}

/** Many mail systems at once: pages wait until then, and the operator is told as it begins; null where nothing holds them. */
export async function guardedUntil(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  nowMs: number,
): Promise<number | null> {
  const { guard, fleet } = await tx.lockFleet(fleetWindowMs)
  const { guard: next, holdUntilMs, begins } = guardFleet(guard, fleet, nowMs)
  if (next.since_ms !== guard.since_ms || next.seen_ms !== guard.seen_ms) await tx.saveFleetGuard(next)
  if (begins && holdUntilMs !== null) await tellOfFleet(context, tx, incident, fleet, holdUntilMs, nowMs)
  if (holdUntilMs !== null)
    await logIncidentEvent(context, tx, incident, nowMs, 'page_held_by_fleet_guard', { until: isoTime(holdUntilMs), ...fleet })
  return holdUntilMs
}

async function tellOfFleet(
  context: FlowContext,
  tx: Transaction,
  incident: IncidentRow,
  fleet: Fleet,
  untilMs: number,
  nowMs: number,
): Promise<void> {
  context.logger.error({ ...fleet, until: isoTime(untilMs) }, 'many mail systems fail at once: their pages wait')
  await pageOperator(context, tx, incident, nowMs, { kind: 'fleet', text: fleetText(fleet, untilMs, incident.code) })
}
