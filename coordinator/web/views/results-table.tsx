/** The latest tests, one row each, with their stages and the server's words. */
import { useState } from 'preact/hooks'
import type { Monitor, Result, Stage } from '../api/resources.ts'
import { Mark } from '../parts/mark.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { Utc } from '../parts/when.tsx'
import { useSession } from '../state/session.tsx'
import { placeBeside, placeMeaning } from '../words/places.ts'
import { explanation } from '../words/results.ts'
import { measured } from '../words/time.ts'
import { humanise, outcomeMark } from '../words/verdicts.ts'

const rowsStep = 10

export function ResultsTable({ monitor }: { monitor: Monitor }) {
  const { state } = useSession()
  const [rows, setRows] = useState(rowsStep)
  const [failedOnly, setFailedOnly] = useState(false)
  const all = state.results.get(monitor.id) ?? []
  const wanted = failedOnly ? all.filter((result) => outcomeMark(result.outcome).tone !== 'good') : all
  const results = wanted.slice(-rows).reverse()
  const tools = (
    <label class="check">
      <input type="checkbox" checked={failedOnly} onChange={(event) => setFailedOnly(event.currentTarget.checked)} />
      Only what went wrong
    </label>
  )
  return (
    <Panel title="Recent tests" tools={tools}>
      {results.length === 0 ? (
        <Empty title={failedOnly ? 'Nothing went wrong here.' : 'No test yet.'}>
          {!failedOnly && <p>The first one starts at the next slot of a vantage; “Test now” does not wait for it.</p>}
        </Empty>
      ) : (
        <table class="results">
          <thead>
            <tr>
              <th scope="col">Sent</th>
              <th scope="col">From</th>
              <th scope="col">Outcome</th>
              <th scope="col" class="right">
                Round trip
              </th>
              <th scope="col">Stages</th>
            </tr>
          </thead>
          <tbody>
            {results.map((result) => (
              <ResultRow key={result.id} result={result} />
            ))}
          </tbody>
        </table>
      )}
      {wanted.length > rows && (
        <button type="button" class="button button-wide" onClick={() => setRows(rows + rowsStep)}>
          Show more
        </button>
      )}
    </Panel>
  )
}

const causes: Record<string, string> = {
  retest: 're-test',
  open: 'while down',
  job: 'on request',
  confirm: 'confirmation',
  test_now: 'test now',
}

function ResultRow({ result }: { result: Result }) {
  const said = explanation(result)
  const place = placeBeside(result)
  const cause = result.cause === null ? undefined : causes[result.cause]
  return (
    <tr>
      <td class="result-time">
        <Utc time={result.sent_at ?? result.started_at} seconds />
      </td>
      <td class="result-from">
        {result.region}
        {cause !== undefined && <span class="quiet small"> {cause}</span>}
      </td>
      <td class="result-outcome">
        <Mark mark={outcomeMark(result.outcome)} />
        {place !== null && (
          <span class="result-place" title={result.place === null ? undefined : placeMeaning(result.place)}>
            {place}
          </span>
        )}
      </td>
      <td class="result-rtt right num">{measured(result.rtt_ms)}</td>
      <td class="result-stages">
        <Stages stages={result.stages ?? []} />
        {said !== null && <p class="words">{said}</p>}
      </td>
    </tr>
  )
}

function Stages({ stages }: { stages: readonly Stage[] }) {
  if (stages.length === 0) return null
  return (
    <ul class="stages">
      {stages.map((stage) => (
        <li key={stage.name}>
          <span class="quiet">{humanise(stage.name).toLowerCase()}</span> <span class="num">{measured(stage.ms)}</span>
        </li>
      ))}
    </ul>
  )
}
