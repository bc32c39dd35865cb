/**
 * A `Runtime` whose clock moves only when a test says so, and whose randomness follows from a seed: the same test, the same run.
 *
 *   const runtime = createFakeRuntime()
 *   runtime.setTimer(1000, …)
 *   await runtime.advance(1000)     // fires the timers that fall due, in order, at their own instants
 */
import { createHash } from 'node:crypto'
import type { Runtime } from '../../common/runtime.ts'

export type FakeRuntime = Runtime & {
  /** Moves both clocks forward, firing due timers one by one and letting what they started come to rest in between. */
  advance(durationMs: number): Promise<void>
  /** Sets the wall clock alone, as NTP or a person does. */
  setWall(wallMs: number): void
  /** How many timers wait. */
  timerCount(): number
  /** Lets promises, and work that was handed to other threads (signatures), come to rest without moving the clock. */
  settle(): Promise<void>
}

type Timer = { dueMs: number; order: number; callback: () => void }

export function createFakeRuntime(
  options: { wallMs?: number; monotonicMs?: number; bootId?: string; seed?: string } = {},
): FakeRuntime {
  let wallMs = options.wallMs ?? Date.parse('2026-11-23T12:00:00Z')
  let monotonicMs = options.monotonicMs ?? 1_000_000
  let drawn = 0
  let order = 0
  const timers = new Set<Timer>()

  const nextDue = (untilMs: number): Timer | undefined =>
    [...timers].filter((timer) => timer.dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs || a.order - b.order)[0]

  const moveTo = (instantMs: number): void => {
    wallMs += Math.max(0, instantMs - monotonicMs)
    monotonicMs = Math.max(monotonicMs, instantMs)
  }

  return {
    wallMs: () => Math.floor(wallMs),
    monotonicMs: () => monotonicMs,
    bootId: options.bootId ?? 'fake-boot',
    randomBytes(length) {
      const parts: Buffer[] = []
      for (let have = 0; have < length; have += 32) {
        drawn += 1
        parts.push(
          createHash('sha256')
            .update(`${options.seed ?? 'seed'}:${drawn}`)
            .digest(),
        )
      }
      return Buffer.concat(parts).subarray(0, length)
    },
    setTimer(delayMs, callback) {
      order += 1
      const timer = { dueMs: monotonicMs + Math.max(0, delayMs), order, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    async advance(durationMs) {
      const untilMs = monotonicMs + durationMs
      await settle()
      for (let timer = nextDue(untilMs); timer !== undefined; timer = nextDue(untilMs)) {
        timers.delete(timer)
        moveTo(timer.dueMs)
        timer.callback()
        await settle()
      }
      moveTo(untilMs)
    },
    setWall(value) {
      wallMs = value
    },
    timerCount: () => timers.size,
    settle,
  }
}

/** Each round lets the loop finish one phase; a chain of a few signatures in the thread pool needs several. */
async function settle(): Promise<void> {
  for (let round = 0; round < 12; round += 1) await new Promise((resolve) => setImmediate(resolve))
}
