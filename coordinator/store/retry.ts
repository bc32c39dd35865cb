/** Transactions that lost a race are run again. */
import { type Runtime, sleep } from '../../common/runtime.ts'
import { isLostRace } from './faults.ts'

const attemptsMax = 5
const firstPauseMs = 10

/**
 * Runs a whole transaction, again where it lost a race, at most 5 times with growing random pauses. The work must have no
 * effect outside the database.
 */
export async function withRetry<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!isLostRace(error) || attempt >= attemptsMax) throw error
      const share = (runtime.randomBytes(1)[0] ?? 0) / 256
      await sleep(runtime, firstPauseMs * 2 ** attempt * (0.5 + share))
    }
  }
}
