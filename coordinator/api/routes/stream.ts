/** `GET /v1/stream`: Server-Sent Events, over fetch with the Authorization header. */
import type { ServerResponse } from 'node:http'
import { isMailscoutError } from '../../../common/errors.ts'
import type { ApiContext, ApiServer } from '../context.ts'
import { RateLimited } from '../problem.ts'

const pingMs = 15_000
/** What one stream may leave unread before it is cut off: its reader comes back and loads everything. */
const unreadBytesMax = 1024 * 1024

export function registerStream(app: ApiServer, context: ApiContext): void {
  app.get(
    '/stream',
    {
      config: { needs: 'read' },
      exposeHeadRoute: false,
      schema: {
        tags: ['stream'],
        summary: 'Server-Sent Events: result, monitor, incident, page, probe, each with the resource; a ping comment every 15 s',
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const response = reply.raw
      const stream = openStream(context, response, request.headers.authorization)
      const leave = context.live.join(request.identity.customer_id, stream)
      if (leave === undefined) {
        stream.cancel()
        throw new RateLimited('Too many event streams are open on this coordinator', 30)
      }
      reply.hijack()
      const gone = () => {
        leave()
        stream.cancel()
      }
      if (response.destroyed) return gone()
      response.on('close', gone)
      response.writeHead(200, { ...reply.getHeaders(), 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } as Record<
        string,
        string
      >)
      response.write(': mailscout\n\n')
    },
  )
}

function openStream(context: ApiContext, response: ServerResponse, authorization: string | undefined) {
  const { runtime, authenticator } = context
  let cancelPing = () => {}
  const end = () => {
    cancelPing()
    response.destroy()
  }
  const write = (text: string) => {
    if (response.destroyed) return
    response.write(text)
    if (response.writableLength > unreadBytesMax) end()
  }
  const ping = async () => {
    // A key that was revoked sees nothing more; a database that is away changes nothing.
    const revoked = await authenticator.authenticate(authorization).then(
      () => false,
      (error: unknown) => isMailscoutError(error, 'UNAUTHENTICATED'),
    )
    if (response.destroyed) return
    if (revoked) return end()
    write(': ping\n\n')
    cancelPing = runtime.setTimer(pingMs, () => void ping())
  }
  cancelPing = runtime.setTimer(pingMs, () => void ping())
  return { send: (event: string, data: string) => write(`event: ${event}\ndata: ${data}\n\n`), end, cancel: () => cancelPing() }
}
