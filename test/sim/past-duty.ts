/**
 * Whether an outage that was over before anybody heard of it is told of. It is due where as many witnesses as a quorum had each truly lost,
 * in that outage, a mail and what confirms it, while nobody was there to hear, and all of that arrived afterwards. Judged by when the tests
 * truly began and arrived and by what truly became of their mails, and by none of the product's rules.
 */
import { minuteMs, secondMs } from '../../common/durations.ts'
import type { KnownTest } from './known-tests.ts'
import type { Loss } from './mail.ts'
import { type OutageAccount, type Span, witnessCount } from './oracle.ts'
import type { Page } from './pages.ts'
import type { Trouble, WorldSetting } from './setting.ts'

/**
 * Why nothing is asked of an outage here. `seen`: the bound holds for it · `heard_meanwhile`: not all of it came afterwards · `too_little`:
 * no quorum lost what confirms it · `replaced`: by vantages that have lost their places since · `own_side`: by probes that were ill
 * themselves · `other_failures`: mail was lost besides, which shifts the question · `too_many_tests`: a judgement reads 60 of a vantage
 * at most · `disturbed`: more trouble came before it could be judged · `cut_short`: the history ends before that.
 */
export const unasked = [
  'seen',
  'heard_meanwhile',
  'too_little',
  'replaced',
  'own_side',
  'other_failures',
  'too_many_tests',
  'disturbed',
  'cut_short',
] as const
export type Unasked = (typeof unasked)[number]

export type PastCounts = {
  due: number
  missed: number
  /** Due, and nobody was woken because the hour had its notices. */
  withheld: number
  unasked: Record<Unasked, number>
}

export type PastViolation = { kind: 'past_missed'; atMs: number; what: string }

export type PastHistory = {
  setting: WorldSetting
  troubles: readonly Trouble[]
  outages: readonly OutageAccount[]
  pages: readonly Page[]
  /** Of outages that are told of in the log alone. */
  withheld: readonly Span[]
  tests: readonly KnownTest[]
  losses: ReadonlyMap<string, Loss>
  /** Who holds the monitor at the end, and since when. */
  holders: readonly { probeId: string; assignedMs: number }[]
  endMs: number
}

export const emptyPastCounts = (): PastCounts => ({
  due: 0,
  missed: 0,
  withheld: 0,
  unasked: {
    ...{ seen: 0, heard_meanwhile: 0, too_little: 0, replaced: 0, own_side: 0 },
    ...{ other_failures: 0, too_many_tests: 0, disturbed: 0, cut_short: 0 },
  },
})

export function addPastCounts(into: PastCounts, counts: PastCounts): void {
  for (const name of ['due', 'missed', 'withheld'] as const) into[name] += counts[name]
  for (const why of unasked) into.unasked[why] += counts.unasked[why]
}

export function judgePastOutages(history: PastHistory): { counts: PastCounts; violations: PastViolation[] } {
  const counts = emptyPastCounts()
  const violations: PastViolation[] = []
  for (const outage of history.outages) {
    const asked = dueOf(history, outage)
    if (typeof asked === 'string') {
      counts.unasked[asked] += 1
      continue
    }
    counts.due += 1
    if (history.pages.some((page) => covers(page, outage, asked))) continue
    if (history.withheld.some((span) => overlap(span, outage))) counts.withheld += 1
    else {
      counts.missed += 1
      violations.push({ kind: 'past_missed', atMs: outage.fromMs, what: missing(outage, asked) })
    }
  }
  return { counts, violations }
}

const missing = ({ fromMs, toMs }: Span, { decidedMs, byMs }: Due): string =>
  `an outage of ${Math.round((toMs - fromMs) / 1000)} s that a quorum had lost mail in by ${new Date(decidedMs).toISOString()} ` +
  `was not told of by ${new Date(byMs).toISOString()}`

/** A quorum had what shows it at `decidedMs`, and by `byMs` it must have been told of. */
type Due = { decidedMs: number; arrivedMs: number; byMs: number }

/** The times of pages are those of the probes' clocks, as far as they are known. */
const slackMs = 10 * secondMs
const overlap = (a: Span, b: Span): boolean => a.fromMs < b.toMs + slackMs && a.toMs > b.fromMs - slackMs

function covers(page: Page, outage: Span, { byMs }: Due): boolean {
  if (page.kind === 'unconfirmed' || page.atMs > byMs || page.atMs < outage.fromMs) return false
  const toMs = page.kind === 'past' ? (page.endedMs ?? page.atMs) : (page.resolvedMs ?? Number.POSITIVE_INFINITY)
  return overlap({ fromMs: page.sinceMs, toMs }, outage)
}

const lost = ['timeout', 'echo', 'bounced', 'refused', 'deferred', 'unreachable', 'tls', 'dns', 'auth']
const returned = ['ok', 'slow']
/** Fewer than a judgement reads of a vantage, by what it is asked for meanwhile. */
const testsMax = 58
/** Whatever has arrived is judged by then. */
const judgedMs = 10 * secondMs
/** What is told so long after its end is news of the past. */
const lateMs = 70 * secondMs

function dueOf(history: PastHistory, outage: OutageAccount): Due | Unasked {
  const { setting, tests, losses, troubles, endMs } = history
  if (outage.must !== null) return 'seen'
  const failed = tests.filter(({ outcome }) => lost.includes(outcome))
  const met = failed.filter(({ id }) => {
    const loss = losses.get(id)
    return loss?.why === 'mail' && loss.atMs >= outage.fromMs && loss.atMs <= outage.toMs
  })
  const heardMs = Math.min(...met.map(({ toldMs }) => toldMs))
  const isWell = (test: KnownTest) => !troubles.some((trouble) => isIllOf(trouble, test))
  if (shown(history, met, () => true) === null) return 'too_little'
  if (shown(history, met, (test) => isSeated(history, test)) === null) return 'replaced'
  const due = shown(history, met, (test) => isSeated(history, test) && isWell(test))
  if (due === null) return 'own_side'
  const { first, decidedMs } = due
  if (heardMs < Math.max(outage.toMs, decidedMs + lateMs)) return 'heard_meanwhile'
  const arrivedMs = Math.max(...met.filter(({ endedMs }) => endedMs <= decidedMs).map(({ toldMs }) => toldMs))
  const shifts = (test: KnownTest) => test.beganMs < outage.toMs && !met.includes(test) && !isPassedAgain(tests, test, first)
  if (failed.some(shifts)) return 'other_failures'
  const readMs = arrivedMs + 5 * minuteMs
  const counted = Map.groupBy(
    tests.filter(({ beganMs, toldMs }) => beganMs >= first.beganMs && toldMs <= readMs),
    ({ probeId }) => probeId,
  )
  if ([...counted.values()].some(({ length }) => length > testsMax)) return 'too_many_tests'
  if (troubles.some((trouble) => disturbs(trouble, heardMs))) return 'disturbed'
  const restMs = Math.max(arrivedMs, ...troubles.filter(isCut).map(({ toMs }) => toMs))
  if (endMs < restMs + judgedMs) return 'cut_short'
  return { decidedMs, arrivedMs, byMs: restMs + 30 * minuteMs + 2 * setting.rules.period_s * 1000 }
}

/** Its probe had a mail back between that failure and the first of the outage. */
const isPassedAgain = (tests: readonly KnownTest[], failure: KnownTest, first: KnownTest): boolean =>
  tests.some(
    ({ probeId, outcome, beganMs, endedMs }) =>
      probeId === failure.probeId && returned.includes(outcome) && beganMs >= failure.endedMs && endedMs <= first.beganMs,
  )

const isCut = (trouble: Trouble): boolean =>
  trouble.kind === 'coordinator' || (trouble.kind === 'link' && trouble.direction === 'both')

/** Other than the silence that there had been until then, which may end for one probe after the other. */
const disturbs = (trouble: Trouble, heardMs: number): boolean =>
  trouble.toMs > heardMs &&
  trouble.kind !== 'responder_clock' &&
  trouble.kind !== 'responder_state' &&
  !(isCut(trouble) && trouble.fromMs < heardMs)

/** Its probe was not itself while the test ran, just before, or while it could prove its health. */
const isIllOf = (trouble: Trouble, { probeId, beganMs, endedMs }: KnownTest): boolean =>
  overlap(trouble, { fromMs: beganMs - minuteMs, toMs: endedMs + 2 * minuteMs }) &&
  (trouble.kind === 'references' ||
    trouble.kind === 'blocked' ||
    ('probe' in trouble && trouble.probe === probeId && !isCut(trouble) && trouble.kind !== 'glitch'))

/** It has held its place since before the first trouble. */
const isSeated = ({ holders, troubles }: PastHistory, { probeId: id }: KnownTest): boolean =>
  holders.some(({ probeId, assignedMs }) => probeId === id && assignedMs < Math.min(...troubles.map(({ fromMs }) => fromMs)))

/**
 * The first moment by which as many witnesses as a quorum had lost what shows an outage, by those tests that count; null: there is none. What
 * confirms a failure does so while that is no older than a vote may be. It holds whichever failure opened the question: one that does not count may have.
 */
function shown(
  { setting, tests }: PastHistory,
  met: readonly KnownTest[],
  counts: (test: KnownTest) => boolean,
): { first: KnownTest; decidedMs: number } | null {
  const { rules } = setting
  const counted = met.filter(counts).sort((a, b) => a.endedMs - b.endedMs)
  const first = counted[0]
  if (first === undefined) return null
  const openers = met.filter(({ endedMs }) => endedMs <= first.endedMs)
  const sinceMs = Math.max(...openers.map(({ beganMs }) => beganMs))
  const isSeed = rules.vantages === 1 || rules.mode === 'seed'
  const moment = counted.find(({ endedMs: decidedMs }) => {
    const known = tests.filter(({ beganMs, endedMs }) => beganMs >= sinceMs && endedMs <= decidedMs)
    if (known.some(({ outcome }) => returned.includes(outcome))) return false
    const freshMs = decidedMs - (rules.period_s + rules.timeout_s) * 1000
    const failing = latestOf(known, freshMs).filter((test) => counted.includes(test))
    const confirms = (test: KnownTest) => known.includes(test) && counted.includes(test)
    const isConfirmed = ({ probeId, beganMs }: KnownTest) => {
      const own = met.filter((test) => test.probeId === probeId && test.beganMs >= beganMs && test.endedMs >= freshMs)
      return own.some(({ endedMs }) => own.some((test) => test.beganMs >= endedMs && confirms(test)))
    }
    const lasted = failing.some(
      ({ outcome, beganMs }) => outcome === 'timeout' || beganMs >= sinceMs + rules.hard_confirm_s * 1000 + slackMs,
    )
    const domains = setting.probes.filter(({ id }) => failing.some(({ probeId }) => probeId === id)).map(({ domain }) => domain)
    return lasted && witnessCount(domains) >= rules.quorum && (!isSeed || openers.every(isConfirmed))
  })
  return moment === undefined ? null : { first, decidedMs: moment.endedMs }
}

/** Of each probe the newest, where that is not older than `sinceMs`. */
const latestOf = (tests: readonly KnownTest[], sinceMs: number): KnownTest[] =>
  [...Map.groupBy(tests, ({ probeId }) => probeId).values()]
    .map((own) => own.reduce((newest, test) => (test.beganMs > newest.beganMs ? test : newest)))
    .filter(({ endedMs }) => endedMs >= sinceMs)
