/**
 * How each route to a target stands: a mail server by an address family. Tests that vote fall back from one to the next as a mail server
 * does, so that a backup which refuses mail never shows in them; surveys test each by itself, and what they say wakes nobody and never votes
 * (DESIGN 3.3).
 */
import { dayMs, hourMs } from '../../common/durations.ts'
import type { MailRoute, Outcome } from '../../common/wire/test.ts'
import { shortTime } from './sms-text.ts'
import { isFailure, isPass, passMemoryMs } from './verdict.ts'

export type RouteFact = {
  id: string
  /** The survey. */
  job_id: string
  probe_id: string
  started_ms: number
  outcome: Outcome
}

/** What the tests of a route say. Times are those at which tests were sent. */
export type RouteRecord = {
  /** The newest test, whatever it said. */
  tested_ms: number
  /** The newest test that says something, and its id. */
  spoke_ms: number | null
  test_id: string | null
  /** The newest whose mail came back. */
  passed_ms: number | null
  /** The first of those that have failed since, where the last two surveys did. */
  failing_since_ms: number | null
}

export type RouteStanding = 'ok' | 'failing' | 'unknown'

/** One survey is an instant: a mail server that is being restarted has not failed. */
const surveysToFail = 2
/** The next surveys may be made by probes to which the route says nothing; after so long nobody knows any more. */
const staleMs = 6 * hourMs
/** A route that no survey has found for so long is no way to the target any more. */
export const routeGoneMs = dayMs

/**
 * From the tests since the last pass, that included, newest first. `passedOf`: when a probe's mail last passed over this route, which tells
 * a deferral from a first greylisting.
 */
export function recordOf(facts: readonly [RouteFact, ...RouteFact[]], passedOf: (probeId: string) => number | null): RouteRecord {
  const telling = facts.filter((fact, at) => saysSomething(fact, facts.slice(at + 1), passedOf(fact.probe_id)))
  const passAt = telling.findIndex(({ outcome }) => isPass(outcome))
  const failures = passAt < 0 ? telling : telling.slice(0, passAt)
  const surveys = new Set(failures.map(({ job_id }) => job_id)).size
  const [newest] = telling
  return {
    tested_ms: facts[0].started_ms,
    spoke_ms: newest?.started_ms ?? null,
    test_id: newest?.id ?? null,
    passed_ms: telling[passAt]?.started_ms ?? null,
    failing_since_ms: surveys >= surveysToFail ? (failures.at(-1)?.started_ms ?? null) : null,
  }
}

/**
 * Our address refused by policy, a test that could not run and a first greylisting speak of us. Who was deferred by an earlier survey too is
 * not greylisted for the first time: a Postfix that is no backup for the domain defers for ever (454, relay access denied). `before`: older.
 */
function saysSomething(
  { outcome, started_ms, probe_id, job_id }: RouteFact,
  before: readonly RouteFact[],
  passedMs: number | null,
): boolean {
  if (outcome !== 'deferred') return isPass(outcome) || isFailure(outcome)
  if (passedMs !== null && passedMs >= started_ms - passMemoryMs) return true
  return before.some((fact) => fact.outcome === 'deferred' && fact.probe_id === probe_id && fact.job_id !== job_id)
}

export function standingOf(
  { spoke_ms, passed_ms, failing_since_ms }: Omit<RouteRecord, 'tested_ms' | 'test_id'>,
  nowMs: number,
): RouteStanding {
  if (spoke_ms === null || nowMs - spoke_ms > staleMs) return 'unknown'
  if (failing_since_ms !== null) return 'failing'
  // A single failure takes nothing back from what has passed.
  return passed_ms === null ? 'unknown' : 'ok'
}

/** A failing route as it is told of; `words`: the mail server's own. */
export type SeenRoute = MailRoute & { since_ms: number; region: string; outcome: Outcome; words: string | null }

/** For a person at three in the morning. `arrives`: mail that may take any route does. */
export function routeNotice({ mx, family, since_ms, region, outcome, words }: SeenRoute, arrives: boolean): string {
  const said = words === null ? '' : `: ${words.replace(/[.\s]+$/, '')}`
  const rest = arrives ? '; mail still arrives by other routes' : ''
  const route = `${mx} over ${family === 'ipv6' ? 'IPv6' : 'IPv4'}`
  return `${route} ${deeds[outcome] ?? 'has not taken mail'} since ${shortTime(since_ms)}, last tried from ${region}${said}${rest}`
}

/** What a mail server does that takes mail all the same. */
const deeds: Partial<Record<Outcome, string>> = {
  timeout: 'has taken mail that did not come back',
  bounced: 'has taken mail and bounced it',
  echo: 'has taken mail that came back without a stamp',
}
