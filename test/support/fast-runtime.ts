/** The real clock, running `speed` times as fast: flows with real sockets keep their proportions and need fewer seconds. */
import { type Runtime, systemRuntime } from '../../common/runtime.ts'

export function fastRuntime(speed: number): Runtime {
  const origin = { wallMs: systemRuntime.wallMs(), monotonicMs: systemRuntime.monotonicMs() }
  const elapsedMs = () => (systemRuntime.monotonicMs() - origin.monotonicMs) * speed
  return {
    ...systemRuntime,
    wallMs: () => Math.floor(origin.wallMs + elapsedMs()),
    monotonicMs: () => origin.monotonicMs + elapsedMs(),
    setTimer: (delayMs, callback) => systemRuntime.setTimer(delayMs / speed, callback),
  }
}
