/**
 * A loop over due work. The work is rows in the database; a notification or the next due time only shortens the wait for the poll,
 * so that a lost notification costs a second and nothing else.
 */
import { errorMessage } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Runtime } from '../../common/runtime.ts'
import type { Due } from '../store/clock.ts'

export type Worker = {
  /** Look now. */
  wake(): void
  /** Finishes what runs and takes nothing more. */
  stop(): Promise<void>
}

export type WorkerOptions = {
  name: string
  runtime: Runtime
  logger: Logger
  /** Does one piece of due work; false where there was none. */
  runOne: () => Promise<boolean>
  /** When the next piece is due, or null. */
  nextDue: () => Promise<Due | null>
  /** How many pieces may run side by side. */
  concurrency: number
}

const pollMs = 1_000
const pauseAfterErrorMs = 500

/** Each lane goes its own way: a piece that takes long, as a page at a gateway that is silent, keeps one lane and no other work. */
export function startWorker(options: WorkerOptions): Worker {
  const lanes = Array.from({ length: options.concurrency }, () => startLane(options))
  return {
    wake() {
      for (const lane of lanes) lane.wake()
    },
    async stop() {
      await Promise.all(lanes.map((lane) => lane.stop()))
    },
  }
}

function startLane({ name, runtime, logger, runOne, nextDue }: WorkerOptions): Worker {
  let stopping = false
  let woken = false
  let wakeUp: () => void = () => {}

  const pause = async (delayMs: number) => {
    if (woken || stopping) return
    await new Promise<void>((resolve) => {
      const cancel = runtime.setTimer(delayMs, resolve)
      wakeUp = () => {
        cancel()
        resolve()
      }
    })
  }
  const loop = async () => {
    while (!stopping) {
      woken = false
      try {
        while (!stopping && (await runOne())) {}
        const due = await nextDue()
        await pause(due === null ? pollMs : Math.min(pollMs, Math.max(5, due.due_ms - due.now_ms)))
      } catch (error) {
        if (stopping) return
        logger.error({ worker: name, err: error }, `${name}: ${errorMessage(error)}; trying again`)
        await pause(pauseAfterErrorMs)
      }
    }
  }
  const finished = loop()
  return {
    wake() {
      woken = true
      wakeUp()
    },
    async stop() {
      stopping = true
      wakeUp()
      await finished
    },
  }
}
