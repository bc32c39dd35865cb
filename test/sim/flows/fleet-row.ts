/** The fleet in memory: coordinator/store/fleet.ts, retold. */
import type { Transaction } from '../../../coordinator/flow/store.ts'
import type { Ongoing } from './rows.ts'
import type { MemoryStore } from './store.ts'

export type StoredFleet = { since_ms: number | null; seen_ms: number | null; watched: number }

/** The table has one row. */
export const theFleet = 'fleet'

export function fleetOperations(store: MemoryStore, tx: Ongoing): Pick<Transaction, 'lockFleet' | 'saveFleetGuard'> {
  const { fleet, incidents, monitors } = store
  return {
    lockFleet: async (windowMs) => {
      await tx.lock(fleet, theFleet)
      const { watched = 0, ...guard } = tx.read(fleet, theFleet) ?? { since_ms: null, seen_ms: null }
      const fresh = tx
        .all(incidents)
        .filter(
          ({ down_at, opened_at, resolved_at }) =>
            down_at !== null && down_at > tx.startedMs - windowMs && (resolved_at === null || resolved_at === opened_at),
        )
      const domains = new Set(fresh.map(({ monitor_id }) => tx.read(monitors, monitor_id)?.target_domain))
      return { guard, fleet: { failing: domains.size, watched } }
    },
    saveFleetGuard: async ({ since_ms, seen_ms }) => {
      await tx.update(
        fleet,
        theFleet,
        () => true,
        (row) => ({ ...row, since_ms, seen_ms }),
      )
    },
  }
}
