/** Results as the columns of a chart. Pure: no DOM, no uPlot. */
import type { Incident, Monitor, Outcome, Probe, Result } from '../api/resources.ts'
import { resultTimeMs } from '../state/reduce.ts'
import { timeOf } from '../words/time.ts'
import { outcomeMark } from '../words/verdicts.ts'
import type { YScale } from './ticks.ts'

export type Series = { probeId: string; label: string; place: number }

/** How a test is drawn: on its vantage's line, as a failure on top, or as a test without a say. */
export type PointKind = 'time' | 'failed' | 'void'
export type Point = { result: Result; kind: PointKind; place: number; atS: number; ms: number | null }

export type ChartData = {
  /** Seconds since the epoch, ascending. */
  times: number[]
  /** One column per series: milliseconds, `null` where the line breaks, `undefined` where the test was another vantage's. */
  columns: (number | null | undefined)[][]
  /** One point per time. */
  points: Point[]
}

export type Window = { label: string; name: string; lengthS: number }
export const windows: readonly Window[] = [
  { label: '15 min', name: 'the last 15 minutes', lengthS: 900 },
  { label: '1 h', name: 'the last hour', lengthS: 3600 },
  { label: '6 h', name: 'the last 6 hours', lengthS: 21_600 },
  { label: '24 h', name: 'the last 24 hours', lengthS: 86_400 },
]

/** The shortest window that shows some twenty tests of each vantage. */
export function windowFor(periodS: number): number {
  return windows.find(({ lengthS }) => lengthS >= periodS * 18)?.lengthS ?? 86_400
}

/** Vantages in an order that does not move: by region, then name. Those that only older results know come too. */
export function seriesOf(monitor: Monitor | undefined, results: readonly Result[], probes: Iterable<Probe>): Series[] {
  const names = new Map([...probes].map((probe) => [probe.id, probe.name]))
  const vantages = new Map<string, { region: string; name: string }>()
  for (const verdict of monitor?.verdicts ?? [])
    vantages.set(verdict.probe_id, { region: verdict.region, name: verdict.probe_name })
  for (const result of results) {
    if (vantages.has(result.probe_id)) continue
    vantages.set(result.probe_id, { region: result.region, name: names.get(result.probe_id) ?? result.probe_id })
  }
  const ordered = [...vantages].sort(([, a], [, b]) => compare(`${a.region} ${a.name}`, `${b.region} ${b.name}`))
  const shared = (region: string) => ordered.filter(([, vantage]) => vantage.region === region).length > 1
  return ordered.map(([probeId, { region, name }], place) => ({
    probeId,
    label: shared(region) && name !== region ? `${region} · ${name}` : region,
    place,
  }))
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

export function pointKind(outcome: Outcome, acceptEcho: boolean): PointKind {
  if (outcome === 'ok' || outcome === 'slow' || (outcome === 'echo' && acceptEcho)) return 'time'
  return outcomeMark(outcome).tone === 'idle' ? 'void' : 'failed'
}

export function chartData(results: readonly Result[], series: readonly Series[], fromMs: number, acceptEcho: boolean): ChartData {
  const places = new Map(series.map(({ probeId, place }) => [probeId, place]))
  const points = results
    .filter((result) => resultTimeMs(result) >= fromMs && places.has(result.probe_id))
    .map((result): Point => {
      const kind = pointKind(result.outcome, acceptEcho)
      const ms = kind === 'time' && result.rtt_ms !== null ? result.rtt_ms : null
      return {
        result,
        kind: kind === 'time' && ms === null ? 'void' : kind,
        place: places.get(result.probe_id) ?? 0,
        atS: resultTimeMs(result) / 1000,
        ms,
      }
    })
  return {
    times: points.map((point) => point.atS),
    columns: series.map(({ place }) => brokenAtFailures(points.map((point) => (point.place === place ? point.ms : undefined)))),
    points,
  }
}

export type YRange = { minMs: number; maxMs: number; scale: YScale }

/**
 * The logarithmic scale always shows the slow and the timeout line: how far away they are is the message. The linear one
 * fits the data, and lines beyond it are named at the upper edge.
 */
export function yRange(points: readonly Point[], limits: { slowMs: number; timeoutMs: number }, scale: YScale): YRange {
  const measuredMs = points.flatMap((point) => (point.ms === null ? [] : [point.ms]))
  const smallest = measuredMs.reduce((least, ms) => Math.min(least, ms), Number.POSITIVE_INFINITY)
  const largest = measuredMs.reduce((most, ms) => Math.max(most, ms), 0)
  if (scale === 'linear') return { minMs: 0, maxMs: largest > 0 ? largest * 1.25 : limits.slowMs, scale }
  const floor = Number.isFinite(smallest) ? Math.min(smallest, limits.slowMs) : limits.slowMs / 100
  return { minMs: Math.max(0.5, floor / 2), maxMs: Math.max(limits.timeoutMs, largest) * 1.25, scale }
}

export type Span = { fromS: number; toS: number; open: boolean }

/** The stretches of incidents that reach into the window, to be shaded. */
export function incidentSpans(incidents: readonly Incident[], fromMs: number, nowMs: number): Span[] {
  return incidents
    .map((incident) => ({
      fromS: Math.max(fromMs, timeOf(incident.since_at)) / 1000,
      toS: (incident.resolved_at === null ? nowMs : timeOf(incident.resolved_at)) / 1000,
      open: incident.resolved_at === null,
    }))
    .filter(({ fromS, toS }) => toS > fromS && toS * 1000 > fromMs)
}

/** What a chart shows, in a sentence for those who do not see it. */
export function chartSummary(data: ChartData, series: readonly Series[], windowName: string): string {
  if (data.points.length === 0) return `No test in ${windowName}.`
  const failed = data.points.filter((point) => point.kind === 'failed').length
  const counts = `${data.points.length} tests from ${series.length === 1 ? '1 vantage' : `${series.length} vantages`} in ${windowName}`
  return failed === 0 ? `${counts}, none failed.` : `${counts}, ${failed} failed.`
}

/**
 * Between two times with a failure between them the line breaks all the way, also where other vantages' tests stand; else only the
 * places next to the failure would be left out, and the rest drawn as if mail had come back.
 */
function brokenAtFailures(column: (number | null | undefined)[]): (number | null | undefined)[] {
  const broken = [...column]
  let from = 0
  column.forEach((value, index) => {
    if (typeof value !== 'number') return
    if (column.slice(from, index).includes(null)) broken.fill(null, from, index)
    from = index + 1
  })
  if (column.slice(from).includes(null)) broken.fill(null, from)
  return broken
}
