/** The monitors, worst first. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Monitor, Result } from '../api/resources.ts'
import { CopyBlock } from '../parts/copy.tsx'
import { Badge } from '../parts/mark.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { Spark } from '../parts/spark.tsx'
import { VerdictChips } from '../parts/votes.tsx'
import { monitorsInOrder, searchMonitors } from '../state/select.ts'
import { useSession } from '../state/session.tsx'
import { decisionReason } from '../words/reasons.ts'
import { monitorHref } from '../words/routes.ts'
import { decisionMark } from '../words/verdicts.ts'
import { MaintenanceBadge } from './maintenance.tsx'

/** Few monitors need no search. */
const searchFrom = 8
const rowsStep = 50

export function MonitorList() {
  const { state } = useSession()
  const [search, setSearch] = useState('')
  const [rows, setRows] = useState(rowsStep)
  const all = monitorsInOrder(state.monitors.values())
  const customerName = (id: string) => state.customers.get(id)?.name ?? ''
  const found = searchMonitors(all, search, customerName)
  const tools = all.length >= searchFrom && (
    <label class="search">
      <span class="hidden">Search monitors by name, address or state</span>
      <input
        type="search"
        placeholder="Search name, address, state"
        value={search}
        onInput={(event) => setSearch(event.currentTarget.value)}
      />
    </label>
  )
  return (
    <Panel
      title="Monitors"
      note={all.length > 1 ? (search === '' ? all.length : `${found.length} of ${all.length}`) : undefined}
      tools={tools}
    >
      {all.length === 0 && <FirstMonitor />}
      {all.length > 0 && found.length === 0 && <Empty title={`No monitor matches “${search}”.`} />}
      {found.length > 0 && (
        <ul class="monitors">
          {found.slice(0, rows).map((monitor) => (
            <MonitorRow
              key={monitor.id}
              monitor={monitor}
              customer={state.customers.size > 1 ? customerName(monitor.customer_id) : ''}
            />
          ))}
        </ul>
      )}
      {found.length > rows && (
        <button type="button" class="button button-wide" onClick={() => setRows(rows + rowsStep)}>
          Show more ({found.length - rows} left)
        </button>
      )}
    </Panel>
  )
}

function MonitorRow({ monitor, customer }: { monitor: Monitor; customer: string }) {
  const row = useRef<HTMLLIElement>(null)
  const results = useRecentResults(monitor.id, row)
  const mark = decisionMark(monitor.decision)
  return (
    <li class="monitor" ref={row}>
      <div class="monitor-name">
        <h3>
          <a href={monitorHref(monitor.id)}>{monitor.name}</a>
        </h3>
        <p class="address">
          {monitor.kind !== 'roundtrip' && <span class="kind">{monitor.kind.toUpperCase()}</span>}
          {monitor.target.address}
          {customer !== '' && <span class="customer"> · {customer}</span>}
        </p>
      </div>
      <div class="monitor-state">
        <MaintenanceBadge monitor={monitor} />
        <Badge mark={mark} />
        <p class="quiet small">{monitor.decision_reason === null ? mark.meaning : decisionReason(monitor.decision_reason)}</p>
      </div>
      <div class="monitor-spark">
        <Spark results={results} acceptEcho={monitor.accept_echo} />
      </div>
      <VerdictChips verdicts={monitor.verdicts} />
    </li>
  )
}

const none: readonly Result[] = []
const sparkResults = 60

/** A row loads its line only once it comes into view: a list may be long. */
function useRecentResults(monitorId: string, row: { current: HTMLLIElement | null }): readonly Result[] {
  const { api, state, dispatch } = useSession()
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    if (row.current === null) return
    const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true), {
      rootMargin: '600px',
    })
    observer.observe(row.current)
    return () => observer.disconnect()
  }, [row])
  const { loads } = state
  // After each load of the picture there may be a gap to fill.
  useEffect(() => {
    if (!seen) return
    api
      .list<Result>(`/monitors/${encodeURIComponent(monitorId)}/results`, sparkResults)
      .then(({ items }) => dispatch({ type: 'results_loaded', monitorId, results: items }))
      // The line is an extra: without it the row still says everything.
      .catch(() => undefined)
  }, [api, dispatch, monitorId, seen, loads])
  return state.results.get(monitorId) ?? none
}

function FirstMonitor() {
  return (
    <Empty title="Nothing is watched yet.">
      <p>
        Add the first monitor with the API: a target address on the mail system, and the responder there to return the test mail.
        It appears here at once, as <em>pending</em>, and turns <em>up</em> with the first verified return.
      </p>
      <CopyBlock label="Request" text={firstMonitorRequest} />
      <p>
        All fields are described in the <a href="./docs">API reference</a>.
      </p>
    </Empty>
  )
}

const firstMonitorRequest = `curl ${location.origin}/v1/monitors \\
  -H "Authorization: Bearer $MAILSCOUT_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"customer_id": "…", "name": "Head office mail",
       "kind": "roundtrip", "target": {"address": "scout@example.com"}}'`
