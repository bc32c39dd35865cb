/** An incident as a card: what, since when, why, who says so, and what a person can do. */
import { asSentence } from '../api/problem.ts'
import type { Incident } from '../api/resources.ts'
import { IncidentActions } from '../parts/incident-actions.tsx'
import { Badge } from '../parts/mark.tsx'
import { VoteChips } from '../parts/votes.tsx'
import { Way } from '../parts/way.tsx'
import { Utc } from '../parts/when.tsx'
import { useNow } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'
import { maintenanceMark } from '../words/maintenance.ts'
import { incidentHref, monitorHref } from '../words/routes.ts'
import { incidentSpan } from '../words/sentence.ts'
import { decisionMark } from '../words/verdicts.ts'

export function IncidentCard({ incident }: { incident: Incident }) {
  const now = useNow()
  const { state } = useSession()
  const mark = decisionMark(incident.kind)
  const monitor = state.monitors.get(incident.monitor_id)
  const maintenance = monitor === undefined ? null : maintenanceMark(monitor, now)
  return (
    <article class={`incident tone-${(maintenance ?? mark).tone}`}>
      <header class="incident-head">
        <Badge mark={mark} />
        {maintenance !== null && <Badge mark={maintenance} />}
        <h3>
          <a href={monitorHref(incident.monitor_id)}>{incident.monitor_name}</a>
        </h3>
        <a class="code" href={incidentHref(incident.id)} aria-label={`Incident ${incident.code}`}>
          {incident.code}
        </a>
      </header>
      <p class="incident-span num">{incidentSpan(incident, now)}</p>
      {incident.cause !== null && <p class="incident-cause">{asSentence(incident.cause.text)}</p>}
      {incident.cause !== null && incident.cause.place !== null && <Way place={incident.cause.place} />}
      <VoteChips vantages={incident.vantages} />
      <footer class="incident-foot">
        <Acknowledgement incident={incident} />
        <IncidentActions incident={incident} />
      </footer>
    </article>
  )
}

export function Acknowledgement({ incident }: { incident: Incident }) {
  if (incident.acknowledged_at === null) {
    return <p class="quiet">{incident.resolved_at === null ? 'Nobody has acknowledged it yet.' : 'It was not acknowledged.'}</p>
  }
  return (
    <p class="quiet">
      Acknowledged <Utc time={incident.acknowledged_at} />
      {incident.acknowledged_by !== null && <> by {incident.acknowledged_by}</>}
    </p>
  )
}
