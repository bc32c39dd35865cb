/** One WebSocket to a coordinator: text frames in order, one at a time, bounded in size, number and silence. */
import { WebSocket } from 'ws'
import { frameBytesMax, heartbeatMs, linkSilenceMsMax } from '../common/limits.ts'
import type { Runtime } from '../common/runtime.ts'

const handshakeMsMax = 10_000
/** Frames that wait to be read; beyond, the coordinator is made to wait. */
const waitingFramesMax = 64
/** For the goodbye of the other side before the connection is cut. */
const goodbyeMsMax = 1000

/** By this close code a coordinator says that a newer session of the same probe has taken over. */
const closeSuperseded = 4001

export type SocketHandlers = {
  opened(): void
  /** The next frame waits until this one is dealt with. */
  frame(text: string): Promise<void>
  /** Called once, also where the connection never opened. `superseded`: a newer session of this probe has taken over. */
  closed(why: string, superseded: boolean): void
}

export type Socket = {
  send(text: string): void
  /** Says goodbye and cuts the connection soon after. No handler but `closed` is called any more. */
  close(why: string): void
}

export function dial(url: string, runtime: Runtime, handlers: SocketHandlers): Socket {
  const socket = new WebSocket(url, {
    maxPayload: frameBytesMax,
    handshakeTimeout: handshakeMsMax,
    // Compression costs 30 times the CPU here and saves nothing on signed text.
    perMessageDeflate: false,
    followRedirects: false,
  })
  const waiting: string[] = []
  let heardMs = runtime.monotonicMs()
  let reading = false
  let ended = false
  let cancelWatch = (): void => {}

  const end = (why: string, superseded = false): void => {
    if (ended) return
    ended = true
    cancelWatch()
    waiting.length = 0
    handlers.closed(why, superseded)
  }

  const watch = (): void => {
    cancelWatch = runtime.setTimer(heartbeatMs, () => {
      const silentMs = runtime.monotonicMs() - heardMs
      if (silentMs < linkSilenceMsMax) return watch()
      end(`nothing heard for ${Math.round(silentMs / 1000)} s`)
      socket.terminate()
    })
  }

  const read = async (): Promise<void> => {
    if (reading) return
    reading = true
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
      await handlers.frame(text)
      if (socket.isPaused && waiting.length < waitingFramesMax / 2) socket.resume()
    }
    reading = false
  }

  const heard = (): void => {
    heardMs = runtime.monotonicMs()
  }

  socket.on('open', () => {
    if (ended) return
    heard()
    handlers.opened()
  })
  socket.on('ping', heard)
  socket.on('message', (data, isBinary) => {
    if (ended) return
    heard()
    // A binary frame is read as text too, so that it is answered by the same coded error as any other nonsense.
    waiting.push(isBinary ? '' : data.toString())
    if (waiting.length >= waitingFramesMax) socket.pause()
    void read()
  })
  socket.on('error', (error) => end(error.message))
  socket.on('close', (code, reason) =>
    end(`closed by the other side (${code}${reason.length > 0 ? ` ${reason}` : ''})`, code === closeSuperseded),
  )
  watch()

  return {
    send(text) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text)
    },
    close(why) {
      end(why)
      if (socket.readyState !== WebSocket.OPEN) return socket.terminate()
      socket.close(1000)
      const cancel = runtime.setTimer(goodbyeMsMax, () => socket.terminate())
      socket.once('close', cancel)
    },
  }
}
