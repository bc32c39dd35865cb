/** What the event stream shows of a notice: the resource as its own route gives it. */
import { findIncidents } from '../store/incidents.ts'
import { findMonitors } from '../store/monitors.ts'
import { findPages } from '../store/pages.ts'
import { findProbes } from '../store/probes.ts'
import { findResults } from '../store/results.ts'
import type { LiveKind, LiveReader, Notice } from './live.ts'
import { showMonitor } from './monitor-view.ts'
import { showIncident, showPage, showProbe, showResult } from './views.ts'

const idsOf = (notices: Notice[]): string[] => notices.map((notice) => notice.id)

export const liveReaders: Record<LiveKind, LiveReader> = {
  result: async (sql, whose, notices) => {
    const keys = notices.flatMap(({ customer_id, id }) => (customer_id === null ? [] : [{ customer_id, id }]))
    return (await findResults(sql, whose, keys)).map((row) => showResult(row, null))
  },
  monitor: async (sql, whose, notices) => (await findMonitors(sql, whose, idsOf(notices))).map(showMonitor),
  incident: async (sql, whose, notices) => (await findIncidents(sql, whose, idsOf(notices))).map(showIncident),
  page: async (sql, whose, notices) => (await findPages(sql, whose, idsOf(notices))).map(showPage),
  probe: async (sql, whose, notices) => (whose === null ? (await findProbes(sql, idsOf(notices))).map(showProbe) : []),
}
