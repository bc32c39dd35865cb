import { type Static, Type } from 'typebox'
import { isoTime } from '../../../common/durations.ts'
import { MailscoutError } from '../../../common/errors.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import type { Sql } from '../../store/connection.ts'
import { isDuplicate } from '../../store/faults.ts'
import {
  customersHaveLevel,
  deleteServiceLevel,
  findLevelOfCustomer,
  findServiceLevel,
  insertServiceLevel,
  listServiceLevels,
  lockServiceLevel,
  replaceServiceLevel,
  type ServiceLevel,
  type ServiceLevelRow,
} from '../../store/service-levels.ts'
import { change } from '../change.ts'
import type { ApiContext, ApiServer } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { fieldFault, notFound } from '../problem.ts'
import { ById, Id, ListQuery, listOf, Name, oneOf, partial, query, Seconds, Time } from '../schemas.ts'

const settings = {
  name: Name,
  vantages: Type.Integer({ minimum: 1, maximum: 50 }),
  quorum: Type.Integer({ minimum: 1, maximum: 50 }),
  period_min_s: Seconds(1, 86_400),
  mode: oneOf('seed', 'fast', 'hedged'),
  channels: Type.Array(oneOf('sms'), { maxItems: 5, uniqueItems: true }),
  sms_per_day: Type.Integer({ minimum: 0, maximum: 100_000 }),
}
const NewServiceLevel = query(settings)
const ServiceLevelChange = partial(settings)
const Shown = Type.Object({ id: Id, ...settings, created_at: Time })

const show = (row: ServiceLevelRow): Static<typeof Shown> => ({
  ...row,
  channels: row.channels as 'sms'[],
  created_at: isoTime(row.created_at),
})

const schema = { tags: ['service-levels'] }

export function registerServiceLevels(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/service-levels',
    {
      config: { needs: 'read' },
      schema: {
        ...schema,
        summary: 'List them; a customer sees its own',
        querystring: ListQuery,
        response: { 200: listOf(Shown) },
      },
    },
    async (request) => {
      const paging = pagingOf(request.query)
      const own = request.identity.customer_id
      const level = own === null ? undefined : await findLevelOfCustomer(context.database.system, own)
      if (own !== null && level === undefined) return { data: [], next_cursor: null }
      return pageOf(await listServiceLevels(context.database.system, paging, level?.id), paging.limit, show)
    },
  )

  app.get(
    '/service-levels/:id',
    { config: { needs: 'operator' }, schema: { ...schema, params: ById, response: { 200: Shown } } },
    async (request) => {
      const level = await findServiceLevel(context.database.system, request.params.id)
      if (level === undefined) throw notFound('service level')
      return show(level)
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/service-levels',
    { config: { needs: 'operator' }, schema: { ...schema, body: NewServiceLevel, response: { 201: Shown } } },
    async (request, reply) => {
      const level = { id: uuidv7(context.runtime), ...request.body }
      checkLevel(level)
      const options = { request, reply: reply.code(201), action: 'service_level.create', whose: null }
      return change(context, options, async (sql) => {
        const row = await named(() => insertServiceLevel(sql, level))
        return { body: show(row), object: `service_level ${row.id}`, customer_id: null, detail: request.body }
      })
    },
  )

  app.patch(
    '/service-levels/:id',
    {
      config: { needs: 'operator' },
      schema: {
        ...schema,
        summary: 'Holds for what is created or changed from now on',
        params: ById,
        body: ServiceLevelChange,
        response: { 200: Shown },
      },
    },
    async (request, reply) =>
      change(context, { request, reply, action: 'service_level.change', whose: null }, async (sql) => {
        const row = await changeLevel(sql, request.params.id, request.body)
        return { body: show(row), object: `service_level ${row.id}`, customer_id: null, detail: request.body }
      }),
  )

  app.delete(
    '/service-levels/:id',
    { config: { needs: 'operator' }, schema: { ...schema, params: ById, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const { id } = request.params
      await change(context, { request, reply, action: 'service_level.delete', whose: null }, async (sql) => {
        if ((await lockServiceLevel(sql, id)) === undefined) throw notFound('service level')
        if (await customersHaveLevel(sql, id))
          throw new MailscoutError('CONFLICT', 'Customers have this service level: give them another one first')
        await deleteServiceLevel(sql, id)
        return { body: null, object: `service_level ${id}`, customer_id: null }
      })
      return reply.code(204).send(null)
    },
  )
}

async function changeLevel(sql: Sql, id: string, body: Static<typeof ServiceLevelChange>): Promise<ServiceLevelRow> {
  const level = await lockServiceLevel(sql, id)
  if (level === undefined) throw notFound('service level')
  const changed = { ...level, ...body }
  checkLevel(changed)
  await named(() => replaceServiceLevel(sql, changed))
  return changed
}

function checkLevel(level: ServiceLevel): void {
  if (level.quorum > level.vantages) throw fieldFault('quorum', `must be at most vantages (${level.vantages})`)
  if (level.vantages >= 2 && level.quorum < 2) throw fieldFault('quorum', 'must be at least 2 where there are several vantages')
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isDuplicate(error)) throw error
    throw fieldFault('name', 'is taken by another service level', 'CONFLICT')
  }
}
