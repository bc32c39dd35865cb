/** Waiting in the lab: always for a condition, always with a deadline. */
import { setTimeout as pause } from 'node:timers/promises'

export type Deadline = { withinMs: number; everyMs?: number }

/**
 * Asks `probe` again and again until it gives something other than undefined or false, and returns that.
 * Throws after `withinMs` with the last error that `probe` threw, if any.
 */
export async function until<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { withinMs, everyMs = 100 }: Deadline,
): Promise<T> {
  const deadline = performance.now() + withinMs
  for (;;) {
    let reason: unknown
    try {
      const found = await probe()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      reason = error
    }
    if (performance.now() >= deadline) throw new Error(`not within ${withinMs} ms: ${what}`, { cause: reason })
    await pause(everyMs)
  }
}

/** Watches for `forMs` that `probe` stays false: the one way to assert that something does not happen. */
export async function never(what: string, probe: () => boolean | Promise<boolean>, forMs: number): Promise<void> {
  const end = performance.now() + forMs
  while (performance.now() < end) {
    if (await probe()) throw new Error(`happened, but should not: ${what}`)
    await pause(200)
  }
}
