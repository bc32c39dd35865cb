/** What the chart draws on its canvas beyond lines and axes: incident bands, limit lines, test marks. */
import type uPlot from 'uplot'
import type { Point, Span } from './chart-data.ts'
import { roundTripLabel } from './ticks.ts'

export type Palette = {
  text: string
  muted: string
  grid: string
  surface: string
  bad: string
  badSoft: string
  warn: string
  idle: string
  series: string[]
}

export const seriesColours = 8

/** Canvas needs resolved colours, and a custom property with light-dark() resolves only where it is used as a colour. */
export function readPalette(element: HTMLElement): Palette {
  const sample = document.createElement('span')
  element.append(sample)
  const colour = (name: string): string => {
    sample.style.color = `var(--${name})`
    return getComputedStyle(sample).color
  }
  const palette = {
    text: colour('text'),
    muted: colour('text-muted'),
    grid: colour('grid'),
    surface: colour('surface'),
    bad: colour('bad'),
    badSoft: colour('bad-band'),
    warn: colour('warn'),
    idle: colour('idle'),
    series: Array.from({ length: seriesColours }, (_, index) => colour(`series-${index + 1}`)),
  }
  sample.remove()
  return palette
}

export const seriesColour = (palette: Palette, place: number): string =>
  palette.series[place % palette.series.length] ?? palette.text

/** The strip above the limits where failed tests stand, in CSS pixels: a lane for each of up to four vantages. */
export const failureLanesMax = 4
export const laneHeight = 11
/** Below the lanes stands the name of the timeout line. */
const limitLabelHeight = 22
export const failureStripHeight = (seriesCount: number): number =>
  limitLabelHeight + laneHeight * Math.max(1, Math.min(failureLanesMax, seriesCount))

/** Where a test stands on the plot, in CSS pixels from its upper left corner. */
export function pointPosition(chart: uPlot, point: Point): { x: number; y: number } {
  const x = chart.valToPos(point.atS, 'x')
  if (point.ms === null) return { x, y: 4 + laneHeight * ((point.place % failureLanesMax) + 0.5) }
  return { x, y: chart.valToPos(point.ms, 'y') }
}

export function drawBands(chart: uPlot, spans: readonly Span[], palette: Palette): void {
  const { ctx, bbox } = chart
  ctx.save()
  ctx.fillStyle = palette.badSoft
  for (const span of spans) {
    const left = Math.max(bbox.left, chart.valToPos(span.fromS, 'x', true))
    const right = Math.min(bbox.left + bbox.width, chart.valToPos(span.toS, 'x', true))
    if (right > left) ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height)
  }
  ctx.restore()
}

export type Limit = { ms: number; label: string; tone: 'warn' | 'bad' }

/** A dashed line with its name; one that lies beyond the scale is named at the upper edge with an arrow. */
export function drawLimits(chart: uPlot, limits: readonly Limit[], seriesCount: number, palette: Palette): void {
  const { ctx, bbox } = chart
  const ratio = devicePixelRatio
  const yMax = chart.scales.y?.max ?? 0
  let beyond = 0
  ctx.save()
  ctx.lineWidth = ratio
  ctx.textBaseline = 'bottom'
  ctx.textAlign = 'right'
  for (const limit of limits) {
    const name = `${limit.label} ${roundTripLabel(limit.ms)}`
    const inside = limit.ms <= yMax
    const top = bbox.top + failureStripHeight(seriesCount) * ratio
    const y = inside ? Math.round(chart.valToPos(limit.ms, 'y', true)) + 0.5 : top + (18 + beyond * 16) * ratio
    if (!inside) beyond += 1
    ctx.strokeStyle = limit.tone === 'bad' ? palette.bad : palette.warn
    ctx.fillStyle = ctx.strokeStyle
    if (inside) {
      ctx.setLineDash([5 * ratio, 4 * ratio])
      ctx.beginPath()
      ctx.moveTo(bbox.left, y)
      ctx.lineTo(bbox.left + bbox.width, y)
      ctx.stroke()
    }
    writeWithHalo(ctx, inside ? name : `${name} ↑`, bbox.left + bbox.width - 6 * ratio, y - 3 * ratio, palette)
  }
  ctx.restore()
}

function writeWithHalo(ctx: CanvasRenderingContext2D, words: string, x: number, y: number, palette: Palette): void {
  ctx.font = `600 ${11 * devicePixelRatio}px ui-sans-serif, system-ui, sans-serif`
  ctx.setLineDash([])
  ctx.save()
  ctx.strokeStyle = palette.surface
  ctx.lineWidth = 4 * devicePixelRatio
  ctx.lineJoin = 'round'
  ctx.strokeText(words, x, y)
  ctx.restore()
  ctx.fillText(words, x, y)
}

/** Tests closer than this, in CSS pixels, are drawn as a line only. */
const markSpacing = 7

export function drawPoints(
  chart: uPlot,
  points: readonly Point[],
  selected: Point | null,
  seriesCount: number,
  palette: Palette,
): void {
  const { ctx, bbox } = chart
  const ratio = devicePixelRatio
  const roomy = points.length / Math.max(1, seriesCount) <= bbox.width / ratio / markSpacing
  ctx.save()
  // uPlot leaves the dashes of its last line behind.
  ctx.setLineDash([])
  for (const point of points) {
    const position = pointPosition(chart, point)
    const x = bbox.left + position.x * ratio
    const y = bbox.top + position.y * ratio
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue
    const colour = seriesColour(palette, point.place)
    if (point.kind === 'failed') drawCross(ctx, x, y, 3.6 * ratio, palette.bad, ratio)
    else if (point.kind === 'void') drawDash(ctx, x, y, 3.6 * ratio, palette.idle, ratio)
    else if (roomy) drawShape(ctx, point.place, x, y, 3 * ratio, colour, palette.surface, ratio)
    if (point.result.id === selected?.result.id) drawRing(ctx, x, y, 7.5 * ratio, palette.text, ratio)
  }
  ctx.restore()
}

function drawCross(ctx: CanvasRenderingContext2D, x: number, y: number, size: number, colour: string, ratio: number): void {
  ctx.strokeStyle = colour
  ctx.lineWidth = 2 * ratio
  ctx.lineCap = 'round'
  ctx.beginPath()
  ctx.moveTo(x - size, y - size)
  ctx.lineTo(x + size, y + size)
  ctx.moveTo(x + size, y - size)
  ctx.lineTo(x - size, y + size)
  ctx.stroke()
}

function drawDash(ctx: CanvasRenderingContext2D, x: number, y: number, size: number, colour: string, ratio: number): void {
  ctx.strokeStyle = colour
  ctx.lineWidth = 2 * ratio
  ctx.beginPath()
  ctx.moveTo(x - size, y)
  ctx.lineTo(x + size, y)
  ctx.stroke()
}

function drawRing(ctx: CanvasRenderingContext2D, x: number, y: number, radius: number, colour: string, ratio: number): void {
  ctx.strokeStyle = colour
  ctx.lineWidth = 1.5 * ratio
  ctx.beginPath()
  ctx.arc(x, y, radius, 0, 2 * Math.PI)
  ctx.stroke()
}

/** Vantages differ by shape as well as by colour; the legend shows the same shapes (parts/series-mark.tsx). */
export const pointShapes = ['circle', 'square', 'triangle', 'diamond'] as const

function drawShape(
  ctx: CanvasRenderingContext2D,
  place: number,
  x: number,
  y: number,
  size: number,
  fill: string,
  halo: string,
  ratio: number,
): void {
  ctx.beginPath()
  switch (pointShapes[place % pointShapes.length]) {
    case 'square':
      ctx.rect(x - size * 0.9, y - size * 0.9, size * 1.8, size * 1.8)
      break
    case 'triangle':
      ctx.moveTo(x, y - size * 1.2)
      ctx.lineTo(x + size * 1.15, y + size * 0.9)
      ctx.lineTo(x - size * 1.15, y + size * 0.9)
      ctx.closePath()
      break
    case 'diamond':
      ctx.moveTo(x, y - size * 1.3)
      ctx.lineTo(x + size * 1.2, y)
      ctx.lineTo(x, y + size * 1.3)
      ctx.lineTo(x - size * 1.2, y)
      ctx.closePath()
      break
    default:
      ctx.arc(x, y, size, 0, 2 * Math.PI)
  }
  ctx.lineWidth = 1.5 * ratio
  ctx.strokeStyle = halo
  ctx.stroke()
  ctx.fillStyle = fill
  ctx.fill()
}

/** The test nearest to a place on the plot, within reach of a finger. */
export function nearestPoint(chart: uPlot, points: readonly Point[], x: number, y: number): Point | null {
  const reach = 48
  let best: Point | null = null
  let bestDistance = reach
  for (const point of points) {
    const position = pointPosition(chart, point)
    // Height counts half: people aim at a moment first.
    const distance = Math.hypot(position.x - x, (position.y - y) / 2)
    if (distance < bestDistance) {
      best = point
      bestDistance = distance
    }
  }
  return best
}
