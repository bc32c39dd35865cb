/** What a trip's account says of time: nobody's setting of the wall clock changes what came when. */
import { describe, expect, test } from 'vitest'
import { begin, type Course, type Instant, type RoundTrip, step } from '../../probe/round-trip.ts'
import { controlTripOf, resultOf, type TestOrder } from '../../probe/trip.ts'
import { testPlan, uuidOf } from '../support/plans.ts'

const course: Course = { timeoutMs: 600_000, slowMs: 120_000, acceptEcho: false, kind: 'test' }
const startMs = 1_795_000_000_000
/** `aheadS`: by how much the wall clock has been set since the start. */
const at = (seconds: number, aheadS = 0): Instant => ({
  wallMs: startMs + (seconds + aheadS) * 1000,
  monotonicMs: 5_000_000 + seconds * 1000,
})
const order: TestOrder = {
  ...{ kind: 'test', id: uuidOf(1), plan: testPlan(), cause: 'slot', attempt: 1, generation: 1, jobId: null, firstTestId: null },
  slot: null,
}
const sent = (now: Instant): RoundTrip =>
  step(begin(course, at(0)).state, { kind: 'sent', attempt: 1, sent: { startedAt: at(0), at: now, stages: [], detail: {} } }, now)
    .state
const returned = (state: RoundTrip, now: Instant): RoundTrip =>
  step(state, { kind: 'returned', back: { at: now, stampAtMs: null, detail: {} } }, now).state
const lost = (state: RoundTrip, now: Instant): RoundTrip => step(state, { kind: 'timer' }, now).state
const known = { offsetMs: 5, errorMs: 2 }

describe('where the wall clock is set while a test runs', () => {
  test.each([-584, -3600, 900])('by %i s, it lasts as long as it lasted, by the clock as it was at the start', (aheadS) => {
    const result = resultOf(order, lost(sent(at(1)), at(600, aheadS)), { ...known, offsetMs: -aheadS * 1000 }, 'boot')
    expect(result).toMatchObject({
      started_at: startMs,
      sent_at: startMs + 1000,
      finished_at: startMs + 600_000,
      outcome: 'timeout',
    })
    expect(result).toMatchObject({ boot_id: 'boot', started_uptime_ms: 5_000_000, finished_uptime_ms: 5_600_000 })
    // What is known of the clock at the end is told of the clock at the start, of which the times are.
    expect(result.clock_offset_ms).toBe(0)
  })

  test('its returned mail and control trips too', () => {
    const state = returned(sent(at(1)), at(4, -60))
    expect(resultOf(order, state, null, 'boot')).toMatchObject({
      returned_at: startMs + 4000,
      finished_at: startMs + 4000,
      rtt_ms: 4000,
    })
    const control = {
      kind: 'control',
      id: uuidOf(2),
      reference: { address: 'echo@reference.example' },
      timeoutMs: 60_000,
    } as const
    expect(controlTripOf(control, state, 'boot')).toMatchObject({
      ...{ started_at: startMs, returned_at: startMs + 4000, finished_at: startMs + 4000, started_uptime_ms: 5_000_000 },
    })
  })
})

test('a clock that nobody set is told as it is known, whatever the clocks round', () => {
  const state = returned(sent(at(1)), { wallMs: startMs + 4000, monotonicMs: 5_004_000.7 })
  expect(resultOf(order, state, known, 'boot')).toMatchObject({ clock_offset_ms: 5, detail: { clock_error_ms: 2 } })
})

test('over a new boot nothing is known of how the clocks went on: not run, and never over before it began', () => {
  const state = step(sent(at(1)), { kind: 'resume', sameBoot: false }, { wallMs: startMs - 50_000, monotonicMs: 900 }).state
  expect(resultOf(order, state, known, 'next boot')).toMatchObject({
    ...{ outcome: 'not_run', started_at: startMs, finished_at: startMs, clock_offset_ms: null },
    ...{ boot_id: 'next boot', started_uptime_ms: 900, finished_uptime_ms: 900 },
  })
})
