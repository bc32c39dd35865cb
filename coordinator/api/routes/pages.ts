import { Type } from 'typebox'
import { findPages, listPages } from '../../store/pages.ts'
import { type ApiContext, type ApiServer, read, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { notFound } from '../problem.ts'
import { ById, Id, listOf, OwnedListQuery, query } from '../schemas.ts'
import { Page, showPage } from '../views.ts'

const PagesQuery = query({ ...OwnedListQuery.properties, incident_id: Type.Optional(Id) })

export function registerPages(app: ApiServer, context: ApiContext): void {
  const schema = { tags: ['pages'] }

  app.get(
    '/pages',
    { config: { needs: 'read' }, schema: { ...schema, querystring: PagesQuery, response: { 200: listOf(Page) } } },
    async (request) => {
      const { customer_id, incident_id } = request.query
      const paging = pagingOf(request.query)
      const whose = whoseList(request, customer_id)
      // An operator who looks at one customer still sees the pages that went to himself.
      const rights = request.identity.customer_id === null ? 'operator' : 'customer'
      const rows = await read(context, whose, (sql) => listPages(sql, { whose, rights }, incident_id, paging))
      return pageOf(rows, paging.limit, showPage)
    },
  )

  app.get(
    '/pages/:id',
    { config: { needs: 'read' }, schema: { ...schema, params: ById, response: { 200: Page } } },
    async (request) => {
      const whose = request.identity.customer_id
      const [row] = await read(context, whose, (sql) => findPages(sql, whose, [request.params.id]))
      if (row === undefined) throw notFound('page')
      return showPage(row)
    },
  )
}
