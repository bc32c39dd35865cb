/**
 * Any gateway that takes a message by one HTTP request: Kannel, SMSTools, most providers.
 *
 * `node:http` instead of `fetch`, because it tells whether a request can have reached the other side: that is the difference
 * between "try the next gateway" and "it may be on its way".
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { errorMessage, MailscoutError } from '../../common/errors.ts'
import type { Runtime } from '../../common/runtime.ts'
import type { HttpGatewaySettings } from './config.ts'
import type { Acceptance, Gateway, Sms } from './gateway.ts'
import { escapeForContentType, escapeForHeader, escapeForUrl, fill, fillJson, printable, verbatim } from './template.ts'

/** DESIGN 1: gateway and failover together take at most 20 s, which is two gateways that hang. */
export const gatewayMsMax = 10_000
/** Answers are a line or a small JSON object; what is longer is not read to its end. */
const answerBytesMax = 64 * 1024
/** As much of the answer as a person needs in a message. */
const quotedCharactersMax = 200

/** The gateway is asking for patience, not saying no: Request Timeout, Too Early, Too Many Requests. */
const statusesOfPatience: readonly number[] = [408, 425, 429]

type Answer = { status: number; location: string; body: string; complete: boolean }

export function createHttpGateway(settings: HttpGatewaySettings, runtime: Runtime): Gateway {
  const { name, kind } = settings
  return {
    name,
    kind,
    async send({ signal, ...sms }) {
      const answer = await exchange(settings, sms, runtime, signal)
      return judge(settings, answer)
    },
  }
}

/** What the answer means. Exported for the table in the tests. */
export function judge({ name, success, provider_id }: HttpGatewaySettings, answer: Answer): Acceptance {
  const { status, body } = answer
  const said = `${name} answered ${status}${body === '' ? '' : `: ${quote(body)}`}`
  const statusIsGood = success?.status === undefined ? status >= 200 && status < 300 : success.status.includes(status)
  if (!statusIsGood) {
    if (status >= 500 || statusesOfPatience.includes(status)) throw new MailscoutError('GATEWAY_UNAVAILABLE', said)
    const redirected = status >= 300 && status < 400 && answer.location !== ''
    throw new MailscoutError('GATEWAY_REFUSED', redirected ? `${said}; redirects are not followed: give the final address` : said)
  }
  if (success?.body !== undefined && !new RegExp(success.body).test(body)) {
    if (!answer.complete) throw new MailscoutError('GATEWAY_OUTCOME_UNKNOWN', `${said}, and the answer was cut off`)
    throw new MailscoutError('GATEWAY_REFUSED', `${said}, which does not match success.body`)
  }
  const match = provider_id === undefined ? null : new RegExp(provider_id).exec(body)
  const providerId = match?.[1] ?? match?.[0]
  return providerId === undefined ? {} : { providerId }
}

const quote = (body: string) => printable(body.slice(0, quotedCharactersMax)).trim()

export type HttpRequestParts = { url: URL; method: string; headers: Record<string, string>; body: string | undefined }

/** The request for one message. Exported for the table in the tests. */
export function fillRequest(settings: HttpGatewaySettings, sms: Sms): HttpRequestParts {
  const headers: Record<string, string> = { 'user-agent': 'mailscout' }
  for (const [header, template] of Object.entries(settings.headers ?? {})) {
    headers[header.toLowerCase()] = fill(template, sms, escapeForHeader)
  }
  const body = fillBody(settings, sms, headers)
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body))
  const method = settings.method ?? (body === undefined ? 'GET' : 'POST')
  return { url: new URL(fill(settings.url, sms, escapeForUrl)), method, headers, body }
}

function fillBody({ body }: HttpGatewaySettings, sms: Sms, headers: Record<string, string>): string | undefined {
  if (body === undefined) return undefined
  if (typeof body === 'string') return fill(body, sms, escapeForContentType(headers['content-type'] ?? '') ?? verbatim)
  headers['content-type'] ??= 'application/json'
  return JSON.stringify(fillJson(body, sms))
}

function exchange(settings: HttpGatewaySettings, sms: Sms, runtime: Runtime, signal?: AbortSignal): Promise<Answer> {
  const { url, method, headers, body } = fillRequest(settings, sms)
  return new Promise((resolve, reject) => {
    // `agent: false`, a connection of its own: a kept one that the gateway has just closed would leave the outcome unknown.
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, { method, headers, agent: false })
    const sent = watchConnection(request, url)
    let answered = false

    const cancelTimer = runtime.setTimer(gatewayMsMax, () =>
      request.destroy(new Error(`no answer within ${gatewayMsMax / 1000} s`)),
    )
    const abort = () => request.destroy(new Error('given up, because we are stopping'))
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    const release = () => {
      cancelTimer()
      signal?.removeEventListener('abort', abort)
    }

    request.on('response', (response) => {
      answered = true
      void readAnswer(response).then((answer) => {
        release()
        request.destroy()
        resolve(answer)
      })
    })
    request.on('error', (error) => {
      // Once the status line is there, readAnswer makes of it what there is.
      if (answered) return
      release()
      // The URL may hold a password, so only its origin is named.
      const message = `${settings.name} (${url.origin}): ${errorMessage(error) || (error as NodeJS.ErrnoException).code}`
      reject(new MailscoutError(sent() ? 'GATEWAY_OUTCOME_UNKNOWN' : 'GATEWAY_UNAVAILABLE', message, { cause: error }))
    })
    request.end(body)
  })
}

/** Before the connection stands (with TLS: before its handshake is done), no byte of the request has left. */
function watchConnection(request: ClientRequest, url: URL): () => boolean {
  let connected = false
  request.on('socket', (socket) => {
    socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
      connected = true
    })
  })
  return () => connected
}

/** Never rejects: a status with half a body is still an answer. */
function readAnswer(response: IncomingMessage): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const finish = () => {
      const body = Buffer.concat(chunks).subarray(0, answerBytesMax).toString('utf8')
      resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? '', body, complete: response.complete })
    }
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= answerBytesMax) finish()
    })
    response.on('end', finish)
    response.on('close', finish)
    response.on('error', finish)
  })
}
