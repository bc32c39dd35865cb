/**
 * An SMS gateway that sends nothing: it records each request as a line of JSON, then behaves as told.
 * Arguments: port, file of the record, file of behaviours by phone number (read at each request).
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'

const [port, recordFile, behavioursFile] = process.argv.slice(2) as [string, string, string]

createServer(async (request, response) => {
  const { to, text } = await readMessage(request)
  const behaviour = behaviourFor(to)
  const sent = behaviour === 'accept' || behaviour === 'accept-then-hang'
  const at = new Date().toISOString()
  appendFileSync(recordFile, `${JSON.stringify({ at, method: request.method, path: request.url, to, text, behaviour, sent })}\n`)
  if (behaviour === 'accept') response.writeHead(202).end('0: Accepted for delivery\n')
  if (behaviour === 'refuse') response.writeHead(500).end('out of order\n')
}).listen(Number(port), () => console.log(`recording on port ${port}`))

/** The number and the text stand in the query, in a form or in JSON. */
async function readMessage(request: IncomingMessage): Promise<{ to: string; text: string }> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks).toString('utf8')
  const fields = body.startsWith('{')
    ? (JSON.parse(body) as Record<string, string>)
    : Object.fromEntries(new URLSearchParams(body))
  const query = Object.fromEntries(new URL(request.url ?? '/', 'http://gateway').searchParams)
  const { to = '', text = '' } = { ...fields, ...query }
  return { to, text }
}

function behaviourFor(to: string): string {
  if (!existsSync(behavioursFile)) return 'accept'
  const behaviours = JSON.parse(readFileSync(behavioursFile, 'utf8')) as Record<string, string>
  return behaviours[to] ?? behaviours.everyone ?? 'accept'
}
