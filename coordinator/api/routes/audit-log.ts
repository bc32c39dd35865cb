import { Type } from 'typebox'
import { isoTime } from '../../../common/durations.ts'
import { listAudit } from '../../store/audit-log.ts'
import { type ApiContext, type ApiServer, read, whoseList } from '../context.ts'
import { pageOf, pagingOf } from '../cursor.ts'
import { Id, listOf, OwnedListQuery, orNull, Text, Time } from '../schemas.ts'

const AuditLine = Type.Object({
  id: Id,
  at: Time,
  customer_id: orNull(Id),
  actor: Text,
  action: Text,
  object: Text,
  detail: Type.Record(Type.String(), Type.Unknown()),
})

export function registerAuditLog(app: ApiServer, context: ApiContext): void {
  app.get(
    '/audit-log',
    {
      config: { needs: 'write' },
      schema: {
        tags: ['audit-log'],
        summary: 'Who changed what',
        querystring: OwnedListQuery,
        response: { 200: listOf(AuditLine) },
      },
    },
    async (request) => {
      const paging = pagingOf(request.query)
      const whose = whoseList(request, request.query.customer_id)
      const rows = await read(context, whose, (sql) => listAudit(sql, whose, paging))
      return pageOf(rows, paging.limit, (row) => ({ ...row, at: isoTime(row.at) }))
    },
  )
}
