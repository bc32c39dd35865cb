/** What the policy asks for: who is told when, and when an incident's escalation begins and ends. */
import { type EscalationPolicy, roundGapS } from '../../../coordinator/core/escalation.ts'
import type { FlowSetting } from './setting.ts'
import type { ToldEvent, ToldIncident } from './told.ts'

export type DueStep = { step: number; round: number; after_ms: number; wait_ms: number; contact_ids: string[] }

/** The steps in their order, each with the least time since the start and its wait after the one before it. */
export function scheduleOf({ steps, repeat }: EscalationPolicy): DueStep[] {
  const due: DueStep[] = []
  let after_ms = 0
  for (let round = 0; round <= repeat; round++) {
    for (const [step, { after_s, contact_ids }] of steps.entries()) {
      const wait_ms = (after_s + (step === 0 && round > 0 ? roundGapS : 0)) * 1000
      after_ms += wait_ms
      due.push({ step, round, after_ms, wait_ms, contact_ids })
    }
  }
  return due
}

/** The phones of these contacts; `operator` is one of them in the log. */
export const phonesOf = ({ contacts, operatorPhone }: FlowSetting, names: readonly string[]): string[] =>
  names.flatMap((name) =>
    name === 'operator' ? (operatorPhone ?? []) : (contacts.get(name)?.map(({ address }) => address) ?? []),
  )

export const firstPhones = (setting: FlowSetting): string[] => phonesOf(setting, setting.policy?.steps[0]?.contact_ids ?? [])

const ends = new Set(['resolved', 'resolved_by_hand', 'monitor_deleted', 'target_changed'])
export const isEnd = ({ type }: ToldEvent): boolean => ends.has(type)
export const endOf = ({ events }: ToldIncident): ToldEvent | undefined => events.find(isEnd)

/** From the decision that the customer's mail is down, or nothing where there was none. */
export function storyOf({ events }: ToldIncident): ToldEvent[] {
  const start = events.findIndex(({ type, detail }) => type === 'confirmed' || (type === 'opened' && detail.kind === 'down'))
  return start < 0 ? [] : events.slice(start)
}

/** When the escalation has to stop: somebody looks after it, or it is over. */
export const stopMs = (story: readonly ToldEvent[]): number =>
  story.find((event) => isEnd(event) || event.type === 'acknowledged')?.at_ms ?? Number.POSITIVE_INFINITY
