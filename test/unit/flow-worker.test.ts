/** The loop over due work: nothing that takes long keeps the rest waiting. */
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { startWorker, type Worker } from '../../coordinator/flow/worker.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

let worker: Worker | undefined
afterEach(() => worker?.stop())

/** Work that takes until it is told to end; `done` names what has been taken. */
function work() {
  const due: string[] = []
  const taken: string[] = []
  const slow = Promise.withResolvers<void>()
  const runOne = async () => {
    const piece = due.shift()
    if (piece === undefined) return false
    taken.push(piece)
    if (piece === 'slow') await slow.promise
    return true
  }
  return { due, taken, runOne, endSlow: () => slow.resolve() }
}

test('a piece that takes long keeps its lane and no other work', async () => {
  const runtime = new FakeRuntime()
  const { due, taken, runOne, endSlow } = work()
  due.push('slow')
  worker = startWorker({ name: 'test', runtime, logger: silentLogger, runOne, nextDue: async () => null, concurrency: 2 })
  await runtime.advanceAsync(3_000)
  due.push('news')
  worker.wake()
  await runtime.advanceAsync(0)
  expect(taken).toEqual(['slow', 'news'])
  due.push('unannounced')
  await runtime.advanceAsync(1_000)
  expect(taken).toEqual(['slow', 'news', 'unannounced'])
  endSlow()
})

test('a fault of one piece is a pause, after which the work goes on', async () => {
  const runtime = new FakeRuntime()
  const { due, taken, runOne } = work()
  let faults = 1
  const sometimes = () => (faults-- > 0 ? Promise.reject(new Error('the database is away')) : runOne())
  worker = startWorker({
    name: 'test',
    runtime,
    logger: silentLogger,
    runOne: sometimes,
    nextDue: async () => null,
    concurrency: 1,
  })
  due.push('piece')
  await runtime.advanceAsync(400)
  expect(taken).toEqual([])
  await runtime.advanceAsync(200)
  expect(taken).toEqual(['piece'])
})

test('work that is due by the database in half a minute is not asked for all the time where the own clock is a minute ahead', async () => {
  const runtime = new FakeRuntime()
  const databaseMs = () => runtime.wallMs() - 60_000
  const dueMs = databaseMs() + 30_000
  let asked = 0
  const takenMs: number[] = []
  const runOne = async () => {
    asked += 1
    if (takenMs.length > 0 || databaseMs() < dueMs) return false
    takenMs.push(databaseMs() - dueMs)
    return true
  }
  const nextDue = async () => (takenMs.length > 0 ? null : { due_ms: dueMs, now_ms: databaseMs() })
  worker = startWorker({ name: 'test', runtime, logger: silentLogger, runOne, nextDue, concurrency: 1 })
  await runtime.advanceAsync(31_000)
  expect(takenMs).toEqual([0])
  expect(asked).toBeLessThan(40)
})
