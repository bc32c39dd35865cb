/** The first page: is everything well, and if not, what, since when, and who has been told. */

import { StateShape } from '../parts/mark.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { SmsList } from '../parts/sms.tsx'
import { useNow } from '../state/hooks.ts'
import { openIncidents, pagesInOrder } from '../state/select.ts'
import { useSession } from '../state/session.tsx'
import { freshnessSentence, probeSentence, statusSentence } from '../words/sentence.ts'
import { decisionMark } from '../words/verdicts.ts'
import { IncidentCard } from './incident-card.tsx'
import { MonitorList } from './monitor-list.tsx'
import { ProbeList } from './probe-list.tsx'

const pagesShown = 6

export function Overview() {
  const { state } = useSession()
  const open = openIncidents(state)
  const pages = pagesInOrder(state.pages.values())
  return (
    <main class="overview" id="main">
      <Status />
      <div class="columns">
        <div class="column">
          {open.length > 0 && (
            <Panel
              title={open.length === 1 ? 'Open incident' : 'Open incidents'}
              note={open.length > 1 ? open.length : undefined}
              class="panel-open"
            >
              <div class="stack">
                {open.map((incident) => (
                  <IncidentCard key={incident.id} incident={incident} />
                ))}
              </div>
            </Panel>
          )}
          <MonitorList />
        </div>
        <div class="column column-side">
          {state.probes !== null && <ProbeList />}
          <Panel title="Pages sent" note={pages.length > pagesShown ? `latest ${pagesShown}` : undefined}>
            {pages.length === 0 ? (
              <Empty title="Nobody has been paged.">
                <p>When probes in different regions agree that mail stopped coming back, the SMS stands here as it was sent.</p>
              </Empty>
            ) : (
              <SmsList pages={pages.slice(0, pagesShown)} />
            )}
          </Panel>
        </div>
      </div>
    </main>
  )
}

function Status() {
  const { state } = useSession()
  const now = useNow()
  const monitors = [...state.monitors.values()]
  const sentence = statusSentence(monitors, [...state.incidents.values()], now)
  const probes = probeSentence(state.probes === null ? null : [...state.probes.values()])
  const facts = [
    sentence.decision === 'unconfirmed' ? 'too few healthy probes' : null,
    sentence.rest,
    state.complete ? null : `the first ${monitors.length} monitors are shown`,
  ].filter((fact) => fact !== null)
  // What was well when the connection went may not be well now.
  const lastKnown = state.link.state !== 'live' && sentence.tone === 'good'
  const text = lastKnown ? `Last known: ${sentence.text.charAt(0).toLowerCase()}${sentence.text.slice(1)}` : sentence.text
  return (
    <section class={`status tone-${lastKnown ? 'idle' : sentence.tone}`} aria-label="Status">
      <StateShape shape={sentence.decision === null ? 'ring' : decisionMark(sentence.decision).shape} />
      <div>
        <h1>{text}</h1>
        <p class="status-facts">
          {facts.map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
          {probes !== null && <span class={probes.tone === 'good' ? '' : `tone-${probes.tone} strong`}>{probes.text}</span>}
          {monitors.length > 0 && <span class="num">{freshnessSentence(state.lastResultAtMs, now)}</span>}
        </p>
      </div>
    </section>
  )
}
