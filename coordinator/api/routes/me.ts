import { Type } from 'typebox'
import type { ApiContext, ApiServer } from '../context.ts'
import { Id, oneOf, orNull, Text } from '../schemas.ts'

/** `root_key` is the installation's public root key, which every responder pins. */
const Me = Type.Object({ scope: oneOf('operator', 'customer', 'read'), customer_id: orNull(Id), version: Text, root_key: Text })

export function registerMe(app: ApiServer, context: ApiContext): void {
  app.get(
    '/me',
    { config: { needs: 'read' }, schema: { tags: ['me'], summary: 'What this key may do', response: { 200: Me } } },
    async ({ identity }) => ({
      scope: identity.scope,
      customer_id: identity.customer_id,
      version: context.version,
      root_key: context.keys.rootX,
    }),
  )
}
