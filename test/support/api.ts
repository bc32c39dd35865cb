/** The API of a coordinator on a database of its own, asked without a port. For tests under test/flow. */
import { Registry } from 'prom-client'
import { silentLogger } from '../../common/log.ts'
import { type Runtime, systemRuntime, uuidv7 } from '../../common/runtime.ts'
import { ensureOperatorKey } from '../../coordinator/api/auth.ts'
import type { ApiServer } from '../../coordinator/api/context.ts'
import { ensureServiceLevels } from '../../coordinator/api/presets.ts'
import { buildServer, type ServerOptions } from '../../coordinator/api/server.ts'
import { flowStore } from '../../coordinator/store/flow-store.ts'
import { freshDatabase, type TestDatabase } from './database.ts'
import { Installation } from './installation.ts'

export type Answer<T = Json> = { status: number; body: T; headers: Record<string, unknown> }
// biome-ignore lint/suspicious/noExplicitAny: a test reads any member of an answer and finds out at once where it is missing
export type Json = any

export type Ask = (method: string, url: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

export type TestApi = TestDatabase & {
  app: ApiServer
  installation: Installation
  operatorKey: string
  /** Asks with a key. */
  as(key: string): Ask
  operator: Ask
  /** A customer with a key of its own. */
  customer(name: string, serviceLevel?: string): Promise<{ id: string; key: string; ask: Ask }>
  stop(): Promise<void>
}

export async function startTestApi(options: Partial<ServerOptions> = {}): Promise<TestApi> {
  const prepared = await freshDatabase()
  const { database } = prepared
  const runtime: Runtime = options.runtime ?? systemRuntime
  const installation = new Installation()
  const { created } = await ensureOperatorKey({ database, runtime }, undefined)
  const operatorKey = created ?? ''
  await ensureServiceLevels({ database, runtime })
  const app = await buildServer({
    database,
    store: flowStore(database.system),
    runtime,
    logger: silentLogger,
    coordinatorId: uuidv7(runtime),
    operatorPhone: null,
    version: '0.0.0-test',
    keys: { rootX: installation.root.x, rootKid: installation.root.kid },
    registry: new Registry(),
    webRoot: '/nonexistent',
    requestRate: { burst: 100_000, perSecond: 1000 },
    ...options,
  })
  const as =
    (key: string): Ask =>
    async (method, url, body, headers = {}) => {
      const response = await app.inject({
        method: method as 'GET',
        url,
        headers: { ...(key === '' ? {} : { authorization: `Bearer ${key}` }), ...headers },
        ...(body === undefined ? {} : { payload: body as object }),
      })
      const isJson = String(response.headers['content-type'] ?? '').includes('json')
      return {
        status: response.statusCode,
        body: isJson && response.body !== '' ? response.json() : response.body,
        headers: response.headers,
      }
    }
  const operator = as(operatorKey)
  return {
    ...prepared,
    app,
    installation,
    operatorKey,
    as,
    operator,
    async customer(name, serviceLevel = 'standard') {
      const { body: customer } = await operator('POST', '/v1/customers', { name, service_level: serviceLevel })
      const { body: created } = await operator('POST', '/v1/api-keys', { customer_id: customer.id, scope: 'customer' })
      return { id: customer.id, key: created.key, ask: as(created.key) }
    },
    async stop() {
      await app.close()
      await prepared.drop()
    },
  }
}
