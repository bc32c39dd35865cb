/** Whether a probe may report a result: only who held that generation at that slot, or was given that job (DESIGN 3.2). */
import type { ErrorCode } from '../../common/errors.ts'
import { resultAgeMsMax } from '../../common/limits.ts'
import { slotStartMs } from '../../common/timetable.ts'
import type { JobCause, RouteTest, TestResult } from '../../common/wire/test.ts'

export type Holding = {
  customer_id: string
  monitor_id: string
  /** The mail domain that the probe was told to test. */
  target_domain: string
  generation: number
  epoch_ms: number
  period_s: number
  phase_ms: number
  first_slot: number
  last_slot: number | null
}

export type GivenJob = {
  id: string
  customer_id: string
  monitor_id: string
  cause: JobCause
  generation: number | null
  /** Null: the target has changed since the job was given. */
  target_domain: string | null
}

/** With the generation and the mail domain that the test speaks of. */
export type Admission = Pick<GivenJob, 'customer_id' | 'target_domain' | 'generation'> | { code: ErrorCode; detail: string }

/** A probe's clock may run ahead by so much before its times are refused. */
const futureMsMax = 10 * 60_000

/** `holdings` are those of this probe and the result's monitor. */
export function admit(
  result: TestResult,
  holdings: readonly Holding[],
  jobs: ReadonlyMap<string, GivenJob>,
  nowMs: number,
): Admission {
  const fault = faultOfTimes(result, nowMs)
  if (fault !== null) return fault
  if (result.cause === 'job') return admitJob(result, jobs)
  const holding = holdings.find((candidate) => candidate.generation === result.generation && covers(candidate, result))
  if (holding !== undefined) return admitted(holding)
  return { code: 'RESULT_FOREIGN', detail: 'This probe did not hold that generation of the monitor at that slot' }
}

/** The test of a route, which never votes: only of a survey that this probe was given. */
export function admitRouteTest(test: RouteTest, jobs: ReadonlyMap<string, GivenJob>, nowMs: number): Admission {
  const fault = faultOfTimes(test, nowMs)
  if (fault !== null) return fault
  const job = jobs.get(test.job_id)
  if (job?.monitor_id === test.monitor_id && job.cause === 'routes') return admitted(job)
  return { code: 'RESULT_FOREIGN', detail: 'This probe was given no such survey of that monitor' }
}

function faultOfTimes({ started_at, finished_at }: Pick<TestResult, 'started_at' | 'finished_at'>, nowMs: number) {
  if (started_at < nowMs - resultAgeMsMax)
    return { code: 'RESULT_TOO_OLD', detail: 'The test is more than seven days old; what it says no longer helps' } as const
  if (started_at <= nowMs + futureMsMax && finished_at >= started_at) return null
  const detail = 'The times of the result contradict each other or lie in the future: check the clock of the probe'
  return { code: 'RESULT_MALFORMED', detail } as const
}

/** Mail that was sent over one route alone is no vote, whatever its probe makes of it: a survey has no results. */
function admitJob(result: TestResult, jobs: ReadonlyMap<string, GivenJob>): Admission {
  const job = result.job_id === null ? undefined : jobs.get(result.job_id)
  if (job !== undefined && job.monitor_id === result.monitor_id && job.cause !== 'routes') return admitted(job)
  return { code: 'RESULT_FOREIGN', detail: 'This probe was given no such job for that monitor' }
}

const admitted = ({ customer_id, target_domain, generation }: Holding | GivenJob): Admission => ({
  customer_id,
  target_domain,
  generation,
})

/** A slot is checked exactly; re-tests and tests in an open incident have none and may follow the last slot. */
function covers(holding: Holding, result: TestResult): boolean {
  if (result.cause !== 'slot') return result.started_at >= slotStartMs(holding, holding.first_slot)
  if (result.slot === null || result.slot_at !== slotStartMs(holding, result.slot)) return false
  return result.slot >= holding.first_slot && (holding.last_slot === null || result.slot <= holding.last_slot)
}
