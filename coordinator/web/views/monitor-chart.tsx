/** The chart's panel: which stretch of time, which scale, and loading what it needs. */
import { useContext, useMemo, useState } from 'preact/hooks'
import type { Incident, Monitor, Result } from '../api/resources.ts'
import { chartData, chartSummary, incidentSpans, seriesOf, windowFor, windows } from '../charts/chart-data.ts'
import { RoundTripChart } from '../charts/round-trip-chart.tsx'
import type { YScale } from '../charts/ticks.ts'
import { Failure, Panel } from '../parts/panel.tsx'
import { Segments } from '../parts/segments.tsx'
import { Legend } from '../parts/series-mark.tsx'
import { ThemeContext } from '../parts/theme.ts'
import { useLoad, useNow } from '../state/hooks.ts'
import { resultsPerMonitorMax, resultTimeMs } from '../state/reduce.ts'
import { useSession } from '../state/session.tsx'
import { utc } from '../words/time.ts'

const noResults: readonly Result[] = []
/** Ten calls of the API at most; a day of a usual monitor is one. */
const loadedResultsMax = Math.min(5000, resultsPerMonitorMax)

export function MonitorChart({ monitor, incidents }: { monitor: Monitor; incidents: readonly Incident[] }) {
  const { api, state, dispatch } = useSession()
  const theme = useContext(ThemeContext)
  const now = useNow()
  const [lengthS, setLengthS] = useState(() => windowFor(monitor.period_s))
  const [scale, setScale] = useState<YScale>('log')
  const window = windows.find((candidate) => candidate.lengthS === lengthS)
  const [loading, reload] = useLoad(async () => {
    const since = new Date(now - lengthS * 1000).toISOString()
    const { items, complete } = await api.list<Result>(
      `/monitors/${encodeURIComponent(monitor.id)}/results?since=${encodeURIComponent(since)}`,
      loadedResultsMax,
    )
    dispatch({ type: 'results_loaded', monitorId: monitor.id, results: items })
    const oldest = items.at(-1)
    return complete || oldest === undefined ? null : resultTimeMs(oldest)
  }, `${monitor.id} ${lengthS} ${state.loads}`)

  const results = state.results.get(monitor.id) ?? noResults
  // The right edge moves once per pixel or so, not with every second of a day.
  const stepMs = Math.max(1000, lengthS * 1.25)
  const toMs = Math.ceil(now / stepMs) * stepMs
  const fromMs = toMs - lengthS * 1000
  const series = useMemo(
    () => seriesOf(monitor, results, state.probes?.values() ?? []),
    [monitor.verdicts, results, state.probes],
  )
  const data = useMemo(
    () => chartData(results, series, fromMs, monitor.accept_echo),
    [results, series, fromMs, monitor.accept_echo],
  )
  const limits = useMemo(
    () => [
      { ms: monitor.slow_s * 1000, label: 'slow', tone: 'warn' as const },
      { ms: monitor.timeout_s * 1000, label: 'timeout', tone: 'bad' as const },
    ],
    [monitor.slow_s, monitor.timeout_s],
  )
  const spans = useMemo(() => incidentSpans(incidents, fromMs, toMs), [incidents.length, incidents[0], fromMs, toMs])
  const summary = chartSummary(data, series, window?.name ?? '')
  const tools = (
    <div class="chart-tools">
      <Segments
        legend="Length of time"
        name="window"
        options={windows.map((option) => ({ value: option.lengthS, label: option.label }))}
        value={lengthS}
        onChange={setLengthS}
      />
      <Segments
        legend="Scale of the round-trip time"
        name="scale"
        options={[
          { value: 'log', label: 'Log' },
          { value: 'linear', label: 'Linear' },
        ]}
        value={scale}
        onChange={setScale}
      />
    </div>
  )
  return (
    <Panel title="Round-trip time" tools={tools} class="chart-panel">
      <Legend series={series} />
      <RoundTripChart
        data={data}
        series={series}
        spans={spans}
        limits={limits}
        fromMs={fromMs}
        toMs={toMs}
        scale={scale}
        summary={summary}
        theme={theme}
      />
      <p class="quiet small chart-summary">
        {summary}
        {loading.state === 'ready' &&
          loading.value !== null &&
          ` Only the latest ${loadedResultsMax} tests are shown, since ${utc(loading.value, now)}.`}
      </p>
      {loading.state === 'failed' && <Failure sentence={loading.sentence} onRetry={reload} />}
    </Panel>
  )
}
