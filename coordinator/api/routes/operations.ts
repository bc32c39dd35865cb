/** For those who run it: does the process live, can it work, and how much does it do. */
import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import type { ApiServer } from '../context.ts'
import { describeProblem, sendProblem } from '../problem.ts'
import { Text } from '../schemas.ts'

const Ok = Type.Object({ status: Text })

export function registerOperations(app: ApiServer, context: { ready: () => Promise<void>; registry: Registry }): void {
  const schema = { tags: ['operations'] }

  app.get('/healthz', { schema: { ...schema, summary: 'The process lives', response: { 200: Ok } } }, async () => ({
    status: 'ok',
  }))

  app.get('/readyz', { schema: { ...schema, summary: 'It can work: the database answers' } }, async (request, reply) => {
    try {
      await context.ready()
      return { status: 'ready' }
    } catch (error) {
      request.log.warn({ err: error }, 'not ready')
      return sendProblem(reply.header('retry-after', '2'), describeProblem('NOT_READY', 'The database does not answer'))
    }
  })

  app.get('/metrics', { schema: { ...schema, summary: 'For Prometheus' } }, async (_request, reply) =>
    reply.type(context.registry.contentType).send(await context.registry.metrics()),
  )
}
