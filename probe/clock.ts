/**
 * Checks the probe's wall clock against NTP every hour. The offset is reported and never applied: durations come from the monotonic
 * clock, and setting the machine's clock is its own business. No answer means unknown, nothing worse.
 */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { hourMs } from '../common/durations.ts'
import { errorMessage } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import { type ClockSample, ntpRequest, readNtpAnswer } from './ntp.ts'

export type NtpServer = { host: string; port: number }
/** `errorMs` bounds the offset from both sides. */
export type ClockReading = { offsetMs: number; errorMs: number }

export type Clock = {
  /** The latest reading; null before the first and once the last is too old to be trusted. */
  reading(): ClockReading | null
  /** Asks all servers now. Never rejects. */
  check(): Promise<void>
  start(): void
  stop(): void
}

const answerMs = 3000
/** A pool name stands for many servers: this many of its addresses are asked. */
const addressesPerServerMax = 3
const retryMs = 5 * 60_000
/** The drift of an ordinary quartz, 50 ppm: the reading ages by so much. */
const driftPpm = 50
const readingAgeMsMax = 4 * hourMs

export function createClock(options: { runtime: Runtime; servers: readonly NtpServer[]; logger: Logger }): Clock {
  const { runtime, servers, logger } = options
  let latest: (ClockReading & { atMs: number; atWallMs: number }) | null = null
  let cancelNext = (): void => {}
  let stopped = false

  const check = async (): Promise<void> => {
    const asked = await Promise.all(servers.map((server) => samplesOf(runtime, server)))
    const best = asked.flat().sort((a, b) => a.delayMs + 2 * a.rootErrorMs - (b.delayMs + 2 * b.rootErrorMs))[0]
    if (best === undefined) {
      if (servers.length > 0) logger.warn({ servers }, 'no NTP server answered: the offset of the clock is unknown')
      return
    }
    const errorMs = best.delayMs / 2 + best.rootErrorMs
    latest = { offsetMs: best.offsetMs, errorMs, atMs: runtime.monotonicMs(), atWallMs: runtime.wallMs() }
    if (Math.abs(best.offsetMs) > 1000)
      logger.warn({ offsetMs: best.offsetMs }, "this machine's clock is wrong: synchronise it by NTP")
  }

  const reading = (): ClockReading | null => {
    const ageMs = latest === null ? 0 : runtime.monotonicMs() - latest.atMs
    if (latest === null || ageMs > readingAgeMsMax) return null
    // Whoever has set the wall clock since then has changed what it lacks. Whole milliseconds, read apart, differ by one or so.
    const setByMs = runtime.wallMs() - latest.atWallMs - ageMs
    return {
      offsetMs: Math.abs(setByMs) < 2 ? latest.offsetMs : latest.offsetMs - setByMs,
      errorMs: latest.errorMs + (ageMs * driftPpm) / 1e6,
    }
  }

  const checkAgain = async (): Promise<void> => {
    const before = latest
    await check().catch((error: unknown) => logger.warn(`the clock could not be checked: ${errorMessage(error)}`))
    if (!stopped) cancelNext = runtime.setTimer(latest === before ? retryMs : hourMs, () => void checkAgain())
  }

  return {
    reading,
    check,
    start: () => {
      if (servers.length > 0) void checkAgain()
    },
    stop: () => {
      stopped = true
      cancelNext()
    },
  }
}

async function samplesOf(runtime: Runtime, server: NtpServer): Promise<ClockSample[]> {
  try {
    const found = await lookup(server.host, { all: true })
    const samples = await Promise.all(
      found.slice(0, addressesPerServerMax).map(({ address, family }) => ask(runtime, { address, family, port: server.port })),
    )
    return samples.filter((sample) => sample !== undefined)
  } catch {
    return []
  }
}

/** One question, at most one answer. The socket is connected, so that the kernel drops what others send. */
function ask(runtime: Runtime, server: { address: string; family: number; port: number }): Promise<ClockSample | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(server.family === 6 ? 'udp6' : 'udp4')
    const request = ntpRequest(runtime.randomBytes(8))
    const finish = (sample?: ClockSample) => {
      cancel()
      socket.removeAllListeners()
      socket.on('error', () => {})
      socket.close()
      resolve(sample)
    }
    const cancel = runtime.setTimer(answerMs, () => finish())
    socket.on('error', () => finish())
    socket.connect(server.port, server.address, () => {
      const sent = { wallMs: runtime.wallMs(), monotonicMs: runtime.monotonicMs() }
      socket.on('message', (packet) => {
        const times = { sentWallMs: sent.wallMs, tookMs: runtime.monotonicMs() - sent.monotonicMs }
        const sample = readNtpAnswer(packet, request, times)
        if (sample !== undefined) finish(sample)
      })
      socket.send(request)
    })
  })
}
