/** Maintenance of a monitor: the badge while it lasts, and the windows announced. */
import type { MaintenanceWindow, Monitor } from '../api/resources.ts'
import { Badge } from '../parts/mark.tsx'
import { Failure, Panel } from '../parts/panel.tsx'
import { useLoad, useNow } from '../state/hooks.ts'
import { useSession } from '../state/session.tsx'
import { maintenanceMark, nextWords, scheduleWords } from '../words/maintenance.ts'
import { timeOf } from '../words/time.ts'

export function MaintenanceBadge({ monitor }: { monitor: Monitor }) {
  const mark = maintenanceMark(monitor, useNow())
  return mark === null ? null : <Badge mark={mark} />
}

const windowsShown = 20

/** Those that hold now or are still to come, the next first. */
export function MaintenancePanel({ monitor }: { monitor: Monitor }) {
  const { api } = useSession()
  const now = useNow()
  const [loading, reload] = useLoad(
    () => api.list<MaintenanceWindow>(`/maintenance-windows?monitor_id=${encodeURIComponent(monitor.id)}`, windowsShown),
    `${monitor.id} ${monitor.maintenance?.id ?? ''}`,
  )
  if (loading.state === 'loading') return null
  if (loading.state === 'failed') {
    return (
      <Panel title="Maintenance">
        <Failure sentence={loading.sentence} onRetry={reload} />
      </Panel>
    )
  }
  const windows = loading.value.items
    .map((window) => ({ window, next: nextWords(window, now) }))
    .filter(({ next }) => next !== null)
    .toSorted((a, b) => timeOf(a.window.next?.starts_at) - timeOf(b.window.next?.starts_at))
  return (
    <Panel title="Maintenance">
      {windows.length === 0 && (
        <p class="quiet">
          None is announced. Tests run in it and nobody is paged; windows are made under <code>/v1/maintenance-windows</code>.
        </p>
      )}
      {windows.length > 0 && (
        <dl class="facts">
          {windows.map(({ window, next }) => (
            <div key={window.id}>
              <dt>{window.name}</dt>
              <dd>
                {scheduleWords(window)}
                <span class="fact-note num">{next}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Panel>
  )
}
