/** Headers on every answer. The dashboard loads nothing from elsewhere, and nobody may frame it. */
import type { FastifyInstance } from 'fastify'

const policy = (extra: string) =>
  `default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'; img-src 'self' data:${extra}`

/** The API reference (Swagger UI) writes style attributes into its pages. */
const referencePolicy = policy("; style-src 'self' 'unsafe-inline'")

export const securityHeaders: Record<string, string> = {
  'content-security-policy': policy(''),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

export function addSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders)
    reply.header('x-request-id', request.id)
    if (request.url.startsWith('/docs')) reply.header('content-security-policy', referencePolicy)
    // Answers of the API are one key's and one moment's.
    if (request.url.startsWith('/v1')) reply.header('cache-control', 'no-store')
  })
}
