/** The public API as a run uses it: whichever coordinator answers. */
import { setTimeout as pause } from 'node:timers/promises'

const answerMsMax = 10_000
const retryMs = 250

export class Api {
  readonly #addresses: readonly string[]
  readonly #key: string

  constructor(addresses: readonly string[], key: string) {
    this.#addresses = addresses
    this.#key = key
  }

  /** Only for what may be done twice, or while nothing is killed: it is sent again until somebody answers. */
  async call<T>(method: 'GET' | 'POST', path: string, body?: unknown, withinMs = 60_000): Promise<T> {
    const deadlineMs = Date.now() + withinMs
    for (let attempt = 0; ; attempt++) {
      const address = this.#addresses[attempt % this.#addresses.length] ?? ''
      try {
        const response = await fetch(`${address}${path}`, {
          method,
          headers: {
            authorization: `Bearer ${this.#key}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(answerMsMax),
        })
        const text = await response.text()
        if (response.ok) return JSON.parse(text) as T
        // Busy or without its database: another time. Anything else is a fault of the request.
        if (response.status < 500 && response.status !== 429) throw new Refused(`${method} ${path}: ${response.status} ${text}`)
        throw new Error(`${method} ${path}: ${response.status} ${text}`)
      } catch (error) {
        if (error instanceof Refused || Date.now() > deadlineMs) throw error
        await pause(retryMs)
      }
    }
  }

  get = <T>(path: string, withinMs?: number): Promise<T> => this.call('GET', path, undefined, withinMs)
  post = <T>(path: string, body: unknown): Promise<T> => this.call('POST', path, body)

  /** A whole list, in its order. */
  async all<T>(path: string): Promise<T[]> {
    const found: T[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = `${path.includes('?') ? '&' : '?'}limit=500${cursor === '' ? '' : `&cursor=${cursor}`}`
      const page: { data: T[]; next_cursor: string | null } = await this.get(`${path}${query}`)
      found.push(...page.data)
      cursor = page.next_cursor
    }
    return found
  }
}

class Refused extends Error {}
