/** The service levels that every installation starts with. An operator may change them and add others. */
import { type Runtime, uuidv7 } from '../../common/runtime.ts'
import type { Database } from '../store/database.ts'
import { addMissingServiceLevels, type ServiceLevel } from '../store/service-levels.ts'

export const presetServiceLevels: readonly ServiceLevel[] = [
  { name: 'single', vantages: 1, quorum: 1, period_min_s: 300, mode: 'seed', channels: ['sms'], sms_per_day: 20 },
  { name: 'standard', vantages: 3, quorum: 2, period_min_s: 300, mode: 'seed', channels: ['sms'], sms_per_day: 50 },
  { name: 'premium', vantages: 5, quorum: 2, period_min_s: 60, mode: 'hedged', channels: ['sms'], sms_per_day: 200 },
]

/** Adds the presets that are missing by name; returns the names of those added. */
export async function ensureServiceLevels(context: { database: Database; runtime: Runtime }): Promise<string[]> {
  const levels = presetServiceLevels.map((level) => ({ id: uuidv7(context.runtime), ...level }))
  return addMissingServiceLevels(context.database.system, levels)
}
