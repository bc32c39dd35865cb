/** Plans and assignments as a coordinator would write them, for tests of the probe. */
import type { Assignment, TestPlan } from '../../common/wire/test.ts'

export const uuidOf = (n: number): string => `00000000-0000-7000-8000-${n.toString(16).padStart(12, '0')}`

export const testPlan = (changes: Partial<TestPlan> = {}): TestPlan => ({
  monitor_id: uuidOf(1),
  kind: 'roundtrip',
  target: { address: 'scout@customer.example' },
  period_s: 1200,
  timeout_s: 600,
  slow_s: 120,
  retest_wait_s: 30,
  hard_confirm_s: 180,
  open_period_s: 300,
  accept_echo: false,
  ...changes,
})

export const assignmentOf = (changes: Partial<Omit<Assignment, 'plan'>> = {}, plan: Partial<TestPlan> = {}): Assignment => ({
  id: uuidOf(100),
  generation: 1,
  epoch_ms: Date.UTC(2026, 10, 23),
  phase_ms: 0,
  first_slot: 0,
  last_slot: null,
  ...changes,
  plan: testPlan(plan),
})
