/** What a monitor may be: the defaults, what its settings must be among themselves, and what the contract grants. */
import type { Target } from '../../common/wire/test.ts'
import type { Mode } from '../core/judgement.ts'
import type { MonitorSettings } from '../store/monitors.ts'
import type { ServiceLevel } from '../store/service-levels.ts'
import type { FieldFault } from './problem.ts'

export type MonitorRequest = Partial<MonitorSettings> & Pick<MonitorSettings, 'name' | 'kind' | 'target'>

/** DESIGN 1: what holds where the request says nothing. */
const periodDefaultS = 1200
const openPeriodDefaultS = 300
const timingDefaults = { timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180 }

/** From the lightest on probes and mail systems to the heaviest; a level grants its own mode and the lighter ones. */
const modes: readonly Mode[] = ['seed', 'fast', 'hedged']

export const modesGranted = (level: Pick<ServiceLevel, 'mode'>): Mode[] => modes.slice(0, modes.indexOf(level.mode) + 1)

export function completeMonitor(request: MonitorRequest, level: ServiceLevel): MonitorSettings {
  const period_s = request.period_s ?? Math.max(periodDefaultS, level.period_min_s)
  const vantages = request.vantages ?? level.vantages
  return {
    ...timingDefaults,
    open_period_s: Math.min(openPeriodDefaultS, period_s),
    quorum: vantages === 1 ? 1 : Math.min(Math.max(2, level.quorum), vantages),
    mode: vantages === 1 ? 'seed' : level.mode,
    accept_echo: false,
    escalation_policy_id: null,
    ...request,
    period_s,
    vantages,
  }
}

/** The settings that contradict each other. */
export function contradictions(monitor: MonitorSettings): FieldFault[] {
  const faults: FieldFault[] = []
  const fault = (field: string, message: string) => faults.push({ field, message })
  if (monitor.slow_s >= monitor.timeout_s)
    fault('slow_s', `must be less than timeout_s (${monitor.timeout_s}): a mail is slow before it counts as lost`)
  if (monitor.open_period_s > monitor.period_s)
    fault('open_period_s', `must be at most period_s (${monitor.period_s}): an open incident is never tested more slowly`)
  if (monitor.quorum > monitor.vantages)
    fault('quorum', `must be at most vantages (${monitor.vantages}): more than all cannot agree`)
  if (monitor.vantages >= 2 && monitor.quorum < 2)
    fault('quorum', 'must be at least 2 where there are several vantages: one witness alone wakes nobody')
  if (monitor.vantages === 1 && monitor.mode !== 'seed')
    fault('mode', 'must be seed where there is one vantage: only its own second test can confirm the first')
  const address = addressFault(monitor.target.address)
  if (address !== undefined) fault('target.address', address)
  return faults
}

/** The settings that the contract does not grant. */
export function beyondLevel(monitor: MonitorSettings, level: ServiceLevel): FieldFault[] {
  const faults: FieldFault[] = []
  const fault = (field: string, message: string) =>
    faults.push({ field, message: `${message} by the service level ${level.name}` })
  if (monitor.period_s < level.period_min_s) fault('period_s', `must be at least ${level.period_min_s}`)
  if (monitor.vantages > level.vantages) fault('vantages', `may be at most ${level.vantages}`)
  const granted = modesGranted(level)
  if (!granted.includes(monitor.mode)) fault('mode', `may be ${granted.join(' or ')}`)
  return faults
}

/** RFC 5321 §4.5.3.1: 64 octets before the @; RFC 1035 §2.3.4: labels of 1 to 63. The schema has checked the characters. */
function addressFault(address: string): string | undefined {
  const [local = '', domain = ''] = address.split('@')
  if (local.length > 64) return 'may have 64 characters before the @'
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..'))
    return 'has a dot at an end of the part before the @, or two in a row'
  if (!domain.split('.').every((label) => /^(?!-)[A-Za-z0-9-]{1,63}(?<!-)$/.test(label)))
    return 'has a domain that is no name: labels of letters, digits and hyphens, parted by dots'
  return undefined
}

/** What a probe is told of the monitor: a change of it makes a new generation of assignments. */
const probeMustKnow = [
  'kind',
  'target',
  'period_s',
  'timeout_s',
  'slow_s',
  'retest_wait_s',
  'hard_confirm_s',
  'open_period_s',
  'vantages',
  'accept_echo',
] as const satisfies (keyof MonitorSettings)[]

export const needsReassignment = (before: MonitorSettings, after: MonitorSettings): boolean =>
  probeMustKnow.some((field) => canonical(before[field]) !== canonical(after[field]))

/** Mail goes elsewhere: to another address, or by another server than before. How it is encrypted does not matter. */
export function goesElsewhere(before: Target, after: Target): boolean {
  const destination = ({ address, host, port }: Target) => {
    const [local, domain = ''] = address.split('@')
    return JSON.stringify([local, domain.toLowerCase(), host?.toLowerCase() ?? null, port ?? smtpPort])
  }
  return destination(before) !== destination(after)
}

const smtpPort = 25

/** jsonb gives the members of a target in an order of its own. */
const canonical = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(Object.entries(value).sort()) : JSON.stringify(value)
