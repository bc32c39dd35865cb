import { type Static, Type } from 'typebox'
import { MailscoutError } from '../../../common/errors.ts'
import { uuidv7 } from '../../../common/runtime.ts'
import { writeEnrolmentToken } from '../../../common/wire/enrolment-token.ts'
import { sha256 } from '../../../common/wire/keys.ts'
import { announce } from '../../store/announce.ts'
import type { Sql } from '../../store/connection.ts'
import { isDuplicate } from '../../store/faults.ts'
import {
  findProbe,
  forgetProbeKey,
  insertProbe,
  listProbes,
  lockProbe,
  type ProbeRow,
  reassignMonitorsOf,
  retireProbe,
  setEnrolmentToken,
  updateProbe,
} from '../../store/probes.ts'
import { change } from '../change.ts'
import type { ApiContext, ApiServer } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { fieldFault, notFound } from '../problem.ts'
import { ById, ListQuery, listOf, Name, orNull, partial, query } from '../schemas.ts'
import { Probe, showProbe } from '../views.ts'

const Region = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,30}$',
  description: 'a region like eu or us-east-1: small letters, digits and hyphens',
})
const Asn = Type.Integer({ minimum: 1, maximum: 4_294_967_295 })
const settings = {
  name: Name,
  region: Region,
  asn: Type.Optional(Type.Union([Asn, Type.Null()])),
  provider: Type.Optional(Type.Union([Name, Type.Null()])),
}
const NewProbe = query(settings)
const ProbeChange = partial(settings)
const TokenRequest = query({ reset: Type.Optional(Type.Boolean({ description: "Take the enrolled probe's key away first" })) })
const Enrolling = Type.Object({
  ...Probe.properties,
  enrolment_token: orNull(
    Type.String({ description: 'Works once within 24 h. Shown this once; null where an Idempotency-Key repeats the request' }),
  ),
})

const schema = { tags: ['probes'] }

export function registerProbes(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
  addEnrolmentAndEnd(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/probes',
    { config: { needs: 'operator' }, schema: { ...schema, querystring: ListQuery, response: { 200: listOf(Probe) } } },
    async (request) => {
      const paging = pagingOf(request.query)
      return pageOf(await listProbes(context.database.system, paging), paging.limit, showProbe)
    },
  )

  app.get(
    '/probes/:id',
    { config: { needs: 'operator' }, schema: { ...schema, params: ById, response: { 200: Probe } } },
    async (request) => {
      const row = await findProbe(context.database.system, request.params.id)
      if (row === undefined) throw notFound('probe')
      return showProbe(row)
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/probes',
    { config: { needs: 'operator' }, schema: { ...schema, body: NewProbe, response: { 201: Enrolling } } },
    async (request, reply) =>
      change(context, { request, reply: reply.code(201), action: 'probe.create', whose: null }, async (sql) => {
        const { name, region, asn = null, provider = null } = request.body
        const row = await named(() => insertProbe(sql, { id: uuidv7(context.runtime), name, region, asn, provider }))
        return { ...(await enrolling(context, sql, row)), detail: request.body }
      }),
  )

  app.patch(
    '/probes/:id',
    { config: { needs: 'operator' }, schema: { ...schema, params: ById, body: ProbeChange, response: { 200: Probe } } },
    async (request, reply) => {
      const { id } = request.params
      return change(context, { request, reply, action: 'probe.change', whose: null }, async (sql) => {
        const row = await named(() => updateProbe(sql, id, request.body))
        if (row === undefined) throw notFound('probe')
        if (request.body.region !== undefined || request.body.asn !== undefined) await moved(sql, id)
        await announce(sql, 'live', { kind: 'probe', customer_id: null, id })
        return { body: showProbe(row), object: `probe ${id}`, customer_id: null, detail: request.body }
      })
    },
  )
}

function addEnrolmentAndEnd(app: ApiServer, context: ApiContext): void {
  app.post(
    '/probes/:id/enrolment-token',
    {
      config: { needs: 'operator' },
      schema: {
        ...schema,
        summary: 'A new token in place of a lost one',
        params: ById,
        body: TokenRequest,
        response: { 201: Enrolling },
      },
    },
    async (request, reply) =>
      change(context, { request, reply: reply.code(201), action: 'probe.enrolment_token', whose: null }, async (sql) => {
        const row = await knownProbe(sql, request.params.id)
        const reset = request.body.reset === true
        if (row.enrolled_at !== null && !reset)
          throw new MailscoutError(
            'CONFLICT',
            'This probe has enrolled: with "reset": true its key is taken away and it must enrol again',
          )
        if (row.enrolled_at !== null) await forgetKey(sql, row.id)
        return { ...(await enrolling(context, sql, row)), detail: { reset } }
      }),
  )

  app.delete(
    '/probes/:id',
    {
      config: { needs: 'operator' },
      schema: {
        ...schema,
        summary: 'Retire: out of service for good, what it reported stays',
        description:
          'Its places are given to others at once. Where none is free, a monitor with fewer independent vantages than its quorum is `unconfirmed` (`too_few_witnesses`) and the operator is paged: let its successor enrol before',
        params: ById,
        response: { 200: Probe },
      },
    },
    async (request, reply) =>
      change(context, { request, reply, action: 'probe.retire', whose: null }, async (sql) => {
        const { id } = await lockedProbe(sql, request.params.id)
        const row = await retireProbe(sql, id)
        await announce(sql, 'assign')
        await announce(sql, 'probe', { probe_id: id })
        await announce(sql, 'live', { kind: 'probe', customer_id: null, id })
        return { body: showProbe(row), object: `probe ${id}`, customer_id: null }
      }),
  )
}

async function lockedProbe(sql: Sql, id: string): Promise<ProbeRow> {
  const row = await lockProbe(sql, id)
  if (row === undefined) throw notFound('probe')
  return row
}

async function knownProbe(sql: Sql, id: string): Promise<ProbeRow> {
  const row = await lockedProbe(sql, id)
  if (row.retired_at !== null) throw new MailscoutError('CONFLICT', 'This probe is retired: create another one')
  return row
}

async function forgetKey(sql: Sql, id: string): Promise<void> {
  await forgetProbeKey(sql, id)
  await announce(sql, 'probe', { probe_id: id })
}

/** A region or network that has changed may put two vantages of a monitor into one failure domain. */
async function moved(sql: Sql, id: string): Promise<void> {
  await reassignMonitorsOf(sql, id)
  await announce(sql, 'assign')
}

/** Makes a token for the probe; only its hash is kept. */
async function enrolling(context: ApiContext, sql: Sql, { id }: ProbeRow) {
  const token = writeEnrolmentToken(context.runtime.randomBytes(32), context.keys.rootKid)
  await setEnrolmentToken(sql, id, sha256(token))
  await announce(sql, 'live', { kind: 'probe', customer_id: null, id })
  const shown: Static<typeof Probe> = showProbe(await lockedProbe(sql, id))
  return {
    body: { ...shown, enrolment_token: token as string | null },
    repeatable: { ...shown, enrolment_token: null },
    object: `probe ${id}`,
    customer_id: null,
  }
}

async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isDuplicate(error)) throw error
    throw fieldFault('name', 'is taken by another probe', 'CONFLICT')
  }
}
