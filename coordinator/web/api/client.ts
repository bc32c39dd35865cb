/** The REST calls of the dashboard. Every failure leaves here as an `ApiError` whose message can be shown as it is. */
import { ApiError, readProblem } from './problem.ts'
import type { List } from './resources.ts'

export type Clock = { wallMs(): number }

export type ApiOptions = {
  /** Where the API lives, without a final slash; empty for the origin of the page. */
  base: string
  key: string
  fetch: typeof fetch
  clock: Clock
  randomId(): string
  /** Called with how far the coordinator's clock is ahead of this device's, in milliseconds. */
  onServerClock(offsetMs: number): void
}

export type Api = {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  /** Follows `next_cursor` until the list or `itemsMax` ends. */
  list<T>(path: string, itemsMax: number): Promise<{ items: T[]; complete: boolean }>
  stream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

/** The API's own limit for one page of a list. */
const pageItemsMax = 500
const answerMsMax = 20_000

export function createApi(options: ApiOptions): Api {
  const call = async (path: string, init: RequestInit): Promise<Response> => {
    const sentMs = options.clock.wallMs()
    const headers = { accept: 'application/json', authorization: `Bearer ${options.key}`, ...init.headers }
    const response = await options.fetch(`${options.base}/v1${path}`, { ...init, headers, cache: 'no-store' }).catch(() => {
      throw new ApiError(readProblem(0, null))
    })
    const offsetMs = serverClockOffsetMs(response.headers.get('date'), sentMs, options.clock.wallMs())
    if (offsetMs !== undefined) options.onServerClock(offsetMs)
    if (!response.ok) throw new ApiError(readProblem(response.status, await response.json().catch(() => null)))
    return response
  }

  const json = async <T>(path: string, init: RequestInit): Promise<T> => {
    const response = await call(path, { ...init, signal: AbortSignal.timeout(answerMsMax) })
    if (response.status === 204) return undefined as T
    return (await response.json().catch(() => {
      throw new ApiError(readProblem(0, null))
    })) as T
  }

  return {
    get: (path) => json(path, {}),
    post: (path, body = {}) =>
      json(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': options.randomId() },
        body: JSON.stringify(body),
      }),
    async list<T>(path: string, itemsMax: number) {
      const items: T[] = []
      let cursor: string | null = null
      do {
        const limit = Math.min(pageItemsMax, itemsMax - items.length)
        const query = `limit=${limit}${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
        const page: List<T> = await json(`${path}${path.includes('?') ? '&' : '?'}${query}`, {})
        items.push(...page.data)
        cursor = page.next_cursor
      } while (cursor !== null && items.length < itemsMax)
      return { items, complete: cursor === null }
    },
    async stream(path, signal) {
      const response = await call(path, { headers: { accept: 'text/event-stream' }, signal })
      if (response.body === null) throw new ApiError(readProblem(0, null))
      return response.body
    },
  }
}

/**
 * How far the coordinator's clock is ahead, from the Date header of an answer: ages on the screen are then right even
 * where a device's clock is not. The header has whole seconds, so less than 2 s counts as no difference.
 */
export function serverClockOffsetMs(dateHeader: string | null, sentMs: number, receivedMs: number): number | undefined {
  const serverMs = dateHeader === null ? Number.NaN : Date.parse(dateHeader)
  if (Number.isNaN(serverMs)) return undefined
  const offsetMs = serverMs + 500 - (sentMs + receivedMs) / 2
  return Math.abs(offsetMs) < 2000 ? 0 : Math.round(offsetMs)
}
