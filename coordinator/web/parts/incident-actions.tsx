/** Acknowledge and resolve. */
import { useRef } from 'preact/hooks'
import type { Incident } from '../api/resources.ts'
import { useAction } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'

export function IncidentActions({ incident }: { incident: Incident }) {
  const { api, dispatch, mayAct } = useSession()
  const dialog = useRef<HTMLDialogElement>(null)
  const post = (verb: 'acknowledge' | 'resolve') => async () => {
    const answer = await api.post<Incident | undefined>(`/incidents/${encodeURIComponent(incident.id)}/${verb}`)
    // The answer is the incident; a coordinator that answers with nothing tells it on the stream.
    if (answer?.id === incident.id) dispatch({ type: 'incidents_loaded', incidents: [answer] })
  }
  const [acknowledging, acknowledge] = useAction(post('acknowledge'))
  const [resolving, resolve] = useAction(post('resolve'))
  if (!mayAct || incident.resolved_at !== null) return null
  const failed = [acknowledging, resolving].find((doing) => doing.state === 'failed')
  return (
    <div class="actions">
      {incident.acknowledged_at === null && (
        <button type="button" class="button button-primary" disabled={acknowledging.state === 'busy'} onClick={acknowledge}>
          {acknowledging.state === 'busy' ? 'Acknowledging…' : 'Acknowledge'}
        </button>
      )}
      <button type="button" class="button" disabled={resolving.state === 'busy'} onClick={() => dialog.current?.showModal()}>
        {resolving.state === 'busy' ? 'Resolving…' : 'Resolve'}
      </button>
      <dialog ref={dialog} class="dialog" aria-labelledby={`resolve-${incident.id}`}>
        <form method="dialog">
          <h2 id={`resolve-${incident.id}`}>Resolve {incident.code} by hand?</h2>
          <p>
            Mailscout resolves an incident by itself as soon as mail comes back. Resolved by hand, it is closed now; if mail still
            does not come back, the next tests open a new one and page again.
          </p>
          <div class="actions">
            <button type="submit" class="button button-primary" onClick={resolve}>
              Resolve now
            </button>
            {/* biome-ignore lint/a11y/noAutofocus: within a dialog the focus must go somewhere; here an Enter in haste does no harm. */}
            <button type="submit" class="button" autoFocus>
              Leave it open
            </button>
          </div>
        </form>
      </dialog>
      {failed?.state === 'failed' && (
        <p class="action-fault" role="alert">
          {failed.sentence}
        </p>
      )}
    </div>
  )
}
