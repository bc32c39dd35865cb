/** Rows as the API and the event stream show them: one schema and one function a resource. */
import { type Static, Type } from 'typebox'
import { isoTime } from '../../common/durations.ts'
import { Health, outcomes } from '../../common/wire/test.ts'
import { outageBounds } from '../core/availability.ts'
import { diagnose, places } from '../core/diagnosis.ts'
import type { VoteView } from '../core/evidence.ts'
import type { Legs } from '../core/legs.ts'
import { failsWidely } from '../core/verdict.ts'
import type { ReadIncident } from '../store/incidents.ts'
import type { PageRow } from '../store/pages.ts'
import type { ProbeRow } from '../store/probes.ts'
import type { ResultRow } from '../store/results.ts'
import { verdicts } from './monitor-view.ts'
import { Id, Num, oneOf, orNull, Text, Time } from './schemas.ts'

export const isoOrNull = (ms: number | null): string | null => (ms === null ? null : isoTime(ms))

const Outcome = oneOf(...outcomes)
const Place = Type.Union([oneOf(...places), Type.Null()], {
  description: 'Where the mail died; null: it did not, or nobody knows',
})

export const Result = Type.Object({
  id: Id,
  monitor_id: Id,
  probe_id: Id,
  region: Text,
  cause: Text,
  attempt: Type.Integer(),
  slot_at: orNull(Time),
  started_at: Time,
  sent_at: orNull(Time),
  returned_at: orNull(Time),
  outcome: Outcome,
  rtt_ms: orNull(Num),
  stages: Type.Array(Type.Object({ name: Text, ms: Num })),
  stamp_at: orNull(Time),
  clock_offset_ms: orNull(Num),
  late_returned_at: orNull(Time),
  place: Place,
  detail: Type.Record(Type.String(), Type.Unknown()),
})

/** `legs`: of a mail that came back late, where they are known. */
export const showResult = (row: ResultRow, legs: Legs | null): Static<typeof Result> => ({
  id: row.id,
  monitor_id: row.monitor_id,
  probe_id: row.probe_id,
  region: row.region,
  cause: row.cause,
  attempt: row.attempt,
  slot_at: isoOrNull(row.slot_at),
  started_at: isoTime(row.started_at),
  sent_at: isoOrNull(row.sent_at),
  returned_at: isoOrNull(row.returned_at),
  outcome: row.outcome,
  rtt_ms: row.rtt_ms,
  stages: row.stages,
  stamp_at: isoOrNull(row.stamp_at),
  clock_offset_ms: row.clock_offset_ms,
  late_returned_at: isoOrNull(row.late_returned_at),
  place: placeOf(row, legs),
  detail: row.detail,
})

function placeOf({ outcome, detail, late_rtt_ms }: ResultRow, legs: Legs | null): Static<typeof Place> {
  const late = late_rtt_ms === null ? null : { rtt_ms: late_rtt_ms, legs }
  return diagnose({ outcome, detail, late })?.place ?? null
}

const IncidentVantage = Type.Object({
  probe_id: Id,
  region: Text,
  verdict: oneOf(...verdicts),
  outcome: Type.Union([Outcome, Type.Null()]),
})

const Outage = Type.Object(
  {
    earliest_start_at: orNull(Time),
    latest_start_at: Time,
    earliest_end_at: orNull(Time),
    latest_end_at: orNull(Time),
  },
  {
    description:
      'It began after the last good test was sent and before the first failing one was, and ended between the last failing test and the first good one; null: not known, or not yet',
  },
)

export const Incident = Type.Object({
  id: Id,
  customer_id: Id,
  monitor_id: Id,
  monitor_name: Text,
  code: Text,
  kind: oneOf('down', 'unconfirmed'),
  since_at: Time,
  outage: Type.Union([Outage, Type.Null()], { description: 'null: unconfirmed' }),
  opened_at: Time,
  flapping: Type.Boolean({ description: 'Mail comes and goes: the incident stays open until it has returned steadily' }),
  acknowledged_at: orNull(Time),
  acknowledged_by: orNull(Text),
  resolved_at: orNull(Time),
  cause: Type.Object(
    { outcome: Text, place: Place, text: Text },
    { description: 'What is wrong, and where; found anew when a mail behind the incident comes back late' },
  ),
  vantages: Type.Array(IncidentVantage),
})

const verdictOfVote = { pass: 'pass', fail: 'fail', abstain: 'abstain', missing: 'no_data' } as const

const showVantage = ({ probe_id, region, vote, outcome }: VoteView) => ({
  probe_id,
  region,
  verdict: verdictOfVote[vote],
  outcome,
})

function showOutage({ kind, last_good_at, since_at, last_fail_at, first_pass_at, resolved_at }: ReadIncident) {
  if (kind !== 'down') return null
  const bounds = outageBounds({
    last_good_ms: last_good_at,
    since_ms: since_at,
    last_fail_ms: last_fail_at,
    first_pass_ms: first_pass_at,
    resolved_ms: resolved_at,
  })
  return {
    earliest_start_at: isoOrNull(bounds.earliest_start_ms),
    latest_start_at: isoTime(bounds.latest_start_ms),
    earliest_end_at: isoOrNull(bounds.earliest_end_ms),
    latest_end_at: isoOrNull(bounds.latest_end_ms),
  }
}

const withoutBounds = ({ last_good_at: _, last_fail_at: __, first_pass_at: ___, ...row }: ReadIncident) => row

export const showIncident = (row: ReadIncident): Static<typeof Incident> => ({
  ...withoutBounds(row),
  since_at: isoTime(row.since_at),
  outage: showOutage(row),
  opened_at: isoTime(row.opened_at),
  acknowledged_at: isoOrNull(row.acknowledged_at),
  resolved_at: isoOrNull(row.resolved_at),
  // Incidents of before the first release do not say where.
  cause: { ...row.cause, place: row.cause.place ?? null },
  vantages: row.vantages.map(showVantage),
})

export const Page = Type.Object({
  id: Id,
  customer_id: Id,
  incident_id: Id,
  kind: Text,
  step: Type.Integer(),
  round: Type.Integer(),
  contact_method_id: orNull(Id),
  address: Text,
  text: Text,
  state: oneOf('pending', 'sending', 'accepted', 'failed', 'cancelled'),
  due_at: Time,
  accepted_at: orNull(Time),
  gateway: orNull(Text),
  provider_id: orNull(Text),
  attempts: Type.Integer(),
  last_error: orNull(Text),
})

export const showPage = ({ recipient: _, ...row }: PageRow): Static<typeof Page> => ({
  ...row,
  due_at: isoTime(row.due_at),
  accepted_at: isoOrNull(row.accepted_at),
})

export const Probe = Type.Object({
  id: Id,
  name: Text,
  region: Text,
  asn: orNull(Type.Integer()),
  provider: orNull(Text),
  return_address: orNull(Text),
  state: oneOf('pending', 'connected', 'lost', 'retired'),
  health: Type.Union([Type.Object(Health.properties), Type.Null()]),
  clock_offset_ms: orNull(Type.Number({ description: 'What must be added to its clock: negative where that is ahead' })),
  fails_widely: Type.Boolean({
    description: 'It fails for many mail systems from which mail of other regions returns: its failures do not count',
  }),
  last_seen_at: orNull(Time),
  version: orNull(Text),
  created_at: Time,
})
export type Probe = Static<typeof Probe>

function stateOf(row: ProbeRow): Probe['state'] {
  if (row.retired_at !== null) return 'retired'
  if (row.enrolled_at === null) return 'pending'
  return row.connected ? 'connected' : 'lost'
}

export const showProbe = (row: ProbeRow): Probe => ({
  id: row.id,
  name: row.name,
  region: row.region,
  asn: row.asn,
  provider: row.provider,
  return_address: row.return_address,
  state: stateOf(row),
  health: row.health,
  clock_offset_ms: row.clock_offset_ms,
  fails_widely: failsWidely(row),
  last_seen_at: isoOrNull(row.last_seen_at),
  version: row.version,
  created_at: isoTime(row.created_at),
})
