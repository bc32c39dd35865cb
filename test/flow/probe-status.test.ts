/** The probe's state page, as a supervisor and a metrics server ask for it. */
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Status, type StatusServer, startStatusServer } from '../../probe/status-server.ts'

let status: Status
let server: StatusServer
const get = (path: string) => fetch(`http://127.0.0.1:${server.address.port}${path}`)

beforeEach(async () => {
  status = {
    reasons: [],
    figures: { spool_records: { value: 3, help: 'Records' }, clock_offset_ms: { value: undefined, help: 'Offset' } },
  }
  server = await startStatusServer({ host: '127.0.0.1', port: 0 }, () => status)
})
afterEach(() => server.close())

describe("the probe's state page", () => {
  it('is healthy while it answers, and ready while nothing speaks against it', async () => {
    expect((await get('/healthz')).status).toBe(200)
    expect(await (await get('/readyz')).json()).toEqual({ status: 'ready', reasons: [] })
    status = { ...status, reasons: ['the inbox: cannot listen'] }
    const unready = await get('/readyz')
    expect([unready.status, await unready.json()]).toEqual([503, { status: 'not_ready', reasons: ['the inbox: cannot listen'] }])
    expect((await get('/healthz')).status).toBe(200)
  })

  it('tells its figures as they are now, and none that is unknown', async () => {
    status = { ...status, figures: { ...status.figures, spool_records: { value: 5, help: 'Records' } } }
    const text = await (await get('/metrics')).text()
    expect(text).toMatch(/^mailscout_probe_spool_records 5$/m)
    expect(text).not.toMatch(/^mailscout_probe_clock_offset_ms /m)
    expect(text).toContain('process_cpu_seconds_total')
  })

  it('has nothing else, and survives an address that is none', async () => {
    expect((await get('/v1/monitors')).status).toBe(404)
    const socket = connect(server.address.port, '127.0.0.1')
    const answer = await new Promise<string>((resolve) => {
      socket.once('data', (data) => resolve(data.toString()))
      socket.write('GET // HTTP/1.1\r\nHost: x\r\n\r\n')
    })
    socket.destroy()
    expect(answer).toMatch(/^HTTP\/1\.1 404 /)
  })

  it('says which setting to change when the port is taken', async () => {
    await expect(startStatusServer(server.address, () => status)).rejects.toThrow(
      /^PORT: 127\.0\.0\.1 port \d+ cannot be listened on/,
    )
  })
})
