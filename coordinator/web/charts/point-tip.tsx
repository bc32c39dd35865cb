/** What one test was, beside its mark on the chart. */
import { Mark } from '../parts/mark.tsx'
import { explanation } from '../words/results.ts'
import { clockTime, measured } from '../words/time.ts'
import { humanise, outcomeMark } from '../words/verdicts.ts'
import type { Point } from './chart-data.ts'

type Props = { point: Point; label: string; at: { x: number; y: number; width: number; height: number } }

export function PointTip({ point, label, at }: Props) {
  const { result } = point
  const outcome = outcomeMark(result.outcome)
  const toLeft = at.x > at.width / 2
  const said = explanation(result)
  return (
    <div
      class={`tip ${toLeft ? 'tip-left' : 'tip-right'} ${at.y > at.height / 2 ? 'tip-above' : 'tip-below'}`}
      style={{ left: `${at.x}px`, top: `${at.y}px` }}
      role="status"
    >
      <p class="tip-head">
        <strong>{label}</strong>
        <Mark mark={outcome} />
        {result.rtt_ms !== null && <span class="num">{measured(result.rtt_ms)}</span>}
      </p>
      <p class="tip-time num">
        {clockTime(result.sent_at ?? result.started_at, true)} UTC
        {result.attempt > 1 && ` · attempt ${result.attempt}`}
        {result.cause !== null && result.cause !== 'slot' && ` · ${humanise(result.cause).toLowerCase()}`}
      </p>
      {result.stages !== null && result.stages.length > 0 && (
        <dl class="tip-stages">
          {result.stages.map((stage) => (
            <div key={stage.name}>
              <dt>{humanise(stage.name).toLowerCase()}</dt>
              <dd class="num">{measured(stage.ms)}</dd>
            </div>
          ))}
        </dl>
      )}
      {said !== null && <p class="tip-words">{said}</p>}
    </div>
  )
}
