import { Type } from 'typebox'
import { MailscoutError } from '../../../common/errors.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import type { Schedule } from '../../core/maintenance.ts'
import { announce } from '../../store/announce.ts'
import { databaseNowMs } from '../../store/clock.ts'
import type { Sql } from '../../store/connection.ts'
import { findCustomer } from '../../store/customers.ts'
import {
  countMaintenanceWindows,
  endMaintenanceWindow,
  findMaintenanceWindow,
  insertMaintenanceWindow,
  listMaintenanceWindows,
  lockMaintenanceWindow,
  type MaintenanceWindowRow,
  monitorsUnder,
  replaceMaintenanceWindow,
  reviewHeldIncidents,
} from '../../store/maintenance.ts'
import type { Whose } from '../../store/paging.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, customerOf, read, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import {
  MaintenanceWindow,
  type ScheduleRequest,
  scheduleOf,
  showMaintenanceWindow,
  windowSettings,
} from '../maintenance-view.ts'
import { fieldFault, notFound, RequestFault } from '../problem.ts'
import { ById, CustomerId, Id, listOf, OwnedListQuery, partial, query } from '../schemas.ts'

const { name, ...optional } = windowSettings
const NewWindow = query({ customer_id: Type.Optional(CustomerId), name, ...partial(optional).properties })
const WindowChange = partial(windowSettings)
const WindowQuery = query({
  ...OwnedListQuery.properties,
  monitor_id: Type.Optional(Type.String({ ...Id, description: 'a UUID in small letters: those that hold for this monitor' })),
})

const schema = { tags: ['maintenance-windows'] }
/** Each is looked at for every incident that opens. */
const windowsMax = 100

export function registerMaintenanceWindows(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addCreation(app, context)
  addChanges(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/maintenance-windows',
    { config: { needs: 'read' }, schema: { ...schema, querystring: WindowQuery, response: { 200: listOf(MaintenanceWindow) } } },
    async (request) => {
      const { customer_id, monitor_id } = request.query
      const paging = pagingOf(request.query)
      const whose = whoseList(request, customer_id)
      const rows = await read(context, whose, (sql) => listMaintenanceWindows(sql, whose, monitor_id, paging))
      return pageOf(rows, paging.limit, showMaintenanceWindow)
    },
  )

  app.get(
    '/maintenance-windows/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: MaintenanceWindow } } },
    async (request) => {
      const whose = request.identity.customer_id
      return showMaintenanceWindow(await read(context, whose, (sql) => known(sql, whose, request.params.id)))
    },
  )
}

function addCreation(app: ApiServer, context: ApiContext): void {
  app.post(
    '/maintenance-windows',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary:
          'Tests run and nobody is paged: once from `starts_at` to `ends_at`, or `weekly`. It holds from now on, never backwards',
        body: NewWindow,
        response: { 201: MaintenanceWindow },
      },
    },
    async (request, reply) => {
      const customer_id = customerOf(request, request.body.customer_id)
      const options = { request, reply: reply.code(201), action: 'maintenance_window.create', whose: customer_id }
      return change(context, options, async (sql) => {
        if ((await findCustomer(sql, customer_id, customer_id)) === undefined) throw fieldFault('customer_id', 'is no customer')
        if ((await countMaintenanceWindows(sql, customer_id)) >= windowsMax)
          throw new MailscoutError('CONFLICT', `The customer has ${windowsMax} maintenance windows: delete one first`)
        const { name, monitor_ids = null } = request.body
        const schedule = await readSchedule(sql, request.body, null)
        const window = { id: uuidv7(context.runtime), customer_id, name, monitor_ids, schedule }
        await checkMonitors(sql, customer_id, monitor_ids)
        await insertMaintenanceWindow(sql, window)
        await tell(sql, customer_id, monitor_ids)
        const body = showMaintenanceWindow(await known(sql, customer_id, window.id))
        return { body, object: `maintenance_window ${window.id}`, customer_id, detail: request.body }
      })
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.patch(
    '/maintenance-windows/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: '`weekly` replaces the whole schedule; what has been maintenance stays so',
        params: ById,
        body: WindowChange,
        response: { 200: MaintenanceWindow },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      return change(context, { request, reply, action: 'maintenance_window.change', whose }, async (sql) => {
        const before = await knownForChange(sql, whose, request.params.id)
        const { id, customer_id } = before
        const schedule = await readSchedule(sql, request.body, before.schedule)
        const { name = before.name, monitor_ids = before.monitor_ids } = request.body
        if (request.body.monitor_ids !== undefined) await checkMonitors(sql, customer_id, monitor_ids)
        await replaceMaintenanceWindow(sql, { id, customer_id, name, monitor_ids, schedule })
        await reviewHeldIncidents(sql, customer_id)
        await tell(
          sql,
          customer_id,
          before.monitor_ids === null || monitor_ids === null ? null : [...before.monitor_ids, ...monitor_ids],
        )
        const body = showMaintenanceWindow(await known(sql, whose, id))
        return { body, object: `maintenance_window ${id}`, customer_id, detail: request.body }
      })
    },
  )

  app.delete(
    '/maintenance-windows/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: 'It ends now; what has been maintenance stays so',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      await change(context, { request, reply, action: 'maintenance_window.delete', whose }, async (sql) => {
        const { id, customer_id, monitor_ids } = await knownForChange(sql, whose, request.params.id)
        await endMaintenanceWindow(sql, customer_id, id)
        await reviewHeldIncidents(sql, customer_id)
        await tell(sql, customer_id, monitor_ids)
        return { body: null, object: `maintenance_window ${id}`, customer_id }
      })
      return reply.code(204).send(null)
    },
  )
}

async function known(sql: Sql, whose: Whose, id: string): Promise<MaintenanceWindowRow> {
  const window = await findMaintenanceWindow(sql, whose, id)
  if (window === undefined) throw notFound('maintenance window')
  return window
}

/** Locked first, then read: what is changed is what was seen. */
async function knownForChange(sql: Sql, whose: Whose, id: string): Promise<MaintenanceWindowRow> {
  const { customer_id } = await known(sql, whose, id)
  await lockMaintenanceWindow(sql, customer_id, id)
  return known(sql, whose, id)
}

async function readSchedule(sql: Sql, request: ScheduleRequest, before: Schedule | null): Promise<Schedule> {
  const schedule = scheduleOf(request, before, await databaseNowMs(sql))
  if (Array.isArray(schedule)) throw new RequestFault(schedule)
  return schedule
}

async function checkMonitors(sql: Sql, customerId: string, monitorIds: string[] | null): Promise<void> {
  if (monitorIds === null) return
  const own = new Set(await monitorsUnder(sql, customerId, monitorIds))
  const foreign = monitorIds.findIndex((id) => !own.has(id))
  if (foreign >= 0) throw fieldFault(`monitor_ids.${foreign}`, 'is no monitor of this customer')
}

/** The dashboards show whether a monitor is in maintenance. */
async function tell(sql: Sql, customer_id: string, monitorIds: string[] | null): Promise<void> {
  for (const id of await monitorsUnder(sql, customer_id, monitorIds))
    await announce(sql, 'live', { kind: 'monitor', customer_id, id })
}
