/** Mails that came back after their tests had ended, as an incident is concerned with them. */
import type { Sql } from './connection.ts'

export type LateReturnRow = {
  test_id: string
  probe_id: string
  region: string
  returned_at: number
  rtt_ms: number
  /** By the clock of the responder. */
  stamp_at: number | null
}

/** Those of the tests that stand behind the incident, each until its log has it. */
export function listUnloggedReturns(sql: Sql, customerId: string, incidentId: string): Promise<LateReturnRow[]> {
  return sql<LateReturnRow[]>`
    select late.test_id, late.probe_id, v.vote->>'region' as region, late.returned_at, late.rtt_ms, late.stamp_at
    from incidents i cross join lateral jsonb_array_elements(i.vantages) as v (vote)
    join late_returns late on late.customer_id = i.customer_id and late.test_id = (v.vote->>'test_id')::uuid
      and late.monitor_id = i.monitor_id and late.probe_id = (v.vote->>'probe_id')::uuid
    where i.customer_id = ${customerId} and i.id = ${incidentId} and not exists (
      select from incident_events e where e.customer_id = i.customer_id and e.incident_id = i.id and e.type = 'returned_late'
        and e.detail->>'test_id' = late.test_id::text)
    order by late.returned_at, late.test_id`
}
