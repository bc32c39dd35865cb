/**
 * Judging one monitor, in one transaction:
 *
 *   claim and lock ─► read all votes ─► core decides ─► incident, jobs and pages ─► commit
 */
import { jobStartMsMax } from '../../common/limits.ts'
import { uuidv7 } from '../../common/runtime.ts'
import type { Effect, Judgement, VoteView } from '../core/evidence.ts'
import { isQuiet, judge } from '../core/judgement.ts'
import { isConnectionFault, isLostRace } from '../store/faults.ts'
import type { ClaimedMonitor } from '../store/judging.ts'
import type { FlowContext } from './context.ts'
import { confirmOpenIncident, endSeries, noteReturn, openIncident, recordPastIncident, resolveOpenIncident } from './incident.ts'
import { noteLateReturns } from './late-returns.ts'
import type { Transaction } from './store.ts'

/** A monitor whose judgement failed is left alone for so long, so that the others are not kept waiting. */
const pauseAfterFaultMs = 60_000

/** Judges the monitor that has been due the longest; false where none is due. */
export async function judgeNext(context: FlowContext): Promise<boolean> {
  const { store } = context
  let claimed: ClaimedMonitor | null = null
  try {
    return await store.transaction(async (tx) => {
      claimed = await tx.claimDueMonitor()
      if (claimed === null) return false
      await judgeMonitor(context, tx, claimed)
      return true
    })
  } catch (error) {
    const monitor: ClaimedMonitor | null = claimed
    // Where the database went away, or another transaction was faster, nothing is wrong with this monitor: it is due still.
    const itsOwn = !isConnectionFault(error) && !isLostRace(error)
    if (monitor !== null && itsOwn) await store.transaction((tx) => tx.postponeJudgement(monitor, pauseAfterFaultMs))
    throw error
  }
}

export async function judgeMonitor(context: FlowContext, tx: Transaction, monitor: ClaimedMonitor): Promise<Judgement> {
  const evidence = await tx.loadEvidence(monitor)
  const judgement = judge(monitor.state, monitor.rules, evidence, monitor.now_ms)
  const incidentId = await carryOut(context, tx, monitor, judgement)
  await noteReturn(context, tx, monitor, incidentId, judgement.state)
  if (monitor.returned_late && incidentId !== null) await noteLateReturns(context, tx, monitor, incidentId)
  await tx.saveJudgement(monitor, {
    state: judgement.state,
    incidentId,
    quiet: isQuiet(judgement.state),
    awaitingProof: judgement.votes.filter((vote) => vote.reason === 'awaiting_proof').map((vote) => vote.probe_id),
    judgeAtMs: judgement.wake_ms,
  })
  if (judgement.state.decision !== monitor.state.decision) {
    context.logger.info(
      {
        monitor: monitor.monitor_id,
        from: monitor.state.decision,
        to: judgement.state.decision,
        reason: judgement.state.reason,
        votes: decidingVotes(judgement),
      },
      'decision',
    )
    await tx.announce('live', { kind: 'monitor', customer_id: monitor.customer_id, id: monitor.monitor_id })
  }
  return judgement
}

/** The votes that an incident was opened or ended by; the judgement goes on from there, and has none at first of its next question. */
const decidingVotes = ({ effects, votes }: Judgement): VoteView[] =>
  effects.flatMap((effect) => ('votes' in effect && effect.votes.length > 0 ? [effect.votes] : [])).at(-1) ?? votes

/** Carries the effects out in order; returns the incident that is open then. */
async function carryOut(
  context: FlowContext,
  tx: Transaction,
  monitor: ClaimedMonitor,
  judgement: Judgement,
): Promise<string | null> {
  let incidentId = monitor.incident_id
  for (const effect of judgement.effects) {
    switch (effect.kind) {
      case 'ask': {
        const id = uuidv7(context.runtime)
        const { customer_id, monitor_id } = monitor
        await tx.insertJob({
          id,
          customer_id,
          monitor_id,
          probe_id: effect.probe_id,
          cause: effect.cause,
          expires_in_ms: jobStartMsMax,
        })
        await tx.announce('probe', { probe_id: effect.probe_id })
        break
      }
      case 'open_incident':
        incidentId = await openIncident(context, tx, monitor, effect)
        break
      case 'confirm_incident':
        if (incidentId !== null) await confirmOpenIncident(context, tx, monitor, incidentId, effect)
        break
      case 'series_over':
        if (incidentId !== null) await endSeries(tx, monitor, incidentId)
        break
      case 'resolve_incident':
        if (incidentId !== null) await resolveOpenIncident(context, tx, monitor, incidentId, effect)
        incidentId = null
        break
      case 'past_incident':
        await recordPastIncident(context, tx, monitor, effect)
        break
      case 'sender_blocked':
        await tellBlocked(context, tx, monitor, effect)
        break
      case 'block_ended': {
        const { customer_id, monitor_id } = monitor
        context.logger.info({ monitor: monitor_id, probe: effect.probe_id }, 'the address of the probe is not refused any more')
        await tx.announce('live', { kind: 'monitor', customer_id, id: monitor_id })
      }
    }
  }
  return incidentId
}

/** To the operator in the log, to both by the notice of the monitor: nobody is woken, and somebody has to let the probe through. */
async function tellBlocked(
  { logger }: FlowContext,
  tx: Transaction,
  { customer_id, monitor_id }: ClaimedMonitor,
  { probe_id, test_id }: Extract<Effect, { kind: 'sender_blocked' }>,
): Promise<void> {
  const detail = (await tx.readTestEvidence(customer_id, [test_id])).get(test_id)?.detail
  const said = { server: detail?.mx, words: detail?.dsn_words ?? detail?.server_words }
  logger.warn({ monitor: monitor_id, probe: probe_id, ...said }, 'a mail server refuses the address of the probe by policy')
  await tx.announce('live', { kind: 'monitor', customer_id, id: monitor_id })
}
