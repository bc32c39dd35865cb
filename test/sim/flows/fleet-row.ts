/** The fleet in memory: coordinator/store/fleet.ts, retold. */
import type { BlindSpell } from '../../../coordinator/core/blind-spell.ts'
import type { Transaction } from '../../../coordinator/flow/store.ts'
import type { Ongoing } from './rows.ts'
import type { MemoryStore } from './store.ts'

export type StoredFleet = { since_ms: number | null; seen_ms: number | null; watched: number; blind_spell: BlindSpell | null }

export const quietFleet: StoredFleet = { since_ms: null, seen_ms: null, watched: 0, blind_spell: null }

/** The table has one row. */
export const theFleet = 'fleet'

type FleetOperations = Pick<Transaction, 'lockFleet' | 'saveFleetGuard' | 'lockBlindSpell' | 'saveBlindSpell'>

export function fleetOperations(store: MemoryStore, tx: Ongoing): FleetOperations {
  const { fleet, incidents, monitors } = store
  return {
    lockFleet: async (windowMs) => {
      await tx.lock(fleet, theFleet)
      const { since_ms, seen_ms, watched } = tx.read(fleet, theFleet) ?? quietFleet
      const fresh = tx
        .all(incidents)
        .filter(
          ({ down_at, opened_at, resolved_at }) =>
            down_at !== null && down_at > tx.startedMs - windowMs && (resolved_at === null || resolved_at === opened_at),
        )
      const domains = new Set(fresh.map(({ monitor_id }) => tx.read(monitors, monitor_id)?.target_domain))
      return { guard: { since_ms, seen_ms }, fleet: { failing: domains.size, watched } }
    },
    saveFleetGuard: async ({ since_ms, seen_ms }) => {
      await tx.update(
        fleet,
        theFleet,
        () => true,
        (row) => ({ ...row, since_ms, seen_ms }),
      )
    },
    lockBlindSpell: async () => {
      await tx.lock(fleet, theFleet)
      const unjudged = tx
        .all(incidents)
        .filter(({ kind, resolved_at, held }) => kind === 'unconfirmed' && resolved_at === null && !held).length
      return { spell: tx.read(fleet, theFleet)?.blind_spell ?? null, unjudged }
    },
    saveBlindSpell: async (blind_spell) => {
      await tx.update(
        fleet,
        theFleet,
        () => true,
        (row) => ({ ...row, blind_spell }),
      )
    },
  }
}
