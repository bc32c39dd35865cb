/** The legend of the chart: the colour, shape and stroke of each vantage as on the canvas. */
import type { Series } from '../charts/chart-data.ts'
import { pointShapes, seriesColours } from '../charts/chart-draw.ts'

const dashes = [undefined, '7 4', '2 3', '9 3 2 3']

export function SeriesMark({ place }: { place: number }) {
  return (
    <svg class={`series-mark series-colour-${(place % seriesColours) + 1}`} viewBox="0 0 28 12" aria-hidden="true">
      <path d="M1 6h26" class="line" stroke-dasharray={dashes[place % dashes.length]} />
      <Shape place={place} />
    </svg>
  )
}

function Shape({ place }: { place: number }) {
  switch (pointShapes[place % pointShapes.length]) {
    case 'square':
      return <rect x="10.5" y="2.5" width="7" height="7" class="fill" />
    case 'triangle':
      return <path d="m14 1.4 4.6 8.4H9.4Z" class="fill" />
    case 'diamond':
      return <path d="m14 .8 4.8 5.2-4.8 5.2L9.2 6Z" class="fill" />
    default:
      return <circle cx="14" cy="6" r="4" class="fill" />
  }
}

export function Legend({ series }: { series: readonly Series[] }) {
  return (
    <ul class="legend" aria-label="Vantages in the chart">
      {series.map(({ probeId, label, place }) => (
        <li key={probeId}>
          <SeriesMark place={place} />
          {label}
        </li>
      ))}
      <li class="tone-bad">
        <svg class="series-mark series-mark-small" viewBox="0 0 12 12" aria-hidden="true">
          <path d="m2.5 2.5 7 7m0-7-7 7" class="line" />
        </svg>
        failed
      </li>
      <li class="tone-idle">
        <svg class="series-mark series-mark-small" viewBox="0 0 12 12" aria-hidden="true">
          <path d="M2 6h8" class="line" />
        </svg>
        does not count
      </li>
    </ul>
  )
}
