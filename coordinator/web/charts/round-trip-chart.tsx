/** The live chart of round-trip times: uPlot draws lines and axes, chart-draw.ts the rest, this file ties them to the page. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { type ChartData, type Point, type Series, type Span, yRange } from './chart-data.ts'
import {
  drawBands,
  drawLimits,
  drawPoints,
  failureStripHeight,
  type Limit,
  nearestPoint,
  type Palette,
  pointPosition,
  readPalette,
  seriesColour,
} from './chart-draw.ts'
import { PointTip } from './point-tip.tsx'
import { roundTripLabel, roundTripTicks, timeLabels, timeTicks, type YScale } from './ticks.ts'

export type ChartProps = {
  data: ChartData
  series: readonly Series[]
  spans: readonly Span[]
  limits: readonly Limit[]
  fromMs: number
  toMs: number
  scale: YScale
  summary: string
  theme: string
}

/** What the drawing hooks read: uPlot keeps its options for life, so the present state comes through a box. */
type Box = { props: ChartProps; palette: Palette; selected: Point | null; select: (point: Point | null) => void }

export function RoundTripChart(props: ChartProps) {
  const host = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot | null>(null)
  const [selected, setSelected] = useState<Point | null>(null)
  const box = useRef<Box | null>(null)
  const shape = `${props.series.map(({ probeId }) => probeId).join()} ${props.scale} ${props.theme}`

  // `shape` names all that needs a new chart; data is set below.
  useEffect(() => {
    const element = host.current
    if (element === null) return
    box.current = { props, palette: readPalette(element), selected: null, select: setSelected }
    const made = new uPlot(chartOptions(box as { current: Box }, size(element)), [[]], element)
    chart.current = made
    const observer = new ResizeObserver(() => made.setSize(size(element)))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      chart.current = null
    }
  }, [shape])

  useEffect(() => {
    if (box.current === null || chart.current === null) return
    box.current.props = props
    chart.current.setData([props.data.times, ...props.data.columns] as uPlot.AlignedData, true)
  }, [shape, props.data, props.spans, props.limits, props.fromMs])

  useEffect(() => {
    if (box.current === null || chart.current === null) return
    box.current.selected = selected
    chart.current.redraw(false, false)
  }, [selected])

  const tip = useMemo(() => {
    const made = chart.current
    if (selected === null || made === null) return null
    const { x, y } = pointPosition(made, selected)
    return { x: x + made.over.offsetLeft, y: y + made.over.offsetTop, width: made.width, height: made.height }
  }, [selected, props.data, props.fromMs])
  const label = props.series.find(({ place }) => place === selected?.place)?.label ?? ''

  return (
    <div class="chart">
      <div
        class="chart-plot"
        ref={host}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys walk through the tests.
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={`Round-trip times. ${props.summary} Use the left and right arrow keys to walk through the tests.`}
        onKeyDown={(event) => {
          const next = stepped(props.data.points, selected, event.key)
          if (next === undefined) return
          event.preventDefault()
          setSelected(next)
        }}
        onBlur={() => setSelected(null)}
      />
      {props.data.points.length === 0 && <p class="chart-empty">No test in this time yet. New ones appear here as they end.</p>}
      {selected !== null && tip !== null && <PointTip point={selected} label={label} at={tip} />}
    </div>
  )
}

const size = (element: HTMLElement) => ({
  width: Math.max(240, element.clientWidth),
  height: Math.round(Math.min(420, Math.max(260, element.clientWidth * 0.42))),
})

/** The next or previous test for an arrow key, the ends for Home and End, none for Escape; undefined for other keys. */
function stepped(points: readonly Point[], selected: Point | null, key: string): Point | null | undefined {
  const index = selected === null ? points.length : points.findIndex((point) => point.result.id === selected.result.id)
  if (key === 'ArrowLeft') return points[Math.max(0, index - 1)] ?? null
  if (key === 'ArrowRight') return points[Math.min(points.length - 1, index + 1)] ?? null
  if (key === 'Home') return points[0] ?? null
  if (key === 'End') return points.at(-1) ?? null
  return key === 'Escape' ? null : undefined
}

function chartOptions(box: { current: Box }, { width, height }: { width: number; height: number }): uPlot.Options {
  const { props, palette } = box.current
  const range = () => yRange(box.current.props.data.points, limitsMs(box.current.props.limits), props.scale)
  const axis = {
    stroke: () => palette.muted,
    grid: { stroke: palette.grid, width: 1 },
    font: '12px ui-sans-serif, system-ui, sans-serif',
  }
  const narrow = width < 520
  return {
    width,
    height,
    legend: { show: false },
    padding: [failurePadding(), narrow ? 8 : 14, 0, 0],
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: {
      x: { time: false, range: () => [box.current.props.fromMs / 1000, box.current.props.toMs / 1000] },
      y: {
        distr: props.scale === 'log' ? 3 : 1,
        range: (made) => headroom(range(), (made.height - 40) / failureStripHeight(props.series.length)),
      },
    },
    axes: [
      {
        ...axis,
        size: 30,
        ticks: { show: false },
        splits: (made, _axis, min, max) => timeTicks(min, max, Math.max(2, Math.floor(made.width / 92))),
        values: (_made, splits) => timeLabels(splits, box.current.props.toMs),
      },
      {
        ...axis,
        size: narrow ? 50 : 58,
        ticks: { show: false },
        splits: (made, _axis, min, max) => {
          const { maxMs } = range()
          return roundTripTicks(min, Math.min(max, maxMs), Math.max(3, Math.floor(made.height / 46)), props.scale)
        },
        // uPlot would blank the labels of a logarithmic axis that are no powers of ten.
        filter: (_made, splits) => splits,
        values: (_made, splits) => splits.map(roundTripLabel),
      },
    ],
    series: [{}, ...props.series.map(({ place }) => lineOf(seriesColour(palette, place), place))],
    hooks: {
      drawAxes: [(made) => drawBands(made, box.current.props.spans, palette)],
      draw: [
        (made) => {
          drawLimits(made, box.current.props.limits, props.series.length, palette)
          drawPoints(made, box.current.props.data.points, box.current.selected, props.series.length, palette)
        },
      ],
      setCursor: [
        (made) => {
          const { left, top } = made.cursor
          if (left === undefined || top === undefined || left < 0) {
            if (!made.root.parentElement?.matches(':focus-visible')) box.current.select(null)
            return
          }
          box.current.select(nearestPoint(made, box.current.props.data.points, left, top))
        },
      ],
    },
  }
}

const failurePadding = (): number => 8
const lineDashes = [[], [7, 4], [2, 3], [9, 3, 2, 3]]

const lineOf = (colour: string, place: number): uPlot.Series => ({
  stroke: colour,
  width: 1.75,
  dash: lineDashes[place % lineDashes.length] ?? [],
  points: { show: false },
  spanGaps: false,
})

function limitsMs(limits: readonly Limit[]): { slowMs: number; timeoutMs: number } {
  const slowMs = limits.find(({ tone }) => tone === 'warn')?.ms ?? 1000
  return { slowMs, timeoutMs: limits.find(({ tone }) => tone === 'bad')?.ms ?? slowMs }
}

/** Leaves the strip of failures free above the highest value: `strips` is how many strips the plot is high. */
function headroom({ minMs, maxMs, scale }: { minMs: number; maxMs: number; scale: YScale }, strips: number): [number, number] {
  const share = 1 / Math.max(3, strips)
  if (scale === 'linear') return [minMs, minMs + (maxMs - minMs) / (1 - share)]
  const low = Math.log(minMs)
  return [minMs, Math.exp(low + (Math.log(maxMs) - low) / (1 - share))]
}
