/**
 * A container's health check: `healthcheck.ts [URL]`. A part with a web port must say that it is ready (its own port by default); a
 * mail system (`smtp://HOST:PORT`) must greet. Prints what is wrong, which `docker inspect` shows, and exits with 1.
 */
import { once } from 'node:events'
import { connect } from 'node:net'

/** Below the limit that the Dockerfile sets, so that the reason is told. */
const signal = AbortSignal.timeout(4_000)

const [target = `http://127.0.0.1:${process.env.PORT ?? 8080}/readyz`] = process.argv.slice(2)
const url = new URL(target)
try {
  await (url.protocol === 'smtp:' ? greeted(url) : ready(url))
} catch (error) {
  // fetch hides its reason behind "fetch failed".
  const reason = error instanceof Error ? (error.cause ?? error) : error
  console.error(`${target}: ${reason instanceof Error ? reason.message : String(reason)}`)
  process.exit(1)
}
process.exit(0)

async function ready(url: URL): Promise<void> {
  const answer = await fetch(url, { signal })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
}

async function greeted({ hostname, port }: URL): Promise<void> {
  const socket = connect({ host: hostname, port: Number(port), signal })
  const [greeting] = await once(socket, 'data', { signal })
  if (!String(greeting).startsWith('220')) throw new Error(`it greets with ${String(greeting).slice(0, 100)}`)
  socket.end('QUIT\r\n')
}
