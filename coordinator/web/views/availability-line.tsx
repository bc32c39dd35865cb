/** How much of the last 30 days mail came back. An extra: where it cannot be loaded, the page says everything else. */
import type { Availability, Monitor } from '../api/resources.ts'
import { useLoad } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'
import { availabilityWords } from '../words/availability.ts'

const meaning =
  'An interval, because tests are moments: an outage began and ended between two of them. ' +
  'Time before the first returned mail, maintenance, and time that could not be judged do not count.'

export function AvailabilityLine({ monitor }: { monitor: Monitor }) {
  const { api } = useSession()
  const [loading] = useLoad(
    () => api.get<Availability>(`/monitors/${encodeURIComponent(monitor.id)}/availability`),
    `${monitor.id} ${monitor.incident_id ?? ''}`,
  )
  if (loading.state !== 'ready') return null
  const { text, leftOut } = availabilityWords(loading.value)
  return (
    <p class="num" title={meaning}>
      {text}
      {leftOut !== null && <span class="quiet"> · {leftOut}</span>}
    </p>
  )
}
