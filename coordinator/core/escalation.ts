/** Who is paged when: the steps of a policy, one after the other, in rounds, until somebody acknowledges or the incident ends. */

export type PolicyStep = { after_s: number; contact_ids: string[] }
export type EscalationPolicy = { steps: PolicyStep[]; repeat: number }
export type StepCursor = { step: number; round: number; due_ms: number }

/** The last step of an incident that told somebody. */
export type TakenStep = Pick<StepCursor, 'step' | 'round'> & { taken_ms: number }

/** Between the last step of a round and the first of the next, on top of the first step's own wait. */
export const roundGapS = 15 * 60

/** The first step of an incident opened at `openedMs`, or null where the policy has none. */
export function firstStep(policy: EscalationPolicy, openedMs: number): StepCursor | null {
  const [first] = policy.steps
  return first === undefined ? null : { step: 0, round: 0, due_ms: openedMs + first.after_s * 1000 }
}

/**
 * The step after the one taken at `takenMs`, or null when the policy is exhausted. Each wait counts from the step before it, so a
 * step that was taken late (the coordinator was away) moves the following ones rather than firing them all at once.
 */
export function stepAfter(
  policy: EscalationPolicy,
  cursor: Pick<StepCursor, 'step' | 'round'>,
  takenMs: number,
): StepCursor | null {
  const following = policy.steps[cursor.step + 1]
  if (following !== undefined) return { step: cursor.step + 1, round: cursor.round, due_ms: takenMs + following.after_s * 1000 }
  const [first] = policy.steps
  if (first === undefined || cursor.round >= policy.repeat) return null
  return { step: 0, round: cursor.round + 1, due_ms: takenMs + (roundGapS + first.after_s) * 1000 }
}

/**
 * The steps of the policy as it stands now whose turn has been, as far as the escalation had come by another: each in the round in which
 * that was.
 */
export function passedSteps(
  { steps }: EscalationPolicy,
  last: Pick<StepCursor, 'step' | 'round'>,
): { step: number; round: number; contact_ids: string[] }[] {
  return steps.flatMap(({ contact_ids }, step) => {
    const round = step <= last.step ? last.round : last.round - 1
    return round < 0 ? [] : [{ step, round, contact_ids }]
  })
}
