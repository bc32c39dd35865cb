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
import type { LiveKind } from '../store/announce.ts'
import type { Sql } from '../store/connection.ts'
import type { Database } from '../store/database.ts'
import type { Whose } from '../store/paging.ts'

export type { LiveKind }
/** One thing that has changed; of a result also its monitor. */
export type Notice = { kind: LiveKind; customer_id: string | null; id: string; monitor_id?: string }

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
type LiveContext = { database: Database; runtime: Runtime; logger: Logger }

export async function startLive(context: LiveContext, readers: Record<LiveKind, LiveReader>): Promise<LiveHub> {
  const audiences = new Audiences(context, readers)
  let listening = false
  const unlisten = await context.database.listen(
    'live',
    (payload) => {
      for (const notice of readNotices(payload)) {
        audiences.gather(notice)
        // A result also makes the verdict of its vantage fresh.
        const { kind, monitor_id, customer_id } = notice
        if (kind === 'result' && monitor_id !== undefined)
          audiences.gather({ kind: 'monitor', id: monitor_id, customer_id }, 'if there is room')
      }
    },
    () => {
      // What was said while the connection was down is lost.
      if (listening) audiences.endAll()
      listening = true
    },
  )
  return {
    join: (whose, stream) => audiences.join(whose, stream),
    async close() {
      audiences.close()
      await unlisten()
    },
  }
}

class Audiences {
  readonly #context: LiveContext
  readonly #readers: Record<LiveKind, LiveReader>
  readonly #audiences = new Map<Whose, Audience>()
  #streamCount = 0
  #cancelFlush: (() => void) | undefined
  #closed = false

  constructor(context: LiveContext, readers: Record<LiveKind, LiveReader>) {
    this.#context = context
    this.#readers = readers
  }

  join(whose: Whose, stream: LiveStream): (() => void) | undefined {
    if (this.#closed || this.#streamCount >= streamsMax) return undefined
    const audience = this.#audiences.get(whose) ?? { whose, streams: new Set(), pending: new Map() }
    this.#audiences.set(whose, audience)
    audience.streams.add(stream)
    this.#streamCount += 1
    return () => {
      if (!audience.streams.delete(stream)) return
      this.#streamCount -= 1
      if (audience.streams.size === 0 && this.#audiences.get(whose) === audience) this.#audiences.delete(whose)
    }
  }

  gather(notice: Notice, when: 'always' | 'if there is room' = notice.kind === 'result' ? 'if there is room' : 'always'): void {
    const key = `${notice.kind} ${notice.id}`
    const full = when === 'always' ? pendingMax : pendingResultsMax
    for (const audience of this.#audiences.values()) {
      if (!concerns(audience.whose, notice)) continue
      if (audience.pending.size < full || audience.pending.has(key)) audience.pending.set(key, notice)
      else if (when === 'always') end(audience)
    }
    if (this.#hasPending()) this.#cancelFlush ??= this.#flushLater()
  }

  endAll(): void {
    for (const audience of [...this.#audiences.values()]) end(audience)
  }

  close(): void {
    this.#closed = true
    this.#cancelFlush?.()
    this.endAll()
  }

  #hasPending = (): boolean => [...this.#audiences.values()].some((audience) => audience.pending.size > 0)

  #flushLater = (): (() => void) => this.#context.runtime.setTimer(gatherMs, () => void this.#flush())

  /** What is gathered meanwhile waits for the next flush, so that one resource is never told out of order. */
  async #flush(): Promise<void> {
    await Promise.all([...this.#audiences.values()].map((audience) => this.#tell(audience)))
    this.#cancelFlush = !this.#closed && this.#hasPending() ? this.#flushLater() : undefined
  }

  async #tell(audience: Audience): Promise<void> {
    const { database, logger } = this.#context
    const byKind = Map.groupBy(audience.pending.values(), (notice) => notice.kind)
    audience.pending.clear()
    try {
      for (const [kind, notices] of byKind) {
        const resources = await readAs(database, audience.whose, (sql) => this.#readers[kind](sql, audience.whose, notices))
        for (const data of resources.map((resource) => JSON.stringify(resource)))
          for (const stream of [...audience.streams]) stream.send(kind, data)
      }
    } catch (error) {
      logger.warn({ reason: errorMessage(error) }, 'live changes could not be read; the streams are ended')
      end(audience)
    }
  }
}

function end(audience: Audience): void {
  audience.pending.clear()
  for (const stream of [...audience.streams]) stream.end()
}

/** Probes are the operator's; everything else also belongs to its customer. */
const concerns = (whose: Whose, notice: Notice): boolean => whose === null || notice.customer_id === whose

const readAs = <T>(database: Database, whose: Whose, work: (sql: Sql) => Promise<T>): Promise<T> =>
  whose === null ? work(database.system) : database.asCustomer(whose, work)

type Told = Partial<Omit<Notice, 'kind'>> & { kind?: string; results?: { id: string; monitor_id: string }[] }

/** A payload names one thing, or many results of one customer. What only a newer coordinator on the same database says is left out. */
function readNotices(payload: string): Notice[] {
  try {
    const { kind: told, customer_id = null, id, monitor_id, results = [] } = JSON.parse(payload) as Told
    if (told === 'results') return results.map((result) => ({ ...result, kind: 'result', customer_id }))
    const kind = kinds.find((each) => each === told)
    if (kind === undefined || typeof id !== 'string') return []
    return [{ kind, customer_id, id, ...(monitor_id === undefined ? {} : { monitor_id }) }]
  } catch {
    return []
  }
}
