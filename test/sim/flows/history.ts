/** What the oracle of the flows judges by, and what it finds. */
import type { MaintenanceWindow } from '../../../coordinator/core/maintenance.ts'
import type { Span } from '../oracle.ts'
import type { Attempt, Taken } from './gateways.ts'
import type { FlowSetting } from './setting.ts'
import type { ToldIncident } from './told.ts'

export type FlowHistory = {
  setting: FlowSetting
  incidents: readonly ToldIncident[]
  taken: readonly Taken[]
  attempts: readonly Attempt[]
  windows: readonly MaintenanceWindow[]
  /** How long after maintenance nobody is woken by what began in it. */
  lookMs: number
  /** When nobody's mail came through. */
  outageSpans: readonly Span[]
  /** When at least one coordinator was there. */
  upSpans: readonly Span[]
  /** When no gateway accepted. */
  deafSpans: readonly Span[]
  crashesMs: readonly number[]
  /** All that was to be done had its time. */
  rested: boolean
}

export type FlowViolation = {
  kind: /** A message that names no incident, one that no decision stands behind, one to a phone whose affair it is not, and one unread. */
    | 'unknown_incident'
    | 'false_page'
    | 'unknown_text'
    | 'duplicate_page'
    | 'groundless_mark'
    | 'in_maintenance'
    /** Steps against the policy. */
    | 'late_step'
    | 'skipped_step'
    | 'early_step'
    | 'step_after_end'
    | 'step_while_back'
    | 'after_acknowledged'
    /** Written and due, and taken late or never; nobody told, without a reason or with one that does not hold. */
    | 'late_page'
    | 'lost_page'
    | 'untold'
    | 'groundless_silence'
    | 'no_all_clear'
    | 'groundless_all_clear'
    | 'after_all_clear'
    /** A line of the log that tells of nothing new. */
    | 'groundless_line'
  atMs: number
  what: string
}
