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

/** The promise, as one sentence. */
export function boundSentence(monitor: Monitor): string | null {
  if (monitor.detection_bound_s === null) return null
  return `An outage is reported by SMS within ${seconds(monitor.detection_bound_s)}, counted from its first second.`
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
