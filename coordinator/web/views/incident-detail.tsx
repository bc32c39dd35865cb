/** One incident: what happened in which order, who voted how, who was told. */
import { asSentence } from '../api/problem.ts'
import type { Incident, IncidentEvent, Page } from '../api/resources.ts'
import { IncidentActions } from '../parts/incident-actions.tsx'
import { Badge } from '../parts/mark.tsx'
import { Empty, Failure, Panel, Waiting } from '../parts/panel.tsx'
import { SmsList } from '../parts/sms.tsx'
import { VoteChips } from '../parts/votes.tsx'
import { Way } from '../parts/way.tsx'
import { useLoad, useNow } from '../state/hooks.ts'
import { pagesOf } from '../state/select.ts'
import { useSession } from '../state/session.tsx'
import { outageWords } from '../words/availability.ts'
import { eventWords } from '../words/events.ts'
import { monitorHref } from '../words/routes.ts'
import { incidentSpan } from '../words/sentence.ts'
import { clockTime, dayOf, timeOf } from '../words/time.ts'
import { decisionMark } from '../words/verdicts.ts'
import { Acknowledgement } from './incident-card.tsx'
import { BackLink } from './monitor-detail.tsx'

export function IncidentDetail({ id }: { id: string }) {
  const { api, state, dispatch } = useSession()
  const incident = state.incidents.get(id)
  const [loading, reload] = useLoad(
    async () => {
      dispatch({ type: 'incidents_loaded', incidents: [await api.get<Incident>(`/incidents/${encodeURIComponent(id)}`)] })
    },
    state.loaded && incident === undefined ? id : null,
  )
  if (incident === undefined) {
    return (
      <main id="main" class="page">
        <BackLink />
        {loading.state === 'failed' ? <Failure sentence={loading.sentence} onRetry={reload} /> : <Waiting what="the incident" />}
      </main>
    )
  }
  return <LoadedIncident incident={incident} key={id} />
}

function LoadedIncident({ incident }: { incident: Incident }) {
  const { api, state, dispatch } = useSession()
  const now = useNow()
  const mark = decisionMark(incident.kind)
  const pages = pagesOf(state, incident.id)
  const [pagesLoading] = useLoad(async () => {
    const { items } = await api.list<Page>(`/pages?incident_id=${encodeURIComponent(incident.id)}`, 100)
    dispatch({ type: 'pages_loaded', pages: items })
  }, incident.id)
  return (
    <main id="main" class="page">
      <BackLink />
      <header class="head">
        <div class="head-name">
          <h1>
            <a href={monitorHref(incident.monitor_id)}>{incident.monitor_name}</a>
          </h1>
          <p>
            Incident <span class="code">{incident.code}</span>
          </p>
        </div>
        <div class="head-state">
          {incident.resolved_at === null ? (
            <Badge mark={mark} />
          ) : (
            <Badge mark={{ tone: 'good', shape: 'check', word: 'Resolved', meaning: 'Mail comes back again.' }} />
          )}
          <p class="quiet num">{incidentSpan(incident, now)}</p>
        </div>
        <div class="head-action">
          <IncidentActions incident={incident} />
        </div>
      </header>
      <div class="columns">
        <div class="column">
          <Panel title="What happened">
            <Timeline incident={incident} />
          </Panel>
        </div>
        <div class="column column-side">
          <Panel title="Cause and votes">
            {incident.cause !== null && <p class="incident-cause">{asSentence(incident.cause.text)}</p>}
            {incident.cause !== null && incident.cause.place !== null && <Way place={incident.cause.place} />}
            <VoteChips vantages={incident.vantages} />
            {incident.outage !== null && <p class="quiet num">{asSentence(outageWords(incident.outage, now))}</p>}
            <Acknowledgement incident={incident} />
          </Panel>
          <Panel title="Pages sent">
            {pages.length === 0 && pagesLoading.state !== 'loading' && (
              <Empty title="Nobody was paged for this.">
                <p>Where somebody should have been, what happened says why not; or the page is not due yet.</p>
              </Empty>
            )}
            <SmsList pages={pages} />
          </Panel>
        </div>
      </div>
    </main>
  )
}

const eventsMax = 500

/** Oldest first: a story is told forwards. */
function Timeline({ incident }: { incident: Incident }) {
  const { api, state } = useSession()
  const now = useNow()
  // Every change of the incident and each of its pages adds an event.
  const changes = [
    incident.kind,
    incident.cause?.text,
    incident.acknowledged_at,
    incident.resolved_at,
    ...pagesOf(state, incident.id).map((page) => page.id + page.state),
  ]
  const [loading, reload] = useLoad(
    async () => (await api.list<IncidentEvent>(`/incidents/${encodeURIComponent(incident.id)}/events`, eventsMax)).items,
    `${incident.id} ${state.loads} ${changes.join()}`,
  )
  if (loading.state === 'loading') return <Waiting what="the events" />
  if (loading.state === 'failed') return <Failure sentence={loading.sentence} onRetry={reload} />
  const events = [...loading.value].sort((a, b) => timeOf(a.at) - timeOf(b.at))
  if (events.length === 0) return <Empty title="Nothing is recorded yet." />
  const days = new Set(events.map((event) => dayOf(event.at, now)))
  return (
    <ol class="timeline">
      {events.map((event) => (
        <TimelineEvent key={event.id} event={event} day={days.size > 1 ? dayOf(event.at, now) : null} />
      ))}
    </ol>
  )
}

function TimelineEvent({ event, day }: { event: IncidentEvent; day: string | null }) {
  const { title, text, votes } = eventWords(event)
  return (
    <li>
      <time class="num" dateTime={event.at}>
        {day !== null && <span class="quiet">{day} </span>}
        {clockTime(event.at, true)}
      </time>
      <div>
        <p class="timeline-type">{title}</p>
        {text !== null && <p class="quiet">{text}</p>}
        {votes.length > 0 && <VoteChips vantages={votes} />}
      </div>
    </li>
  )
}
