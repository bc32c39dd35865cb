/** What a simulated probe makes of a mail that comes in: probe/match.ts, for mail that needs no proof of being genuine. */
import type { Journal } from '../../probe/journal.ts'
import type { Back, TripEvent } from '../../probe/round-trip.ts'
import type { Spool } from '../../probe/spool.ts'
import type { Store } from '../../probe/store.ts'
import { lateReturnOf } from '../../probe/trip.ts'
import type { Trips } from '../../probe/trips.ts'
import type { Homecoming } from './mail.ts'

export type Receiver = {
  trips: Trips
  store: Pick<Store, 'transaction'>
  journal: Journal
  spool: Pick<Spool, 'put'>
  recorded: () => void
}

export function receive(receiver: Receiver, id: string, kind: Homecoming['kind'], back: Back): void {
  const { trips, store, journal, spool, recorded } = receiver
  if (trips.isUnderWay(id)) {
    const event: TripEvent = kind === 'bounce' ? { kind, blocked: false, detail: {} } : { kind, back }
    trips.take(id, event)
    return
  }
  const past = journal.past(id)
  if (past === undefined || past.returned || kind !== 'returned') return
  const { monitorId, startedAt } = past
  store.transaction(() => {
    journal.markReturned(id)
    if (monitorId === null) return
    const late = { returnedAtMs: back.at.wallMs, rttMs: back.at.wallMs - startedAt.wallMs, stampAtMs: back.stampAtMs }
    spool.put({ kind: 'late', id, body: lateReturnOf({ id, monitorId }, late) })
  })
  recorded()
}
