import { Type } from 'typebox'
import { MailscoutError } from '../../../common/errors.ts'
import { targetAddresses } from '../../store/monitors.ts'
import { returnDomains } from '../../store/probes.ts'
import { type ApiContext, type ApiServer, read } from '../context.ts'
import { responderGuide, responderSystems } from '../responder-guide.ts'
import { ById, oneOf, query, Text } from '../schemas.ts'
import { knownMonitor } from './monitors.ts'

const Guide = Type.Object({
  system: oneOf(...responderSystems),
  config: Type.Object({ root_keys: Type.Array(Text), return_domains: Type.Array(Text), addresses: Type.Array(Text) }),
  files: Type.Array(Type.Object({ path: Text, mode: Text, content: Text })),
  steps: Type.Array(Text),
})
const GuideQuery = query({ system: Type.Optional(oneOf(...responderSystems)) })

export function registerResponder(app: ApiServer, context: ApiContext): void {
  app.get(
    '/monitors/:id/responder',
    {
      config: { needs: 'read' },
      schema: {
        tags: ['monitors'],
        summary: 'What to install on the mail system',
        params: ById,
        querystring: GuideQuery,
        response: { 200: Guide },
      },
    },
    async (request) => {
      const whose = request.identity.customer_id
      const monitor = await read(context, whose, (sql) => knownMonitor(sql, whose, request.params.id))
      const return_domains = await returnDomains(context.database.system)
      if (return_domains.length === 0)
        throw new MailscoutError(
          'CONFLICT',
          'No probe has enrolled yet, so it is not known where answers go: enrol a probe first',
        )
      // Named, so that a test mail captured on its way to somebody else gets no answer here.
      const domain = monitor.target.address.split('@')[1]?.toLowerCase() ?? ''
      const addresses = await read(context, whose, (sql) => targetAddresses(sql, monitor.customer_id, domain))
      const config = { root_keys: [context.keys.rootX], return_domains, addresses }
      return responderGuide(request.query.system ?? 'postfix', monitor.target.address, config)
    },
  )
}
