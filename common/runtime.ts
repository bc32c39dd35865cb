/**
 * The only place that reads a clock or draws randomness. Everything else receives a `Runtime`, so that tests and the
 * simulator can hand in their own.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'

export type Runtime = {
  /** UTC wall clock, milliseconds since the epoch. For display, signatures and slots; it may jump. */
  wallMs(): number
  /** Milliseconds since this machine booted. Never jumps; comparable only under the same `bootId`, also across processes. */
  monotonicMs(): number
  /** Names the boot that `monotonicMs` counts from. */
  readonly bootId: string
  randomBytes(length: number): Uint8Array
  /** Calls back once after `delayMs`; the returned function cancels. */
  setTimer(delayMs: number, callback: () => void): () => void
}

/** setTimeout takes at most 2^31-1 ms and fires at once beyond it. */
const timerDelayMsMax = 2 ** 31 - 1

export const systemRuntime: Runtime = {
  wallMs: () => Date.now(),
  monotonicMs: () => Number(process.hrtime.bigint() / 1000n) / 1000,
  bootId: readBootId(),
  randomBytes: (length) => randomBytes(length),
  setTimer(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), timerDelayMsMax))
    return () => clearTimeout(timer)
  },
}

function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Without a boot id of the system, durations survive no restart of the process: a fresh name makes that visible.
    return `process-${randomBytes(8).toString('hex')}`
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason. */
export function sleep(runtime: Runtime, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const cancel = runtime.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    const abort = () => {
      cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}

type Source = Pick<Runtime, 'wallMs' | 'randomBytes'>
const newest = new WeakMap<Source, { ms: number; count: number }>()
const countMax = 0xfff

/**
 * UUID version 7 (RFC 9562 §5.7): sorts by the millisecond it was made in, and within it, of one runtime, by its turn (§6.2, method 1, a
 * counter that begins at random): what is logged at one moment is read in its order.
 */
export function uuidv7(runtime: Source): string {
  const bytes = Buffer.alloc(16)
  bytes.set(runtime.randomBytes(16))
  const ms = runtime.wallMs()
  const before = newest.get(runtime)
  const count = before?.ms === ms ? Math.min(before.count + 1, countMax) : bytes.readUInt16BE(6) & (countMax >> 1)
  newest.set(runtime, { ms, count })
  bytes.writeUIntBE(ms, 0, 6)
  bytes.writeUInt16BE(0x7000 | count, 6)
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f)
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
