/** Maintenance windows over the changes of the clocks, and their three questions: now, when next, how much. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dayMs, hourMs, isoTime } from '../../common/durations.ts'
import { instantOf, isTimeZone } from '../../coordinator/core/local-time.ts'
import {
  lookAheadMs,
  type MaintenanceWindow,
  maintenanceAt,
  nextChange,
  nextOccurrence,
  overlapMs,
  type WeeklySchedule,
  weekdays,
} from '../../coordinator/core/maintenance.ts'

const ms = (time: string) => Date.parse(time)
const made = ms('2026-01-01T00:00:00Z')

const once = (starts: string, ends: string, changes: Partial<MaintenanceWindow> = {}): MaintenanceWindow => ({
  id: `once ${starts}`,
  schedule: { kind: 'once', starts_ms: ms(starts), ends_ms: ms(ends) },
  valid_from_ms: made,
  valid_until_ms: null,
  ...changes,
})

const weekly = (schedule: WeeklySchedule, changes: Partial<MaintenanceWindow> = {}): MaintenanceWindow => ({
  id: 'weekly',
  schedule: { kind: 'weekly', weekly: schedule },
  valid_from_ms: made,
  valid_until_ms: null,
  ...changes,
})

/** Every Sunday at that local time, an hour long. */
const sundays = (time_zone: string, start_time: string) => weekly({ days: ['sun'], start_time, duration_s: 3600, time_zone })

const shownSpan = (window: MaintenanceWindow, from: string) => {
  const span = nextOccurrence(window, ms(from))
  return span === null ? null : `${isoTime(span.start_ms).slice(0, 16)} ${isoTime(span.end_ms).slice(0, 16)}`
}

describe('a weekly window keeps its local time where the clocks change', () => {
  test.each([
    ['Berlin in winter', 'Europe/Berlin', '02:30', '2026-03-21', '2026-03-22T01:30 2026-03-22T02:30'],
    [
      'Berlin, 02:30 does not exist: as the old clocks tell it',
      'Europe/Berlin',
      '02:30',
      '2026-03-28',
      '2026-03-29T01:30 2026-03-29T02:30',
    ],
    ['Berlin, before the gap', 'Europe/Berlin', '01:59', '2026-03-28', '2026-03-29T00:59 2026-03-29T01:59'],
    ['Berlin, after the gap', 'Europe/Berlin', '03:00', '2026-03-28', '2026-03-29T01:00 2026-03-29T02:00'],
    ['Berlin in summer', 'Europe/Berlin', '02:30', '2026-04-04', '2026-04-05T00:30 2026-04-05T01:30'],
    ['Berlin, 02:30 comes twice: the first', 'Europe/Berlin', '02:30', '2026-10-24', '2026-10-25T00:30 2026-10-25T01:30'],
    ['Berlin, 03:00 comes once', 'Europe/Berlin', '03:00', '2026-10-24', '2026-10-25T02:00 2026-10-25T03:00'],
    ['New York, the gap', 'America/New_York', '02:30', '2026-03-07', '2026-03-08T07:30 2026-03-08T08:30'],
    ['New York in summer', 'America/New_York', '02:30', '2026-03-14', '2026-03-15T06:30 2026-03-15T07:30'],
    ['New York, 01:30 comes twice: the first', 'America/New_York', '01:30', '2026-10-31', '2026-11-01T05:30 2026-11-01T06:30'],
    ['New York, 02:00 comes once', 'America/New_York', '02:00', '2026-10-31', '2026-11-01T07:00 2026-11-01T08:00'],
    ['Sydney in summer', 'Australia/Sydney', '02:30', '2026-03-27', '2026-03-28T15:30 2026-03-28T16:30'],
    ['Sydney, 02:30 comes twice: the first', 'Australia/Sydney', '02:30', '2026-04-04', '2026-04-04T15:30 2026-04-04T16:30'],
    ['Sydney, the gap', 'Australia/Sydney', '02:30', '2026-10-03', '2026-10-03T16:30 2026-10-03T17:30'],
    ['Sydney, after the gap', 'Australia/Sydney', '03:00', '2026-10-03', '2026-10-03T16:00 2026-10-03T17:00'],
    ['Lord Howe, a gap of half an hour', 'Australia/Lord_Howe', '02:15', '2026-10-03', '2026-10-03T15:45 2026-10-03T16:45'],
    ['Kiritimati, the farthest ahead', 'Pacific/Kiritimati', '00:30', '2026-06-05', '2026-06-06T10:30 2026-06-06T11:30'],
    ['Niue, far behind', 'Pacific/Niue', '23:30', '2026-06-07', '2026-06-08T10:30 2026-06-08T11:30'],
  ])('%s', (_, zone, startTime, from, span) => {
    expect(shownSpan(sundays(zone, startTime), `${from}T12:00:00Z`)).toBe(span)
  })

  test('its length is in real hours: from 22:00 for 8 h it ends an hour later, or earlier, by the clock', () => {
    const nights = weekly({ days: ['sat'], start_time: '22:00', duration_s: 8 * 3600, time_zone: 'Europe/Berlin' })
    expect(shownSpan(nights, '2026-03-28T12:00:00Z')).toBe('2026-03-28T21:00 2026-03-29T05:00') // 07:00 in Berlin
    expect(shownSpan(nights, '2026-10-24T12:00:00Z')).toBe('2026-10-24T20:00 2026-10-25T04:00') // 05:00 in Berlin
  })

  test('its days are those of the zone', () => {
    const monday = weekly({ days: ['mon'], start_time: '01:00', duration_s: 3600, time_zone: 'Australia/Sydney' })
    expect(shownSpan(monday, '2026-06-07T00:00:00Z')).toBe('2026-06-07T15:00 2026-06-07T16:00')
  })
})

describe('maintenance', () => {
  const night = once('2026-11-23T02:00:00Z', '2026-11-23T04:00:00Z')

  test.each([
    ['before it begins', '2026-11-23T01:59:59.999Z', null],
    ['as it begins', '2026-11-23T02:00:00Z', '2026-11-23T04:00:00.000Z'],
    ['until just before its end', '2026-11-23T03:59:59.999Z', '2026-11-23T04:00:00.000Z'],
    ['as it ends', '2026-11-23T04:00:00Z', null],
  ])('once, %s', (_, at, ends) => {
    const found = maintenanceAt([night], ms(at))
    expect(found === null ? null : isoTime(found.ends_ms)).toBe(ends)
  })

  test('lasts until the last of the windows that overlap or touch has ended', () => {
    const longer = once('2026-11-23T03:00:00Z', '2026-11-23T05:00:00Z')
    const touching = once('2026-11-23T05:00:00Z', '2026-11-23T06:00:00Z')
    const later = once('2026-11-23T07:00:00Z', '2026-11-23T08:00:00Z')
    expect(maintenanceAt([night, touching, later, longer], ms('2026-11-23T02:30:00Z'))).toEqual({
      id: night.id,
      started_ms: ms('2026-11-23T02:00:00Z'),
      ends_ms: ms('2026-11-23T06:00:00Z'),
    })
    expect(overlapMs([night, touching, later, longer], ms('2026-11-23T03:00:00Z'), ms('2026-11-23T07:30:00Z'))).toBe(3.5 * hourMs)
  })

  test('does not reach back before the window was made, nor beyond the moment in which it was deleted', () => {
    const announcedLate = { ...night, valid_from_ms: ms('2026-11-23T02:30:00Z'), valid_until_ms: ms('2026-11-23T03:00:00Z') }
    const at = (time: string) => maintenanceAt([announcedLate], ms(`2026-11-23T${time}Z`)) !== null
    expect([at('02:29:59'), at('02:30:00'), at('02:59:59'), at('03:00:00')]).toEqual([false, true, true, false])
    const nights = weekly(
      { days: ['sun', 'mon'], start_time: '02:00', duration_s: 7200, time_zone: 'UTC' },
      { valid_from_ms: ms('2026-11-22T03:00:00Z'), valid_until_ms: ms('2026-11-23T03:00:00Z') },
    )
    expect(overlapMs([nights], ms('2026-11-01T00:00:00Z'), ms('2026-12-01T00:00:00Z'))).toBe(2 * hourMs)
  })

  test('next begins or ends: what comes first', () => {
    const sunday = sundays('UTC', '02:00')
    expect(nextChange([night, sunday], ms('2026-11-20T00:00:00Z'))).toBe(ms('2026-11-22T02:00:00Z'))
    expect(nextChange([night, sunday], ms('2026-11-22T02:00:00Z'))).toBe(ms('2026-11-22T03:00:00Z'))
    expect(nextChange([night], ms('2026-11-23T04:00:00Z'))).toBeNull()
    expect(nextChange([night], ms('2026-01-01T00:00:00Z'))).toBe(ms('2026-11-23T02:00:00Z'))
    expect(nextChange([], 0)).toBeNull()
  })

  test('of a window that holds only from later on is not passed over for a later one', () => {
    const sunday = { ...sundays('UTC', '00:00'), valid_from_ms: ms('2026-02-22T12:00:00Z') }
    expect(nextChange([sunday, night], ms('2026-01-15T00:00:00Z'))).toBe(ms('2026-03-01T00:00:00Z'))
  })

  test('that never ends is said to end as far ahead as is looked', () => {
    const always = weekly({ days: [...weekdays], start_time: '00:00', duration_s: 86_400, time_zone: 'UTC' })
    const nowMs = ms('2026-11-23T12:00:00Z')
    expect(maintenanceAt([always], nowMs)?.ends_ms).toBe(nowMs + lookAheadMs)
    expect(nextChange([always], nowMs)).toBeNull()
  })
})

describe('whatever the windows', () => {
  const zone = fc.constantFrom(
    'UTC',
    'Australia/Sydney',
    'Europe/Berlin',
    'America/New_York',
    'America/St_Johns',
    'Africa/Casablanca',
  )
  const start = ms('2026-01-15T00:00:00Z')
  const instant = fc.integer({ min: 0, max: 300 * 24 * 60 }).map((minutes) => start + minutes * 60_000)
  const length = fc.integer({ min: 1, max: 6 * 24 * 60 }).map((minutes) => minutes * 60)
  const schedule = fc.oneof(
    fc.record({ starts_ms: instant, length }).map(({ starts_ms, length }) => ({
      kind: 'once' as const,
      starts_ms,
      ends_ms: starts_ms + length * 1000,
    })),
    fc
      .record({
        days: fc.uniqueArray(fc.constantFrom(...weekdays), { minLength: 1 }),
        start_time: fc
          .integer({ min: 0, max: 1439 })
          .map((m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`),
        duration_s: length,
        time_zone: zone,
      })
      .map((weekly) => ({ kind: 'weekly' as const, weekly })),
  )
  const windows = fc.array(
    fc
      .record({ schedule, valid_from_ms: instant, valid_until_ms: fc.option(instant) })
      .map((window) => ({ ...window, id: 'any' })),
    { maxLength: 4 },
  )

  test('nothing changes before the next change, and something changes at it', () => {
    fc.assert(
      fc.property(
        windows,
        instant,
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { maxLength: 8 }),
        (all, fromMs, shares) => {
          const inMaintenance = (atMs: number) => maintenanceAt(all, atMs) !== null
          const changeMs = nextChange(all, fromMs)
          const untilMs = changeMs ?? fromMs + lookAheadMs
          for (const share of shares)
            expect(inMaintenance(fromMs + Math.floor((untilMs - fromMs) * share))).toBe(inMaintenance(fromMs))
          if (changeMs !== null) expect(inMaintenance(changeMs)).toBe(!inMaintenance(fromMs))
          const now = maintenanceAt(all, fromMs)
          if (now !== null && changeMs !== null && changeMs < fromMs + lookAheadMs) expect(now.ends_ms).toBe(changeMs)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('the overlaps of two neighbouring stretches add up', () => {
    fc.assert(
      fc.property(windows, fc.tuple(instant, instant, instant), (all, times) => {
        const [from = 0, middle = 0, to = 0] = times.toSorted((a, b) => a - b)
        expect(overlapMs(all, from, middle) + overlapMs(all, middle, to)).toBe(overlapMs(all, from, to))
      }),
      { numRuns: 100 },
    )
  })

  test('a local time that exists is shown by the clocks at its instant', () => {
    fc.assert(
      fc.property(zone, fc.integer({ min: 0, max: 365 }), fc.integer({ min: 0, max: 1439 }), (timeZone, day, minutes) => {
        const dayStart = start + day * dayMs
        const at = instantOf(timeZone, dayStart, minutes)
        const shown = new Date(at).toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' })
        const wanted = isoTime(dayStart + minutes * 60_000).slice(11, 16)
        // In the hour that is skipped, the clocks show an hour more.
        const skipped = isoTime(dayStart + minutes * 60_000 + hourMs).slice(11, 16)
        expect([wanted, skipped]).toContain(shown)
      }),
      { numRuns: 500 },
    )
  })
})

test.each([
  ['Europe/Berlin', true],
  ['UTC', true],
  ['America/Argentina/Buenos_Aires', true],
  ['Etc/GMT+5', true],
  ['Europe/Atlantis', false],
  ['+10:00', false],
  ['', false],
  ['Europe/Berlin; drop', false],
])('%s is a time zone: %s', (name, known) => {
  expect(isTimeZone(name)).toBe(known)
})
