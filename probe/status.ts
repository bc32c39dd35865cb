/** How the probe is, for its state page and its metrics. */
import type { Runtime } from '../common/runtime.ts'
import type { Coordination } from './coordination.ts'
import type { Identity } from './identity.ts'
import type { Inbox } from './inbox.ts'
import type { Machinery } from './machinery.ts'
import type { Figures, Status } from './status-server.ts'

type Parts = {
  identity: Pick<Identity, 'certificateEndsMs'>
  coordination: Coordination
  machinery: Machinery
  inbox: Inbox
  runtime: Runtime
}

export function readStatus({ identity, coordination, machinery, inbox, runtime }: Parts): Status {
  const nowMs = runtime.wallMs()
  const orders = coordination.orders.current()
  const ordersHold = orders.validUntilMs > nowMs
  const { ok, detail } = inbox.state()
  const trouble = coordination.trouble()
  const reasons = [
    trouble === undefined ? undefined : `the coordinator: ${trouble}`,
    ok ? undefined : `the inbox: ${detail}`,
    ordersHold ? undefined : 'no standing orders: the probe waits for its coordinator',
    identity.certificateEndsMs() > nowMs ? undefined : 'the probe certificate has ended: responders will not trust our clock',
  ].filter((reason) => reason !== undefined)
  const figures: Figures = {
    link_open: { value: Number(coordination.isConnected()), help: '1 while a session with a coordinator is open' },
    inbox_ok: { value: Number(ok), help: '1 while returned mail can arrive' },
    orders_version: { value: coordination.ordersVersion(), help: 'Version of the standing orders that are followed' },
    orders_left_seconds: {
      value: (orders.validUntilMs - nowMs) / 1000,
      help: 'Until the standing orders end; negative once they have',
    },
    assignments: { value: orders.assignments.length, help: 'Assignments in the standing orders' },
    certificate_left_seconds: { value: (identity.certificateEndsMs() - nowMs) / 1000, help: 'Until the probe certificate ends' },
    spool_records: { value: coordination.spool.depth(), help: 'Records that no coordinator has acknowledged' },
    spool_dropped_total: {
      value: coordination.spool.dropped(),
      help: 'Records lost because the spool was full, since the start',
    },
    ...ofReports(coordination),
    ...ofTests(machinery),
    ...ofInbox(inbox),
  }
  return { reasons, figures }
}

function ofReports(coordination: Coordination): Figures {
  const { batches, acknowledged, refused, malformed } = coordination.counts()
  return {
    batches_total: { value: batches, help: 'Batches sent since the start' },
    records_acknowledged_total: { value: acknowledged, help: 'Records that the coordinator made durable' },
    records_refused_total: { value: refused, help: 'Records that the coordinator refused' },
    records_malformed_total: { value: malformed, help: 'Records that could not be sent' },
  }
}

function ofTests(machinery: Machinery): Figures {
  const { tests_running: running, clock_offset_ms: offsetMs } = machinery.health()
  const { started, refused, missedSlots, lateSlots } = machinery.counts()
  return {
    tests_running: { value: running, help: 'Tests under way' },
    tests_started_total: { value: started, help: 'Tests started since the start' },
    tests_refused_total: { value: refused, help: 'Tests that were not run' },
    slots_missed_total: { value: missedSlots, help: 'Slots that no test ran for' },
    slots_late_total: { value: lateSlots, help: 'Slots that started later than the budget of the detection bound holds' },
    clock_offset_ms: { value: offsetMs ?? undefined, help: 'What the wall clock lacks, by NTP' },
  }
}

function ofInbox(inbox: Inbox): Figures {
  return Object.fromEntries(
    Object.entries(inbox.counters()).map(([name, value]) => [
      `inbox_${name}_total`,
      { value, help: `Inbox: ${name.replaceAll('_', ' ')}` },
    ]),
  )
}
