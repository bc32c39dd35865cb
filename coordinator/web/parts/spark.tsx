/** The little line of a monitor's last tests. */
import type { Result } from '../api/resources.ts'
import { sparkline } from '../charts/sparkline.ts'

const size = { width: 180, height: 40, countMax: 48 }

export function Spark({ results, acceptEcho }: { results: readonly Result[]; acceptEcho: boolean }) {
  const { line, last, failures, count } = sparkline(results, size, acceptEcho)
  const failed = failures.length === 0 ? 'none failed' : `${failures.length} failed`
  return (
    <svg
      class="spark"
      preserveAspectRatio="xMinYMid"
      viewBox={`0 0 ${size.width} ${size.height}`}
      role="img"
      aria-label={count === 0 ? 'No tests yet' : `The last ${count} tests, ${failed}`}
    >
      <path d={`M0 ${size.height - 0.5}H${size.width}`} class="spark-base" />
      {line !== '' && <path d={line} class="spark-line" />}
      {failures.map((x) => (
        <path key={x} d={`M${x} 1v8`} class="spark-fail" />
      ))}
      {last !== null && <circle cx={last.x} cy={last.y} r="2.4" class="spark-last" />}
    </svg>
  )
}
