/** What stands around the flows, and what goes wrong with it: plain data, as in ../setting.ts. */
import type { EscalationPolicy } from '../../../coordinator/core/escalation.ts'
import type { Recipient } from '../../../coordinator/store/incident-log.ts'

export type FlowSetting = {
  /** One machine a coordinator; how far its wall clock is ahead. */
  machines: { aheadMs: number }[]
  /** That a coordinator dies at one statement, before or after a commit, or with a gateway's answer on its way. */
  crashChance: number
  policy: EscalationPolicy | null
  contacts: ReadonlyMap<string, Recipient[]>
  operatorPhone: string | null
  /** Somebody who answers a page, often or never. */
  acknowledging: { chance: number; afterMs: number }
}

/** What a gateway does with a message: takes it and says so; takes it, and the answer is lost; loses it without a word; will not have it. */
export type Way = 'accepts' | 'takes_silently' | 'loses' | 'away' | 'refuses'

export type FlowTrouble = { fromMs: number; toMs: number } & (
  | { kind: 'gateway'; gateway: number; way: Way }
  | { kind: 'maintenance' }
)
