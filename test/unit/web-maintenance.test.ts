/** Maintenance and availability in the words of the dashboard. */
import { describe, expect, it } from 'vitest'
import type { Availability, Decision, MaintenanceWindow } from '../../coordinator/web/api/resources.ts'
import { monitorsInOrder } from '../../coordinator/web/state/select.ts'
import { availabilityWords, outageWords } from '../../coordinator/web/words/availability.ts'
import { eventWords } from '../../coordinator/web/words/events.ts'
import { maintenanceMark, nextWords, scheduleWords } from '../../coordinator/web/words/maintenance.ts'
import { statusSentence, tabTitle } from '../../coordinator/web/words/sentence.ts'
import { at, nightMs, sampleMonitor } from '../support/web-samples.ts'

/** Times do not break before UTC; here that does not matter. */
const plain = (text: string | null | undefined): string | null => text?.replaceAll('\u00a0', ' ') ?? null

/** It is 03:26:14 UTC. */
const until = (time: string) => ({ id: 'w1', ends_at: `2026-11-23T${time}Z` })

describe('a monitor in maintenance', () => {
  const monitors = (...told: [Decision, boolean][]) =>
    told.map(([decision, maintained], index) =>
      sampleMonitor({ id: `m${index}`, decision, maintenance: maintained ? until('04:00:00') : null }),
    )

  it.each<[string, [Decision, boolean][], string]>([
    [
      'is told beside the others',
      [
        ['up', false],
        ['up', true],
      ],
      '1 monitor is up | The other is in maintenance | good',
    ],
    [
      'alarms nobody, though it is down',
      [
        ['up', false],
        ['up', false],
        ['down', true],
      ],
      '2 monitors are up | The other is in maintenance | good',
    ],
    [
      'stands behind a real outage',
      [
        ['down', false],
        ['down', true],
        ['up', false],
      ],
      '1 monitor is down since 03:12 UTC (14 min) | 1 up, 1 in maintenance | bad',
    ],
    ['is all there is', [['down', true]], 'The monitor is in maintenance until 04:00 UTC | idle'],
    [
      'as all others',
      [
        ['down', true],
        ['up', true],
      ],
      'Both monitors are in maintenance | idle',
    ],
  ])('%s', (_, told, words) => {
    const { text, rest, tone } = statusSentence(monitors(...told), [], nightMs)
    expect(plain([text, rest, tone].filter((part) => part !== null).join(' | '))).toBe(words)
  })

  it('has a badge until it ends, also where nobody has told yet that it is over', () => {
    const maintained = sampleMonitor({ maintenance: until('04:00:00') })
    expect(maintenanceMark(maintained, nightMs)).toMatchObject({ tone: 'idle', shape: 'pause' })
    expect(plain(maintenanceMark(maintained, nightMs)?.word)).toBe('Maintenance until 04:00 UTC')
    expect(maintenanceMark(sampleMonitor({ maintenance: until('03:26:14') }), nightMs)).toBeNull()
    expect(maintenanceMark(sampleMonitor(), nightMs)).toBeNull()
  })

  it('is left out of the title of the tab, and stands below what must be looked at', () => {
    const [down, up] = monitors(['down', true], ['slow', false])
    if (down === undefined || up === undefined) throw new Error('two monitors')
    expect(tabTitle([down, up], nightMs)).toBe('Mailscout')
    expect(monitorsInOrder([down, up]).map(({ id }) => id)).toEqual([up.id, down.id])
  })

  it('has the reason for its silence in the incident', () => {
    const { title, text } = eventWords({
      type: 'page_suppressed_by_maintenance',
      detail: { window_id: 'w1', until: '2026-11-23T04:00:00Z' },
    })
    expect(title).toBe('Nobody is paged in maintenance')
    expect(plain(text)).toBe('If it is still open when maintenance ends, 23 Nov 04:00 UTC, the escalation starts then.')
  })
})

describe('a window', () => {
  const window = (given: Partial<MaintenanceWindow>): MaintenanceWindow => ({
    id: 'w1',
    name: 'Patches',
    monitor_ids: null,
    starts_at: null,
    ends_at: null,
    weekly: null,
    next: null,
    ...given,
  })
  const weekly = { days: ['sun' as const, 'sat' as const], start_time: '22:00', duration_s: 9000, time_zone: 'Europe/Berlin' }
  const all = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

  it.each<[Partial<MaintenanceWindow>, string]>([
    [{ weekly }, 'Every Saturday and Sunday at 22:00 for 2 h 30 min, Europe/Berlin'],
    [
      { weekly: { ...weekly, days: ['mon', 'fri', 'wed'] } },
      'Every Monday, Wednesday and Friday at 22:00 for 2 h 30 min, Europe/Berlin',
    ],
    [{ weekly: { ...weekly, days: [...all] } }, 'Every day at 22:00 for 2 h 30 min, Europe/Berlin'],
    [{ starts_at: at(0), ends_at: at(-7200) }, 'Once, for 2 h'],
  ])('%# says: %s', (given, words) => expect(scheduleWords(window(given))).toBe(words))

  it.each<[MaintenanceWindow['next'], string | null]>([
    [null, null],
    [{ starts_at: at(3600), ends_at: at(1800) }, null],
    [{ starts_at: at(60), ends_at: '2026-11-23T04:00:00Z' }, 'now, until 04:00 UTC'],
    [{ starts_at: '2026-11-23T05:00:00Z', ends_at: '2026-11-23T06:30:00Z' }, 'next 05:00 UTC to 06:30 UTC'],
    [{ starts_at: '2026-11-28T21:00:00Z', ends_at: '2026-11-28T23:30:00Z' }, 'next 28 Nov 21:00 UTC to 23:30 UTC'],
    [{ starts_at: '2026-11-28T23:00:00Z', ends_at: '2026-11-29T01:30:00Z' }, 'next 28 Nov 23:00 UTC to 29 Nov 01:30 UTC'],
  ])('%# comes: %s', (next, words) => expect(plain(nextWords(window({ next }), nightMs))).toBe(words))
})

describe('availability', () => {
  const days30 = 30 * 86_400
  const found = (given: Partial<Availability>): Availability => ({
    from: at(days30),
    to: at(0),
    availability_min: 1,
    availability_max: 1,
    outages: 0,
    observed_s: days30,
    pending_s: 0,
    maintenance_s: 0,
    unconfirmed_s: 0,
    ...given,
  })

  it.each<[Partial<Availability>, string]>([
    [{}, '100 % available in the last 30 days, no outage'],
    [
      { availability_min: 0.9993, availability_max: 0.9995, outages: 2 },
      '99.93–99.95 % available in the last 30 days, 2 outages',
    ],
    [{ availability_min: 0.99939, availability_max: 0.999301, outages: 1 }, '99.93 % available in the last 30 days, 1 outage'],
    [{ availability_min: 0.999999, availability_max: 0.9999999, outages: 1 }, '99.99 % available in the last 30 days, 1 outage'],
    [{ availability_min: 0.9999, outages: 1 }, '99.99–100 % available in the last 30 days, 1 outage'],
    [{ pending_s: 27 * 86_400, observed_s: 3 * 86_400 }, '100 % available in the 3 d observed so far, no outage'],
    [{ maintenance_s: 7200 }, '100 % available in the last 30 days, no outage; without 2 h of maintenance'],
    [
      { maintenance_s: 7200, unconfirmed_s: 600 },
      '100 % available in the last 30 days, no outage; without 2 h of maintenance and 10 min that could not be judged',
    ],
    [{ availability_min: null, availability_max: null, observed_s: 0 }, 'Nothing has been observed yet'],
  ])('%# says: %s', (given, words) => {
    const { text, leftOut } = availabilityWords(found(given))
    expect(plain([text, leftOut].filter((part) => part !== null).join('; '))).toBe(words)
  })

  it('tells between which tests an outage began and ended', () => {
    const outage = { earliest_start_at: at(120), latest_start_at: at(60), earliest_end_at: at(20), latest_end_at: at(10) }
    expect(plain(outageWords(outage, nightMs))).toBe(
      'Began between 03:24:14 UTC and 03:25:14 UTC, ended between 03:25:54 UTC and 03:26:04 UTC',
    )
    const open = { ...outage, earliest_start_at: null, earliest_end_at: null, latest_end_at: null }
    expect(plain(outageWords(open, nightMs))).toBe('Began by 03:25:14 UTC')
  })
})
