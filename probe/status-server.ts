/** `/healthz`, `/readyz` and `/metrics` of a probe, where a port is given. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { errorMessage, MailscoutError } from '../common/errors.ts'

/** Figures by the metric's name without its prefix; undefined where there is none at the moment. */
export type Figures = Readonly<Record<string, { value: number | undefined; help: string }>>

export type Status = {
  /** Why the probe is not ready; empty where it is. */
  reasons: readonly string[]
  figures: Figures
}

export type StatusServer = { address: { host: string; port: number }; close(): Promise<void> }

/** Requests come from a supervisor or a metrics server on the same network: they are short. */
const requestMsMax = 5000

/** Throws CONFIG_INVALID where the address cannot be listened on. */
export async function startStatusServer(at: { host: string; port: number }, readStatus: () => Status): Promise<StatusServer> {
  const metrics = createMetrics(() => readStatus().figures)
  const server = createServer({ requestTimeout: requestMsMax, headersTimeout: requestMsMax }, (request, response) => {
    const reply = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body)
    }
    const replyJson = (status: number, body: object): void => reply(status, 'application/json', JSON.stringify(body))
    switch (request.url?.split('?')[0]) {
      case '/healthz':
        return replyJson(200, { status: 'ok' })
      case '/readyz': {
        const { reasons } = readStatus()
        return replyJson(reasons.length === 0 ? 200 : 503, { status: reasons.length === 0 ? 'ready' : 'not_ready', reasons })
      }
      case '/metrics':
        void metrics.metrics().then((text) => reply(200, metrics.contentType, text))
        return
      default:
        return replyJson(404, { status: 'not_found', paths: ['/healthz', '/readyz', '/metrics'] })
    }
  })
  server.listen(at.port, at.host)
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new MailscoutError('CONFIG_INVALID', `PORT: ${at.host} port ${at.port} cannot be listened on: ${errorMessage(cause)}`, {
      cause,
    })
  }
  const { address, port } = server.address() as AddressInfo
  return {
    address: { host: address, port },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The figures are read when they are asked for: nothing has to be counted twice. */
function createMetrics(readFigures: () => Figures): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const [name, { help }] of Object.entries(readFigures())) {
    const common = { name: `mailscout_probe_${name}`, help, registers: [registry] }
    if (name.endsWith('_total')) {
      new Counter({
        ...common,
        collect() {
          this.reset()
          this.inc(readFigures()[name]?.value ?? 0)
        },
      })
    } else {
      new Gauge({
        ...common,
        collect() {
          const value = readFigures()[name]?.value
          if (value === undefined) this.remove()
          else this.set(value)
        },
      })
    }
  }
  return registry
}
