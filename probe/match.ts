/**
 * Which trip a mail belongs to, and what it means for it. A verified token of our own, or the ENVID of a bounce, names the trip;
 * nothing else in a mail does (DESIGN 3.1). A mail is `recorded` only once the journal or the spool holds what it says.
 */
import { lateMailMsMax, serverWordsMax } from '../common/limits.ts'
import type { Logger } from '../common/log.ts'
import { type InboundMail, readReturnedMail } from '../common/mail/inbound-mail.ts'
import type { Runtime } from '../common/runtime.ts'
import type { ResultDetail } from '../common/wire/test.ts'
import type { OnMail, ReturnedMail } from './inbox.ts'
import type { Journal, PastTrip } from './journal.ts'
import { isAboutUs } from './refusal.ts'
import type { Back, TripEvent } from './round-trip.ts'
import type { Spool } from './spool.ts'
import type { Store } from './store.ts'
import { lateReturnOf } from './trip.ts'
import type { Trips } from './trips.ts'

/** What became of a mail, for the counters. */
export const mailFates = [
  'returned',
  'echo',
  'bounce',
  'delayed',
  'late',
  'duplicate',
  'auto_reply',
  'unknown_test',
  'foreign',
] as const
export type MailFate = (typeof mailFates)[number]

/** The year 2200, the end of time on the wire: a responder's clock may say anything. */
const stampMsMax = 7_258_118_400_000

/** When and how a mail came. */
type Arrived = Pick<ReturnedMail, 'receivedAtWallMs' | 'receivedAtMonotonicMs' | 'via'>

export type Arrival = { tid: string; event: TripEvent } | { tid: string | undefined; fate: 'auto_reply' | 'foreign' }

/** What a mail says, and of which test. Pure. */
export function readArrival(mail: ReturnedMail, trusted: { rootX: string; probeX: string }): Arrival {
  const inbound = readReturnedMail(mail.raw, { rootKeysX: [trusted.rootX], probeX: trusted.probeX })
  switch (inbound.kind) {
    case 'returned':
      return { tid: inbound.token.tid, event: { kind: 'returned', back: stampedBack(mail, inbound) } }
    case 'echo':
      return { tid: inbound.token.tid, event: { kind: 'echo', back: { ...arrivalOf(mail), stampAtMs: null } } }
    case 'bounce':
    case 'delayed': {
      if (inbound.tid === undefined) return { tid: undefined, fate: 'foreign' }
      const detail = reportDetail(inbound)
      if (inbound.kind === 'delayed') return { tid: inbound.tid, event: { kind: 'delayed', detail } }
      const blocked = isAboutUs(detail.dsn_status, detail.dsn_words ?? '')
      return { tid: inbound.tid, event: { kind: 'bounce', blocked, detail } }
    }
    case 'auto_reply':
      return { tid: inbound.tid, fate: 'auto_reply' }
    case 'foreign':
      return { tid: undefined, fate: 'foreign' }
  }
}

export type MatcherOptions = {
  runtime: Runtime
  store: Store
  journal: Journal
  spool: Pick<Spool, 'put'>
  trips: Pick<Trips, 'isUnderWay' | 'take'>
  trusted: { rootX: string; probeX: string }
  onFate: (fate: MailFate) => void
  onRecord: () => void
  logger: Logger
}

/** Takes mail from the inbox. Rejects where it could not be recorded, so that the inbox asks for it again. */
export function createMatcher(options: MatcherOptions): OnMail {
  const { journal, trips, trusted, onFate, logger } = options
  return async (mail) => {
    const arrival = readArrival(mail, trusted)
    if ('fate' in arrival) {
      onFate(arrival.fate)
      // An absence note about a test of ours is ours to clear away, and says nothing.
      return arrival.tid === undefined ? 'not_ours' : 'recorded'
    }
    const { tid, event } = arrival
    if (trips.isUnderWay(tid)) {
      trips.take(tid, event)
      onFate(event.kind as MailFate)
      return 'recorded'
    }
    const past = journal.past(tid)
    if (past === undefined) {
      logger.info({ test: tid, mail: event.kind }, 'a mail of a test that is not known any more')
      onFate('unknown_test')
      return 'recorded'
    }
    onFate(noteLate(options, past, event))
    return 'recorded'
  }
}

/** The first return of a test that has ended is a record of its own; it rewrites nothing. Whatever else comes is a duplicate. */
function noteLate(options: MatcherOptions, past: PastTrip, event: TripEvent): MailFate {
  const { runtime, store, journal, spool, onRecord } = options
  if (event.kind !== 'returned' || past.returned) return 'duplicate'
  const { at, stampAtMs } = event.back
  const sameBoot = past.bootId === runtime.bootId
  const rttMs = sameBoot ? at.monotonicMs - past.startedAt.monotonicMs : at.wallMs - past.startedAt.wallMs
  const { id, monitorId } = past
  store.transaction(() => {
    journal.markReturned(id)
    if (monitorId === null || rttMs > lateMailMsMax) return
    spool.put({ kind: 'late', id, body: lateReturnOf({ id, monitorId }, { returnedAtMs: at.wallMs, rttMs, stampAtMs }) })
  })
  onRecord()
  return 'late'
}

/** What came back with a responder's stamp. */
export function stampedBack(
  mail: Arrived,
  inbound: Pick<Extract<InboundMail, { kind: 'returned' }>, 'stampMs' | 'firstStampMs' | 'clockSuspect' | 'responderVersion'>,
): Back {
  const { at, detail } = arrivalOf(mail)
  const { stampMs, firstStampMs, clockSuspect, responderVersion } = inbound
  return {
    at,
    // Of a repeated delivery the first stamp is the one to compute with: the wait in between lies behind the responder.
    stampAtMs: onTheWire(firstStampMs ?? stampMs),
    detail: {
      ...detail,
      ...(onTheWire(firstStampMs ?? null) === null ? {} : { first_stamp_at: firstStampMs }),
      ...(clockSuspect ? { clock_suspect: true } : {}),
      responder_version: responderVersion.slice(0, 40),
    },
  }
}

const arrivalOf = ({ receivedAtWallMs, receivedAtMonotonicMs, via }: Arrived): Pick<Back, 'at' | 'detail'> => ({
  at: { wallMs: receivedAtWallMs, monotonicMs: receivedAtMonotonicMs },
  detail: { via },
})

const onTheWire = (stampMs: number | null): number | null =>
  stampMs !== null && Number.isInteger(stampMs) && stampMs >= 0 && stampMs <= stampMsMax ? stampMs : null

function reportDetail(report: Extract<InboundMail, { kind: 'bounce' | 'delayed' }>): ResultDetail {
  const { kind, status, diagnostic, remoteMta } = report
  const what = kind === 'bounce' ? 'could not be delivered' : 'is delayed'
  return {
    reason: `A mail server reports that the mail ${what}${remoteMta === undefined ? '' : ` (${remoteMta})`}.`.slice(
      0,
      serverWordsMax,
    ),
    ...(status === undefined ? {} : { dsn_status: status.slice(0, 20) }),
    ...(diagnostic === undefined ? {} : { dsn_words: diagnostic.slice(0, serverWordsMax) }),
  }
}
