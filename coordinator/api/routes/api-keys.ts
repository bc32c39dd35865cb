import { type Static, Type } from 'typebox'
import { isoTime } from '../../../common/durations.ts'
import { MailscoutError } from '../../../common/errors.ts'
import { type ApiKeyRow, findApiKey, insertApiKey, listApiKeys, revokeApiKey } from '../../store/api-keys.ts'
import { findCustomer } from '../../store/customers.ts'
import { makeApiKey } from '../auth.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, customerOf, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { fieldFault, notFound } from '../problem.ts'
import { ById, CustomerId, Id, listOf, OwnedListQuery, oneOf, orNull, query, Time } from '../schemas.ts'
import { isoOrNull } from '../views.ts'

const NewApiKey = query({ customer_id: Type.Optional(CustomerId), scope: oneOf('operator', 'customer', 'read') })

const shown = {
  id: Id,
  customer_id: orNull(Id),
  scope: oneOf('operator', 'customer', 'read'),
  created_at: Time,
  last_used_at: orNull(Time),
  revoked_at: orNull(Time),
}
const ApiKey = Type.Object(shown)
const CreatedApiKey = Type.Object({
  ...shown,
  key: orNull(Type.String({ description: 'Shown this once; null where an Idempotency-Key repeats the request' })),
})

const show = (row: ApiKeyRow): Static<typeof ApiKey> => ({
  ...row,
  created_at: isoTime(row.created_at),
  last_used_at: isoOrNull(row.last_used_at),
  revoked_at: isoOrNull(row.revoked_at),
})

const schema = { tags: ['api-keys'] }

export function registerApiKeys(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/api-keys',
    { config: { needs: 'write' }, schema: { ...schema, querystring: OwnedListQuery, response: { 200: listOf(ApiKey) } } },
    async (request) => {
      const paging = pagingOf(request.query)
      return pageOf(
        await listApiKeys(context.database.system, whoseList(request, request.query.customer_id), paging),
        paging.limit,
        show,
      )
    },
  )

  app.get(
    '/api-keys/:id',
    { config: { needs: 'write' }, schema: { ...schema, params: ById, response: { 200: ApiKey } } },
    async (request) => {
      const row = await findApiKey(context.database.system, request.identity.customer_id, request.params.id)
      if (row === undefined) throw notFound('API key')
      return show(row)
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/api-keys',
    { config: { needs: 'write' }, schema: { ...schema, body: NewApiKey, response: { 201: CreatedApiKey } } },
    async (request, reply) => {
      const { scope } = request.body
      const customer_id = scope === 'operator' ? null : customerOf(request, request.body.customer_id)
      if (scope === 'operator') refuseOperatorKey(request.identity.scope, request.body.customer_id)
      return change(context, { request, reply: reply.code(201), action: 'api_key.create', whose: customer_id }, async (sql) => {
        if (customer_id !== null && (await findCustomer(sql, customer_id, customer_id)) === undefined)
          throw fieldFault('customer_id', 'is no customer')
        const { id, key, secret_hash } = makeApiKey(context.runtime)
        const row = show(await insertApiKey(sql, { id, customer_id, scope, secret_hash }))
        return {
          body: { ...row, key: key as string | null },
          repeatable: { ...row, key: null },
          object: `api_key ${id}`,
          customer_id,
          detail: { scope },
        }
      })
    },
  )

  app.delete(
    '/api-keys/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: 'Revoke: it ends at once here, and within 5 s at other coordinators',
        params: ById,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const whose = request.identity.customer_id
      await change(context, { request, reply, action: 'api_key.revoke', whose }, async (sql) => {
        const row = await revokeApiKey(sql, whose, id)
        if (row === undefined) throw notFound('API key')
        return { body: null, object: `api_key ${id}`, customer_id: row.customer_id }
      })
      context.authenticator.forget(id)
      return reply.code(204).send(null)
    },
  )
}

function refuseOperatorKey(scope: string, customerId: string | undefined): void {
  if (scope !== 'operator')
    throw new MailscoutError('FORBIDDEN', "Only an operator may make an operator's key", { field: 'scope' })
  if (customerId !== undefined) throw fieldFault('customer_id', "does not go with scope operator: such a key is no customer's")
}
