/** When the routes of a target are surveyed, and by whom. */
import { describe, expect, test } from 'vitest'
import { hourMs, minuteMs } from '../../common/durations.ts'
import { nextSurveyMs, planSurvey, type SurveyCase } from '../../coordinator/core/surveys.ts'

const nowMs = Date.UTC(2026, 10, 24, 12)
const well: SurveyCase = {
  due_ms: nowMs,
  decision: 'up',
  suspected: false,
  has_incident: false,
  vantages: ['us', 'ap', 'eu'].map((probe_id) => ({ probe_id, lost: false })),
  last_probe_id: null,
}
const lost = (...ids: string[]) => well.vantages.map(({ probe_id }) => ({ probe_id, lost: ids.includes(probe_id) }))

describe('a survey', () => {
  test.each<[string, Partial<SurveyCase>, string | null, string]>([
    ['is made by one vantage', {}, 'ap', 'due'],
    ['by the next one', { last_probe_id: 'ap' }, 'eu', 'due'],
    ['and after the last by the first again', { last_probe_id: 'us' }, 'ap', 'due'],
    ['not by one that is lost', { last_probe_id: 'ap', vantages: lost('eu') }, 'us', 'due'],
    ['by the same one where it is alone', { last_probe_id: 'eu', vantages: lost('us', 'ap') }, 'eu', 'due'],
    ['after one that is no vantage any more by whoever follows', { last_probe_id: 'de' }, 'eu', 'due'],
    ['by nobody where all are lost', { vantages: lost('us', 'ap', 'eu') }, null, 'no_vantage'],
    ['also while mail is slow', { decision: 'slow' }, 'ap', 'due'],
    ['also while some vantages fail', { decision: 'partial' }, 'ap', 'due'],
    ['not before the first return', { decision: 'pending' }, null, 'in_question'],
    ['not while something is suspected', { decision: 'suspected' }, null, 'in_question'],
    ['not while a question is open', { decision: 'partial', suspected: true }, null, 'in_question'],
    ['not in an incident', { decision: 'down', has_incident: true }, null, 'in_question'],
    ['not while too few vantages have spoken', { decision: 'unconfirmed' }, null, 'in_question'],
    ['is not caught up', { due_ms: nowMs - 11 * minuteMs }, null, 'missed'],
    ['may be some minutes late', { due_ms: nowMs - 9 * minuteMs }, 'ap', 'due'],
  ])('%s', (_, changes, probe_id, reason) => {
    expect(planSurvey({ ...well, ...changes }, nowMs)).toEqual({ probe_id, reason })
  })

  test('of each monitor has its own minute of the hour, spread over it', () => {
    const monitors = Array.from({ length: 600 }, (_, n) => `monitor-${n}`)
    const minutes = monitors.map((id) => {
      const first = nextSurveyMs(id, nowMs)
      expect(first).toBeGreaterThan(nowMs)
      expect(first).toBeLessThanOrEqual(nowMs + hourMs)
      // However late it was ordered.
      expect(nextSurveyMs(id, first + 7 * minuteMs)).toBe(first + hourMs)
      expect(nextSurveyMs(id, first)).toBe(first + hourMs)
      return Math.floor((first % hourMs) / (10 * minuteMs))
    })
    for (const sixth of [0, 1, 2, 3, 4, 5]) expect(minutes.filter((each) => each === sixth).length).toBeGreaterThan(60)
  })
})
