import { Type } from 'typebox'
import { MailscoutError } from '../../../common/errors.ts'
import { jobStartMsMax } from '../../../common/limits.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import { endOpenIncident } from '../../flow/incident.ts'
import { moveTarget } from '../../flow/target.ts'
import { announce } from '../../store/announce.ts'
import type { Sql } from '../../store/connection.ts'
import { lockEscalationPolicy } from '../../store/escalation-policies.ts'
import { transactionOn } from '../../store/flow-store.ts'
import { amendPaging } from '../../store/incident-log.ts'
import { insertJob } from '../../store/judging.ts'
import {
  assignedProbes,
  deleteMonitor,
  findMonitor,
  insertMonitor,
  listMonitors,
  lockMonitorForChange,
  type MonitorRow,
  type MonitorSettings,
  replaceMonitor,
} from '../../store/monitors.ts'
import type { Whose } from '../../store/paging.ts'
import { findLevelOfCustomer, type ServiceLevelRow } from '../../store/service-levels.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, customerOf, read, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { beyondLevel, completeMonitor, contradictions, goesElsewhere, needsReassignment } from '../monitor-rules.ts'
import { Monitor, monitorSettings, showMonitor } from '../monitor-view.ts'
import { fieldFault, notFound, RateLimited, RequestFault } from '../problem.ts'
import { ById, CustomerId, Id, listOf, OwnedListQuery, partial, query } from '../schemas.ts'

const { name, kind, target, ...optional } = monitorSettings
const NewMonitor = query({
  customer_id: Type.Optional(CustomerId),
  name,
  kind,
  target,
  ...partial(optional).properties,
})
const MonitorChange = partial(monitorSettings)
const Jobs = Type.Object({ jobs: Type.Array(Type.Object({ id: Id, probe_id: Id })) })

const schema = { tags: ['monitors'] }

export function registerMonitors(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
  addEndAndTest(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/monitors',
    { config: { needs: 'read' }, schema: { ...schema, querystring: OwnedListQuery, response: { 200: listOf(Monitor) } } },
    async (request) => {
      const paging = pagingOf(request.query)
      const whose = whoseList(request, request.query.customer_id)
      return pageOf(await read(context, whose, (sql) => listMonitors(sql, whose, paging)), paging.limit, showMonitor)
    },
  )

  app.get(
    '/monitors/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: Monitor } } },
    async (request) => {
      const whose = request.identity.customer_id
      return showMonitor(await read(context, whose, (sql) => knownMonitor(sql, whose, request.params.id)))
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/monitors',
    {
      config: { needs: 'write' },
      schema: { ...schema, summary: 'What is left out follows the service level', body: NewMonitor, response: { 201: Monitor } },
    },
    async (request, reply) => {
      const customer_id = customerOf(request, request.body.customer_id)
      const { customer_id: _, ...settings } = request.body
      return change(context, { request, reply: reply.code(201), action: 'monitor.create', whose: customer_id }, async (sql) => {
        const monitor = completeMonitor(settings, await levelOf(sql, customer_id))
        await checkMonitor(sql, customer_id, monitor)
        const id = uuidv7(context.runtime)
        await insertMonitor(sql, { ...monitor, id, customer_id })
        await announce(sql, 'assign')
        await announce(sql, 'live', { kind: 'monitor', customer_id, id })
        const body = showMonitor(await knownMonitor(sql, customer_id, id))
        return { body, object: `monitor ${id}`, customer_id, detail: monitor }
      })
    },
  )

  app.patch(
    '/monitors/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary:
          '`target` replaces the whole target. Where mail then goes to another address, host or port the monitor is pending again. With another escalation policy its open incident goes on by that',
        params: ById,
        body: MonitorChange,
        response: { 200: Monitor },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      return change(context, { request, reply, action: 'monitor.change', whose }, async (sql) => {
        const before = await monitorForChange(sql, whose, request.params.id)
        const { id, customer_id } = before
        const after = { ...settingsOf(before), ...request.body }
        await checkMonitor(sql, customer_id, after)
        const reassign = needsReassignment(before, after)
        const moved = goesElsewhere(before.target, after.target)
        if (moved) await moveTarget(context, transactionOn(sql), { customer_id, monitor_id: id })
        await replaceMonitor(sql, { ...after, id, customer_id }, { reassign, moved })
        if (after.escalation_policy_id !== before.escalation_policy_id) await amendPaging(sql, customer_id, [id])
        if (reassign) await announce(sql, 'assign')
        await announce(sql, 'judge')
        await announce(sql, 'live', { kind: 'monitor', customer_id, id })
        const body = showMonitor(await knownMonitor(sql, whose, id))
        return { body, object: `monitor ${id}`, customer_id, detail: request.body }
      })
    },
  )
}

function addEndAndTest(app: ApiServer, context: ApiContext): void {
  app.delete(
    '/monitors/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: 'Ends its tests and its open incident; results and incidents stay',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      await change(context, { request, reply, action: 'monitor.delete', whose }, async (sql) => {
        const { id, customer_id } = await monitorForChange(sql, whose, request.params.id)
        await endOpenIncident(context, transactionOn(sql), { customer_id, monitor_id: id }, 'monitor_deleted')
        await deleteMonitor(sql, customer_id, id)
        await announce(sql, 'assign')
        return { body: null, object: `monitor ${id}`, customer_id }
      })
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/monitors/:id/test',
    {
      config: { needs: 'write' },
      schema: { ...schema, summary: 'Test now from every vantage', params: ById, body: query({}), response: { 202: Jobs } },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      return change(context, { request, reply: reply.code(202), action: 'monitor.test', whose }, async (sql) => {
        const { id, customer_id } = await knownMonitor(sql, whose, request.params.id)
        const allowed = context.testNow.take(id, context.runtime.monotonicMs())
        if (!allowed.taken)
          throw new RateLimited(
            'This monitor was tested several times just now: its mail system gets a mail each time',
            allowed.retryAfterS,
          )
        const jobs = await orderTests(context, sql, customer_id, id)
        return { body: { jobs }, object: `monitor ${id}`, customer_id, detail: { jobs } }
      })
    },
  )
}

async function orderTests(context: ApiContext, sql: Sql, customer_id: string, monitor_id: string) {
  const probeIds = await assignedProbes(sql, customer_id, monitor_id)
  if (probeIds.length === 0)
    throw new MailscoutError(
      'CONFLICT',
      'No probe has been given this monitor yet: wait until GET shows verdicts, or enrol a probe',
    )
  const jobs = probeIds.map((probe_id) => ({ id: uuidv7(context.runtime), probe_id }))
  for (const job of jobs) {
    await insertJob(sql, { ...job, customer_id, monitor_id, cause: 'test_now', expires_in_ms: jobStartMsMax })
    await announce(sql, 'probe', { probe_id: job.probe_id })
  }
  return jobs
}

export async function knownMonitor(sql: Sql, whose: Whose, id: string): Promise<MonitorRow> {
  const monitor = await findMonitor(sql, whose, id)
  if (monitor === undefined) throw notFound('monitor')
  return monitor
}

/** Locked first, then read: what is changed is what was seen. */
async function monitorForChange(sql: Sql, whose: Whose, id: string): Promise<MonitorRow> {
  const { customer_id } = await knownMonitor(sql, whose, id)
  await lockMonitorForChange(sql, customer_id, id)
  return knownMonitor(sql, whose, id)
}

async function levelOf(sql: Sql, customerId: string): Promise<ServiceLevelRow> {
  const level = await findLevelOfCustomer(sql, customerId)
  if (level === undefined) throw fieldFault('customer_id', 'is no customer')
  return level
}

async function checkMonitor(sql: Sql, customerId: string, monitor: MonitorSettings): Promise<void> {
  const faults = contradictions(monitor)
  const policyId = monitor.escalation_policy_id
  if (policyId !== null && !(await lockEscalationPolicy(sql, customerId, policyId)))
    faults.push({ field: 'escalation_policy_id', message: 'is no escalation policy of this customer' })
  if (faults.length > 0) throw new RequestFault(faults)
  const beyond = beyondLevel(monitor, await levelOf(sql, customerId))
  if (beyond.length > 0) throw new RequestFault(beyond, 'SERVICE_LEVEL_EXCEEDED')
}

const settingsOf = (row: MonitorRow): MonitorSettings => ({
  name: row.name,
  kind: row.kind,
  target: row.target,
  period_s: row.period_s,
  timeout_s: row.timeout_s,
  slow_s: row.slow_s,
  retest_wait_s: row.retest_wait_s,
  hard_confirm_s: row.hard_confirm_s,
  open_period_s: row.open_period_s,
  vantages: row.vantages,
  quorum: row.quorum,
  mode: row.mode,
  accept_echo: row.accept_echo,
  escalation_policy_id: row.escalation_policy_id,
})
