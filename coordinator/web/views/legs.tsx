/** How long the mails were on their way out and back, as far as two clocks can tell: hidden until somebody asks. */
import { useState } from 'preact/hooks'
import { asSentence } from '../api/problem.ts'
import type { LegsOfTest, LegsReading, Monitor } from '../api/resources.ts'
import { StateShape } from '../parts/mark.tsx'
import { Failure, Panel } from '../parts/panel.tsx'
import { Utc } from '../parts/when.tsx'
import { useLoad, useNow } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'
import { clockWords, intervalWords, legsExplanation } from '../words/legs.ts'
import { measured } from '../words/time.ts'

const shownMax = 12
const renewMs = 60_000

export function LegsPanel({ monitor }: { monitor: Monitor }) {
  const { api } = useSession()
  const now = useNow()
  const [open, setOpen] = useState(false)
  const [loading, reload] = useLoad(
    () => api.get<LegsReading>(`/monitors/${encodeURIComponent(monitor.id)}/legs?limit=${shownMax}`),
    `${monitor.id} ${Math.floor(now / renewMs)}`,
  )
  return (
    <Panel title="Legs">
      {loading.state === 'failed' && <Failure sentence={loading.sentence} onRetry={reload} />}
      {loading.state === 'ready' && <Clock reading={loading.value} />}
      <details class="disclose" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Way out and way back of recent mails</summary>
        {open && loading.state === 'ready' && <Legs reading={loading.value} />}
      </details>
    </Panel>
  )
}

function Clock({ reading }: { reading: LegsReading }) {
  const clock = clockWords(reading)
  return (
    <>
      {reading.notice !== null && (
        <p class="notice tone-warn" role="note">
          <StateShape shape="clock" />
          {asSentence(reading.notice)}
        </p>
      )}
      {clock !== null && (
        <p class="num">
          <span class="quiet">The server’s clock: </span>
          {clock}
        </p>
      )}
      {reading.error_assumed && <p class="small quiet">Assumed: no probe checks its own clock, so nothing is guaranteed.</p>}
      {reading.step_ms !== null && reading.since !== null && (
        <p class="small quiet">
          It was set {reading.step_ms > 0 ? 'forward' : 'back'} by at least {measured(Math.abs(reading.step_ms))} shortly before{' '}
          <Utc time={reading.since} />.
        </p>
      )}
    </>
  )
}

function Legs({ reading }: { reading: LegsReading }) {
  return (
    <div class="legs">
      <p class="small quiet">{legsExplanation(reading)}</p>
      <ul class="leg-rows">
        {reading.data.map((test) => (
          <LegRow key={test.result_id} test={test} />
        ))}
      </ul>
    </div>
  )
}

function LegRow({ test }: { test: LegsOfTest }) {
  const { outbound_ms: out, return_ms: back } = test
  return (
    <li class="leg-row">
      <p class="leg-head">
        <Utc time={test.sent_at} seconds /> {test.region}
        {(out === null || back === null) && <span class="small quiet"> cannot be told apart</span>}
      </p>
      {out !== null && back !== null && (
        <>
          <LegBar outMin={out.min} outMax={out.max} whole={out.max + back.min} />
          <p class="small num">
            <span class="leg-key leg-key-out" aria-hidden="true" />
            <span class="quiet">out</span> {intervalWords(out)} <span class="quiet">·</span>{' '}
            <span class="leg-key leg-key-back" aria-hidden="true" />
            <span class="quiet">back</span> {intervalWords(back)}
          </p>
        </>
      )}
    </li>
  )
}

/** The whole way as one bar: out, then where it may have turned, then back. */
function LegBar({ outMin, outMax, whole }: { outMin: number; outMax: number; whole: number }) {
  const share = (ms: number): number => (whole <= 0 ? 0 : (100 * ms) / whole)
  return (
    <svg class="leg-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="leg-unsure" width="100" height="6" />
      <rect class="leg-out" width={share(outMin)} height="6" />
      <rect class="leg-back" x={share(outMax)} width={100 - share(outMax)} height="6" />
    </svg>
  )
}
