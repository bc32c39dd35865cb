import { Type } from 'typebox'
import { MailscoutError } from '../../../common/errors.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import type { Sql } from '../../store/connection.ts'
import {
  type ContactMethod,
  type ContactRow,
  deleteContact,
  findContact,
  insertContact,
  listContacts,
  lockContactForChange,
  replaceContact,
} from '../../store/contacts.ts'
import { monitorIdsWithContact, policiesWithContact } from '../../store/escalation-policies.ts'
import { amendPaging } from '../../store/incident-log.ts'
import { findLevelOfCustomer } from '../../store/service-levels.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, customerOf, read, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { fieldFault, notFound } from '../problem.ts'
import { ById, CustomerId, Id, listOf, Name, OwnedListQuery, oneOf, partial, query } from '../schemas.ts'
import { pagedAtOnce } from './escalation-policies.ts'

/** ITU-T E.164, with the plus sign: 7 to 15 digits. */
const Telephone = Type.String({
  pattern: '^\\+[1-9]\\d{6,14}$',
  description: 'a number in international form (E.164), like +61412345678',
})
const method = { kind: oneOf('sms'), address: Telephone }
const settings = { name: Name, methods: Type.Array(query(method), { minItems: 1, maxItems: 10 }) }
const NewContact = query({ customer_id: Type.Optional(CustomerId), ...settings })
const ContactChange = partial(settings)
const Contact = Type.Object({
  id: Id,
  customer_id: Id,
  name: Name,
  methods: Type.Array(Type.Object({ id: Id, ...method })),
})

const schema = { tags: ['contacts'] }

export function registerContacts(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/contacts',
    { config: { needs: 'read' }, schema: { ...schema, querystring: OwnedListQuery, response: { 200: listOf(Contact) } } },
    async (request) => {
      const paging = pagingOf(request.query)
      const whose = whoseList(request, request.query.customer_id)
      return pageOf(await read(context, whose, (sql) => listContacts(sql, whose, paging)), paging.limit, (row) => row)
    },
  )

  app.get(
    '/contacts/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: Contact } } },
    async (request) => {
      const whose = request.identity.customer_id
      return read(context, whose, (sql) => known(sql, whose, request.params.id))
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/contacts',
    { config: { needs: 'write' }, schema: { ...schema, body: NewContact, response: { 201: Contact } } },
    async (request, reply) => {
      const customer_id = customerOf(request, request.body.customer_id)
      const { name, methods } = request.body
      return change(context, { request, reply: reply.code(201), action: 'contact.create', whose: customer_id }, async (sql) => {
        await checkMethods(sql, customer_id, methods)
        const contact = { id: uuidv7(context.runtime), customer_id, name, methods: withIds(context, methods, []) }
        await insertContact(sql, contact)
        return { body: contact, object: `contact ${contact.id}`, customer_id, detail: { name, methods } }
      })
    },
  )

  app.patch(
    '/contacts/:id',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: `\`methods\` replaces all of them. ${pagedAtOnce}`,
        params: ById,
        body: ContactChange,
        response: { 200: Contact },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      const { name, methods } = request.body
      return change(context, { request, reply, action: 'contact.change', whose }, async (sql) => {
        const before = await knownForChange(sql, whose, request.params.id)
        if (methods !== undefined) await checkMethods(sql, before.customer_id, methods)
        const contact = {
          ...before,
          name: name ?? before.name,
          methods: methods === undefined ? before.methods : withIds(context, methods, before.methods),
        }
        // The incidents first: who takes a step holds one and refers to the methods.
        if (methods !== undefined)
          await amendPaging(sql, contact.customer_id, await monitorIdsWithContact(sql, contact.customer_id, contact.id))
        await replaceContact(sql, contact)
        return { body: contact, object: `contact ${contact.id}`, customer_id: contact.customer_id, detail: request.body }
      })
    },
  )

  app.delete(
    '/contacts/:id',
    { config: { needs: 'write' }, schema: { ...schema, params: ById, response: { 204: Type.Null() } } },
    async (request, reply) => {
      const whose = request.identity.customer_id
      await change(context, { request, reply, action: 'contact.delete', whose }, async (sql) => {
        const contact = await knownForChange(sql, whose, request.params.id)
        const policies = await policiesWithContact(sql, contact.customer_id, contact.id)
        if (policies.length > 0)
          throw new MailscoutError(
            'CONFLICT',
            `The contact is in the escalation of ${policies.join(', ')}: take it out there first`,
          )
        await deleteContact(sql, contact.customer_id, contact.id)
        return { body: null, object: `contact ${contact.id}`, customer_id: contact.customer_id }
      })
      return reply.code(204).send(null)
    },
  )
}

async function known(sql: Sql, whose: string | null, id: string): Promise<ContactRow> {
  const contact = await findContact(sql, whose, id)
  if (contact === undefined) throw notFound('contact')
  return contact
}

/** Locked first, then read: what is changed is what was seen. */
async function knownForChange(sql: Sql, whose: string | null, id: string): Promise<ContactRow> {
  const contact = await known(sql, whose, id)
  await lockContactForChange(sql, contact.customer_id, id)
  return known(sql, whose, id)
}

async function checkMethods(sql: Sql, customerId: string, methods: ContactMethod[]): Promise<void> {
  const level = await findLevelOfCustomer(sql, customerId)
  if (level === undefined) throw fieldFault('customer_id', 'is no customer')
  for (const [index, { kind, address }] of methods.entries()) {
    if (!level.channels.includes(kind))
      throw fieldFault(`methods.${index}.kind`, `is not granted by the service level ${level.name}`, 'SERVICE_LEVEL_EXCEEDED')
    if (methods.findIndex((other) => other.kind === kind && other.address === address) !== index)
      throw fieldFault(`methods.${index}.address`, 'is there twice: each page would be sent twice')
  }
}

/** A method that stays keeps its id. */
const withIds = (context: ApiContext, methods: ContactMethod[], before: ContactRow['methods']) =>
  methods.map(({ kind, address }) => ({
    id: before.find((old) => old.kind === kind && old.address === address)?.id ?? uuidv7(context.runtime),
    kind,
    address,
  }))
