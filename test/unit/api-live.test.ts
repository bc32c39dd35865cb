/** The event stream's middle part: who is told what, how often, and what happens when there is too much. */
import { beforeEach, expect, test } from 'vitest'
import { silentLogger } from '../../common/log.ts'
import { type LiveHub, type LiveReader, type Notice, startLive } from '../../coordinator/api/live.ts'
import type { Database } from '../../coordinator/store/database.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'

let runtime: FakeRuntime
let hub: LiveHub
let tell: (payload: string) => void
let listeningAgain: () => void
let reads: { whose: string | null; ids: string[] }[]
let failing: boolean

beforeEach(async () => {
  runtime = new FakeRuntime()
  reads = []
  failing = false
  const database = {
    system: {},
    asCustomer: (_: string, work: (sql: unknown) => unknown) => work({}),
    listen: async (_: string, onPayload: (payload: string) => void, onListening: () => void) => {
      tell = onPayload
      listeningAgain = onListening
      onListening()
      return async () => {}
    },
  } as unknown as Database
  const reader: LiveReader = async (_, whose, notices) => {
    if (failing) throw new Error('away')
    reads.push({ whose, ids: notices.map((notice) => notice.id) })
    return notices.map(({ id }) => ({ id }))
  }
  const readers = { result: reader, monitor: reader, incident: reader, page: reader, probe: reader }
  hub = await startLive({ database, runtime, logger: silentLogger }, readers)
})

function join(whose: string | null) {
  const stream = {
    sent: [] as string[],
    ended: false,
    send: (event: string, data: string) => void stream.sent.push(`${event} ${data}`),
    end: () => {
      stream.ended = true
    },
  }
  return { stream, leave: hub.join(whose, stream) }
}

const notice = (kind: Notice['kind'], customer_id: string | null, id: string) => tell(JSON.stringify({ kind, customer_id, id }))

test('a burst about one thing is read once and told once', async () => {
  const { stream } = join('a')
  for (let i = 0; i < 50; i++) notice('monitor', 'a', 'm1')
  await runtime.advanceAsync(100)
  expect(reads).toEqual([{ whose: 'a', ids: ['m1'] }])
  expect(stream.sent).toEqual(['monitor {"id":"m1"}'])
})

test('ten streams of one audience cost one read, and others are not told', async () => {
  const own = Array.from({ length: 10 }, () => join('a').stream)
  const other = join('b').stream
  const operator = join(null).stream
  notice('incident', 'a', 'i1')
  notice('probe', null, 'p1')
  await runtime.advanceAsync(100)
  expect(reads).toHaveLength(3)
  expect(own.every(({ sent }) => sent.length === 1)).toBe(true)
  expect(other.sent).toEqual([])
  expect(operator.sent).toEqual(['incident {"id":"i1"}', 'probe {"id":"p1"}'])
})

test('too many results are left out; too much of anything else ends the streams', async () => {
  const { stream } = join(null)
  for (let i = 0; i < 600; i++) notice('result', 'a', `r${i}`)
  await runtime.advanceAsync(100)
  expect(stream.sent).toHaveLength(500)
  expect(stream.ended).toBe(false)
  for (let i = 0; i < 2_001; i++) notice('monitor', 'a', `m${i}`)
  expect(stream.ended).toBe(true)
})

test('what could not be read, or may have been missed, ends the streams', async () => {
  const first = join('a').stream
  failing = true
  notice('monitor', 'a', 'm1')
  await runtime.advanceAsync(100)
  expect(first.ended).toBe(true)
  const second = join('a').stream
  listeningAgain()
  expect(second.ended).toBe(true)
})

test('nobody is told after leaving, and nothing is read for nobody', async () => {
  const { stream, leave } = join('a')
  leave?.()
  notice('monitor', 'a', 'm1')
  await runtime.advanceAsync(1_000)
  expect(reads).toEqual([])
  expect(stream.sent).toEqual([])
  expect(runtime.timerCount).toBe(0)
})

test('what a newer coordinator says, or nobody means, is passed over', async () => {
  const { stream } = join(null)
  for (const payload of ['', '{', '{"kind":"weather","id":"x"}', '{"kind":"monitor"}', '[]', 'null']) tell(payload)
  await runtime.advanceAsync(100)
  expect(stream).toMatchObject({ sent: [], ended: false })
})

test('there is an end to how many streams one coordinator carries, and none after it stops', async () => {
  const streams = Array.from({ length: 500 }, () => join('a'))
  expect(streams.every(({ leave }) => leave !== undefined)).toBe(true)
  expect(join('b').leave).toBeUndefined()
  await hub.close()
  expect(streams.every(({ stream }) => stream.ended)).toBe(true)
  streams[0]?.leave?.()
  expect(join('a').leave).toBeUndefined()
})
