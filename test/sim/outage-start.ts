/**
 * Whether an incident says rightly when its outage began: after the last good test was sent, and before the first failing one was. Judged
 * by when these tests truly began and what truly became of their mails, and by none of the product's rules.
 */
import { hourMs } from '../../common/durations.ts'
import type { KnownTest } from './known-tests.ts'
import type { Loss } from './mail.ts'
import { type Span, totalOutages } from './oracle.ts'
import type { Page } from './pages.ts'
import type { ProbeSetting, Trouble, WorldSetting } from './setting.ts'

/** Why the first failing test of an incident failed, where the outage had not begun and had no part in it. */
export const precedents = ['region', 'brownout', 'chance', 'greylist', 'own_side'] as const
export type Precedent = (typeof precedents)[number]

export type StartCounts = {
  /** Starts that were judged, whatever became of them. */
  checked: number
  /** Of these: the first failing test was sent just before, and its mail was on its way as the outage began. */
  in_flight: number
  /** The last good test was sent in an outage so short that its mail was back in time all the same. */
  survived: number
  /** The first failing test was lost for another reason, and was still under discussion as the outage began. */
  preceded: Record<Precedent, number>
  /** No good test before it is known, so that the interval has no beginning. */
  without_good: number
  /** The interval could have been shorter, by a good or a failing test that had been told of. */
  wider: { good: number; failing: number }
  /** A probe that does not know its clock told of one of the two tests, and its time is off by more than a way may take. */
  unknown_clock: number
}

export type StartViolation = { kind: 'wrong_start'; atMs: number; what: string }

export type StartHistory = {
  setting: WorldSetting
  troubles: readonly Trouble[]
  pages: readonly Page[]
  tests: readonly KnownTest[]
  losses: ReadonlyMap<string, Loss>
}

export const emptyStartCounts = (): StartCounts => ({
  checked: 0,
  in_flight: 0,
  survived: 0,
  preceded: { region: 0, brownout: 0, chance: 0, greylist: 0, own_side: 0 },
  without_good: 0,
  wider: { good: 0, failing: 0 },
  unknown_clock: 0,
})

export function addStartCounts(into: StartCounts, counts: StartCounts): void {
  for (const name of ['checked', 'in_flight', 'survived', 'without_good', 'unknown_clock'] as const) into[name] += counts[name]
  for (const why of precedents) into.preceded[why] += counts.preceded[why]
  into.wider.good += counts.wider.good
  into.wider.failing += counts.wider.failing
}

const lost = ['timeout', 'echo', 'bounced', 'refused', 'deferred', 'unreachable', 'tls', 'dns', 'auth']
const returned = ['ok', 'slow']

export function judgeStarts(history: StartHistory): { counts: StartCounts; violations: StartViolation[] } {
  const counts = emptyStartCounts()
  const outages = totalOutages(history.troubles)
  const violations = history.pages
    .filter(({ kind }) => kind !== 'unconfirmed')
    .flatMap((page) => startFaults(history, outages, page, counts).map((what) => violation(page, what)))
  return { counts, violations }
}

const violation = ({ atMs, sinceMs }: Page, what: string): StartViolation => ({
  kind: 'wrong_start',
  atMs,
  what: `since ${new Date(sinceMs).toISOString()}: ${what}`,
})

/** What is wrong with the start that this page tells of; nothing where no outage is behind it. */
function startFaults(history: StartHistory, outages: readonly Span[], page: Page, counts: StartCounts): string[] {
  const known = history.tests.filter(({ toldMs }) => toldMs <= page.atMs)
  const failing = known.find(({ startedMs, outcome }) => startedMs === page.sinceMs && lost.includes(outcome))
  if (failing === undefined) return ['no failing test that is known began then']
  const loss = history.losses.get(failing.id)
  const outage = outageBehind(outages, failing, loss, page)
  if (outage === undefined) return []
  counts.checked += 1
  const goodMs = page.lastGoodMs
  // One that was sent after the failing one, or with it, says nothing of the beginning, and must not be kept as if it did.
  const isIt = ({ startedMs, outcome }: KnownTest) =>
    startedMs === goodMs && startedMs < page.sinceMs && returned.includes(outcome)
  const good = known.find(isIt)
  if (goodMs === null) counts.without_good += 1
  else if (good === undefined) return ['no good test that is known began at its earliest']
  countWidth(known, good, failing, outage, history, counts)
  const named = good === undefined ? [failing] : [good, failing]
  return [...named.flatMap((test) => clockFaults(history, test, counts)), ...orderFaults(history, outage, good, failing, counts)]
}

/** The outage that the mail met; where it met none, the one in which the test ran, or that began while the page was under discussion. */
function outageBehind(outages: readonly Span[], failing: KnownTest, loss: Loss | undefined, page: Page): Span | undefined {
  const at = (ms: number) => outages.find(({ fromMs, toMs }) => fromMs <= ms && ms <= toMs)
  const met = loss?.why === 'mail' ? at(loss.atMs) : undefined
  return met ?? at(failing.beganMs) ?? outages.find(({ fromMs }) => fromMs > failing.beganMs && fromMs <= page.atMs)
}

/** The outage began between the two tests, by true time. */
function orderFaults(
  { setting, losses, troubles }: StartHistory,
  outage: Span,
  good: KnownTest | undefined,
  failing: KnownTest,
  counts: StartCounts,
): string[] {
  const timeoutMs = setting.rules.timeout_s * 1000
  const loss = losses.get(failing.id)
  if (failing.beganMs < outage.fromMs) {
    const earlyMs = Math.round(outage.fromMs - failing.beganMs)
    const metIt = loss?.why === 'mail' && loss.atMs >= outage.fromMs && loss.atMs <= outage.toMs
    if (metIt && earlyMs <= timeoutMs) counts.in_flight += 1
    else if (metIt) return [`the first failing test began ${earlyMs} ms before the outage, longer than a mail is waited for`]
    else {
      const why = precedentOf(loss)
      if (why === 'own_side' && !isIll(troubles, failing, timeoutMs)) return ['the first failing test was lost for no reason']
      counts.preceded[why] += 1
    }
    return []
  }
  if (good === undefined || good.beganMs <= outage.fromMs) return []
  if (outage.toMs > good.beganMs + timeoutMs)
    return [`the last good test began ${Math.round(good.beganMs - outage.fromMs)} ms after the outage, which outlasted it`]
  counts.survived += 1
  return []
}

const precedentOf = (loss: Loss | undefined): Precedent =>
  loss === undefined ? 'own_side' : loss.why === 'mail' ? 'region' : loss.why

/** Something of the probe's own was out of order while the test ran. */
const isIll = (troubles: readonly Trouble[], { probeId, beganMs }: KnownTest, timeoutMs: number): boolean =>
  troubles.some(
    (trouble) =>
      ['crash', 'uplink', 'inbox'].includes(trouble.kind) &&
      'probe' in trouble &&
      trouble.probe === probeId &&
      trouble.fromMs <= beganMs + timeoutMs &&
      trouble.toMs > beganMs,
  )

/** The time of a test is right within what the clock of its probe is known to be off by. */
function clockFaults({ setting }: StartHistory, test: KnownTest, counts: StartCounts): string[] {
  const probe = setting.probes.find(({ id }) => id === test.probeId)
  const offMs = test.startedMs - test.beganMs
  const bound = probe === undefined ? 0 : clockErrorMs(probe)
  if (bound === null) {
    if (Math.abs(offMs) > unknownClockMs) counts.unknown_clock += 1
    return []
  }
  return Math.abs(offMs) <= bound
    ? []
    : [`${test.id} is dated ${Math.round(offMs)} ms off, and its clock ${Math.round(bound)} ms`]
}

/** A clock of which NTP says nothing is taken for right within the way of a batch, and the second in which that was sealed. */
const unknownClockMs = 6_000

/** What NTP is wrong by, what the clock drifts until it is asked again, and the milliseconds of a reading; null where NTP does not answer. */
const clockErrorMs = ({ clock: { driftPpm, readingErrorMs } }: ProbeSetting): number | null =>
  readingErrorMs === null ? null : Math.abs(readingErrorMs) + (2 * hourMs * Math.abs(driftPpm)) / 1e6 + 2

/** Other tests that had been told of lay within the interval. */
function countWidth(
  known: readonly KnownTest[],
  good: KnownTest | undefined,
  failing: KnownTest,
  outage: Span,
  { losses }: StartHistory,
  counts: StartCounts,
): void {
  const between = known.filter(
    ({ beganMs, id }) => beganMs > (good?.beganMs ?? 0) && beganMs < failing.beganMs && id !== good?.id && id !== failing.id,
  )
  if (between.some(({ outcome, beganMs }) => returned.includes(outcome) && beganMs < outage.fromMs)) counts.wider.good += 1
  const met = ({ id, outcome }: KnownTest): boolean => lost.includes(outcome) && losses.get(id)?.why === 'mail'
  if (between.some((test) => met(test) && test.beganMs >= outage.fromMs)) counts.wider.failing += 1
}
