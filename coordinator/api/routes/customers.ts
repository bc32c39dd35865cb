import { type Static, Type } from 'typebox'
import { isoTime } from '../../../common/durations.ts'
import { MailscoutError } from '../../../common/errors.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import type { Sql } from '../../store/connection.ts'
import { type CustomerRow, findCustomer, insertCustomer, listCustomers, updateCustomer } from '../../store/customers.ts'
import { monitorsBeyond } from '../../store/monitors.ts'
import { findServiceLevelByName, type ServiceLevelRow } from '../../store/service-levels.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, read } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { modesGranted } from '../monitor-rules.ts'
import { fieldFault, notFound } from '../problem.ts'
import { ById, Id, ListQuery, listOf, Name, partial, query, Time } from '../schemas.ts'

const settings = { name: Name, service_level: Name }
const NewCustomer = query(settings)
const Customer = Type.Object({ id: Id, ...settings, created_at: Time })

const show = (row: CustomerRow): Static<typeof Customer> => ({ ...row, created_at: isoTime(row.created_at) })

export function registerCustomers(app: ApiServer, context: ApiContext): void {
  const schema = { tags: ['customers'] }

  app.get(
    '/customers',
    { config: { needs: 'read' }, schema: { ...schema, querystring: ListQuery, response: { 200: listOf(Customer) } } },
    async (request) => {
      const paging = pagingOf(request.query)
      const whose = request.identity.customer_id
      return pageOf(await read(context, whose, (sql) => listCustomers(sql, whose, paging)), paging.limit, show)
    },
  )

  app.get(
    '/customers/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: Customer } } },
    async (request) => {
      const whose = request.identity.customer_id
      const row = await read(context, whose, (sql) => findCustomer(sql, whose, request.params.id))
      if (row === undefined) throw notFound('customer')
      return show(row)
    },
  )

  app.post(
    '/customers',
    { config: { needs: 'operator' }, schema: { ...schema, body: NewCustomer, response: { 201: Customer } } },
    async (request, reply) =>
      change(context, { request, reply: reply.code(201), action: 'customer.create', whose: null }, async (sql) => {
        const level = await levelNamed(sql, request.body.service_level)
        const id = uuidv7(context.runtime)
        const row = await insertCustomer(sql, { id, name: request.body.name, service_level_id: level.id })
        return { body: show(row), object: `customer ${id}`, customer_id: id, detail: request.body }
      }),
  )

  app.patch(
    '/customers/:id',
    {
      config: { needs: 'operator' },
      schema: { ...schema, params: ById, body: partial(settings), response: { 200: Customer } },
    },
    async (request, reply) => {
      const { id } = request.params
      return change(context, { request, reply, action: 'customer.change', whose: null }, async (sql) => {
        const { name, service_level } = request.body
        const level = service_level === undefined ? undefined : await levelNamed(sql, service_level)
        if (level !== undefined) await refuseOverdrawn(sql, id, level)
        const row = await updateCustomer(sql, id, {
          ...(name === undefined ? {} : { name }),
          ...(level === undefined ? {} : { service_level_id: level.id }),
        })
        if (row === undefined) throw notFound('customer')
        return { body: show(row), object: `customer ${id}`, customer_id: id, detail: request.body }
      })
    },
  )
}

async function levelNamed(sql: Sql, name: string): Promise<ServiceLevelRow> {
  const level = await findServiceLevelByName(sql, name)
  if (level === undefined)
    throw fieldFault('service_level', 'is not the name of a service level: GET /v1/service-levels lists them')
  return level
}

/** A lower level is not given to monitors that ask for more: somebody has to decide what they become. */
async function refuseOverdrawn(sql: Sql, customerId: string, level: ServiceLevelRow): Promise<void> {
  const beyond = await monitorsBeyond(sql, customerId, { ...level, modes: modesGranted(level) })
  if (beyond.length === 0) return
  throw new MailscoutError(
    'SERVICE_LEVEL_EXCEEDED',
    `Monitors ask for more than ${level.name} grants: change or delete ${beyond.join(', ')} first`,
    { field: 'service_level' },
  )
}
