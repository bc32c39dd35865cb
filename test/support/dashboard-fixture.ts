/** The dashboard's files and an API of fixed data, on one port of the loopback: the surface without the coordinator. */
import { createReadStream, existsSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { securityHeaders } from '../../coordinator/api/security-headers.ts'
import { type DashboardData, type DashboardScene, sceneData, sceneStartMs } from './dashboard-data.ts'

export type DashboardFixture = {
  url: string
  key: string
  data: DashboardData
  /** What was asked, as `GET /v1/me`. */
  requests: string[]
  /** Tells every open stream. */
  emit(kind: string, resource: object): void
  /** Breaks every open stream; while `refuse`, new ones get a 503. */
  dropStreams(refuse: boolean): void
  close(): Promise<void>
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
}
const key = 'ms_fixture_key'

export async function startDashboardFixture(scene: DashboardScene, webRoot: string, port = 0): Promise<DashboardFixture> {
  const data = sceneData(scene, sceneStartMs)
  const streams = new Set<ServerResponse>()
  const requests: string[] = []
  const startedMs = performance.now()
  let refusing = false

  const emit = (kind: string, resource: object) => {
    for (const stream of streams) stream.write(`event: ${kind}\ndata: ${JSON.stringify(resource)}\n\n`)
  }
  const openStream = (request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.write(': fixture\n\n')
    streams.add(response)
    request.on('close', () => streams.delete(response))
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://fixture')
    response.setHeader('date', new Date(sceneStartMs + performance.now() - startedMs).toUTCString())
    for (const [name, value] of Object.entries(securityHeaders)) response.setHeader(name, value)
    if (!url.pathname.startsWith('/v1/')) {
      sendFile(response, webRoot, url.pathname)
      return
    }
    requests.push(`${request.method} ${url.pathname}${url.search}`)
    if (request.headers.authorization !== `Bearer ${key}`) send(response, unknownKey)
    else if (url.pathname !== '/v1/stream') send(response, answer(data, request.method ?? 'GET', url, emit))
    else if (refusing)
      send(response, problem(503, 'DATABASE_UNAVAILABLE', 'The database does not answer; ask again in a few seconds'))
    else openStream(request, response)
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    key,
    data,
    requests,
    emit,
    dropStreams(refuse) {
      refusing = refuse
      for (const stream of streams) stream.destroy()
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function sendFile(response: ServerResponse, webRoot: string, path: string): void {
  const file = join(webRoot, normalize(path === '/' ? '/index.html' : path))
  if (!file.startsWith(webRoot) || !existsSync(file)) {
    response.writeHead(404).end()
    return
  }
  response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
  createReadStream(file).pipe(response)
}

type Answer = { status: number; body: object }

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json' })
  response.end(JSON.stringify(body))
}

const ok = (body: object): Answer => ({ status: 200, body })

const problem = (status: number, code: string, detail: string): Answer => ({
  status,
  body: { type: `urn:mailscout:problem:${code}`, title: code, status, code, detail },
})

const unknownKey = problem(401, 'UNAUTHENTICATED', 'This API key is not known here; check it or ask your operator for a new one')
const unknownId = problem(404, 'NOT_FOUND', 'There is nothing with this id that your key may see')

function list(url: URL, items: readonly object[]): Answer {
  const limit = Number(url.searchParams.get('limit') ?? 50)
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const next = from + limit < items.length ? String(from + limit) : null
  return ok({ data: items.slice(from, from + limit), next_cursor: next })
}

type Emit = (kind: string, resource: object) => void

function answer(data: DashboardData, method: string, url: URL, emit: Emit): Answer {
  const [collection = '', id, under] = url.pathname.slice('/v1/'.length).split('/')
  if (collection === 'me') return ok(data.me)
  if (method === 'POST') return act(data, `${collection}/${under ?? ''}`, id ?? '', emit)
  const wanted = (name: string) => url.searchParams.get(name)
  const collections: Record<string, readonly { id: string }[]> = {
    customers: data.customers,
    monitors: data.monitors,
    incidents: data.incidents.filter(({ monitor_id }) => wanted('monitor_id') === null || monitor_id === wanted('monitor_id')),
    pages: data.pages.filter(({ incident_id }) => wanted('incident_id') === null || incident_id === wanted('incident_id')),
    probes: data.probes,
    'maintenance-windows': data.windows.filter(({ monitor_ids }) => monitor_ids?.includes(wanted('monitor_id') ?? '') ?? true),
  }
  const items = collections[collection] ?? []
  if (id === undefined) return list(url, items)
  const item = items.find((candidate) => candidate.id === id)
  if (item === undefined) return unknownId
  if (under === undefined) return ok(item)
  if (under === 'availability') return ok(data.availability)
  if (under === 'events') return list(url, data.events[id] ?? [])
  if (under === 'legs') return ok(data.legs[id] ?? noLegs(id))
  if (under === 'responder') return ok(responderGuide(wanted('system') ?? 'postfix'))
  const since = wanted('since') ?? ''
  return list(url, (data.results[id] ?? []).filter((result) => result.started_at >= since).reverse())
}

function act(data: DashboardData, action: string, id: string, emit: Emit): Answer {
  if (action === 'monitors/test')
    return { status: 202, body: { jobs: data.probes.map(({ id: probeId }) => ({ id: probeId, probe_id: probeId })) } }
  const incident = data.incidents.find((candidate) => candidate.id === id)
  if (incident === undefined) return unknownId
  const now = new Date(sceneStartMs + 20_000).toISOString()
  if (action === 'incidents/acknowledge') Object.assign(incident, { acknowledged_at: now, acknowledged_by: 'operator' })
  if (action === 'incidents/resolve') {
    Object.assign(incident, { resolved_at: now })
    const monitor = data.monitors.find((candidate) => candidate.id === incident.monitor_id)
    if (monitor !== undefined)
      emit('monitor', Object.assign(monitor, { decision: 'up', decision_reason: 'resolved_by_hand', incident_id: null }))
  }
  emit('incident', incident)
  return ok(incident)
}

const noLegs = (monitor_id: string) => ({
  monitor_id,
  state: 'unknown',
  offset_ms: null,
  error_ms: null,
  error_assumed: false,
  since: null,
  step_ms: null,
  runs: 0,
  notice: null,
  data: [],
})

const responderGuide = (system: string) => ({
  system,
  config: { root_keys: ['MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE'], return_domains: ['probe.example'] },
  files: [
    {
      path: '/etc/mailscout/responder.json',
      mode: '0644',
      content: `${JSON.stringify({ root_keys: ['MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE'], return_domains: ['probe.example'] }, null, 2)}\n`,
    },
    { path: '/home/scout/.forward', mode: '0644', content: '"|/usr/local/bin/mailscout-responder"\n' },
  ],
  steps: [
    'Install Node.js 18 or later on the mail server; nothing else is needed.',
    'Copy dist/mailscout-responder.cjs to /usr/local/bin/mailscout-responder and make it executable.',
    'Write /etc/mailscout/responder.json as shown.',
    'Press "Test now": the first returned mail ends the state "pending".',
  ],
})
