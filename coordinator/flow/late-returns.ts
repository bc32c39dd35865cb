/**
 * A mail behind an open incident has come back late. That rewrites no verdict and ends nothing (DESIGN 3.3); it tells where the mail was
 * held, so the incident's log has a line for it and its cause says so. The SMS that was sent stays as it is.
 */
import { isoTime } from '../../common/durations.ts'
import { describeCause, leadingFailures } from '../core/cause.ts'
import { diagnose, type TestEvidence } from '../core/diagnosis.ts'
import type { ClaimedMonitor } from '../store/judging.ts'
import type { LateReturnRow } from '../store/late-returns.ts'
import { readEvidence } from './cause.ts'
import type { FlowContext } from './context.ts'
import { logIncidentEvent } from './page.ts'
import type { Transaction } from './store.ts'

/** Under the lock of the monitor's state, so that each late return has one line. */
export async function noteLateReturns(
  context: FlowContext,
  tx: Transaction,
  monitor: ClaimedMonitor,
  incidentId: string,
): Promise<void> {
  const { customer_id, now_ms, rules } = monitor
  const lates = await tx.listUnloggedReturns(customer_id, incidentId)
  const incident = lates.length === 0 ? null : await tx.readIncident(customer_id, incidentId)
  if (incident === null) return
  const evidence = await readEvidence(tx, monitor, incident.vantages)
  for (const late of lates) {
    const detail = describeReturn(late, evidence.get(late.test_id), rules.timeout_s)
    await logIncidentEvent(context, tx, incident, now_ms, 'returned_late', detail)
  }
  await tx.setIncidentCause(customer_id, incidentId, describeCause(leadingFailures(incident.vantages), evidence, rules.timeout_s))
  await tx.announce('live', { kind: 'incident', customer_id, id: incidentId })
}

/** `late_ms`: after its deadline. The stamp is by the clock of the responder; the legs are intervals, where they are known. */
function describeReturn(late: LateReturnRow, test: TestEvidence | undefined, timeoutS: number): Record<string, unknown> {
  const { test_id, probe_id, region, returned_at, rtt_ms, stamp_at } = late
  const legs = test?.late?.legs ?? null
  return {
    test_id,
    probe_id,
    region,
    returned_at: isoTime(returned_at),
    stamp_at: stamp_at === null ? null : isoTime(stamp_at),
    rtt_ms,
    late_ms: Math.max(0, rtt_ms - timeoutS * 1000),
    place: test === undefined ? null : (diagnose(test)?.place ?? null),
    outbound_ms: legs?.outbound_ms ?? null,
    return_ms: legs?.return_ms ?? null,
  }
}
