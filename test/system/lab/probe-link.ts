/** The probe link, knocked at by hand: frames out, frames in, one after the other. */
import { WebSocket } from 'ws'
import { writeFrame } from '../../../common/wire/frames.ts'
import { until } from './until.ts'

type Frame = { type: string; [field: string]: unknown }

const answerWithinMs = 10_000

export class ProbeLink {
  readonly #socket: WebSocket
  readonly #frames: Frame[] = []
  /** The code with which the coordinator closed the connection, once it has. */
  closed: number | undefined

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => this.#frames.push(JSON.parse(data.toString()) as Frame))
    socket.on('close', (code) => {
      this.closed = code
    })
    socket.on('error', () => {})
  }

  /** `socketPath`: the Unix socket that leads to the coordinator. */
  static async open(socketPath: string): Promise<ProbeLink> {
    const socket = new WebSocket(`ws+unix:${socketPath}:/probe`)
    const link = new ProbeLink(socket)
    await until('the probe link to open', () => socket.readyState === WebSocket.OPEN, { withinMs: answerWithinMs })
    return link
  }

  send(frame: Parameters<typeof writeFrame>[0] | string): void {
    this.#socket.send(typeof frame === 'string' ? frame : writeFrame(frame))
  }

  /** The next frame of this type; what came before it is forgotten. */
  async take<T extends Frame = Frame>(type: string): Promise<T> {
    return await until(
      `a frame ${type}`,
      () => {
        const index = this.#frames.findIndex((frame) => frame.type === type)
        return index < 0 ? undefined : (this.#frames.splice(0, index + 1).at(-1) as T)
      },
      { withinMs: answerWithinMs, everyMs: 20 },
    )
  }

  /** What an error frame says is wrong. */
  async refusal(): Promise<string> {
    return (await this.take<{ type: string; code: string }>('error')).code
  }

  async awaitClosed(): Promise<number> {
    return await until('the coordinator to close the link', () => this.closed, { withinMs: answerWithinMs })
  }

  close(): void {
    this.#socket.terminate()
  }
}
