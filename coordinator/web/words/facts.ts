/** A monitor's configuration in words that its owner would use. */
import type { Monitor } from '../api/resources.ts'
import { seconds } from './time.ts'

export type Fact = { term: string; value: string; note: string | null }

const modes: Record<Monitor['mode'], string> = {
  seed: 'the probe that saw the failure tests twice before it counts, the others once',
  fast: 'one failing test from each of the regions is enough',
  hedged: 'the other regions already start when a mail is merely slow',
}

export function monitorFacts(monitor: Monitor): Fact[] {
  const spacingS = monitor.vantages > 1 ? Math.round(monitor.period_s / monitor.vantages) : null
  return [
    { term: 'Target', value: monitor.target.address, note: targetRoute(monitor) },
    {
      term: 'Tests',
      value: `every ${seconds(monitor.period_s)} from ${monitor.vantages === 1 ? '1 vantage' : `each of ${monitor.vantages} vantages`}`,
      note: spacingS === null ? null : `spread evenly: one every ${seconds(spacingS)}`,
    },
    { term: 'Slow', value: `back after ${seconds(monitor.slow_s)}`, note: 'shown, and nobody is paged' },
    {
      term: 'Lost',
      value: `not back after ${seconds(monitor.timeout_s)}`,
      note: `tested again ${seconds(monitor.retest_wait_s)} later`,
    },
    {
      term: 'Hard failure',
      value: `must persist for ${seconds(monitor.hard_confirm_s)}`,
      note: 'a refusal or bounce does not wait for the timeout',
    },
    { term: 'Down', value: downRule(monitor), note: `mode ${monitor.mode}: ${modes[monitor.mode] ?? ''}` },
    { term: 'While down', value: `tested every ${seconds(monitor.open_period_s)}`, note: 'to see the recovery soon' },
    {
      term: 'Unstamped mail',
      value: monitor.accept_echo ? 'counts as returned' : 'does not count',
      note: monitor.accept_echo ? 'a plain forward is enough' : 'the responder must stamp it',
    },
  ]
}

function downRule(monitor: Monitor): string {
  if (monitor.vantages <= 1) return 'when the second test fails too'
  return monitor.quorum === 1 ? 'when 1 region says so' : `when ${monitor.quorum} regions agree`
}

function targetRoute(monitor: Monitor): string {
  const { host, port } = monitor.target
  if (host === undefined || host === null) return 'by the MX records of its domain'
  return `at ${host}${port === undefined || port === null ? '' : `, port ${port}`}`
}

/** The promise: what holds at this moment, and what the contract says where that is not the same. */
export function boundSentence(monitor: Monitor): string {
  const { detection_bound_s: contractS, detection_bound_now_s: nowS, maintenance, decision } = monitor
  const from = maintenance === null ? 'counted from its first second' : 'counted from the end of the maintenance'
  const within = (boundS: number) => `within ${seconds(Math.ceil(boundS))}`
  if (decision === 'pending')
    return `Nobody is paged before the first mail has come back. From then on an outage is reported by SMS ${within(contractS)}, ${from}.`
  if (nowS === contractS) return `An outage is reported by SMS ${within(contractS)}, ${from}.`
  const whenWell = monitor.vantages === 1 ? 'When the vantage is well' : `When all ${monitor.vantages} vantages are well`
  if (nowS === null)
    return `No time can be promised at this moment: ${tooFewVantages(monitor)}. The operator is paged if a test fails or the silence lasts. ${whenWell}, an outage is reported by SMS ${within(contractS)}.`
  return `An outage that begins now is reported by SMS ${within(nowS)}, ${from}, because ${missingVantages(monitor)}. When all are well, it is ${within(contractS)}.`
}

/** Said once, beside the promise. */
export const boundExceptions =
  'If many mail systems fail at the same time, the SMS may wait for up to 3 min more, in case the fault is ours.'

/** A vantage that is lost is in the list, and shows that it is; one that was never filled, or whose probe was retired, is not. */
function missingVantages({ vantages, verdicts }: Monitor): string {
  if (verdicts.length >= vantages) return 'not all vantages are well'
  return `only ${verdicts.length} of ${vantages} vantages have a probe`
}

function tooFewVantages({ vantages, quorum, verdicts }: Monitor): string {
  if (vantages === 1) return verdicts.length === 0 ? 'the vantage has no probe' : 'the vantage is not working'
  return `fewer than ${quorum} vantages in different places are working, and ${quorum} must agree`
}

/** Facts of an incident event or of a probe's health, of whatever shape, as `name value` pairs that can be read. */
export function plainFacts(value: unknown): string[] {
  if (value === null || value === undefined || value === '') return []
  if (typeof value !== 'object') return [String(value)]
  if (Array.isArray(value)) return value.flatMap(plainFacts)
  return Object.entries(value).flatMap(([name, fact]) => {
    if (fact === null || fact === undefined || fact === '') return []
    const label = name.replace(/_(s|ms|at)$/, '').replaceAll('_', ' ')
    if (typeof fact !== 'object') return [`${label} ${factValue(name, fact)}`]
    const inner = plainFacts(fact)
    return inner.length === 0 ? [] : [`${label} ${inner.join(', ')}`]
  })
}

function factValue(name: string, fact: unknown): string {
  if (typeof fact === 'boolean') return fact ? 'yes' : 'no'
  if (typeof fact === 'number') return name.endsWith('_ms') ? `${fact} ms` : name.endsWith('_s') ? `${fact} s` : String(fact)
  return String(fact)
}
