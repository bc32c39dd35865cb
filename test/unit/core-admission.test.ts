import { describe, expect, test } from 'vitest'
import { slotStartMs } from '../../common/timetable.ts'
import type { RouteTest, TestResult } from '../../common/wire/test.ts'
import { admit, admitRouteTest, type GivenJob, type Holding } from '../../coordinator/core/admission.ts'
import { uuidOf } from '../support/plans.ts'
import { routeTestOf } from '../support/probe-parts.ts'
import { uptimeOf } from '../support/uptime.ts'

const nowMs = Date.UTC(2026, 10, 23, 12)
const holding: Holding = {
  customer_id: 'customer',
  monitor_id: uuidOf(1),
  target_domain: 'customer.example',
  generation: 3,
  epoch_ms: nowMs - 86_400_000,
  period_s: 1200,
  phase_ms: 400_000,
  first_slot: 10,
  last_slot: 70,
}
const jobs = new Map<string, GivenJob>([
  [
    'job',
    {
      id: 'job',
      customer_id: 'customer',
      monitor_id: uuidOf(1),
      target_domain: 'customer.example',
      generation: 2,
      cause: 'confirm',
    },
  ],
])

const ofSlot = (slot: number, changes: Partial<TestResult> = {}): TestResult => {
  const slot_at = slotStartMs(holding, slot)
  return {
    id: uuidOf(9),
    monitor_id: uuidOf(1),
    generation: 3,
    cause: 'slot',
    job_id: null,
    attempt: 1,
    first_test_id: null,
    slot,
    slot_at,
    started_at: slot_at + 1000,
    sent_at: null,
    returned_at: null,
    finished_at: slot_at + 601_000,
    outcome: 'timeout',
    rtt_ms: null,
    stages: [],
    stamp_at: null,
    clock_offset_ms: null,
    ...uptimeOf(slot_at + 1000, slot_at + 601_000),
    detail: {},
    ...changes,
  }
}
const job = { cause: 'job', slot: null, slot_at: null, generation: null } as const

describe('a result is taken', () => {
  test.each<[string, TestResult]>([
    ['of the first slot held', ofSlot(10)],
    ['of the last slot held', ofSlot(70)],
    [
      'of a re-test after the last slot',
      ofSlot(70, { cause: 'retest', slot: null, slot_at: null, started_at: nowMs - 1000, finished_at: nowMs }),
    ],
    ['of a job that was given', ofSlot(12, { ...job, job_id: 'job' })],
    ['six days old', ofSlot(12, { ...job, job_id: 'job', started_at: nowMs - 6 * 86_400_000 })],
  ])('%s', (_, result) => {
    const generation = result.cause === 'job' ? 2 : 3
    expect(admit(result, [holding], jobs, nowMs)).toEqual({
      customer_id: 'customer',
      target_domain: 'customer.example',
      generation,
    })
  })
})

describe('a result is refused', () => {
  test.each<[string, TestResult, string]>([
    ['of a slot before the first', ofSlot(9), 'RESULT_FOREIGN'],
    ['of a slot after the last', ofSlot(71), 'RESULT_FOREIGN'],
    ['of a slot that is at another time', ofSlot(20, { slot_at: slotStartMs(holding, 20) + 1 }), 'RESULT_FOREIGN'],
    ['without its slot', ofSlot(20, { slot: null }), 'RESULT_FOREIGN'],
    ['of another generation', ofSlot(20, { generation: 2 }), 'RESULT_FOREIGN'],
    ['of a re-test from before it was assigned', ofSlot(9, { cause: 'retest', slot: null, slot_at: null }), 'RESULT_FOREIGN'],
    ['of a job that was not given', ofSlot(20, { ...job, job_id: 'other' }), 'RESULT_FOREIGN'],
    ['of a job for another monitor', ofSlot(20, { ...job, job_id: 'job', monitor_id: uuidOf(2) }), 'RESULT_FOREIGN'],
    ['of a job without its name', ofSlot(20, job), 'RESULT_FOREIGN'],
    ['eight days old', ofSlot(20, { started_at: nowMs - 8 * 86_400_000 }), 'RESULT_TOO_OLD'],
    ['from the future', ofSlot(20, { started_at: nowMs + 11 * 60_000, finished_at: nowMs + 12 * 60_000 }), 'RESULT_MALFORMED'],
    ['that ended before it began', ofSlot(20, { finished_at: slotStartMs(holding, 20) }), 'RESULT_MALFORMED'],
  ])('%s', (_, result, code) => {
    expect(admit(result, [holding], jobs, nowMs)).toMatchObject({ code })
  })
})

describe('mail over one route', () => {
  const given = { customer_id: 'customer', monitor_id: uuidOf(1), target_domain: 'customer.example', generation: 2 }
  const survey = new Map<string, GivenJob>([[uuidOf(77), { ...given, id: uuidOf(77), cause: 'routes' }]])
  const recent = { started_at: nowMs - 2000, finished_at: nowMs - 1000 }

  test('is no result, whatever its probe makes of it: a survey has none', () => {
    const result = ofSlot(20, { ...job, job_id: uuidOf(77) })
    expect(admit(result, [holding], survey, nowMs)).toMatchObject({ code: 'RESULT_FOREIGN' })
  })

  test.each<[string, Partial<RouteTest>, object]>([
    ['is taken of a survey that was given', {}, { customer_id: 'customer', target_domain: 'customer.example' }],
    ['is refused of another job', { job_id: uuidOf(78) }, { code: 'RESULT_FOREIGN' }],
    ['is refused of another monitor', { monitor_id: uuidOf(2) }, { code: 'RESULT_FOREIGN' }],
    ['is refused a week later', { started_at: nowMs - 8 * 86_400_000 }, { code: 'RESULT_TOO_OLD' }],
    ['is refused where it ended before it began', { finished_at: nowMs - 3000 }, { code: 'RESULT_MALFORMED' }],
  ])('%s', (_, changes, admission) => {
    expect(admitRouteTest(routeTestOf(9, { ...recent, ...changes }), survey, nowMs)).toMatchObject(admission)
  })

  test('is refused of a job that asked for a vote', () => {
    const confirmation = new Map<string, GivenJob>([[uuidOf(77), { ...given, id: uuidOf(77), cause: 'confirm' }]])
    expect(admitRouteTest(routeTestOf(9, recent), confirmation, nowMs)).toMatchObject({ code: 'RESULT_FOREIGN' })
  })
})
