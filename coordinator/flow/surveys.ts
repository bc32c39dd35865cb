/** Ordering surveys of routes: hourly for each monitor, from one vantage, as a job like others (core/surveys.ts). */
import { jobStartMsMax } from '../../common/limits.ts'
import { uuidv7 } from '../../common/runtime.ts'
import { nextSurveyMs, planSurvey } from '../core/surveys.ts'
import { announce } from '../store/announce.ts'
import { insertJob } from '../store/judging.ts'
import { claimDueSurveys, setNextSurvey } from '../store/surveys.ts'
import type { DatabaseContext } from './context.ts'

/** Orders what is due, some at once; false where nothing is. */
export async function surveyNext({ database, runtime, logger }: DatabaseContext): Promise<boolean> {
  return await database.system.begin(async (sql) => {
    const due = await claimDueSurveys(sql)
    for (const survey of due) {
      const { customer_id, monitor_id, now_ms } = survey
      const { probe_id, reason } = planSurvey(survey, now_ms)
      await setNextSurvey(sql, survey, nextSurveyMs(monitor_id, now_ms), probe_id)
      logger.debug({ monitor: monitor_id, probe: probe_id, reason }, 'survey of routes')
      if (probe_id === null) continue
      const id = uuidv7(runtime)
      await insertJob(sql, { id, customer_id, monitor_id, probe_id, cause: 'routes', expires_in_ms: jobStartMsMax })
      await announce(sql, 'probe', { probe_id })
    }
    return due.length > 0
  })
}
