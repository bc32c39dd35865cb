import { Type } from 'typebox'
import { isoTime } from '../../../common/durations.ts'
import { acknowledge, endIncidentByHand } from '../../flow/incident.ts'
import type { Sql } from '../../store/connection.ts'
import { transactionOn } from '../../store/flow-store.ts'
import { findIncident, listIncidentEvents, listIncidents, type ReadIncident } from '../../store/incidents.ts'
import type { Whose } from '../../store/paging.ts'
import { actorOf } from '../auth.ts'
import { change } from '../change.ts'
import { type ApiContext, type ApiServer, read, whoseList } from '../context.ts'
import { limitOf, pageOf, pagingOf, readIdCursor } from '../cursor.ts'
import { notFound } from '../problem.ts'
import { ById, Id, ListQuery, listOf, OwnedListQuery, query, Text, Time } from '../schemas.ts'
import { Incident, showIncident } from '../views.ts'

const IncidentQuery = query({
  ...OwnedListQuery.properties,
  monitor_id: Type.Optional(Id),
  open: Type.Optional(Type.Boolean({ description: 'true: not resolved; false: resolved' })),
})
const Event = Type.Object({ id: Id, at: Time, type: Text, detail: Type.Record(Type.String(), Type.Unknown()) })

const schema = { tags: ['incidents'] }

export function registerIncidents(app: ApiServer, context: ApiContext): void {
  addReads(app, context)
  addChanges(app, context)
}

function addReads(app: ApiServer, context: ApiContext): void {
  app.get(
    '/incidents',
    { config: { needs: 'read' }, schema: { ...schema, querystring: IncidentQuery, response: { 200: listOf(Incident) } } },
    async (request) => {
      const { customer_id, monitor_id, open } = request.query
      const paging = pagingOf(request.query)
      const whose = whoseList(request, customer_id)
      const rows = await read(context, whose, (sql) => listIncidents(sql, whose, { monitorId: monitor_id, open }, paging))
      return pageOf(rows, paging.limit, showIncident)
    },
  )

  app.get(
    '/incidents/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: Incident } } },
    async (request) => {
      const whose = request.identity.customer_id
      return showIncident(await read(context, whose, (sql) => known(sql, whose, request.params.id)))
    },
  )

  app.get(
    '/incidents/:id/events',
    {
      config: { needs: 'read' },
      schema: {
        ...schema,
        summary:
          'Its story, oldest first, also who was not paged and why (`nobody_to_page`) and what came back late (`returned_late`)',
        params: ById,
        querystring: ListQuery,
        response: { 200: listOf(Event) },
      },
    },
    async (request) => {
      const whose = request.identity.customer_id
      const { cursor } = request.query
      const limit = limitOf(request.query)
      const after = cursor === undefined ? undefined : readIdCursor(cursor)
      const rows = await read(context, whose, async (sql) =>
        listIncidentEvents(sql, await known(sql, whose, request.params.id), after, limit),
      )
      return pageOf(rows, limit, (row) => ({ ...row, at: isoTime(row.at) }))
    },
  )
}

function addChanges(app: ApiServer, context: ApiContext): void {
  app.post(
    '/incidents/:id/acknowledge',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary:
          'Somebody looks after it: nobody else is paged, not for what no gateway has taken yet either. Repeating changes nothing',
        params: ById,
        body: query({}),
        response: { 200: Incident },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      return change(context, { request, reply, action: 'incident.acknowledge', whose }, async (sql) => {
        const incident = await known(sql, whose, request.params.id)
        await acknowledge(context, transactionOn(sql), incident, actorOf(request.identity))
        return answer(sql, whose, incident)
      })
    },
  )

  app.post(
    '/incidents/:id/resolve',
    {
      config: { needs: 'write' },
      schema: {
        ...schema,
        summary: 'End it by hand; the next failing test may open another. Repeating changes nothing',
        params: ById,
        body: query({}),
        response: { 200: Incident },
      },
    },
    async (request, reply) => {
      const whose = request.identity.customer_id
      return change(context, { request, reply, action: 'incident.resolve', whose }, async (sql) => {
        const incident = await known(sql, whose, request.params.id)
        await endIncidentByHand(context, transactionOn(sql), incident, 'resolved_by_hand')
        return answer(sql, whose, incident)
      })
    },
  )
}

async function known(sql: Sql, whose: Whose, id: string): Promise<ReadIncident> {
  const incident = await findIncident(sql, whose, id)
  if (incident === undefined) throw notFound('incident')
  return incident
}

async function answer(sql: Sql, whose: Whose, { id, customer_id }: ReadIncident) {
  return { body: showIncident(await known(sql, whose, id)), object: `incident ${id}`, customer_id }
}
