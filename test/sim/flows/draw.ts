/** What stands around the flows, drawn from a seed. */
import { hourMs, minuteMs, secondMs } from '../../../common/durations.ts'
import type { PolicyStep } from '../../../coordinator/core/escalation.ts'
import type { Random } from '../random.ts'
import type { FlowSetting, FlowTrouble, Way } from './setting.ts'

export const operatorPhone = '+61400000000'
const recipient = (name: string, number: number) => ({
  contact_method_id: `method-${name}`,
  address: `+6140000000${number}`,
  contact_name: name,
})

export function drawFlowSetting(random: Random): FlowSetting {
  const steps: PolicyStep[] = [
    { after_s: 0, contact_ids: ['alice'] },
    { after_s: random.pick([120, 300, 900]), contact_ids: random.pick([['bob'], ['alice', 'bob']]) },
  ]
  return {
    machines: Array.from({ length: random.pick([1, 2, 2, 3]) }, () => ({
      aheadMs: Math.round(random.chance(0.8) ? random.between(-50, 50) : random.between(-60, 60) * secondMs),
    })),
    crashChance: random.pick([0, 1 / 20_000, 1 / 5000, 1 / 500]),
    policy: random.chance(0.03) ? null : { steps, repeat: random.pick([0, 1, 2]) },
    contacts: new Map([
      ['alice', [recipient('alice', 1)]],
      ['bob', random.chance(0.1) ? [] : [recipient('bob', 2)]],
    ]),
    operatorPhone: random.chance(0.9) ? operatorPhone : null,
    acknowledging: { chance: random.pick([0, 0, 0.3, 1]), afterMs: 5 * minuteMs },
  }
}

/** In a stretch that begins at `atMs`: gateways that falter, maintenance, or neither. */
export function drawFlowTroubles(random: Random, atMs: number): FlowTrouble[] {
  const troubles: FlowTrouble[] = []
  const spanning = (low: number, high: number) => {
    const fromMs = Math.round(atMs + random.between(-0.2, 1.5) * hourMs)
    return { fromMs, toMs: Math.round(fromMs + random.spread(low, high)) }
  }
  // The way to both may be cut at once, and a window may begin while pages wait for it.
  if (random.chance(0.1)) {
    const way = random.pick<Way>(['away', 'away', 'takes_silently', 'loses'])
    const { fromMs, toMs } = spanning(minuteMs, 3 * hourMs)
    for (const gateway of [0, 1]) troubles.push({ kind: 'gateway', gateway, way, fromMs, toMs })
    const beginsMs = Math.round(random.between(fromMs, toMs))
    if (random.chance(0.5)) troubles.push({ kind: 'maintenance', fromMs: beginsMs, toMs: beginsMs + 2 * hourMs })
  }
  // The second refuses at most what the first does not: a number that both refuse is nobody's phone.
  for (const gateway of [0, 1]) {
    if (!random.chance(gateway === 0 ? 0.3 : 0.15)) continue
    const ways: Way[] = gateway === 0 ? ['away', 'takes_silently', 'loses', 'refuses'] : ['away', 'takes_silently', 'loses']
    troubles.push({ kind: 'gateway', gateway, way: random.pick(ways), ...spanning(10 * secondMs, 2 * hourMs) })
  }
  if (random.chance(0.15)) troubles.push({ kind: 'maintenance', ...spanning(10 * minuteMs, 4 * hourMs) })
  return troubles
}
