/** Who is paged when: the steps of a policy, one after the other, in rounds, until somebody acknowledges or the incident ends. */

export type PolicyStep = { after_s: number; contact_ids: string[] }
export type EscalationPolicy = { steps: PolicyStep[]; repeat: number }
export type StepCursor = { step: number; round: number; due_ms: number }

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
export function stepAfter(policy: EscalationPolicy, cursor: StepCursor, takenMs: number): StepCursor | null {
  const following = policy.steps[cursor.step + 1]
  if (following !== undefined) return { step: cursor.step + 1, round: cursor.round, due_ms: takenMs + following.after_s * 1000 }
  const [first] = policy.steps
  if (first === undefined || cursor.round >= policy.repeat) return null
  return { step: 0, round: cursor.round + 1, due_ms: takenMs + (roundGapS + first.after_s) * 1000 }
}
