/**
 * An SMTP server that plays a transcript: what it says is written in the test, to the byte. It decides nothing.
 *
 *   await using server = await scriptServer([
 *     { say: '220 mx.example ESMTP' },
 *     { expect: /^EHLO /, say: '250-mx.example\r\n250 DSN' },
 *     { expect: /^MAIL FROM:/, stall: true },
 *   ])
 *
 * `say` gets its last CRLF by itself; `raw` is written as it stands. After the last step it answers QUIT and stays silent.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'

export type Step = {
  /** The line to wait for; absent: act at once. The body of DATA is one "line", up to the final dot. */
  expect?: RegExp
  /** Wait for any bytes at all, and throw them away. */
  anything?: boolean
  say?: string
  raw?: string
  /** Say nothing any more; `server.stalled` resolves. */
  stall?: boolean
  /** Close the connection after what was said. */
  close?: 'end' | 'reset'
  /** Go on in TLS after what was said. */
  tls?: SecureContext
  /** What follows is mail data. */
  data?: boolean
}

export type ScriptServer = {
  port: number
  /** The lines received, in order. */
  received: string[]
  /** Resolves when a `stall` step is reached. */
  stalled: Promise<void>
  /** Resolves when the first connection is gone. */
  closed: Promise<void>
  connections(): number
  [Symbol.asyncDispose](): Promise<void>
}

export async function scriptServer(...scripts: Step[][]): Promise<ScriptServer> {
  const received: string[] = []
  const stalled = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const sockets = new Set<Socket>()
  let count = 0
  const server: Server = createServer((socket) => {
    const script = scripts[Math.min(count, scripts.length - 1)] ?? []
    count += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      closed.resolve()
    })
    play(socket, script, received, () => stalled.resolve())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    received,
    stalled: stalled.promise,
    closed: closed.promise,
    connections: () => count,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function play(first: Socket, script: Step[], received: string[], onStall: () => void): void {
  const steps = [...script]
  let socket = first
  let buffered = ''
  let inData = false

  const run = (): void => {
    for (;;) {
      const step = steps[0]
      if (step?.anything) {
        if (buffered === '') return
        buffered = ''
      }
      if (step?.expect !== undefined || step === undefined) {
        const line = takeLine()
        if (line === undefined) return
        if (step === undefined) {
          if (/^QUIT$/i.test(line)) socket.end('221 bye\r\n')
          continue
        }
        if (step.expect !== undefined && !step.expect.test(line)) {
          socket.end(`503 the script expected ${step.expect}\r\n`)
          return
        }
      }
      steps.shift()
      if (!act(step)) return
    }
  }

  const takeLine = (): string | undefined => {
    const end = inData ? '\r\n.\r\n' : '\r\n'
    const at = inData && buffered.startsWith('.\r\n') ? -2 : buffered.indexOf(end)
    if (at === -1) return undefined
    const line = buffered.slice(0, Math.max(0, at))
    buffered = buffered.slice(at + end.length)
    received.push(line)
    inData = false
    return line
  }

  /** False when the script must not go on by itself. */
  const act = (step: Step): boolean => {
    if (step.stall) {
      onStall()
      return false
    }
    const words = step.raw ?? (step.say === undefined ? '' : `${step.say}\r\n`)
    inData = step.data ?? false
    if (step.close === 'end') {
      socket.end(words)
      return false
    }
    if (words !== '') socket.write(words)
    if (step.close === 'reset') {
      socket.resetAndDestroy()
      return false
    }
    if (step.tls !== undefined) {
      first.removeAllListeners('data')
      socket = new TLSSocket(first, { isServer: true, secureContext: step.tls })
      buffered = ''
      listen()
    }
    return true
  }

  const listen = (): void => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      buffered += chunk.toString('latin1')
      run()
    })
  }

  listen()
  run()
}

/** The steps of a mail that is accepted; replace one by its name to tell another story. */
export function acceptingScript(changes: Partial<Record<ScriptStep, Step>> = {}): Step[] {
  const steps: Record<ScriptStep, Step> = {
    banner: { say: '220 mx.example ESMTP ready' },
    ehlo: { expect: /^EHLO /, say: '250-mx.example greets you\r\n250-SIZE 10000000\r\n250-DSN\r\n250 8BITMIME' },
    mail: { expect: /^MAIL FROM:/, say: '250 2.1.0 sender ok' },
    rcpt: { expect: /^RCPT TO:/, say: '250 2.1.5 recipient ok' },
    data: { expect: /^DATA$/, say: '354 go on', data: true },
    accept: { expect: /^/, say: '250 2.0.0 queued as 4711' },
  }
  return Object.values({ ...steps, ...changes })
}
export type ScriptStep = 'banner' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'accept'
