/**
 * Keeps the dashboard live: connect ► load everything ► pass on events ► on any loss wait and start over. The stream is
 * opened before the load, so that nothing can fall between the two.
 */
import type { StreamEvent } from '../state/state.ts'
import type { Api } from './client.ts'
import { createStreamParser } from './event-stream.ts'
import { ApiError } from './problem.ts'

export type LiveHandlers = {
  onConnecting(): void
  /** Loads the whole picture; the stream is open and its events are already being passed on. */
  load(): Promise<void>
  onLive(): void
  onEvents(events: StreamEvent[]): void
  /** The connection is gone; `retryAtMs` is on this device's clock. */
  onLost(error: unknown, retryAtMs: number): void
  /** The key was refused: there is no point in trying again. */
  onRefused(error: ApiError): void
}

export type LiveRuntime = {
  wallMs(): number
  random(): number
  setTimer(delayMs: number, callback: () => void): () => void
}

/** The coordinator pings every 15 s: three missed pings are a dead connection. */
export const silenceMsMax = 45_000
/** Events are handed over in lots, so that a burst costs one redraw. */
const lotMs = 120
const eventNames = new Set(['result', 'monitor', 'incident', 'page', 'probe'])

/** 1, 2, 4 … 30 s, each with up to a quarter more, so that many screens do not come back in the same instant. */
export function retryDelayMs(failures: number, random: number): number {
  const base = Math.min(30_000, 1000 * 2 ** Math.max(0, failures - 1))
  return Math.round(base * (1 + random / 4))
}

/** Starts at once; the returned function ends it for good. */
export function runLive(api: Api, runtime: LiveRuntime, handlers: LiveHandlers): () => void {
  const ended = new AbortController()
  void (async () => {
    let failures = 0
    while (!ended.signal.aborted) {
      handlers.onConnecting()
      const error = await follow(api, runtime, handlers, ended.signal, () => {
        failures = 0
      })
      if (ended.signal.aborted) return
      if (error instanceof ApiError && error.status === 401) return handlers.onRefused(error)
      failures += 1
      const delayMs = retryDelayMs(failures, runtime.random())
      handlers.onLost(error, runtime.wallMs() + delayMs)
      await pause(runtime, delayMs, ended.signal)
    }
  })()
  return () => ended.abort()
}

/** One connection from opening to loss; gives what ended it. */
async function follow(
  api: Api,
  runtime: LiveRuntime,
  handlers: LiveHandlers,
  signal: AbortSignal,
  onHealthy: () => void,
): Promise<unknown> {
  const connection = new AbortController()
  const end = () => connection.abort()
  signal.addEventListener('abort', end, { once: true })
  let cancelSilence = runtime.setTimer(silenceMsMax, end)
  let lot: StreamEvent[] = []
  let cancelLot: (() => void) | undefined
  try {
    const body = await api.stream('/stream', connection.signal)
    const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
    const loaded = handlers.load().then(() => {
      onHealthy()
      handlers.onLive()
    })
    // A failed load ends the connection, so that loss and retry have one way.
    let loadError: unknown
    loaded.catch((error: unknown) => {
      loadError = error
      end()
    })
    const parse = createStreamParser()
    for (;;) {
      const { done, value } = await reader.read().catch(() => ({ done: true as const, value: undefined }))
      if (done) return loadError
      cancelSilence()
      cancelSilence = runtime.setTimer(silenceMsMax, end)
      lot.push(...parse(value).flatMap(readStreamMessage))
      if (lot.length === 0 || cancelLot !== undefined) continue
      cancelLot = runtime.setTimer(lotMs, () => {
        cancelLot = undefined
        const events = lot
        lot = []
        handlers.onEvents(events)
      })
    }
  } catch (error) {
    return error
  } finally {
    cancelSilence()
    cancelLot?.()
    signal.removeEventListener('abort', end)
    connection.abort()
  }
}

/** An unknown event or broken JSON is skipped: a newer coordinator may say more than this page knows. */
export function readStreamMessage(message: { event: string; data: string }): StreamEvent[] {
  if (!eventNames.has(message.event)) return []
  try {
    const resource: unknown = JSON.parse(message.data)
    const id = typeof resource === 'object' && resource !== null ? (resource as { id?: unknown }).id : undefined
    return typeof id === 'string' ? [{ kind: message.event, resource } as StreamEvent] : []
  } catch {
    return []
  }
}

function pause(runtime: LiveRuntime, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = runtime.setTimer(delayMs, resolve)
    signal.addEventListener(
      'abort',
      () => {
        cancel()
        resolve()
      },
      { once: true },
    )
  })
}
