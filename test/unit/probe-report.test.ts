import { describe, expect, it } from 'vitest'
import { secondMs } from '../../common/durations.ts'
import type { ResultBatch } from '../../common/wire/documents.ts'
import { type ProbeFrame, readProbeFrame, writeFrame } from '../../common/wire/frames.ts'
import { createKeyPair } from '../../common/wire/keys.ts'
import { open } from '../../common/wire/seal.ts'
import type { TestResult } from '../../common/wire/test.ts'
import { Reporter } from '../../probe/report.ts'
import { createSpool } from '../../probe/spool.ts'
import { openStore } from '../../probe/store.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { Installation } from '../support/installation.ts'
import { uuidOf } from '../support/plans.ts'
import { healthy, overdueOf, probeId, recordingLogger, resultOf } from '../support/probe-parts.ts'

const home = new Installation()
const keyPair = createKeyPair()

type Sent = { id: string; body: ResultBatch; bytes: number }

function openReporter() {
  const runtime = new FakeRuntime()
  const { logger, lines } = recordingLogger()
  const spool = createSpool({ store: openStore(':memory:'), logger })
  const frames: ProbeFrame[] = []
  let wakeReader = (): void => {}
  const restarts: string[] = []
  const reporter = new Reporter({
    runtime,
    spool,
    identity: { probeId, keyPair, installation: home.name },
    health: () => ({ ...healthy, spool_depth: spool.depth() }),
    send: (frame) => {
      frames.push(frame)
      wakeReader()
      return true
    },
    restart: (why) => {
      restarts.push(why)
      reporter.closed()
    },
    logger,
  })
  /** The next batch as the coordinator reads it; waits until it is sealed. */
  const sent = async (): Promise<Sent> => {
    while (frames.length === 0)
      await new Promise<void>((resolve) => {
        wakeReader = resolve
      })
    const frame = readProbeFrame(writeFrame(frames.shift() as ProbeFrame))
    if (frame.type !== 'batch') throw new Error(`Not a batch: ${frame.type}`)
    const { body, id } = await open('result_batch', frame.batch, {
      trustedKey: (kid) => (kid === keyPair.kid ? keyPair.publicKey : undefined),
      issuer: probeId,
      audience: home.name,
      nowMs: runtime.wallMs(),
      maxAgeMs: 600_000,
    })
    expect(id).toBe(frame.id)
    return { id: frame.id, body, bytes: frame.batch.length }
  }
  const put = (...results: TestResult[]): void => {
    for (const body of results) spool.put({ kind: 'result', id: body.id, body })
  }
  const tell = (...results: TestResult[]): void => {
    put(...results)
    reporter.wake()
    runtime.advance(20)
  }
  const acknowledge = (batch: Sent, refused: { id: string; code: string; detail: string }[] = []): void =>
    reporter.acknowledged({ v: 1, type: 'ack', batch_id: batch.id, refused })
  /** An open session whose first batch, which only tells our health, has been acknowledged. */
  const greet = async (): Promise<void> => {
    reporter.opened()
    acknowledge(await sent())
  }
  return { runtime, spool, reporter, lines, frames, restarts, sent, put, tell, acknowledge, greet }
}
const resultIds = ({ body }: Sent) => body.results.map(({ id }) => id)

describe('reporting', () => {
  it('tells its health when a session opens, and every 30 s when there is nothing else to tell', async () => {
    const { reporter, runtime, sent, acknowledge, frames } = openReporter()
    reporter.opened()
    const first = await sent()
    expect(first.body).toMatchObject({ boot_id: 'boot-1', health: healthy, results: [], overdues: [], lates: [], controls: [] })
    acknowledge(first)
    runtime.advance(29 * secondMs)
    expect(frames).toEqual([])
    runtime.advance(secondMs)
    expect((await sent()).body.results).toEqual([])
  })

  it('sends what happens together in one batch, 20 ms after the first', async () => {
    const { greet, put, reporter, runtime, sent, spool } = openReporter()
    await greet()
    put(resultOf(1))
    reporter.wake()
    runtime.advance(10)
    put(resultOf(2))
    spool.put({ kind: 'overdue', id: uuidOf(3), body: overdueOf(3) })
    reporter.wake()
    runtime.advance(10)
    const batch = await sent()
    expect(resultIds(batch)).toEqual([uuidOf(1), uuidOf(2)])
    expect(batch.body.overdues).toEqual([overdueOf(3)])
    expect(batch.body.results[0]).toEqual(resultOf(1))
  })

  it('keeps a record until it is acknowledged', async () => {
    const { greet, tell, sent, acknowledge, spool } = openReporter()
    await greet()
    tell(resultOf(1))
    const batch = await sent()
    expect(spool.depth()).toBe(1)
    acknowledge(batch)
    expect(spool.depth()).toBe(0)
  })

  it('sends nothing twice in one session, and everything unacknowledged again in the next', async () => {
    const { greet, tell, sent, reporter, acknowledge, spool, frames } = openReporter()
    await greet()
    tell(resultOf(1))
    const lost = await sent()
    tell(resultOf(2))
    expect(resultIds(await sent())).toEqual([uuidOf(2)])
    reporter.closed()
    reporter.opened()
    const again = await sent()
    expect(resultIds(again)).toEqual([uuidOf(1), uuidOf(2)])
    expect(again.id).not.toBe(lost.id)
    acknowledge(lost)
    expect(spool.depth()).toBe(2)
    acknowledge(again)
    expect(spool.depth()).toBe(0)
    expect(frames).toEqual([])
  })

  it('ends a session in which a batch is not acknowledged for 30 s', async () => {
    const { greet, tell, sent, runtime, restarts } = openReporter()
    await greet()
    tell(resultOf(1))
    await sent()
    runtime.advance(30 * secondMs)
    expect(restarts).toHaveLength(1)
  })

  it('has at most two batches under way', async () => {
    const { greet, tell, sent, acknowledge, frames, runtime } = openReporter()
    await greet()
    tell(resultOf(1))
    const first = await sent()
    tell(resultOf(2))
    await sent()
    tell(resultOf(3))
    await runtime.advanceAsync(secondMs)
    expect(frames).toEqual([])
    acknowledge(first)
    expect(resultIds(await sent())).toEqual([uuidOf(3)])
  })

  it('splits a backlog by number and by bytes, so that every batch fits into a frame', async () => {
    const { put, reporter, sent } = openReporter()
    const words = 'ü'.repeat(1000)
    const wordy = { server_words: words, dsn_words: words, reason: words }
    put(...Array.from({ length: 201 }, (_, n) => resultOf(n)))
    put(...Array.from({ length: 190 }, (_, n) => resultOf(1000 + n, { detail: wordy })))
    reporter.opened()
    const [first, second] = [await sent(), await sent()]
    expect(resultIds(first)).toHaveLength(200)
    expect(resultIds(second).length).toBeGreaterThan(50)
    expect(second.bytes).toBeLessThan(900_000)
  })

  it('never sends again what the coordinator refused, and logs why', async () => {
    const { greet, tell, sent, acknowledge, spool, lines, reporter } = openReporter()
    await greet()
    tell(resultOf(1), resultOf(2))
    acknowledge(await sent(), [{ id: uuidOf(1), code: 'RESULT_FOREIGN', detail: 'not yours' }])
    expect(spool.depth()).toBe(0)
    expect(lines.filter(({ code }) => code === 'RESULT_FOREIGN')).toHaveLength(1)
    expect(reporter.counts()).toMatchObject({ acknowledged: 1, refused: 1 })
  })

  it('loses a record out of shape alone, not the batch around it', async () => {
    const { greet, tell, sent, lines } = openReporter()
    await greet()
    tell(resultOf(1), resultOf(2, { detail: { reason: 'x'.repeat(1001) } }), resultOf(3))
    expect(resultIds(await sent())).toEqual([uuidOf(1), uuidOf(3)])
    expect(lines.filter(({ code }) => code === 'RESULT_MALFORMED')).toHaveLength(1)
  })

  it('is drained when everything is acknowledged, or when there is nobody to tell', async () => {
    const { greet, tell, sent, acknowledge, reporter } = openReporter()
    await greet()
    tell(resultOf(1))
    const drained = reporter.drained()
    acknowledge(await sent())
    await drained
    tell(resultOf(2))
    const interrupted = reporter.drained()
    reporter.closed()
    await interrupted
  })
})
