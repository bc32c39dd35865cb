/** An SMS gateway that sends nothing: it records each request, and now and then takes one and never answers, or is out of order. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Random } from '../sim/random.ts'
import type { Sms } from './history.ts'

export type Gateway = { url: string; record: Sms[]; close(): Promise<void> }

export async function startGateway(random: Random): Promise<Gateway> {
  const record: Sms[] = []
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://gateway').searchParams
    const behaviour = random.pick(behaviours)
    record.push({
      atMs: Date.now(),
      pageId: query.get('page') ?? '',
      to: query.get('to') ?? '',
      text: query.get('text') ?? '',
      behaviour,
      sent: behaviour !== 'refuse',
    })
    if (behaviour === 'accept') response.writeHead(202).end('0: Accepted for delivery\n')
    if (behaviour === 'refuse') response.writeHead(500).end('out of order\n')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}/send?to={to}&page={reference}&text={text}`,
    record,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const behaviours: readonly Sms['behaviour'][] = [...Array<'accept'>(18).fill('accept'), 'accept-then-hang', 'refuse']
