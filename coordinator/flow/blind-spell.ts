/** Pages to the operator about monitors that nobody can judge: one by one, or where they are many of all together. */
import { isSpellOver, tellUnjudged } from '../core/blind-spell.ts'
import { blindOverText, blindText, unconfirmedText } from '../core/sms-text.ts'
import type { IncidentRow } from '../store/incident-log.ts'
import type { FlowContext } from './context.ts'
import { factsOf, logIncidentEvent, pageOperator, pageWhoHeard } from './page.ts'
import type { Transaction } from './store.ts'

/** The incident is unconfirmed, and nothing holds its page. */
export async function pageUnjudged(context: FlowContext, tx: Transaction, incident: IncidentRow, nowMs: number): Promise<void> {
  const { spell, unjudged } = await tx.lockBlindSpell()
  const { spell: next, telling } = tellUnjudged(spell, unjudged, incident, nowMs)
  if (next !== null && next !== spell) await tx.saveBlindSpell(next)
  if (telling === 'alone' || next === null) {
    const text = unconfirmedText(factsOf(incident, incident.vantages))
    return await pageOperator(context, tx, incident, nowMs, { kind: 'unconfirmed', text })
  }
  const { customer_id, incident_id, code, round } = next
  if (incident.id !== incident_id)
    await logIncidentEvent(context, tx, incident, nowMs, 'page_suppressed_by_blind_spell', { code, unjudged })
  if (telling === 'not') return
  context.logger.error({ unjudged, code }, 'many monitors cannot be judged: the operator is told of them as one')
  const first = { customer_id, id: incident_id, code }
  await pageOperator(context, tx, first, nowMs, { kind: 'blind', text: blindText(unjudged, code), round })
}

/** Asked where an unconfirmed incident has ended, or has found its quorum: whoever heard of the spell hears of its end. */
export async function endBlindSpell(context: FlowContext, tx: Transaction, nowMs: number): Promise<void> {
  const { spell, unjudged } = await tx.lockBlindSpell()
  if (spell === null || !isSpellOver(unjudged)) return
  await tx.saveBlindSpell(null)
  context.logger.info({ unjudged, code: spell.code }, 'enough monitors can be judged again')
  const { customer_id, incident_id: id } = spell
  await pageWhoHeard(context, tx, { customer_id, id }, 'blind', nowMs, {
    kind: 'blind_resolved',
    text: blindOverText({ ...spell, over_ms: nowMs, unjudged }),
  })
  await tx.announce('pages')
}
