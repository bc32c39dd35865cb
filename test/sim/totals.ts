/** The totals of many runs: one object, as the proof needs it. */
import { crashPoints } from './life.ts'
import type { OutageAccount } from './oracle.ts'
import { addStartCounts, emptyStartCounts, type StartCounts } from './outage-start.ts'
import { addPastCounts, emptyPastCounts, type PastCounts } from './past-duty.ts'
import { type CrashCounts, emptyCrashCounts } from './probe-crashes.ts'
import type { RunReport, Violation } from './run.ts'

export type Totals = {
  monitor_years: number
  /** Pages while mail worked, to whom it does not concern, or of no incident. */
  false_pages: number
  missed: number
  late: number
  duplicate_pages: number
  /** The longest detection, counted from where its bound counts. */
  worst_detection_s: number
  /** The longest detection as a part of its bound. */
  worst_share_of_bound: number
  seeds: { first: string; count: number }
  commit: string
  /** Outages that had to be told of, by the moment from which the bound counts; and those that need not be. */
  outages: { start: number; start_fewer_vantages: number; later: number; optional: number }
  /** Pages where as many witnesses as a quorum had each really lost a mail, by chance and without an outage. */
  coincidences: number
  /** The same while the mail system lost a part of the mails. */
  brownout_pages: number
  pages: { down: number; past: number; unconfirmed: number }
  /** Estimates of the remote clock, and those that are the product's fault: a true offset outside of the bound, a step not noticed. */
  clock_bounds_checked: number
  clock_bounds_wrong: number
  /** True offsets outside of the bound where nothing is promised: a true step in the span of the estimate contradicts nothing. */
  clock_bounds_after_unnoticed_step: number
  /** The same: a mail that was under way while the clock was set was taken for newer than one that was stamped after it. */
  clock_bounds_step_under_way: number
  /** The same: the clock drifts by more than the bound allows for. */
  clock_bounds_beyond_drift: number
  /** Starts of outages as incidents tell of them, and those that no outage began in. */
  intervals_checked: number
  intervals_wrong: number
  /** What was met besides, of which nothing is promised, or that is as wide as it need not be. */
  intervals: StartCounts
  /** Outages that were over before anybody heard of them and had to be told of all the same, and those that were not. */
  past_outages_due: number
  past_outages_missed: number
  /** Of these and the others, what was asked, and why nothing was. */
  past_outages: PastCounts
  /** Probes that died between what they wrote down and what they did, by the point. */
  probe_crashes: CrashCounts
  /** Everything else that must not be: a probe that breaks its word, an all-clear in an outage, too few witnesses, a state that does not end. */
  other_violations: number
  stretches: number
  events: number
}

export const emptyTotals = (first: bigint, commit: string): Totals => ({
  monitor_years: 0,
  false_pages: 0,
  missed: 0,
  late: 0,
  duplicate_pages: 0,
  worst_detection_s: 0,
  worst_share_of_bound: 0,
  seeds: { first: String(first), count: 0 },
  commit,
  outages: { start: 0, start_fewer_vantages: 0, later: 0, optional: 0 },
  coincidences: 0,
  brownout_pages: 0,
  pages: { down: 0, past: 0, unconfirmed: 0 },
  clock_bounds_checked: 0,
  clock_bounds_wrong: 0,
  clock_bounds_after_unnoticed_step: 0,
  clock_bounds_step_under_way: 0,
  clock_bounds_beyond_drift: 0,
  intervals_checked: 0,
  intervals_wrong: 0,
  intervals: emptyStartCounts(),
  past_outages_due: 0,
  past_outages_missed: 0,
  past_outages: emptyPastCounts(),
  probe_crashes: emptyCrashCounts(),
  other_violations: 0,
  stretches: 0,
  events: 0,
})

/** Adds one run to the totals. */
export function addRun(totals: Totals, report: RunReport): void {
  totals.monitor_years += report.years
  totals.seeds.count += 1
  totals.stretches += report.stretches
  totals.events += report.events
  totals.pages.down += report.pages.down
  totals.pages.past += report.pages.past
  totals.pages.unconfirmed += report.pages.unconfirmed
  totals.clock_bounds_checked += report.clock.checked
  totals.clock_bounds_after_unnoticed_step += report.clock.afterUnnoticedStep
  totals.clock_bounds_step_under_way += report.clock.stepUnderWay
  totals.clock_bounds_beyond_drift += report.clock.beyondDrift
  totals.intervals_checked += report.starts.checked
  addStartCounts(totals.intervals, report.starts)
  totals.past_outages_due += report.past.due
  addPastCounts(totals.past_outages, report.past)
  for (const point of crashPoints) totals.probe_crashes[point] += report.probeCrashes[point]
  for (const outage of report.outages) addOutage(totals, outage)
  for (const violation of report.violations) addViolation(totals, violation)
}

/** Chance is counted, and no fault: mail of a whole quorum was lost. */
export const isFault = ({ kind }: Violation): boolean => kind !== 'coincidence' && kind !== 'in_brownout'

function addOutage(totals: Totals, { must, detectionMs }: OutageAccount): void {
  totals.outages[must?.countedFrom ?? 'optional'] += 1
  if (must === null || detectionMs === null) return
  totals.worst_detection_s = Math.max(totals.worst_detection_s, Math.round(detectionMs / 1000))
  totals.worst_share_of_bound = Math.max(totals.worst_share_of_bound, Math.round((1000 * detectionMs) / must.boundMs) / 1000)
}

function addViolation(totals: Totals, { kind }: Violation): void {
  if (kind === 'false_page' || kind === 'unknown_incident') totals.false_pages += 1
  else if (kind === 'missed') totals.missed += 1
  else if (kind === 'late') totals.late += 1
  else if (kind === 'duplicate_page') totals.duplicate_pages += 1
  else if (kind === 'clock_bound') totals.clock_bounds_wrong += 1
  else if (kind === 'wrong_start') totals.intervals_wrong += 1
  else if (kind === 'past_missed') totals.past_outages_missed += 1
  else if (kind === 'coincidence') totals.coincidences += 1
  else if (kind === 'in_brownout') totals.brownout_pages += 1
  else totals.other_violations += 1
}
