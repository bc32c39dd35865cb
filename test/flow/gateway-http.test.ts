import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { text as readText } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemRuntime } from '../../common/runtime.ts'
import { type HttpGatewaySettings, parseGateways } from '../../coordinator/gateways/config.ts'
import { sendThrough, unknownLast } from '../../coordinator/gateways/failover.ts'
import { createHttpGateway, gatewayMsMax } from '../../coordinator/gateways/http.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

const sms = { to: '+61400000000', text: 'MAIL DOWN: "Ünïversity" & co <50 %> since 12:00', reference: 'page-1' }

type Seen = { method: string; path: string; query: URLSearchParams; headers: IncomingMessage['headers']; body: string }

let server: Server
let origin: string
let seen: Seen[]
let answer: (response: ServerResponse, request: IncomingMessage) => void

beforeAll(async () => {
  server = createServer((request, response) => {
    void readText(request).then((body) => {
      const url = new URL(request.url ?? '', 'http://gateway')
      seen.push({ method: request.method ?? '', path: url.pathname, query: url.searchParams, headers: request.headers, body })
      answer(response, request)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const settings = (value: object): HttpGatewaySettings =>
  parseGateways(
    JSON.stringify([{ name: 'first', kind: 'http', url: `${origin}/send?to={to}&text={text}`, ...value }]),
  )[0] as HttpGatewaySettings

function gatewayThat(reply: typeof answer, value: object = {}, runtime = systemRuntime) {
  seen = []
  answer = reply
  return createHttpGateway(settings(value), runtime)
}

const accept = (response: ServerResponse) => response.writeHead(202).end('0: Accepted for delivery')

describe('the request', () => {
  test('carries the message in the address, and no character of it adds a parameter', async () => {
    await gatewayThat(accept, { url: `${origin}/cgi-bin/sendsms?user=u&to={to}&text={text}&ref={reference}` }).send(sms)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({ method: 'GET', path: '/cgi-bin/sendsms', body: '' })
    expect(Object.fromEntries(seen[0]?.query ?? [])).toEqual({ user: 'u', to: sms.to, text: sms.text, ref: 'page-1' })
  })

  const bodies: [string, string, (body: string) => unknown, unknown][] = [
    ['application/json', '{"to":"{to}","text":"{text}"}', (body) => JSON.parse(body), { to: sms.to, text: sms.text }],
    [
      'application/x-www-form-urlencoded',
      'to={to}&text={text}',
      (body) => Object.fromEntries(new URLSearchParams(body)),
      { to: sms.to, text: sms.text },
    ],
    [
      'text/xml; charset=utf-8',
      '<sms to="{to}">{text}</sms>',
      (body) => body,
      `<sms to="${sms.to}">MAIL DOWN: &quot;Ünïversity&quot; &amp; co &lt;50 %&gt; since 12:00</sms>`,
    ],
    ['text/plain', 'To: {to}\n\n{text}', (body) => body, `To: ${sms.to}\n\n${sms.text}`],
  ]
  test.each(bodies)('escapes a body of type %s', async (type, body, parse, expected) => {
    await gatewayThat(accept, { url: `${origin}/send`, headers: { 'Content-Type': type }, body }).send(sms)
    expect(seen[0]).toMatchObject({ method: 'POST' })
    expect(seen[0]?.headers['content-type']).toBe(type)
    expect(parse(seen[0]?.body ?? '')).toEqual(expected)
  })

  test('a body given as JSON is sent as JSON, with templates anywhere in it', async () => {
    const body = { messages: [{ to: '{to}', parts: ['{text}', 7, true, null] }], id: 'x-{reference}' }
    await gatewayThat(accept, { url: `${origin}/send`, method: 'PUT', headers: { 'Idempotency-Key': '{reference}' }, body }).send(
      sms,
    )
    expect(seen[0]).toMatchObject({ method: 'PUT', headers: { 'content-type': 'application/json', 'idempotency-key': 'page-1' } })
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      messages: [{ to: sms.to, parts: [sms.text, 7, true, null] }],
      id: 'x-page-1',
    })
  })

  test('a text that looks like a placeholder is not filled again', async () => {
    await gatewayThat(accept).send({ ...sms, text: '{to} {reference} $& $1' })
    expect(seen[0]?.query.get('text')).toBe('{to} {reference} $& $1')
  })

  test('a user and password in the address become basic authentication', async () => {
    await gatewayThat(accept, { url: `${origin.replace('//', '//user:p%40ss@')}/?to={to}&text={text}` }).send(sms)
    expect(seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:p@ss').toString('base64')}`)
  })
})

describe('the answer', () => {
  const respond =
    (status: number, body = '', headers: Record<string, string> = {}) =>
    (response: ServerResponse) =>
      response.writeHead(status, headers).end(body)

  const table: [string, typeof answer, object, object][] = [
    ['200', respond(200), {}, {}],
    ['202 with words', respond(202, '0: Accepted'), {}, {}],
    ['an id in JSON', respond(200, '{"sid":"SM42"}'), { provider_id: '"sid":"([^"]+)"' }, { providerId: 'SM42' }],
    ['an id as the whole match', respond(200, 'OK 12345'), { provider_id: '\\d+' }, { providerId: '12345' }],
    ['no id where one was looked for', respond(200, 'OK'), { provider_id: '\\d+' }, {}],
    ['a body that matches', respond(200, 'OK: 1'), { success: { body: '^OK' } }, {}],
    ['a status that was named', respond(302), { success: { status: [302] } }, {}],
    ['more than is read', respond(200, 'x'.repeat(1_000_000)), {}, {}],
    [
      'a good status and half a body',
      (response) => response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy()),
      {},
      {},
    ],
  ]
  test.each(table)('%s is accepted', async (_, reply, value, expected) => {
    expect(await gatewayThat(reply, value).send(sms)).toEqual(expected)
  })

  const refusals: [string, typeof answer, object, string, string][] = [
    ['400', respond(400, 'bad number'), {}, 'GATEWAY_REFUSED', 'first answered 400: bad number'],
    ['403', respond(403, 'Authorization failed for sendsms'), {}, 'GATEWAY_REFUSED', 'Authorization failed'],
    ['a redirect', respond(302, '', { location: '/other' }), {}, 'GATEWAY_REFUSED', 'redirects are not followed'],
    ['a good status with a bad body', respond(200, 'ERR 7'), { success: { body: '^OK' } }, 'GATEWAY_REFUSED', 'does not match'],
    ['an escape sequence', respond(400, '\u001b[2Jx\u202ey'), {}, 'GATEWAY_REFUSED', 'first answered 400: [2Jx y'],
    ['408', respond(408), {}, 'GATEWAY_UNAVAILABLE', '408'],
    ['429', respond(429, 'slow down'), {}, 'GATEWAY_UNAVAILABLE', 'slow down'],
    ['500', respond(500), {}, 'GATEWAY_UNAVAILABLE', '500'],
    ['503', respond(503), {}, 'GATEWAY_UNAVAILABLE', '503'],
    ['no answer, the connection closed', (response) => response.destroy(), {}, 'GATEWAY_OUTCOME_UNKNOWN', 'first ('],
    [
      'something that is not HTTP',
      (response) => response.socket?.end('SMTP ready\r\n'),
      {},
      'GATEWAY_OUTCOME_UNKNOWN',
      'first (',
    ],
    [
      'half of the body that decides',
      (response) => response.writeHead(200, { 'content-length': '100' }).write('O', () => response.destroy()),
      { success: { body: '^OK' } },
      'GATEWAY_OUTCOME_UNKNOWN',
      'cut off',
    ],
  ]
  test.each(refusals)('%s is told by its code', async (_, reply, value, code, words) => {
    const error = await gatewayThat(reply, value)
      .send(sms)
      .catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) })
    expect(seen).toHaveLength(1)
  })
})

describe('the time', () => {
  test('an answer that does not come leaves the outcome unknown after 10 s', async () => {
    const runtime = new FakeRuntime()
    const gateway = gatewayThat(() => runtime.advance(gatewayMsMax), {}, runtime)
    await expect(gateway.send(sms)).rejects.toMatchObject({
      code: 'GATEWAY_OUTCOME_UNKNOWN',
      message: expect.stringContaining('10 s'),
    })
    expect(runtime.timerCount).toBe(0)
  })

  test('a body that drips for ever does not spoil a good status', async () => {
    const runtime = new FakeRuntime()
    const drip = (response: ServerResponse) => response.writeHead(200).write('first')
    // Published when the client has the status line.
    const onStatus = () => {
      unsubscribe('http.client.response.finish', onStatus)
      setImmediate(() => runtime.advance(gatewayMsMax))
    }
    subscribe('http.client.response.finish', onStatus)
    const gateway = gatewayThat(drip, {}, runtime)
    await expect(gateway.send(sms)).resolves.toEqual({})
    expect(runtime.timerCount).toBe(0)
  })

  test('given up while stopping: in doubt once the request is out, surely not sent before', async () => {
    const controller = new AbortController()
    const gateway = gatewayThat(() => controller.abort())
    await expect(gateway.send({ ...sms, signal: controller.signal })).rejects.toMatchObject({ code: 'GATEWAY_OUTCOME_UNKNOWN' })
    await expect(gateway.send({ ...sms, signal: controller.signal })).rejects.toMatchObject({ code: 'GATEWAY_UNAVAILABLE' })
    expect(seen).toHaveLength(1)
  })
})

describe('the connection', () => {
  test('refused: nothing was sent, and the password in the address is not told', async () => {
    const closed = createTcpServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    closed.close()
    await once(closed, 'close')
    const url = `http://user:secret@127.0.0.1:${port}/?password=hidden&to={to}&text={text}`
    const error = await createHttpGateway(settings({ url }), systemRuntime)
      .send(sms)
      .catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'GATEWAY_UNAVAILABLE', message: expect.stringContaining(`127.0.0.1:${port}`) })
    expect(String(error)).not.toMatch(/secret|hidden/)
  })

  test('a TLS handshake that never ends: nothing was sent', async () => {
    const runtime = new FakeRuntime()
    const sockets: Socket[] = []
    const mute = createTcpServer((socket) => {
      sockets.push(socket)
      socket.once('data', () => runtime.advance(gatewayMsMax))
      socket.on('error', () => {})
    }).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}/?to={to}&text={text}`
    await expect(createHttpGateway(settings({ url }), runtime).send(sms)).rejects.toMatchObject({ code: 'GATEWAY_UNAVAILABLE' })
    for (const socket of sockets) socket.destroy()
    mute.close()
  })
})

describe('failover over real gateways', () => {
  test('the second takes what the first cannot, and each attempt is told', async () => {
    seen = []
    answer = (response, request) => response.writeHead(request.url?.startsWith('/busy') ? 503 : 200).end('{"id":"A1"}')
    const gateways = parseGateways(
      JSON.stringify([
        { name: 'busy', kind: 'http', url: `${origin}/busy?to={to}&text={text}` },
        { name: 'good', kind: 'http', url: `${origin}/good?to={to}&text={text}`, provider_id: '"id":"(\\w+)"' },
      ]),
    ).map((gateway) => createHttpGateway(gateway as HttpGatewaySettings, systemRuntime))
    const delivery = await sendThrough(gateways, sms, { runtime: systemRuntime })
    expect(delivery).toMatchObject({
      outcome: 'accepted',
      gateway: 'good',
      providerId: 'A1',
      attempts: [
        { gateway: 'busy', outcome: 'unavailable', error: expect.stringContaining('503') },
        { gateway: 'good', outcome: 'accepted' },
      ],
    })
    expect(unknownLast(gateways, 'busy').map(({ name }) => name)).toEqual(['good', 'busy'])
  })
})
