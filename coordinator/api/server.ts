/**
 * The HTTP server of a coordinator.
 *
 *   request ─► id and headers ─► who is asking, may they, how often ─► schema ─► route ─► change or read ─► answer or problem
 *
 * The probe link attaches itself to `app.server` (WebSocket upgrades at /probe).
 */
import type { Socket } from 'node:net'
import Fastify, { type FastifyReply, type FastifyRequest, type FastifyServerOptions, LogController } from 'fastify'
import { Histogram, type Registry } from 'prom-client'
import { uuidv7 } from '../../common/runtime.ts'
import type { DatabaseContext } from '../flow/context.ts'
import type { CoordinatorKeys } from '../keys.ts'
import { createAuthenticator, requireRights } from './auth.ts'
import type { ApiContext, ApiServer } from './context.ts'
import { serveDashboard } from './dashboard.ts'
import { startLive } from './live.ts'
import { liveReaders } from './live-readers.ts'
import { collectReference, serveReference } from './openapi.ts'
import { describeProblem, handleError, RateLimited, sendProblem } from './problem.ts'
import { TokenBuckets } from './rate-limit.ts'
import { registerApiKeys } from './routes/api-keys.ts'
import { registerAuditLog } from './routes/audit-log.ts'
import { registerAvailability } from './routes/availability.ts'
import { registerContacts } from './routes/contacts.ts'
import { registerCustomers } from './routes/customers.ts'
import { registerEscalationPolicies } from './routes/escalation-policies.ts'
import { registerIncidents } from './routes/incidents.ts'
import { registerLegs } from './routes/legs.ts'
import { registerMaintenanceWindows } from './routes/maintenance-windows.ts'
import { registerMe } from './routes/me.ts'
import { registerMonitors } from './routes/monitors.ts'
import { registerOperations } from './routes/operations.ts'
import { registerPages } from './routes/pages.ts'
import { registerProbes } from './routes/probes.ts'
import { registerResponder } from './routes/responder.ts'
import { registerResults } from './routes/results.ts'
import { registerServiceLevels } from './routes/service-levels.ts'
import { registerStream } from './routes/stream.ts'
import { addSecurityHeaders } from './security-headers.ts'
import { validatorCompiler } from './validation.ts'

export type ServerOptions = DatabaseContext & {
  version: string
  keys: Pick<CoordinatorKeys, 'rootX' | 'rootKid'>
  /** The folder of the built dashboard. */
  webRoot: string
  registry: Registry
  /** For each key; the default serves an onboarding script and a dozen dashboards. */
  requestRate?: { burst: number; perSecond: number }
}

const bodyBytesMax = 256 * 1024
/** The longest path parameter is a UUID. */
const parameterLengthMax = 64
const requestMsMax = 30_000
/** Longer than the pings of the event stream and the probe link, so that only the dead are cut off. */
const socketIdleMsMax = 120_000
/** A little more than the 60 s of common proxies, which else reuse a connection as it closes. */
const keepAliveMs = 72_000
const requestRateDefault = { burst: 300, perSecond: 50 }
/** Tests of one address are capped, or this is a tool to bomb mailboxes. */
const testNowRate = { burst: 5, perSecond: 1 / 60 }

/** Listening is the caller's: `await server.listen({ host, port })`. */
export async function buildServer(options: ServerOptions): Promise<ApiServer> {
  const { runtime, database } = options
  const live = await startLive(options, liveReaders)
  const context: ApiContext = {
    ...options,
    live,
    authenticator: createAuthenticator(database, runtime),
    testNow: new TokenBuckets(testNowRate),
  }
  const app: ApiServer = Fastify(frameworkOptions(options)).withTypeProvider()
  app.setValidatorCompiler(validatorCompiler)
  app.setErrorHandler(handleError)
  refuseUnknownRoutes(app)
  takeJsonOnly(app)
  addSecurityHeaders(app)
  measure(app, options.registry)

  await collectReference(app, options.version)
  registerOperations(app, { ready: () => database.ping(), registry: options.registry })
  await app.register(async (v1) => registerV1(v1.withTypeProvider(), context, options.requestRate), { prefix: '/v1' })
  await serveReference(app)
  await serveDashboard(app, options.webRoot)
  // The event streams would hold the server open.
  app.addHook('preClose', () => live.close())
  await app.ready()
  return app
}

function registerV1(app: ApiServer, context: ApiContext, requestRate = requestRateDefault): void {
  guard(app, context, new TokenBuckets(requestRate))
  registerMe(app, context)
  registerCustomers(app, context)
  registerServiceLevels(app, context)
  registerApiKeys(app, context)
  registerContacts(app, context)
  registerEscalationPolicies(app, context)
  registerMonitors(app, context)
  registerResults(app, context)
  registerAvailability(app, context)
  registerLegs(app, context)
  registerResponder(app, context)
  registerIncidents(app, context)
  registerPages(app, context)
  registerMaintenanceWindows(app, context)
  registerProbes(app, context)
  registerAuditLog(app, context)
  registerStream(app, context)
}

/** Nobody reaches a route without a key, and no route is added without saying what key it needs. */
function guard(app: ApiServer, context: ApiContext, rate: TokenBuckets): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.needs === undefined) throw new Error(`${route.url} does not say what key it needs`)
  })
  app.addHook('onRequest', async (request) => {
    request.identity = await context.authenticator.authenticate(request.headers.authorization)
    const allowed = rate.take(request.identity.key_id, context.runtime.monotonicMs())
    if (!allowed.taken) throw new RateLimited('This key sends too many requests', allowed.retryAfterS)
    const { needs } = request.routeOptions.config
    if (needs !== undefined) requireRights(request.identity, needs)
  })
}

/** A request is JSON or nothing; many clients announce JSON also where they send nothing. */
function takeJsonOnly(app: ApiServer): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser<string>('application/json', { parseAs: 'string', bodyLimit: bodyBytesMax }, (request, body, done) =>
    body === '' ? done(null, undefined) : parse(request, body, done),
  )
}

function frameworkOptions({ logger, runtime }: DatabaseContext): FastifyServerOptions {
  return {
    loggerInstance: logger as unknown as NonNullable<FastifyServerOptions['loggerInstance']>,
    // Each answer is a line of our own at debug level (see `measure`).
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: parameterLengthMax },
    requestTimeout: requestMsMax,
    connectionTimeout: socketIdleMsMax,
    keepAliveTimeout: keepAliveMs,
    forceCloseConnections: true,
    genReqId: (request) => safeRequestId(request.headers['x-request-id']) ?? uuidv7(runtime),
    frameworkErrors: (error, request, reply) => void handleError(error, request as FastifyRequest, reply as FastifyReply),
    clientErrorHandler,
  }
}

/** A caller's id goes on in our log and answer, where it cannot do harm there. */
const safeRequestId = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(header) ? header : undefined

/** Bytes that are no HTTP at all never become a request. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const body = JSON.stringify(describeProblem('REQUEST_INVALID', 'This is no HTTP request that can be read here'))
  socket.end(
    `HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}

/** 405 with the methods that there are, where only the method is wrong; 404 otherwise. */
function refuseUnknownRoutes(app: ApiServer): void {
  const methodsByPath = new Map<string, { pattern: RegExp; methods: Set<string> }>()
  app.addHook('onRoute', ({ url, method }) => {
    if (url.includes('*')) return
    const known = methodsByPath.get(url) ?? { pattern: pathPattern(url), methods: new Set() }
    methodsByPath.set(url, known)
    for (const one of [method].flat()) known.methods.add(one)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    const methods = [...methodsByPath.values()].filter(({ pattern }) => pattern.test(path)).flatMap((route) => [...route.methods])
    if (methods.length === 0 || methods.includes(request.method))
      return sendProblem(reply, describeProblem('NOT_FOUND', 'There is nothing at this address; /docs shows what there is'))
    const allow = [...new Set(methods)].sort().join(', ')
    return sendProblem(reply.header('allow', allow), describeProblem('METHOD_NOT_ALLOWED', `This address takes ${allow}`))
  })
}

const pathPattern = (url: string): RegExp => {
  const parts = url.split('/').map((part) => (part.startsWith(':') ? '[^/]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  return new RegExp(`^${parts.join('/')}/?$`)
}

function measure(app: ApiServer, registry: Registry): void {
  const seconds = new Histogram({
    name: 'mailscout_http_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.2, 1, 5],
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'unknown'
    seconds.observe({ method: request.method, route, status: String(reply.statusCode) }, reply.elapsedTime / 1000)
    request.log.debug({ method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered')
  })
}
