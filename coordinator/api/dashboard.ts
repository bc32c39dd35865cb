/** The dashboard's files at `/`, from the folder that `npm run build` made. */
import { existsSync } from 'node:fs'
import { join, sep } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

const notBuilt = 'The dashboard is not built. Run "npm run build", then start again. The API is at /v1, its reference at /docs.\n'

export async function serveDashboard(app: FastifyInstance, webRoot: string): Promise<void> {
  if (!existsSync(join(webRoot, 'index.html'))) {
    app.get('/', { schema: { hide: true } }, async (_request, reply) =>
      reply.code(503).type('text/plain; charset=utf-8').send(notBuilt),
    )
    return
  }
  await app.register(fastifyStatic, {
    root: webRoot,
    prefix: '/',
    schemaHide: true,
    cacheControl: false,
    dotfiles: 'ignore',
    // The names of the files under assets/ change with their content; index.html names the current ones.
    setHeaders: (reply, path) =>
      void reply.header(
        'cache-control',
        path.includes(`${sep}assets${sep}`) ? 'public, max-age=31536000, immutable' : 'no-cache',
      ),
  })
}
