/** A survey, carried out: one test for each route of the target. They never vote, and must not be in the way of tests that do. */
import { errorMessage } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Job } from '../common/wire/test.ts'
import type { Survey } from './survey.ts'
import { routeOrder } from './trip.ts'
import type { Trips } from './trips.ts'

export type RouteTestsOptions = {
  survey: Survey
  trips: Pick<Trips, 'begin' | 'running'>
  newId: () => string
  isRunning: () => boolean
  /** How many may be under way at once; those beyond are reported as not run. */
  routeTestsMax: number
  logger: Pick<Logger, 'info'>
}

/** What cannot be looked up or written down has no survey: the next is due in an hour. */
export async function testRoutes(
  { survey, trips, newId, isRunning, routeTestsMax, logger }: RouteTestsOptions,
  job: Job,
): Promise<void> {
  try {
    for (const { route, refusal } of await survey(job.plan.target)) {
      if (!isRunning()) return
      const isFull = trips.running('route') >= routeTestsMax
      const full = isFull ? `${routeTestsMax} routes are under test at this probe already.` : undefined
      trips.begin(routeOrder(newId(), job, route), { refusal: refusal ?? full })
    }
  } catch (error) {
    logger.info({ monitor: job.plan.monitor_id }, `the routes of a target are not tested: ${errorMessage(error)}`)
  }
}
