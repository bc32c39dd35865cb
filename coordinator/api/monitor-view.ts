/** A monitor as the API and the event stream show it. */
import { type Static, Type } from 'typebox'
import { isoTime } from '../../common/durations.ts'
import { outcomes, Target } from '../../common/wire/test.ts'
import { blockedNotice } from '../core/blocked.ts'
import { boundS, detectionBoundS, type StandingVantage, watchersNow } from '../core/detection-bound.ts'
import { type RouteStanding, routeNotice, standingOf } from '../core/routes.ts'
import { standingVerdict } from '../core/verdict.ts'
import type { BlockRow } from '../store/blocks.ts'
import type { MonitorRow, StandingTest } from '../store/monitors.ts'
import type { RouteRow } from '../store/routes.ts'
import { Id, Name, Num, oneOf, orNull, Seconds, Text, Time } from './schemas.ts'

export const decisions = ['pending', 'up', 'slow', 'suspected', 'partial', 'down', 'unconfirmed'] as const
export const verdicts = ['pass', 'slow', 'fail', 'abstain', 'no_data'] as const

/** What can be set, with the bounds that hold whatever the contract grants. */
export const monitorSettings = {
  name: Name,
  kind: oneOf('roundtrip'),
  target: Target,
  period_s: Seconds(1, 86_400),
  timeout_s: Seconds(2, 6 * 3600),
  slow_s: Seconds(1, 6 * 3600),
  retest_wait_s: Seconds(1, 3600),
  hard_confirm_s: Seconds(0, 3600),
  open_period_s: Seconds(1, 86_400),
  vantages: Type.Integer({ minimum: 1, maximum: 50 }),
  quorum: Type.Integer({ minimum: 1, maximum: 50 }),
  mode: oneOf('seed', 'fast', 'hedged'),
  accept_echo: Type.Boolean(),
  escalation_policy_id: Type.Union([Id, Type.Null()]),
}

export const Verdict = Type.Object({
  probe_id: Id,
  probe_name: Text,
  region: Text,
  verdict: oneOf(...verdicts),
  at: orNull(Time),
  reason: Text,
  rtt_ms: orNull(Num),
})

const NoticeOfMonitor = Type.Object({
  kind: oneOf('sender_blocked', 'route_failing'),
  probe_id: Id,
  region: Text,
  since: Time,
  text: Type.String({ description: 'What is seen, in the words of the mail server, and what to do' }),
})

const Route = Type.Object({
  mx: Type.String({ description: 'The mail server' }),
  family: oneOf('ipv4', 'ipv6'),
  standing: Type.Unsafe<RouteStanding>({
    ...oneOf('ok', 'failing', 'unknown'),
    description:
      '`failing`: the last two surveys lost mail there, or had it refused. `unknown`: no survey of the last hours says anything, because the probe has no such address family, is refused by policy or greylisted, or because there was none',
  }),
  failing_since: orNull(Time),
  tested_at: Time,
  passed_at: orNull(Time),
  outcome: Type.Union([oneOf(...outcomes), Type.Null()], { description: 'Of the newest test that says something' }),
  words: orNull(Text),
})

export const Monitor = Type.Object({
  id: Id,
  customer_id: Id,
  ...monitorSettings,
  escalation_policy_id: orNull(Id),
  generation: Type.Integer(),
  created_at: Time,
  decision: oneOf(...decisions),
  decision_reason: Text,
  decision_since: Time,
  incident_id: orNull(Id),
  maintenance: Type.Union([Type.Object({ id: Id, ends_at: Time }), Type.Null()], { description: 'Now: nobody is paged' }),
  verdicts: Type.Array(Verdict),
  notices: Type.Array(NoticeOfMonitor, {
    description:
      'No outage, and nobody is paged. `sender_blocked`: the mail server refuses the address of a probe by policy; ends when a test from there passes. `route_failing`: one of `routes` fails; ends when mail passes there',
  }),
  routes: Type.Array(Route, {
    description:
      'The ways to the target, each a mail server by an address family, where there are several. One vantage tests each of them every hour, without the fallback of a mail server; these tests never vote',
  }),
  detection_bound_s: Type.Number({
    description:
      'From the first second of an outage until a gateway has its SMS, at most, in seconds, while all vantages are well. A failure of many mail systems at once may hold the SMS for 180 s more',
  }),
  detection_bound_now_s: orNull(
    Type.Number({
      description:
        'The same with the vantages that are well at this moment: longer where some are away. null: nothing can be promised, because too few are well to make the quorum, or no mail has come back yet (decision `pending`)',
    }),
  ),
})
export type Monitor = Static<typeof Monitor>

export function showMonitor({
  standing,
  blocks,
  routes,
  now_ms,
  created_at,
  decision_since,
  decision,
  maintenance,
  ...row
}: MonitorRow): Monitor {
  const vantages = standing.map((vantage) => ({ ...vantage, ...standingVerdict(vantage.test, vantage, row, now_ms) }))
  return {
    ...row,
    maintenance: maintenance === null ? null : { id: maintenance.id, ends_at: isoTime(maintenance.ends_ms) },
    decision: decision as Monitor['decision'],
    created_at: isoTime(created_at),
    decision_since: isoTime(decision_since),
    verdicts: vantages.map(showVerdict),
    notices: [...blocks.map(blockNotice), ...failingRoutes(routes, now_ms, decision === 'up' || decision === 'slow')],
    routes: routes.map((route) => showRoute(route, now_ms)),
    detection_bound_s: detectionBoundS(row),
    // Before the first return nobody is paged.
    detection_bound_now_s: decision === 'pending' ? null : boundS(row, watchersNow(vantages.map(standingVantage))),
  }
}

const blockNotice = (block: BlockRow): Static<typeof NoticeOfMonitor> => ({
  kind: 'sender_blocked',
  probe_id: block.probe_id,
  region: block.region,
  since: isoTime(block.since_ms),
  text: blockedNotice(block),
})

/** `arrives`: tests that take whichever route works pass. */
function failingRoutes(routes: readonly RouteRow[], nowMs: number, arrives: boolean): Static<typeof NoticeOfMonitor>[] {
  return routes.flatMap((route) => {
    const { failing_since_ms: since_ms, probe_id, region, outcome } = route
    if (standingOf(route, nowMs) !== 'failing' || since_ms === null) return []
    if (probe_id === null || region === null || outcome === null) return []
    const text = routeNotice({ ...route, since_ms, region, outcome }, arrives)
    return [{ kind: 'route_failing' as const, probe_id, region, since: isoTime(since_ms), text }]
  })
}

function showRoute(route: RouteRow, nowMs: number): Static<typeof Route> {
  const { mx, family, tested_ms, passed_ms, failing_since_ms, outcome, words } = route
  const standing = standingOf(route, nowMs)
  return {
    mx,
    family,
    standing,
    failing_since: standing === 'failing' && failing_since_ms !== null ? isoTime(failing_since_ms) : null,
    tested_at: isoTime(tested_ms),
    passed_at: passed_ms === null ? null : isoTime(passed_ms),
    outcome,
    words,
  }
}

type JudgedVantage = StandingTest & ReturnType<typeof standingVerdict>

function showVerdict({ test, probe_id, probe_name, region, rtt_ms, verdict, reason }: JudgedVantage): Static<typeof Verdict> {
  return { probe_id, probe_name, region, verdict, at: test === null ? null : isoTime(test.finished_ms), reason, rtt_ms }
}

/** Slots start by the probe's own clock. Less than half a second is no matter: the budget holds it. */
function standingVantage({ phase_ms, clock_offset_ms, domain, lost, verdict }: JudgedVantage): StandingVantage {
  return { start_ms: phase_ms + Math.round((clock_offset_ms ?? 0) / 1000) * 1000, domain, lost, verdict }
}
