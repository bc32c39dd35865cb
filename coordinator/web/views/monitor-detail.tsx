/** Everything about one monitor. */
import { minuteMs } from '../../../common/durations.ts'
import { asSentence } from '../api/problem.ts'
import type { Incident, Monitor } from '../api/resources.ts'
import { Badge, StateShape } from '../parts/mark.tsx'
import { Empty, Failure, Panel, Waiting } from '../parts/panel.tsx'
import { VerdictChips } from '../parts/votes.tsx'
import { Utc } from '../parts/when.tsx'
import { useAction, useLoad, useNow } from '../state/hooks.ts'
import { incidentsOf } from '../state/select.ts'
import { useSession } from '../state/session.tsx'
import { boundExceptions, boundSentence, monitorFacts } from '../words/facts.ts'
import { decisionReason } from '../words/reasons.ts'
import { incidentHref, overviewHref } from '../words/routes.ts'
import { incidentSpan } from '../words/sentence.ts'
import { howLong, timeOf, utc } from '../words/time.ts'
import { decisionMark } from '../words/verdicts.ts'
import { AvailabilityLine } from './availability-line.tsx'
import { Acknowledgement, IncidentCard } from './incident-card.tsx'
import { LegsPanel } from './legs.tsx'
import { MaintenanceBadge, MaintenancePanel } from './maintenance.tsx'
import { MonitorChart } from './monitor-chart.tsx'
import { ResponderGuidePanel } from './responder-guide.tsx'
import { ResultsTable } from './results-table.tsx'
import { RoutesPanel } from './routes.tsx'

export function MonitorDetail({ id }: { id: string }) {
  const { api, state, dispatch } = useSession()
  const monitor = state.monitors.get(id)
  // The list holds the newest monitors only; this one may be beyond it.
  const [loading, reload] = useLoad(
    async () => {
      const loaded = await api.get<Monitor>(`/monitors/${encodeURIComponent(id)}`)
      dispatch({ type: 'events', events: [{ kind: 'monitor', resource: loaded }], nowMs: timeOf(loaded.created_at) })
    },
    state.loaded && monitor === undefined ? id : null,
  )
  if (monitor === undefined) {
    return (
      <main id="main" class="page">
        <BackLink />
        {loading.state === 'failed' ? <Failure sentence={loading.sentence} onRetry={reload} /> : <Waiting what="the monitor" />}
      </main>
    )
  }
  return <LoadedMonitor monitor={monitor} key={id} />
}

function LoadedMonitor({ monitor }: { monitor: Monitor }) {
  const { state } = useSession()
  const incidents = incidentsOf(state, monitor.id)
  const open = incidents.find((incident) => incident.resolved_at === null)
  return (
    <main id="main" class="page">
      <BackLink />
      <MonitorHead monitor={monitor} />
      {open !== undefined && <IncidentCard incident={open} />}
      <Notices monitor={monitor} />
      <MonitorChart monitor={monitor} incidents={incidents} />
      <div class="columns">
        <div class="column">
          <ResultsTable monitor={monitor} />
          <MonitorIncidents monitor={monitor} incidents={incidents} />
        </div>
        <div class="column column-side">
          <Panel title="Vantages" note={monitor.verdicts.length > 1 ? monitor.verdicts.length : undefined}>
            <VerdictChips verdicts={monitor.verdicts} />
          </Panel>
          <RoutesPanel monitor={monitor} />
          <Configuration monitor={monitor} />
          <MaintenancePanel monitor={monitor} />
          {monitor.kind === 'roundtrip' && <LegsPanel monitor={monitor} />}
          {monitor.kind === 'roundtrip' && <ResponderGuidePanel monitorId={monitor.id} />}
        </div>
      </div>
    </main>
  )
}

/** Their text says since when. */
const saysSince = ['route_failing']

/** What nobody is woken for, and somebody should see to. An older coordinator tells of none. */
function Notices({ monitor }: { monitor: Monitor }) {
  return (monitor.notices ?? []).map((notice) => (
    <p key={`${notice.kind} ${notice.text}`} class="notice tone-warn" role="note">
      <StateShape shape="alert" />
      {asSentence(notice.text)}{' '}
      {saysSince.includes(notice.kind) || (
        <span class="nowrap">
          since <Utc time={notice.since} />
        </span>
      )}
    </p>
  ))
}

export function BackLink() {
  return (
    <p class="back">
      <a href={overviewHref}>
        <span aria-hidden="true">← </span>Overview
      </a>
    </p>
  )
}

function MonitorHead({ monitor }: { monitor: Monitor }) {
  const { state } = useSession()
  const now = useNow()
  const mark = decisionMark(monitor.decision)
  const customer = state.customers.size > 1 ? state.customers.get(monitor.customer_id)?.name : undefined
  return (
    <header class="head">
      <div class="head-name">
        <h1>{monitor.name}</h1>
        <p class="address">
          {monitor.target.address}
          {customer !== undefined && <span class="customer"> · {customer}</span>}
        </p>
        <AvailabilityLine monitor={monitor} />
      </div>
      <div class="head-state">
        <MaintenanceBadge monitor={monitor} /> <Badge mark={mark} />
        <p class="quiet num">
          {monitor.decision_reason === null ? mark.meaning : decisionReason(monitor.decision_reason)}
          {monitor.decision_since !== null &&
            monitor.incident_id === null &&
            ` · since ${utc(monitor.decision_since, now)} (${howLong(now - timeOf(monitor.decision_since))})`}
        </p>
      </div>
      <TestNow monitor={monitor} />
    </header>
  )
}

function TestNow({ monitor }: { monitor: Monitor }) {
  const { api, mayAct } = useSession()
  const [doing, start] = useAction(async () => {
    await api.post(`/monitors/${encodeURIComponent(monitor.id)}/test`)
  })
  if (!mayAct) return null
  return (
    <div class="head-action">
      <button type="button" class="button button-primary" disabled={doing.state === 'busy'} onClick={start}>
        {doing.state === 'busy' ? 'Asking…' : 'Test now'}
      </button>
      <p class="small quiet" role="status">
        {doing.state === 'done' && 'All vantages are testing; the results appear below.'}
      </p>
      {doing.state === 'failed' && (
        <p class="action-fault" role="alert">
          {doing.sentence}
        </p>
      )}
    </div>
  )
}

/** A vantage that falls silent is no event: what then holds is read anew each minute. */
function useMinutely(id: string): void {
  const { api, dispatch } = useSession()
  const now = useNow()
  useLoad(
    async () => {
      const resource = await api.get<Monitor>(`/monitors/${encodeURIComponent(id)}`)
      dispatch({ type: 'events', events: [{ kind: 'monitor', resource }], nowMs: now })
    },
    `${id} ${Math.floor(now / minuteMs)}`,
  )
}

function Configuration({ monitor }: { monitor: Monitor }) {
  useMinutely(monitor.id)
  return (
    <Panel title="Configuration">
      <p class="promise">
        {boundSentence(monitor)}
        <span class="fact-note">{boundExceptions}</span>
      </p>
      <dl class="facts">
        {monitorFacts(monitor).map((fact) => (
          <div key={fact.term}>
            <dt>{fact.term}</dt>
            <dd>
              {fact.value}
              {fact.note !== null && <span class="fact-note">{fact.note}</span>}
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  )
}

const monitorIncidentsMax = 50

function MonitorIncidents({ monitor, incidents }: { monitor: Monitor; incidents: readonly Incident[] }) {
  const { api, dispatch } = useSession()
  const now = useNow()
  const [loading, reload] = useLoad(async () => {
    const { items } = await api.list<Incident>(`/incidents?monitor_id=${encodeURIComponent(monitor.id)}`, monitorIncidentsMax)
    dispatch({ type: 'incidents_loaded', incidents: items })
  }, monitor.id)
  return (
    <Panel title="Incidents" note={incidents.length > 1 ? incidents.length : undefined}>
      {incidents.length === 0 && loading.state === 'ready' && (
        <Empty title="No incident so far.">
          <p>What was down, when and for how long will be listed here.</p>
        </Empty>
      )}
      {incidents.length === 0 && loading.state === 'loading' && <Waiting what="incidents" />}
      {loading.state === 'failed' && <Failure sentence={loading.sentence} onRetry={reload} />}
      <ul class="incident-rows">
        {incidents.map((incident) => (
          <li
            key={incident.id}
            class={`incident-row tone-${incident.resolved_at === null ? decisionMark(incident.kind).tone : 'idle'}`}
          >
            <StateShape shape={incident.resolved_at === null ? decisionMark(incident.kind).shape : 'check'} />
            <div>
              <p>
                <a class="code" href={incidentHref(incident.id)}>
                  {incident.code}
                </a>{' '}
                <span class="num">{incidentSpan(incident, now)}</span>
              </p>
              {incident.cause !== null && <p class="quiet incident-cause">{asSentence(incident.cause.text)}</p>}
              <Acknowledgement incident={incident} />
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
