import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { systemRuntime } from '../../common/runtime.ts'
import { createClock } from '../../probe/clock.ts'
import { ntpRequest, readNtpAnswer } from '../../probe/ntp.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

/** A server's answer: its clock at receipt and at the answer, and how far it is from its own reference. */
function answerTo(
  request: Buffer,
  receivedMs: number,
  answeredMs: number,
  changes: { flags?: number; stratum?: number } = {},
): Buffer {
  const packet = Buffer.alloc(48)
  packet[0] = changes.flags ?? (4 << 3) | 4
  packet[1] = changes.stratum ?? 2
  packet.writeUInt32BE(0x0000_0290, 4) // root delay 10 ms
  packet.writeUInt32BE(0x0000_0148, 8) // root dispersion 5 ms
  request.copy(packet, 24, 40, 48)
  for (const [at, ms] of [
    [32, receivedMs],
    [40, answeredMs],
  ] as const) {
    const seconds = Math.floor(ms / 1000)
    packet.writeUInt32BE((seconds + 2_208_988_800) % 2 ** 32, at)
    packet.writeUInt32BE(Math.floor(((ms - seconds * 1000) / 1000) * 2 ** 32), at + 4)
  }
  return packet
}

const request = ntpRequest(Buffer.from('12345678'))
const sentWallMs = Date.UTC(2026, 10, 23, 12)
const times = { sentWallMs, tookMs: 40 }

describe('an NTP answer', () => {
  it('tells offset, delay and error', () => {
    // The server's clock is 94 s ahead; the way there took 25 ms, its work 10 ms, the way back 5 ms.
    const sample = readNtpAnswer(answerTo(request, sentWallMs + 94_025, sentWallMs + 94_035), request, times)
    expect(sample?.offsetMs).toBeCloseTo(94_010, 0)
    expect(sample?.delayMs).toBeCloseTo(30, 0)
    expect(sample?.rootErrorMs).toBeCloseTo(10, 0)
  })

  it('is read across the end of the era in 2036', () => {
    const in2040 = Date.UTC(2040, 0, 1)
    const sample = readNtpAnswer(answerTo(request, in2040 + 20, in2040 + 20), request, { sentWallMs: in2040, tookMs: 40 })
    expect(sample?.offsetMs).toBeCloseTo(0, 0)
  })

  const good = answerTo(request, sentWallMs, sentWallMs)
  it.each<[string, Buffer]>([
    ['is too short', good.subarray(0, 47)],
    ['answers another question', answerTo(ntpRequest(Buffer.from('87654321')), sentWallMs, sentWallMs)],
    ['comes from a client', answerTo(request, sentWallMs, sentWallMs, { flags: (4 << 3) | 3 })],
    [
      'comes from a server that is not synchronised',
      answerTo(request, sentWallMs, sentWallMs, { flags: (3 << 6) | (4 << 3) | 4 }),
    ],
    ['is a kiss of death', answerTo(request, sentWallMs, sentWallMs, { stratum: 0 })],
    ['claims more work than the whole exchange took', answerTo(request, sentWallMs, sentWallMs + 500)],
    ['was sent before it was received', answerTo(request, sentWallMs + 10, sentWallMs)],
  ])('counts for nothing when it %s', (_, packet) => {
    expect(readNtpAnswer(packet, request, times)).toBeUndefined()
  })
})

describe('the check of the clock', () => {
  /** Between the readings of two clocks a busy machine may do something else. */
  const interruptionMs = 500

  /** An NTP server on loopback whose clock is off by `aheadMs`. */
  async function ntpServer(aheadMs: number): Promise<{ host: string; port: number }> {
    const socket = createSocket('udp4')
    onTestFinished(() => void socket.close())
    socket.on('message', (packet, from) => {
      const nowMs = systemRuntime.wallMs() + aheadMs
      socket.send(answerTo(packet, nowMs, nowMs), from.port, from.address)
    })
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    return { host: '127.0.0.1', port: socket.address().port }
  }

  it('asks the servers and gives an offset with its bound', async () => {
    const clock = createClock({ runtime: systemRuntime, servers: [await ntpServer(5000)], logger: silentLogger })
    expect(clock.reading()).toBeNull()
    await clock.check()
    const reading = clock.reading()
    expect(Math.abs((reading?.offsetMs ?? 0) - 5000)).toBeLessThanOrEqual((reading?.errorMs ?? 0) + interruptionMs)
    expect(reading?.errorMs).toBeLessThan(1000)
  })

  it('knows that somebody has set the wall clock since', async () => {
    let setByMs = 0
    const runtime = { ...systemRuntime, wallMs: () => systemRuntime.wallMs() + setByMs }
    const clock = createClock({ runtime, servers: [await ntpServer(5000)], logger: silentLogger })
    await clock.check()
    setByMs = 5000
    const reading = clock.reading()
    expect(Math.abs(reading?.offsetMs ?? 5000)).toBeLessThanOrEqual((reading?.errorMs ?? 0) + interruptionMs)
  })

  it('leaves the offset unknown when nobody answers', async () => {
    const deaf = createSocket('udp4')
    onTestFinished(() => void deaf.close())
    deaf.bind(0, '127.0.0.1')
    await once(deaf, 'listening')
    const impatient = { ...systemRuntime, setTimer: (_: number, callback: () => void) => systemRuntime.setTimer(20, callback) }
    const clock = createClock({
      runtime: impatient,
      servers: [{ host: '127.0.0.1', port: deaf.address().port }],
      logger: silentLogger,
    })
    await clock.check()
    expect(clock.reading()).toBeNull()
  })

  it('asks nobody where no server is configured', async () => {
    const runtime = new FakeRuntime()
    const clock = createClock({ runtime, servers: [], logger: silentLogger })
    clock.start()
    await clock.check()
    expect(clock.reading()).toBeNull()
    expect(runtime.timerCount).toBe(0)
    clock.stop()
  })
})
