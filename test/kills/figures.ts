/** A run in figures. */
import { type Fault, handovers } from './checks.ts'
import { gaps, isRepeat, type Life, quantile, servedShare, serviceTimes } from './history.ts'
import type { Ran } from './run.ts'
import { stepsOf } from './steps.ts'

export type Spread = { count: number; p50: number | null; p99: number | null; max: number | null }

const spread = (values: readonly number[]): Spread => ({
  count: values.length,
  p50: round(quantile(values, 0.5)),
  p99: round(quantile(values, 0.99)),
  max: round(quantile(values, 1)),
})
const round = (value: number | null): number | null => (value === null ? null : Math.round(value))

const startTimes = (lives: readonly Life[]): number[] =>
  lives.flatMap(({ startedMs, readyMs }) => (readyMs === null ? [] : [readyMs - startedMs]))

export function figuresOf({ history, killed, batches, acknowledgementsMs }: Ran, faults: readonly Fault[]) {
  const service = serviceTimes(history)
  const steps = stepsOf(history)
  const sms = history.sms.filter(({ sent }) => sent)
  const away = gaps(service)
  const firstMs = service[0]?.fromMs ?? 0
  const down = history.incidents.filter(({ kind }) => kind === 'down')
  return {
    kills: killed,
    monitors: history.monitors.length,
    seconds: round((history.endedMs - firstMs) / 1000),
    served_percent: round(100 * servedShare(history)),
    results: history.results.length,
    acknowledged: history.acknowledged.length,
    batches,
    outages: Object.values(history.outages).flat().length,
    incidents: down.length,
    unconfirmed: history.incidents.length - down.length,
    acknowledged_incidents: count(history, 'acknowledged'),
    exhausted: count(history, 'policy_exhausted'),
    steps: steps.filter(({ takenMs }) => takenMs !== null).length,
    second_rounds: steps.filter(({ takenMs, round }) => takenMs !== null && round > 0).length,
    pages: history.pages.length,
    sms: sms.length,
    repeats: sms.filter(isRepeat).length,
    gateway_silent: history.sms.filter(({ behaviour }) => behaviour === 'accept-then-hang').length,
    gateway_refused: history.sms.filter(({ behaviour }) => behaviour === 'refuse').length,
    /** All times in ms. A step: from when it was due and could be taken. */
    step_ms: spread(steps.flatMap(({ takenMs, servedMs }) => (takenMs === null ? [] : [servedMs]))),
    /** Those that fell due while nobody could take them. */
    step_after_restart_ms: spread(
      steps.flatMap(({ dueMs, takenMs, servedMs }) =>
        takenMs !== null && away.some(({ fromMs, toMs }) => dueMs >= fromMs && dueMs < toMs) ? [servedMs] : [],
      ),
    ),
    page_to_gateway_ms: spread(handovers(history).flatMap(({ atMs, servedMs }) => (atMs === null ? [] : [servedMs]))),
    coordinator_start_ms: spread(Object.values(history.coordinators).flatMap(startTimes)),
    database_start_ms: spread(startTimes(history.database)),
    /** From nobody there to somebody there. */
    service_away_ms: spread(away.map(({ fromMs, toMs }) => toMs - fromMs)),
    /** From somebody there to the first acknowledged results. */
    first_acknowledgement_ms: spread(
      away.flatMap(({ toMs }) => {
        const next = acknowledgementsMs.find((atMs) => atMs >= toMs)
        return next === undefined ? [] : [next - toMs]
      }),
    ),
    faults: faults.length,
  }
}

const count = ({ incidents }: Ran['history'], type: string): number =>
  incidents.filter(({ events }) => events.some((event) => event.type === type)).length
