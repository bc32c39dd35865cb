/** How each vantage judged, as chips. */
import type { IncidentVantage, Verdict } from '../api/resources.ts'
import { verdictReason } from '../words/reasons.ts'
import { measuredShort } from '../words/time.ts'
import { outcomeMark, verdictMark } from '../words/verdicts.ts'
import { StateShape } from './mark.tsx'
import { Age } from './when.tsx'

/** The standing verdicts of a monitor: region, word, round trip, age. */
export function VerdictChips({ verdicts }: { verdicts: readonly Verdict[] }) {
  if (verdicts.length === 0) return <p class="quiet">No vantage is assigned yet.</p>
  const shared = (region: string) => verdicts.filter((verdict) => verdict.region === region).length > 1
  return (
    <ul class="verdicts">
      {[...verdicts]
        .sort((a, b) => (`${a.region} ${a.probe_name}` < `${b.region} ${b.probe_name}` ? -1 : 1))
        .map((verdict) => {
          const mark = verdictMark(verdict.verdict)
          const reason = verdict.reason === null || verdict.reason === undefined ? mark.meaning : verdictReason(verdict.reason)
          return (
            <li key={verdict.probe_id} class={`verdict tone-${mark.tone}`} title={`${verdict.probe_name}: ${reason}`}>
              <StateShape shape={mark.shape} />
              <span class="verdict-region">{shared(verdict.region) ? verdict.probe_name : verdict.region}</span>
              <span class="verdict-word">{mark.word}</span>
              <span class="verdict-rtt num">{verdict.rtt_ms === null ? '' : measuredShort(verdict.rtt_ms)}</span>
              <span class="verdict-age">{verdict.at === null ? '' : <Age time={verdict.at} />}</span>
            </li>
          )
        })}
    </ul>
  )
}

/** The votes that opened an incident. */
export function VoteChips({ vantages }: { vantages: readonly IncidentVantage[] }) {
  return (
    <ul class="votes" aria-label="Votes of the vantages">
      {vantages.map((vantage) => {
        const mark = verdictMark(vantage.verdict)
        const outcome = vantage.outcome === null ? null : outcomeMark(vantage.outcome)
        return (
          <li key={vantage.probe_id} class={`vote tone-${mark.tone}`}>
            <StateShape shape={mark.shape} />
            <span class="verdict-region">{vantage.region}</span>
            <span class="verdict-word">{mark.word}</span>
            {outcome !== null && vantage.verdict !== 'pass' && <span class="quiet">{outcome.word}</span>}
          </li>
        )
      })}
    </ul>
  )
}
