/** The pure parts of the API: what a monitor may be, cursors, how often one may ask. */
import { describe, expect, test } from 'vitest'
import { readIdCursor, readResultCursor, writeIdCursor, writeResultCursor } from '../../coordinator/api/cursor.ts'
import {
  beyondLevel,
  completeMonitor,
  contradictions,
  modesGranted,
  needsReassignment,
} from '../../coordinator/api/monitor-rules.ts'
import { presetServiceLevels } from '../../coordinator/api/presets.ts'
import { problemOf } from '../../coordinator/api/problem.ts'
import { TokenBuckets } from '../../coordinator/api/rate-limit.ts'
import type { MonitorSettings } from '../../coordinator/store/monitors.ts'

const request = { name: 'M', kind: 'roundtrip', target: { address: 'scout@x.example' } } as const

describe('defaults', () => {
  test.each(presetServiceLevels)('a monitor with nothing but a target is right under $name', (level) => {
    const monitor = completeMonitor(request, level)
    expect(contradictions(monitor)).toEqual([])
    expect(beyondLevel(monitor, level)).toEqual([])
    expect(monitor).toMatchObject({ period_s: 1200, timeout_s: 600, slow_s: 120, vantages: level.vantages, quorum: level.quorum })
  })

  test('what is said stands, and the rest follows it', () => {
    const level = { name: 'x', vantages: 5, quorum: 3, period_min_s: 3600, mode: 'hedged', channels: [], sms_per_day: 0 } as const
    const settings = { ...level, channels: [...level.channels] }
    expect(completeMonitor(request, settings)).toMatchObject({ period_s: 3600, quorum: 3, mode: 'hedged' })
    expect(completeMonitor({ ...request, vantages: 2 }, settings)).toMatchObject({ vantages: 2, quorum: 2, mode: 'hedged' })
    expect(completeMonitor({ ...request, vantages: 1 }, settings)).toMatchObject({ vantages: 1, quorum: 1, mode: 'seed' })
    expect(completeMonitor({ ...request, period_s: 60 }, settings)).toMatchObject({ period_s: 60, open_period_s: 60 })
  })

  test('a level grants its own mode and the lighter ones', () => {
    expect(modesGranted({ mode: 'seed' })).toEqual(['seed'])
    expect(modesGranted({ mode: 'fast' })).toEqual(['seed', 'fast'])
    expect(modesGranted({ mode: 'hedged' })).toEqual(['seed', 'fast', 'hedged'])
  })
})

describe('a new generation of assignments', () => {
  const level = presetServiceLevels[1]
  const monitor: MonitorSettings = completeMonitor(request, level ?? presetServiceLevels[0] ?? never())
  test.each<[string, Partial<MonitorSettings>, boolean]>([
    ['the same again', {}, false],
    ['a name', { name: 'N' }, false],
    ['a quorum', { quorum: 3 }, false],
    ['an escalation policy', { escalation_policy_id: '0192f0c1-0000-7000-8000-000000000000' }, false],
    ['a period', { period_s: 600 }, true],
    ['a slow mark', { slow_s: 60 }, true],
    ['a wait before the re-test', { retest_wait_s: 10 }, true],
    ['a host', { target: { address: 'scout@x.example', host: 'mx.x.example' } }, true],
    ['more vantages, because the phases move', { vantages: 5 }, true],
  ])('%s: needed or not', (_, changed, needed) => {
    expect(needsReassignment(monitor, { ...monitor, ...changed })).toBe(needed)
  })
})

function never(): never {
  throw new Error('there is no preset')
}

describe('cursors', () => {
  const id = '0192f0c1-0000-7000-8000-000000000000'

  test('come back as they were', () => {
    expect(readIdCursor(writeIdCursor(id))).toBe(id)
    const place = { started_at: 1_795_000_000_000, id }
    expect(readResultCursor(writeResultCursor(place))).toEqual(place)
  })

  test.each(['', 'x', writeResultCursor({ started_at: 1, id }), Buffer.from(`i ${id} x`).toString('base64url')])(
    'one of another list, or made up, is refused: %s',
    (cursor) => {
      expect(() => readIdCursor(cursor)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID', field: 'cursor' }))
    },
  )

  test.each([
    writeIdCursor(id),
    Buffer.from(`r -1 ${id}`).toString('base64url'),
    Buffer.from(`r 1e9 ${id}`).toString('base64url'),
  ])('a place that is none is refused: %s', (cursor) => {
    expect(() => readResultCursor(cursor)).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }))
  })
})

describe('token buckets', () => {
  test('a burst passes, then so many a second, and each name has its own', () => {
    const buckets = new TokenBuckets({ burst: 2, perSecond: 0.5 })
    expect([buckets.take('a', 0), buckets.take('a', 0)]).toEqual([{ taken: true }, { taken: true }])
    expect(buckets.take('a', 0)).toEqual({ taken: false, retryAfterS: 2 })
    expect(buckets.take('a', 1_500)).toEqual({ taken: false, retryAfterS: 1 })
    expect(buckets.take('b', 1_500)).toEqual({ taken: true })
    expect(buckets.take('a', 2_000)).toEqual({ taken: true })
    expect(buckets.take('a', 2_000)).toMatchObject({ taken: false })
  })

  test('an idle name gathers no more than the burst', () => {
    const buckets = new TokenBuckets({ burst: 2, perSecond: 1 })
    buckets.take('a', 0)
    expect(Array.from({ length: 3 }, () => buckets.take('a', 1e9).taken)).toEqual([true, true, false])
  })
})

test.each([
  ['a statement timeout', { code: '57014' }, 503, 'NOT_READY'],
  ['a lock timeout', { code: '55P03' }, 503, 'NOT_READY'],
  ['a lost connection', { code: 'CONNECTION_CLOSED' }, 503, 'DATABASE_UNAVAILABLE'],
  ['a broken constraint', { code: '23514' }, 500, 'INTERNAL'],
  ['nothing at all', undefined, 500, 'INTERNAL'],
])('%s becomes a problem that says whether to ask again', (_, thrown, status, code) => {
  const error = thrown === undefined ? undefined : Object.assign(new Error('relation "monitors"'), thrown)
  const problem = problemOf(error, 'request-7')
  expect(problem).toMatchObject({ status, code })
  expect(problem.detail).not.toContain('relation')
})
