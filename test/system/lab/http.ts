/** HTTP from the tests to a server inside a host, past the network that the faults break. */
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import type { Place, Programs } from './processes.ts'

export type HttpAnswer = { status: number; headers: Record<string, string | string[] | undefined>; text: string; json: unknown }
export type HttpCall = { method?: string; headers?: Record<string, string>; body?: unknown; timeoutMs?: number }

export class HttpClient {
  /** The Unix socket that leads to the server. */
  readonly socketPath: string

  private constructor(socketPath: string) {
    this.socketPath = socketPath
  }

  /** Starts a relay to 127.0.0.1:`port` of the host. The server behind it may come and go. */
  static async to(programs: Programs, at: Place & { name: string }, port: number, directory: string): Promise<HttpClient> {
    const socketPath = join(directory, `${at.name}-${port}.sock`)
    const script = join(import.meta.dirname, 'inside/relay.ts')
    const command = [process.execPath, script, socketPath, `127.0.0.1:${port}`]
    const relay = programs.start({ name: `relay-${at.name}-${port}`, at, command })
    await relay.awaitLog(/relaying to/)
    return new HttpClient(socketPath)
  }

  /** A body that is not a string is sent as JSON. Rejects when the server is away or silent for `timeoutMs` (10 s). */
  call(path: string, { method = 'GET', headers = {}, body, timeoutMs = 10_000 }: HttpCall = {}): Promise<HttpAnswer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const type = text === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }
    return new Promise((resolve, reject) => {
      const request = httpRequest({ socketPath: this.socketPath, path, method, headers: { ...type, ...headers }, agent: false })
      request.setTimeout(timeoutMs, () => request.destroy(new Error(`no answer to ${method} ${path} within ${timeoutMs} ms`)))
      request.on('error', reject)
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: answer, json: parsed(answer) })
        })
      })
      request.end(text)
    })
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
