/**
 * A coordinator's end of the probe link, played by a test over a real WebSocket: it greets by itself, and the test says the rest.
 *
 *   const coordinator = await FakeCoordinator.listen(installation, () => runtime.wallMs())
 *   await coordinator.take('applied')       // the next frame of that type, whenever it comes
 */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { type CoordinatorFrame, type ProbeFrame, readProbeFrame, writeFrame } from '../../common/wire/frames.ts'
import { freshNonce } from '../../probe/link.ts'
import type { Installation } from './installation.ts'

type Typed<T extends ProbeFrame['type']> = Extract<ProbeFrame, { type: T }>
type Greeting = (hello: Typed<'hello'>) => Promise<CoordinatorFrame>
type Waiter = { type: string; resolve: (frame: ProbeFrame) => void }

export class FakeCoordinator {
  /** Every frame that no test has taken yet. */
  readonly #frames: ProbeFrame[] = []
  readonly #waiters: Waiter[] = []
  readonly #server: WebSocketServer
  readonly #installation: Installation
  readonly #wallMs: () => number
  #socket: WebSocket | undefined
  /** Where it listens, or listened. */
  readonly url: string
  /** Connections that were ever accepted. */
  connections = 0
  /** How a hello is answered; a test that plays a false coordinator replaces it. */
  greeting: Greeting
  /** What the welcome hands over. */
  certificate = 'not.needed.here-but-long-enough'

  static async listen(installation: Installation, wallMs: () => number): Promise<FakeCoordinator> {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
    await once(server, 'listening')
    return new FakeCoordinator(server, installation, wallMs)
  }

  private constructor(server: WebSocketServer, installation: Installation, wallMs: () => number) {
    this.#server = server
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/probe`
    this.#installation = installation
    this.#wallMs = wallMs
    this.greeting = (hello) => this.challenge(hello)
    server.on('connection', (socket) => {
      this.connections += 1
      this.#socket = socket
      socket.on('message', (data) => void this.#receive(socket, data.toString()))
    })
  }

  async challenge(hello: { nonce: string; probe_id: string }): Promise<CoordinatorFrame> {
    return {
      v: 1,
      type: 'challenge',
      nonce: freshNonce({ randomBytes }),
      coordinator_certificate: await this.#installation.coordinatorCertificate(this.#wallMs()),
      proof: await this.#installation.proof(hello.nonce, hello.probe_id, this.#wallMs()),
    }
  }

  /** The next frame of this type, of those that came already or of those to come. */
  take<T extends ProbeFrame['type']>(type: T): Promise<Typed<T>> {
    const index = this.#frames.findIndex((frame) => frame.type === type)
    if (index >= 0) return Promise.resolve(this.#frames.splice(index, 1)[0] as Typed<T>)
    return new Promise((resolve) => this.#waiters.push({ type, resolve: (frame) => resolve(frame as Typed<T>) }))
  }

  send(frame: CoordinatorFrame): void {
    this.#socket?.send(writeFrame(frame))
  }

  sendText(text: string): void {
    this.#socket?.send(text)
  }

  closeSession(code: number, reason: string): void {
    this.#socket?.close(code, reason)
  }

  /** As a machine that loses power: no goodbye. */
  drop(): void {
    this.#socket?.terminate()
  }

  /** Stops listening; a second call changes nothing. */
  async close(): Promise<void> {
    if (this.#server.address() === null) return
    for (const socket of this.#server.clients) socket.terminate()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #receive(socket: WebSocket, text: string): Promise<void> {
    const frame = readProbeFrame(text)
    if (frame.type === 'hello') socket.send(writeFrame(await this.greeting(frame)))
    if (frame.type === 'prove') {
      socket.send(writeFrame({ v: 1, type: 'welcome', server_time: this.#wallMs(), certificate: this.certificate }))
    }
    const waiting = this.#waiters.findIndex(({ type }) => type === frame.type)
    if (waiting < 0) this.#frames.push(frame)
    else this.#waiters.splice(waiting, 1)[0]?.resolve(frame)
  }
}
