import { Type } from 'typebox'
import { MailscoutError } from '../../../common/errors.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import type { PolicyStep } from '../../core/escalation.ts'
import type { Sql } from '../../store/connection.ts'
import { lockContacts } from '../../store/contacts.ts'
import { findCustomer } from '../../store/customers.ts'
import {
  deleteEscalationPolicy,
  type EscalationPolicyRow,
  findEscalationPolicy,
  insertEscalationPolicy,
  listEscalationPolicies,
  lockEscalationPolicyForChange,
  monitorIdsWithPolicy,
  monitorsWithPolicy,
  replaceEscalationPolicy,
} from '../../store/escalation-policies.ts'
import { amendPaging } from '../../store/incident-log.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, customerOf, read, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { fieldFault, notFound } from '../problem.ts'
import { ById, CustomerId, Id, listOf, Name, OwnedListQuery, partial, query } from '../schemas.ts'

const Step = query({
  after_s: Type.Integer({
    minimum: 0,
    maximum: 86_400,
    description: 'Wait after the step before; of the first step: after the incident opened',
  }),
  contact_ids: Type.Array(Id, { minItems: 1, maxItems: 20, uniqueItems: true }),
})
const settings = {
  name: Name,
  steps: Type.Array(Step, { minItems: 1, maxItems: 20 }),
  repeat: Type.Integer({ minimum: 0, maximum: 20, description: 'How often to start over while nobody acknowledges' }),
}
const { repeat, ...required } = settings
const NewPolicy = query({ customer_id: Type.Optional(CustomerId), ...required, repeat: Type.Optional(repeat) })
const PolicyChange = partial(settings)
const Policy = Type.Object({ id: Id, customer_id: Id, ...settings })

/** For whatever changes who is paged. */
export const pagedAtOnce =
  'In an open incident that nobody has acknowledged, whose turn has been by it and who has had no page is paged at once'

const schema = { tags: ['escalation-policies'] }

export function registerEscalationPolicies(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/escalation-policies',
    { config: { needs: 'read' }, schema: { ...schema, querystring: OwnedListQuery, response: { 200: listOf(Policy) } } },
    async (request) => {
      const paging = pagingOf(request.query)
      const whose = whoseList(request, request.query.customer_id)
      return pageOf(await read(context, whose, (sql) => listEscalationPolicies(sql, whose, paging)), paging.limit, (row) => row)
    },
  )

  app.get(
    '/escalation-policies/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: Policy } } },
    async (request) => {
      const whose = request.identity.customer_id
      return read(context, whose, (sql) => known(sql, whose, request.params.id))
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/escalation-policies',
    { config: { needs: 'write' }, schema: { ...schema, body: NewPolicy, response: { 201: Policy } } },
    async (request, reply) => {
      const customer_id = customerOf(request, request.body.customer_id)
      const { name, steps } = request.body
      const policy = { id: uuidv7(context.runtime), customer_id, name, steps, repeat: request.body.repeat ?? 0 }
      const options = { request, reply: reply.code(201), action: 'escalation_policy.create', whose: customer_id }
      return change(context, options, async (sql) => {
        if ((await findCustomer(sql, customer_id, customer_id)) === undefined) throw fieldFault('customer_id', 'is no customer')
        await checkSteps(sql, customer_id, steps)
        await insertEscalationPolicy(sql, policy)
        return { body: policy, object: `escalation_policy ${policy.id}`, customer_id, detail: request.body }
      })
    },
  )

  app.patch(
    '/escalation-policies/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: `\`steps\` replaces all of them. ${pagedAtOnce}`,
        params: ById,
        body: PolicyChange,
        response: { 200: Policy },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      return change(context, { request, reply, action: 'escalation_policy.change', whose }, async (sql) => {
        const policy = { ...(await knownForChange(sql, whose, request.params.id)), ...request.body }
        if (request.body.steps !== undefined) await checkSteps(sql, policy.customer_id, policy.steps)
        await replaceEscalationPolicy(sql, policy)
        const { id, customer_id } = policy
        await amendPaging(sql, customer_id, await monitorIdsWithPolicy(sql, customer_id, id))
        return { body: policy, object: `escalation_policy ${id}`, customer_id, detail: request.body }
      })
    },
  )

  app.delete(
    '/escalation-policies/:id',
    { config: { needs: 'write' }, schema: { ...schema, params: ById, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const whose = request.identity.customer_id
      await change(context, { request, reply, action: 'escalation_policy.delete', whose }, async (sql) => {
        const { id, customer_id } = await knownForChange(sql, whose, request.params.id)
        const monitors = await monitorsWithPolicy(sql, customer_id, id)
        if (monitors.length > 0)
          throw new MailscoutError('CONFLICT', `Monitors escalate by this policy: give ${monitors.join(', ')} another one first`)
        await deleteEscalationPolicy(sql, customer_id, id)
        return { body: null, object: `escalation_policy ${id}`, customer_id }
      })
      return reply.code(204).send(null)
    },
  )
}

async function known(sql: Sql, whose: string | null, id: string): Promise<EscalationPolicyRow> {
  const policy = await findEscalationPolicy(sql, whose, id)
  if (policy === undefined) throw notFound('escalation policy')
  return policy
}

/** Locked first, then read: what is changed is what was seen, and no monitor joins a policy that is being deleted. */
async function knownForChange(sql: Sql, whose: string | null, id: string): Promise<EscalationPolicyRow> {
  const { customer_id } = await known(sql, whose, id)
  await lockEscalationPolicyForChange(sql, customer_id, id)
  return known(sql, whose, id)
}

/** Every contact exists, is this customer's and can be reached. */
async function checkSteps(sql: Sql, customerId: string, steps: PolicyStep[]): Promise<void> {
  const reachable = await lockContacts(sql, customerId, [...new Set(steps.flatMap((step) => step.contact_ids))])
  for (const [s, step] of steps.entries()) {
    for (const [c, contactId] of step.contact_ids.entries()) {
      if (!reachable.has(contactId))
        throw fieldFault(`steps.${s}.contact_ids.${c}`, 'is no contact of this customer with a way to reach it')
    }
  }
}
