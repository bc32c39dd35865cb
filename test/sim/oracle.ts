/**
 * What should have happened, from what was true in the world. It knows the promise of DESIGN 1 and none of the product's code: whether
 * an outage had to be told of and by when, and whether a page had a cause.
 */
import type { FailureDomain } from '../../coordinator/core/failure-domain.ts'
import type { Page } from './pages.ts'
import type { Trouble, WorldSetting } from './setting.ts'
import type { Watch } from './watch.ts'

/** From which moment the bound counts: the start of the outage, with all vantages or with fewer, or a later moment. */
export type CountedFrom = 'start' | 'start_fewer_vantages' | 'later'

export type OutageAccount = {
  fromMs: number
  toMs: number
  /** The premises held for long enough: it must be told of. */
  must: { countedFrom: CountedFrom; fromMs: number; boundMs: number } | null
  /** From that moment to the page; null where there is none. */
  detectionMs: number | null
}

export type Account = {
  outages: OutageAccount[]
  violations: {
    kind:
      | 'false_page'
      | 'coincidence'
      | 'in_brownout'
      | 'missed'
      | 'late'
      | 'duplicate_page'
      | 'no_quorum'
      | 'false_all_clear'
      | 'baseless_operator_page'
    atMs: number
    what: string
  }[]
}

/** Start jitter, decision, gateway and failover (DESIGN 1). */
const budgetMs = 30_000
/** Mails that were under way, and what is told late, may fail or pass so long after the instant. */
const marginMs = 120_000

export type Span = { fromMs: number; toMs: number }

export type History = {
  setting: WorldSetting
  troubles: readonly Trouble[]
  pages: readonly Page[]
  watches: readonly Watch[]
  /** Tests whose mail the mail world failed, and no probe's own side. */
  failedMails: ReadonlySet<string>
}

export function judgeHistory(history: History): Account {
  const { setting, troubles, pages, watches } = history
  const total = totalOutages(troubles)
  const outages = total.map((outage) => accountOf(setting, outage, pages, watches))
  const violations: Account['violations'] = []
  for (const { fromMs, toMs, must, detectionMs } of outages) {
    if (must === null) continue
    if (detectionMs === null) {
      const length = Math.round((toMs - fromMs) / 1000)
      violations.push({ kind: 'missed', atMs: fromMs, what: `an outage of ${length} s was never told of` })
    } else if (detectionMs > must.boundMs) {
      const what = `told of after ${Math.round(detectionMs / 1000)} s, bound ${Math.round(must.boundMs / 1000)} s, counted from: ${must.countedFrom}`
      violations.push({ kind: 'late', atMs: fromMs, what })
    }
  }
  return { outages, violations: [...violations, ...pageFaults(history, total)] }
}

/** When mail failed for everybody. */
export const totalOutages = (troubles: readonly Trouble[]): Span[] =>
  union(troubles.filter((trouble) => trouble.kind === 'mail' && trouble.regions === null))

/**
 * The bound for these vantages, in ms: DESIGN 1, with the gap between the starts of those that are healthy. Where the timeout is short,
 * what a hard failure must last is the longer wait.
 */
export function boundMs(setting: WorldSetting, healthy: Watch['healthy']): number {
  const { rules } = setting
  const periodMs = rules.period_s * 1000
  const starts = healthy.map(({ startsMs }) => startsMs).sort((a, b) => a - b)
  const gaps = starts.map((start, index) => (starts[index + 1] ?? (starts[0] ?? 0) + periodMs) - start)
  const gapMs = Math.max(...gaps)
  const [timeoutMs, slowMs, waitMs] = [rules.timeout_s * 1000, rules.slow_s * 1000, rules.retest_wait_s * 1000]
  const bySlotsMs = quorumBySlotsMs(setting, healthy)
  const mode = rules.vantages === 1 ? 'seed' : rules.mode
  const confirmMs = {
    seed: waitMs + timeoutMs,
    fast: Math.min(bySlotsMs, timeoutMs),
    hedged: Math.min(slowMs, bySlotsMs, timeoutMs),
  }[mode]
  return gapMs + Math.max(timeoutMs + confirmMs, rules.hard_confirm_s * 1000) + budgetMs
}

/** The longest that it takes, from a slot, until as many witnesses as the quorum needs have had theirs: (k - 1) g where all are one each. */
function quorumBySlotsMs({ rules, probes }: WorldSetting, healthy: Watch['healthy']): number {
  const periodMs = rules.period_s * 1000
  const inTurn = [...healthy].sort((a, b) => a.startsMs - b.startsMs)
  const domainsOf = (ids: string[]) => probes.filter(({ id }) => ids.includes(id)).map(({ domain }) => domain)
  const waits = inTurn.map((first, index) => {
    const round = [...inTurn.slice(index), ...inTurn.slice(0, index)]
    const needed = round.findIndex((_, last) => {
      const seen = domainsOf(round.slice(0, last + 1).map(({ probeId }) => probeId))
      return witnessCount(seen) >= rules.quorum
    })
    const last = round[needed]
    return last === undefined ? periodMs : (last.startsMs - first.startsMs + periodMs) % periodMs
  })
  return Math.max(...waits)
}

/** The number of witnesses among these: whoever shares region, network or return domain is one. */
export function witnessCount(domains: readonly FailureDomain[]): number {
  const groups: FailureDomain[][] = []
  for (const domain of domains) {
    const joined = groups.filter((group) =>
      group.some(
        (other) =>
          other.region === domain.region ||
          other.return_domain === domain.return_domain ||
          (other.asn !== null && other.asn === domain.asn),
      ),
    )
    for (const group of joined) groups.splice(groups.indexOf(group), 1)
    groups.push([domain, ...joined.flat()])
  }
  return groups.length
}

function accountOf(setting: WorldSetting, outage: Span, pages: readonly Page[], watches: readonly Watch[]): OutageAccount {
  const told = pages.find(
    (page) =>
      (page.kind === 'down' &&
        page.atMs < outage.toMs + marginMs &&
        (page.resolvedMs ?? Number.POSITIVE_INFINITY) > outage.fromMs) ||
      (page.kind === 'past' && page.atMs > outage.fromMs && page.sinceMs < outage.toMs),
  )
  const must = duty(setting, outage, watches)
  // At the flows level it counts when a gateway took the page, and not where none ever did.
  const toldMs = told?.toldMs === undefined ? told?.atMs : told.toldMs
  const detectionMs = toldMs === undefined || toldMs === null ? null : Math.max(0, toldMs - (must?.fromMs ?? outage.fromMs))
  return { ...outage, must, detectionMs }
}

/** The first moment of the outage from which on the premises held, unchanged, for the whole of their bound. */
function duty(setting: WorldSetting, outage: Span, watches: readonly Watch[]): OutageAccount['must'] {
  const { quorum, vantages } = setting.rules
  for (const [index, watch] of watches.entries()) {
    const fromMs = Math.max(watch.fromMs, outage.fromMs)
    const untilMs = Math.min(watches[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY, outage.toMs)
    if (untilMs <= fromMs || !watch.coordinating) continue
    const domains = watch.healthy.flatMap(({ probeId }) =>
      setting.probes.filter(({ id }) => id === probeId).map(({ domain }) => domain),
    )
    if (witnessCount(domains) < quorum) continue
    const bound = boundMs(setting, watch.healthy)
    if (untilMs - fromMs < bound) continue
    const countedFrom = fromMs > outage.fromMs ? 'later' : watch.healthy.length < vantages ? 'start_fewer_vantages' : 'start'
    return { countedFrom, fromMs, boundMs: bound }
  }
  return null
}

/** Pages without a cause, too many of them, too few witnesses, and an all-clear in the middle of an outage. */
function pageFaults({ setting, troubles, pages, failedMails }: History, total: readonly Span[]): Account['violations'] {
  const faults: Account['violations'] = []
  const blinded = troubles.some((trouble) => trouble.kind !== 'mail' && trouble.kind !== 'brownout')
  const blurred = union(
    troubles.filter(
      (trouble) => trouble.kind === 'brownout' || (trouble.kind === 'mail' && !coversQuorum(setting, trouble.regions, 'all')),
    ),
  )
  for (const page of pages) {
    const since = `since ${new Date(page.sinceMs).toISOString()}`
    if (page.kind === 'unconfirmed') {
      if (!blinded && blurred.length === 0)
        faults.push({ kind: 'baseless_operator_page', atMs: page.atMs, what: `all vantages were there, ${since}` })
      continue
    }
    const failing = page.votes.filter(({ vote }) => vote === 'fail').map(({ probe_id }) => probe_id)
    const domains = setting.probes.filter(({ id }) => failing.includes(id)).map(({ domain }) => domain)
    if (!hasCause(setting, troubles, page)) {
      const met = page.votes.filter(({ vote, test_id }) => vote === 'fail' && test_id !== null && failedMails.has(test_id))
      const metDomains = setting.probes
        .filter(({ id }) => met.some(({ probe_id }) => probe_id === id))
        .map(({ domain }) => domain)
      const metQuorum = witnessCount(metDomains) >= setting.rules.quorum
      const chance = near(setting, troubles, page).some(({ kind }) => kind === 'brownout') ? 'in_brownout' : 'coincidence'
      faults.push({ kind: metQuorum ? chance : 'false_page', atMs: page.atMs, what: `no outage, ${since}` })
    }
    if (witnessCount(domains) < setting.rules.quorum)
      faults.push({ kind: 'no_quorum', atMs: page.atMs, what: `only ${failing.join(', ')} failed` })
  }
  for (const outage of total) {
    const told = pages.filter((page) => page.kind === 'down' && page.atMs > outage.fromMs && page.atMs < outage.toMs)
    for (const page of told.slice(1))
      faults.push({ kind: 'duplicate_page', atMs: page.atMs, what: 'this outage had been told of' })
    for (const page of pages) {
      const { resolvedMs } = page
      const inMidst = resolvedMs !== null && resolvedMs > outage.fromMs + settledMs(setting) && resolvedMs < outage.toMs
      if (page.kind === 'down' && inMidst) faults.push({ kind: 'false_all_clear', atMs: resolvedMs, what: 'the outage went on' })
    }
  }
  return faults
}

/** What passed before the outage may still be reported for so long. */
const settledMs = ({ rules }: WorldSetting): number => rules.timeout_s * 1000 + marginMs

/**
 * The troubles within the time that the votes of one judgement may span; what was told late because a link or a coordinator was away,
 * or because a clock that was set kept its probe from being heard, counts from then.
 */
function near(setting: WorldSetting, troubles: readonly Trouble[], page: Page): Trouble[] {
  const { period_s, timeout_s, retest_wait_s, hard_confirm_s } = setting.rules
  const awayMs = troubles.reduce((sum, trouble) => (keepsNewsBack(trouble) ? sum + trouble.toMs - trouble.fromMs : sum), 0)
  const spanMs = (period_s + 3 * timeout_s + retest_wait_s + hard_confirm_s) * 1000 + marginMs + awayMs
  return troubles.filter((trouble) => trouble.fromMs < page.atMs && trouble.toMs > page.atMs - spanMs)
}

/** Mail did fail for a quorum, for as long as it takes to be believed. What a brownout takes is told mail by mail. */
function hasCause(setting: WorldSetting, troubles: readonly Trouble[], page: Page): boolean {
  const mail = near(setting, troubles, page).filter((trouble) => trouble.kind === 'mail')
  const regions = mail.some((trouble) => trouble.regions === null) ? null : mail.flatMap((trouble) => trouble.regions ?? [])
  if (mail.length === 0 || !coversQuorum(setting, regions, 'quorum')) return false
  const lastedMs = Math.max(...mail.map((trouble) => trouble.toMs)) - Math.min(...mail.map((trouble) => trouble.fromMs))
  return lastedMs >= shortestMs(setting)
}

const keepsNewsBack = ({ kind }: Trouble): boolean =>
  kind === 'link' || kind === 'coordinator' || kind === 'uplink' || kind === 'crash' || kind === 'clock'

/** Shorter outages cannot meet two tests that are believed: in mode `seed` the double test, else two slots or a test and its confirmation. */
function shortestMs({ rules }: WorldSetting): number {
  const gapMs = (rules.period_s * 1000) / rules.vantages
  const mode = rules.vantages === 1 ? 'seed' : rules.mode
  if (mode === 'seed') return Math.min(rules.timeout_s + rules.retest_wait_s, rules.hard_confirm_s) * 1000 - 10_000
  const confirmMs = mode === 'fast' ? rules.timeout_s * 1000 : rules.slow_s * 1000
  return Math.min(gapMs, confirmMs, rules.hard_confirm_s * 1000) - 10_000
}

/** Whether a fault that meets these regions meets all witnesses, or as many as a quorum. */
function coversQuorum(setting: WorldSetting, regions: readonly string[] | null, whom: 'all' | 'quorum'): boolean {
  if (regions === null) return true
  if (whom === 'all') return false
  const met = setting.probes.filter(({ domain }) => regions.includes(domain.region)).map(({ domain }) => domain)
  return witnessCount(met) >= setting.rules.quorum
}

/** Spans that touch or overlap are one. */
export function union(spans: readonly Span[]): Span[] {
  const merged: Span[] = []
  for (const { fromMs, toMs } of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = merged.at(-1)
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else merged.push({ fromMs, toMs })
  }
  return merged
}
