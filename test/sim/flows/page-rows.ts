/** Pages in memory: coordinator/store/outbox.ts, retold. */
import { noticeWindowMs } from '../../../coordinator/core/flapping.ts'
import type { Transaction } from '../../../coordinator/flow/store.ts'
import type { ClaimedPage, PageKind } from '../../../coordinator/store/outbox.ts'
import { theFleet } from './fleet-row.ts'
import type { Ongoing } from './rows.ts'
import type { MemoryStore, StoredIncident, StoredPage } from './store.ts'

type PageOperations = Pick<
  Transaction,
  | 'insertPage'
  | 'readInformed'
  | 'cancelPendingPages'
  | 'cancelUnheardPages'
  | 'claimDuePages'
  | 'acceptPage'
  | 'postponePage'
  | 'failPage'
  | 'cancelPage'
>

const cancelled = (row: StoredPage): StoredPage => ({ ...row, state: 'cancelled' })
const released = { claimed_by: null, claimed_until: null }

export function pageOperations(store: MemoryStore, tx: Ongoing): PageOperations {
  const { pages, pageKeys, incidents, heartbeats, fleet } = store
  const ofIncident = (incidentId: string) => tx.all(pages).filter(({ incident_id }) => incident_id === incidentId)
  /** Only the holder of the claim may say what became of the page. */
  const settle = (page: ClaimedPage, coordinatorId: string, change: (row: StoredPage) => Partial<StoredPage>) =>
    tx.update(
      pages,
      page.id,
      ({ state, claimed_by }) => state === 'sending' && claimed_by === coordinatorId,
      (row) => ({ ...row, ...released, ...change(row) }),
    )
  return {
    insertPage: async (page) => {
      // Who inserts the same page at the same time waits, as for a row.
      const key = [page.incident_id, page.kind, page.step, page.round, page.recipient].join(' ')
      await tx.lock(pageKeys, key)
      if (tx.read(pageKeys, key) !== undefined) return false
      tx.write(pageKeys, key, page.id)
      const untouched = { attempts: 0, doubts: 0, gateway: null, last_error: null, created_at: tx.startedMs, ...released }
      tx.write(pages, page.id, { ...page, ...untouched, state: 'pending' })
      return true
    },
    readInformed: async (_customerId, incidentId, kind) => {
      const told = ofIncident(incidentId).filter(
        (page) => page.kind === kind && (page.state === 'accepted' || page.state === 'sending' || page.doubts > 0),
      )
      const whom = Map.groupBy(told, ({ recipient, address }) => `${recipient} ${address}`)
      return [...whom.values()]
        .flatMap((pages) =>
          pages.slice(0, 1).map(({ recipient, contact_method_id, address }) => ({
            ...{ recipient, contact_method_id, address },
            being_told: pages.some(({ state }) => state === 'sending'),
          })),
        )
        .sort((a, b) => (a.recipient < b.recipient ? -1 : 1))
    },
    cancelPendingPages: async (_customerId, incidentId) => {
      const ids: string[] = []
      for (const { id } of ofIncident(incidentId)) {
        const isPending = ({ state, kind }: StoredPage) => state === 'pending' && kind !== 'blind' && kind !== 'blind_resolved'
        if (await tx.update(pages, id, isPending, cancelled)) ids.push(id)
      }
      return ids
    },
    cancelUnheardPages: async (_customerId, incidentId) => {
      const ids: string[] = []
      for (const { id } of ofIncident(incidentId)) {
        const isUnheard = ({ state, kind, doubts }: StoredPage) =>
          state === 'pending' && (kind === 'down' || kind === 'unconfirmed') && doubts === 0
        if (await tx.update(pages, id, isUnheard, cancelled)) ids.push(id)
      }
      return ids
    },
    claimDuePages: async (coordinatorId, limit, leaseMs, inHand) => {
      const nowMs = tx.startedMs
      const isClaimable = ({ id, state, due_at, claimed_until, claimed_by }: StoredPage): boolean => {
        if ((state !== 'pending' && state !== 'sending') || due_at > nowMs) return false
        if (state === 'pending' || (claimed_until ?? 0) < nowMs) return true
        if (claimed_by === coordinatorId) return !inHand.includes(id)
        return claimed_by !== null && heartbeats.isGone(claimed_by, nowMs)
      }
      const due = tx
        .all(pages)
        .filter(isClaimable)
        .sort((a, b) => a.due_at - b.due_at)
      const taken: StoredPage[] = []
      for (const page of due) if (taken.length < limit && tx.tryLock(pages, page.id)) taken.push(page)
      return taken.map((page): ClaimedPage => {
        const claimed: StoredPage = {
          ...page,
          doubts: page.doubts + (page.state === 'sending' ? 1 : 0),
          state: 'sending',
          attempts: page.attempts + 1,
          claimed_by: coordinatorId,
          claimed_until: nowMs + leaseMs,
        }
        tx.write(pages, page.id, claimed)
        const tellsOfNow = page.kind === 'down' || page.kind === 'unconfirmed'
        const incident = tx.read(incidents, page.incident_id)
        const isOver = incident?.resolved_at != null
        const isAcknowledged = incident?.acknowledged_at != null
        if (page.kind === 'blind') {
          const lasts = tx.read(fleet, theFleet)?.blind_spell?.incident_id === page.incident_id
          return { ...claimed, outdated: !lasts, awaited: lasts }
        }
        const isUnwanted = isOver || (isAcknowledged && claimed.doubts === 0)
        return { ...claimed, outdated: tellsOfNow && isUnwanted, awaited: tellsOfNow && !isOver && !isAcknowledged }
      })
    },
    acceptPage: (page, coordinatorId, { gateway, text }) =>
      settle(page, coordinatorId, () => ({ state: 'accepted', gateway, text, last_error: null })),
    postponePage: async (page, coordinatorId, { delayMs, error, inDoubt }) => {
      await settle(page, coordinatorId, (row) => ({
        state: 'pending',
        due_at: tx.startedMs + delayMs,
        last_error: error,
        doubts: row.doubts + (inDoubt ? 1 : 0),
      }))
    },
    failPage: async (page, coordinatorId, error) => {
      await settle(page, coordinatorId, () => ({ state: 'failed', last_error: error }))
    },
    cancelPage: async (page, coordinatorId) => {
      await settle(page, coordinatorId, () => ({ state: 'cancelled' }))
    },
  }
}

const noticeKinds: readonly PageKind[] = ['down', 'resolved', 'past']

const reaches = (state: StoredPage['state']): boolean => state !== 'cancelled' && state !== 'failed'

/** Whether a page to the customer is written for this incident: taken, or on its way. */
export const isTold = ({ pages }: MemoryStore, tx: Ongoing, incidentId: string | null): boolean =>
  tx.all(pages).some(({ kind, state, incident_id }) => kind === 'down' && incident_id === incidentId && reaches(state))

/** When the customer was told of something new about the monitor, newest first. */
export function noticesOf({ pages, incidents }: MemoryStore, tx: Ongoing, monitorId: string): number[] {
  const isOfMonitor = (incident: StoredIncident | undefined) => incident?.monitor_id === monitorId && !incident.closed
  const counts = ({ kind, state, incident_id }: StoredPage): boolean =>
    noticeKinds.includes(kind) && reaches(state) && isOfMonitor(tx.read(incidents, incident_id))
  const told = Map.groupBy(tx.all(pages).filter(counts), ({ incident_id, kind }) => `${incident_id} ${kind}`)
  return Array.from(told.values(), (same) => Math.min(...same.map(({ created_at }) => created_at)))
    .filter((atMs) => atMs > tx.startedMs - noticeWindowMs)
    .sort((a, b) => b - a)
}
