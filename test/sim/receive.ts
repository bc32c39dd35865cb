/** What a simulated probe makes of a mail that comes in: probe/match.ts, for mail that needs no proof of being genuine. */
import type { Journal } from '../../probe/journal.ts'
import type { Instant } from '../../probe/round-trip.ts'
import type { Spool } from '../../probe/spool.ts'
import type { Store } from '../../probe/store.ts'
import { lateReturnOf } from '../../probe/trip.ts'
import type { Trips } from '../../probe/trips.ts'
import { arrivalOf, type Homecoming } from './mail.ts'

export type Receiver = {
  trips: Trips
  store: Pick<Store, 'transaction'>
  journal: Journal
  spool: Pick<Spool, 'put'>
  recorded: () => void
}

export function receive(receiver: Receiver, id: string, home: Homecoming, at: Instant): void {
  const { trips, store, journal, spool, recorded } = receiver
  const event = arrivalOf(home, at)
  if (trips.isUnderWay(id)) {
    trips.take(id, event)
    return
  }
  const past = journal.past(id)
  if (past === undefined || past.returned || event.kind !== 'returned') return
  const { back } = event
  const { monitorId, startedAt } = past
  store.transaction(() => {
    journal.markReturned(id)
    if (monitorId === null) return
    const late = { returnedAtMs: back.at.wallMs, rttMs: back.at.wallMs - startedAt.wallMs, stampAtMs: back.stampAtMs }
    spool.put({ kind: 'late', id, body: lateReturnOf({ id, monitorId }, late) })
  })
  recorded()
}
