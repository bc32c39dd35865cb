/**
 * Where many monitors cannot be judged at once, the fault is one: a coordinator that is cut off from its probes, references that are out. The
 * operator is told of the first few one by one, then once of all of them, and once more when only a few are left. Each is in its incident's log.
 */

/** Its pages, and its all-clear, are those of the incident that began it, and bear its code. */
export type BlindSpell = {
  customer_id: string
  incident_id: string
  code: string
  since_ms: number
  /** When the operator was told of it last, and how often before that. */
  told_ms: number
  round: number
}

/** How the operator hears of a monitor that cannot be judged: by a page of its own, by one for all, or by none. */
export type Telling = 'alone' | 'together' | 'not'

/** So many monitors that cannot be judged are told of one by one. */
const fewMax = 4
/** What joins later than this after the last word is told of once more: a spell that lasts must not hide what comes. */
const tellAgainMs = 60 * 60_000

/** Asked as the page of an unconfirmed incident is due. `unjudged`: how many such incidents are open, with this one, that maintenance does not hold. */
export function tellUnjudged(
  spell: BlindSpell | null,
  unjudged: number,
  incident: { customer_id: string; id: string; code: string },
  nowMs: number,
): { spell: BlindSpell | null; telling: Telling } {
  if (unjudged <= fewMax) return { spell, telling: 'alone' }
  if (spell === null) {
    const { customer_id, id: incident_id, code } = incident
    return { spell: { customer_id, incident_id, code, since_ms: nowMs, told_ms: nowMs, round: 0 }, telling: 'together' }
  }
  if (nowMs < spell.told_ms + tellAgainMs) return { spell, telling: 'not' }
  return { spell: { ...spell, told_ms: nowMs, round: spell.round + 1 }, telling: 'together' }
}

/** Asked as a monitor can be judged again, or is watched no longer. Those few that are left are told of in the all-clear. */
export const isSpellOver = (unjudged: number): boolean => unjudged <= fewMax
