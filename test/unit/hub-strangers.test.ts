/** The probe link's port is open to everybody: what strangers send, or do not answer, must not stop the coordinator. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import type { HubContext } from '../../coordinator/hub/context.ts'
import { type Hub, startHub } from '../../coordinator/hub/server.ts'

let server: Server
let hub: Hub
let faults: unknown[]
const warn = vi.fn()
const onFault = (error: unknown) => void faults.push(error)

beforeEach(async () => {
  faults = []
  warn.mockClear()
  process.on('uncaughtException', onFault)
  server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // No stranger gets as far as the database.
  const database = { listen: async () => async () => {} }
  hub = await startHub({ database, logger: { ...silentLogger, warn }, runtime: systemRuntime } as unknown as HubContext, server)
})
afterEach(async () => {
  process.off('uncaughtException', onFault)
  await hub.close()
  server.closeAllConnections()
  server.close()
})

async function upgrade(path: string): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  )
  return socket
}

test.each(['//', '/x', 'http://', '/probes', '/%', '*'])('an upgrade of %s is answered 404 and closed', async (path) => {
  const socket = await upgrade(path)
  expect((await socket.toArray()).join('')).toMatch(/^HTTP\/1\.1 404 /)
  expect(faults).toEqual([])
})

test('an upgrade of /probe is taken, with a query too', async () => {
  for (const path of ['/probe', '/probe?x=1']) {
    const socket = await upgrade(path)
    const [first] = await once(socket, 'data')
    expect(String(first)).toMatch(/^HTTP\/1\.1 101 /)
    socket.destroy()
  }
})

test('a stranger who resets the connection does no harm', async () => {
  for (let i = 0; i < 20; i++) {
    const socket = await upgrade('/x')
    if (i % 2) await once(socket, 'readable')
    socket.resetAndDestroy()
  }
  await new Promise((done) => setTimeout(done, 200))
  expect(faults).toEqual([])
})

test('a stranger who is refused is heard no more, so that nobody fills the log', async () => {
  const socket = await upgrade('/probe')
  await once(socket, 'data')
  // Text frames, masked with zeros: 100 times `{}`.
  const frame = Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x7b, 0x7d])
  socket.write(Buffer.concat(Array.from({ length: 100 }, () => frame)))
  await once(socket, 'data')
  await new Promise((done) => setTimeout(done, 100))
  expect(warn).toHaveBeenCalledTimes(1)
  socket.destroy()
})

test('who does not answer the goodbye is cut off, so that the coordinator can stop', async () => {
  const socket = await upgrade('/probe')
  await once(socket, 'data')
  socket.pause()
  const closed = vi.fn()
  await hub.close()
  server.close(closed)
  await vi.waitFor(() => expect(closed).toHaveBeenCalled(), { timeout: 5000 })
})
