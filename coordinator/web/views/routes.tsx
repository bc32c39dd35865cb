/** The ways to a monitor's target, where there are several: each mail server by each address family, and how it stands. */
import type { Monitor } from '../api/resources.ts'
import { Mark } from '../parts/mark.tsx'
import { Panel } from '../parts/panel.tsx'
import { useNow } from '../state/hooks.ts'
import { routeMark, routeName, routeNote } from '../words/mail-routes.ts'

/** An older coordinator tells of none. */
export function RoutesPanel({ monitor: { routes = [] } }: { monitor: Pick<Monitor, 'routes'> }) {
  const now = useNow()
  if (routes.length === 0) return null
  return (
    <Panel title="Routes">
      <ul class="mail-routes">
        {routes.map((route) => (
          <li key={routeName(route)}>
            <p>
              <Mark mark={routeMark(route.standing)} /> {routeName(route)}
            </p>
            <p class="small quiet">{routeNote(route, now)}</p>
          </li>
        ))}
      </ul>
      <p class="small quiet">Each is tested every hour without falling back to another. That never votes, and wakes nobody.</p>
    </Panel>
  )
}
