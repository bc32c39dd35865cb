/** What Prometheus is shown at /metrics. Gauges about due work are read from the database when asked. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Hub } from './hub/server.ts'
import { readBacklog } from './store/backlog.ts'
import type { Database } from './store/database.ts'

export type Metrics = { registry: Registry; watch(hub: Pick<Hub, 'sessions'>): void }

export function createMetrics(database: Database): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  let hub: Pick<Hub, 'sessions'> | null = null
  new Gauge({
    name: 'mailscout_probe_sessions',
    help: 'Probes connected to this coordinator',
    registers: [registry],
    collect() {
      this.set(hub?.sessions.size ?? 0)
    },
  })
  const monitors = new Gauge({
    name: 'mailscout_monitors',
    help: 'Monitors by decision',
    labelNames: ['decision'],
    registers: [registry],
  })
  const pages = new Gauge({
    name: 'mailscout_pages',
    help: 'Pages of the last 24 h by state',
    labelNames: ['state'],
    registers: [registry],
  })
  const blocked = new Gauge({
    name: 'mailscout_blocked_monitors',
    help: 'Monitors whose mail server refuses the address of this probe by policy',
    labelNames: ['probe'],
    registers: [registry],
  })
  new Gauge({
    name: 'mailscout_due_work_oldest_seconds',
    help: 'Age of the oldest work that is due and not done, by kind',
    labelNames: ['kind'],
    registers: [registry],
    async collect() {
      const backlog = await readBacklog(database.system)
      for (const [kind, seconds] of Object.entries(backlog.oldest_s)) this.set({ kind }, seconds)
      monitors.reset()
      for (const { decision, count } of backlog.monitors) monitors.set({ decision }, count)
      blocked.reset()
      for (const { probe, count } of backlog.blocked) blocked.set({ probe }, count)
      pages.reset()
      for (const { state, count } of backlog.pages) pages.set({ state }, count)
    },
  })
  return {
    registry,
    watch(started) {
      hub = started
    },
  }
}
