/**
 * A relay in front of one coordinator's probe link. It changes nothing, and notes which results the coordinator has acknowledged: what it
 * said on the wire is what it must keep, whether or not the probe lived to hear it.
 */
import { once } from 'node:events'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import { frameBytesMax } from '../../common/limits.ts'
import type { Acknowledged } from './history.ts'

type Told = { id: string; monitor_id: string }
type Frame = {
  type: string
  id?: string
  batch?: string
  batch_id?: string
  refused?: { id: string; code: string; detail: string }[]
}

export class WireRecord {
  readonly acknowledged = new Map<string, Acknowledged>()
  readonly refused: { id: string; code: string; detail: string }[] = []
  batches = 0
  /** When something was acknowledged, for the time that recovery takes. */
  readonly acknowledgementsMs: number[] = []
  readonly #told = new Map<string, Told[]>()

  fromProbe(text: string): void {
    const frame = JSON.parse(text) as Frame
    if (frame.type !== 'batch' || frame.id === undefined || frame.batch === undefined) return
    const payload = JSON.parse(Buffer.from(frame.batch.split('.')[1] ?? '', 'base64url').toString()) as {
      body: { results: Told[] }
    }
    this.#told.set(frame.id, payload.body.results)
  }

  fromCoordinator(text: string): void {
    const frame = JSON.parse(text) as Frame
    if (frame.type !== 'ack' || frame.batch_id === undefined) return
    const atMs = Date.now()
    const refused = new Set(frame.refused?.map(({ id }) => id))
    this.refused.push(...(frame.refused ?? []))
    for (const { id, monitor_id } of this.#told.get(frame.batch_id) ?? []) {
      if (!refused.has(id)) this.acknowledged.set(id, { id, monitorId: monitor_id, atMs })
    }
    this.#told.delete(frame.batch_id)
    this.batches += 1
    this.acknowledgementsMs.push(atMs)
  }
}

export type Relay = { url: string; close(): Promise<void> }

/** Closes that an endpoint may not send itself (RFC 6455 §7.4.1). */
const unsendable = new Set([1005, 1006, 1015])

export async function startRelay(coordinatorPort: number, record: WireRecord): Promise<Relay> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, maxPayload: frameBytesMax * 2 })
  await once(server, 'listening')
  server.on('connection', (probe) => {
    const coordinator = new WebSocket(`ws://127.0.0.1:${coordinatorPort}/probe`, { perMessageDeflate: false })
    const waiting: string[] = []
    coordinator.on('open', () => {
      for (const text of waiting.splice(0)) coordinator.send(text)
    })
    probe.on('message', (data: RawData) => {
      const text = data.toString()
      record.fromProbe(text)
      if (coordinator.readyState === WebSocket.CONNECTING) waiting.push(text)
      else if (coordinator.readyState === WebSocket.OPEN) coordinator.send(text)
    })
    coordinator.on('message', (data: RawData) => {
      const text = data.toString()
      record.fromCoordinator(text)
      probe.send(text)
    })
    endTogether(probe, coordinator)
    endTogether(coordinator, probe)
  })
  const { port } = server.address() as { port: number }
  return {
    url: `ws://127.0.0.1:${port}/probe`,
    async close() {
      for (const socket of server.clients) socket.terminate()
      server.close()
      await once(server, 'close')
    },
  }
}

function endTogether(one: WebSocket, other: WebSocket): void {
  one.on('error', () => {})
  one.on('close', (code, reason) => {
    if (other.readyState !== WebSocket.OPEN || unsendable.has(code)) other.terminate()
    else other.close(code, reason)
  })
}
