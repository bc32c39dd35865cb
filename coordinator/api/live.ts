/**
 * What has changed, told to the dashboards as it happens.
 *
 *   notification ─► gathered for 100 ms ─► read once for each audience, with its rights ─► every stream of that audience
 *
 * A stream that cannot be kept complete is ended instead: its reader comes back and loads everything.
 */
import { errorMessage } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Runtime } from '../../common/runtime.ts'
import type { Channels } from '../store/announce.ts'
import type { Sql } from '../store/connection.ts'
import type { Database } from '../store/database.ts'
import type { Whose } from '../store/paging.ts'

export type Notice = Channels['live']
export type LiveKind = Notice['kind']

/** Reads the named resources as the API shows them, as far as the audience may see them. */
export type LiveReader = (sql: Sql, whose: Whose, notices: Notice[]) => Promise<unknown[]>

export type LiveStream = {
  send(event: LiveKind, data: string): void
  end(): void
}

export type LiveHub = {
  /** `whose`: one customer's changes, or all of them (operator). Returns how to leave; undefined where there are too many. */
  join(whose: Whose, stream: LiveStream): (() => void) | undefined
  close(): Promise<void>
}

/** Long enough to gather what one batch of results says of one monitor. */
const gatherMs = 100
/** Results beyond this are left out: charts load them anyway. Everything else is kept, or the streams are ended. */
const pendingResultsMax = 500
const pendingMax = 2_000
const streamsMax = 500

const kinds: readonly LiveKind[] = ['result', 'monitor', 'incident', 'page', 'probe']

type Audience = { whose: Whose; streams: Set<LiveStream>; pending: Map<string, Notice> }

export async function startLive(
  context: { database: Database; runtime: Runtime; logger: Logger },
  readers: Record<LiveKind, LiveReader>,
): Promise<LiveHub> {
  const { database, runtime, logger } = context
  const audiences = new Map<Whose, Audience>()
  let streamCount = 0
  let cancelFlush: (() => void) | undefined
  let closed = false

  const endAll = (audience: Audience) => {
    audience.pending.clear()
    for (const stream of [...audience.streams]) stream.end()
  }
  const gather = (notice: Notice) => {
    for (const audience of audiences.values()) {
      if (!concerns(audience.whose, notice)) continue
      const key = `${notice.kind} ${notice.id}`
      const full = notice.kind === 'result' ? pendingResultsMax : pendingMax
      if (audience.pending.size >= full && !audience.pending.has(key)) {
        if (notice.kind !== 'result') endAll(audience)
        continue
      }
      audience.pending.set(key, notice)
    }
    cancelFlush ??= runtime.setTimer(gatherMs, () => void flush())
  }
  const flush = async () => {
    await Promise.all([...audiences.values()].map((audience) => flushAudience(audience)))
    cancelFlush = undefined
    if (!closed && [...audiences.values()].some((audience) => audience.pending.size > 0))
      cancelFlush = runtime.setTimer(gatherMs, () => void flush())
  }
  const flushAudience = async (audience: Audience) => {
    const notices = [...audience.pending.values()]
    audience.pending.clear()
    const byKind = Map.groupBy(notices, (notice) => notice.kind)
    try {
      for (const [kind, ofKind] of byKind) {
        const resources = await readAs(database, audience.whose, (sql) => readers[kind](sql, audience.whose, ofKind))
        for (const resource of resources) {
          const data = JSON.stringify(resource)
          for (const stream of [...audience.streams]) stream.send(kind, data)
        }
      }
    } catch (error) {
      logger.warn({ reason: errorMessage(error) }, 'live changes could not be read; the streams are ended')
      endAll(audience)
    }
  }

  let listening = false
  const unlisten = await database.listen(
    'live',
    (payload) => {
      const notice = readNotice(payload)
      if (notice !== undefined && audiences.size > 0) gather(notice)
    },
    () => {
      // What was said while the connection was down is lost.
      if (listening) for (const audience of [...audiences.values()]) endAll(audience)
      listening = true
    },
  )

  return {
    join(whose, stream) {
      if (closed || streamCount >= streamsMax) return undefined
      const audience = audiences.get(whose) ?? { whose, streams: new Set(), pending: new Map() }
      audiences.set(whose, audience)
      audience.streams.add(stream)
      streamCount += 1
      return () => {
        if (!audience.streams.delete(stream)) return
        streamCount -= 1
        if (audience.streams.size === 0 && audiences.get(whose) === audience) audiences.delete(whose)
      }
    },
    async close() {
      closed = true
      cancelFlush?.()
      for (const audience of [...audiences.values()]) endAll(audience)
      await unlisten()
    },
  }
}

/** Probes are the operator's; everything else also belongs to its customer. */
const concerns = (whose: Whose, notice: Notice): boolean => whose === null || notice.customer_id === whose

const readAs = <T>(database: Database, whose: Whose, work: (sql: Sql) => Promise<T>): Promise<T> =>
  whose === null ? work(database.system) : database.asCustomer(whose, work)

/** Undefined for what a newer coordinator on the same database may say. */
function readNotice(payload: string): Notice | undefined {
  try {
    const notice = JSON.parse(payload) as Partial<Notice>
    return kinds.some((kind) => kind === notice.kind) && typeof notice.id === 'string' ? (notice as Notice) : undefined
  } catch {
    return undefined
  }
}
