/** The API reference: OpenAPI 3.1 at /openapi.json, made from the schemas of the routes, and readable at /docs. */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { ProblemSchema } from './schemas.ts'

const description = `Times are UTC in ISO 8601, durations in seconds. Lists are newest first: \`{"data": […], "next_cursor": …}\`.
Errors are application/problem+json with a stable \`code\`. A POST with an \`Idempotency-Key\` that is repeated within 24 h does nothing
and gets the first answer again, with the header \`idempotency-replayed\`; secrets in it are null then, because they are shown once.`

/** Before the routes: it collects them as they are added. */
export async function collectReference(app: FastifyInstance, version: string): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Mailscout', version, description },
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key: msk_…' } },
      },
    },
    transform: ({ schema, url, route }) => {
      if (!url.startsWith('/v1') || schema === undefined) return { schema: schema ?? {}, url }
      const post = route.method === 'POST' ? { headers: idempotencyHeader } : {}
      const response = { ...(schema.response as object), default: { description: 'A problem', ...ProblemSchema } }
      return { schema: { ...schema, ...post, security: [{ key: [] }], response }, url }
    },
  })
}

/** After the routes. */
export async function serveReference(app: FastifyInstance): Promise<void> {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    uiConfig: { docExpansion: 'none', deepLinking: true, validatorUrl: null },
    theme: { title: 'Mailscout API' },
  })
}

const idempotencyHeader = {
  type: 'object',
  properties: { 'idempotency-key': { type: 'string', maxLength: 255, description: 'Makes a repetition harmless for 24 h' } },
}
