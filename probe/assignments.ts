/**
 * The standing orders: a signed manifest and its pages, kept on disk, so that the probe goes on by itself (DESIGN 3.2).
 *
 *   manifest ─► verify ─► want_pages ─► page by page: verify, keep ─► all there: swap in one transaction ─► applied
 *
 * Whatever is forged, foreign or outdated is refused with a code, and the old orders stay.
 */
import { errorMessage, isMailscoutError, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import type { Manifest } from '../common/wire/documents.ts'
import { type ProbeFrame, wireVersion } from '../common/wire/frames.ts'
import { sha256 } from '../common/wire/keys.ts'
import { type OpenOptions, open } from '../common/wire/seal.ts'
import type { Assignment, Reference } from '../common/wire/test.ts'
import type { CoordinatorKeys } from './coordinator-keys.ts'
import type { Identity } from './identity.ts'
import { createOrderStore } from './order-store.ts'
import type { Store } from './store.ts'

export type StandingOrders = {
  readonly assignments: readonly Assignment[]
  readonly references: readonly Reference[]
  /** UTC, ms since 1970; 0 where there have never been orders. */
  readonly validUntilMs: number
}

export type Orders = {
  /** What holds now; nothing once it has expired. */
  current(): StandingOrders
  /** Calls back after each change, expiry included; the returned function ends that. */
  onChange(callback: () => void): () => void
}

export type OrderBook = Orders & {
  /** Takes up what is on disk, verified again. What fails is logged and left out. */
  load(): Promise<void>
  /** Returns what to answer: `want_pages`, or `applied`. Throws a coded error, and the old orders stay. */
  acceptManifest(jws: string): Promise<ProbeFrame>
  /** Returns `applied` with the last missing page. Throws a coded error. */
  acceptPage(hash: string, jws: string): Promise<ProbeFrame | undefined>
  /** The session has ended: a half-arrived manifest is forgotten, its pages are kept. */
  abandon(): void
  /** The version in force, 0 for none. */
  version(): number
  stop(): void
}

export type OrderBookOptions = {
  runtime: Runtime
  store: Store
  identity: Pick<Identity, 'probeId' | 'installation'>
  keys: CoordinatorKeys
  logger: Logger
}

type Accepted = { manifest: Manifest; jws: string }
type Arriving = Accepted & { missing: Set<string> }

const nothing: StandingOrders = { assignments: [], references: [], validUntilMs: 0 }

export function createOrderBook(options: OrderBookOptions): OrderBook {
  const { runtime, identity, keys, logger } = options
  const orderStore = createOrderStore(options.store)
  const pages = new Map<string, readonly Assignment[]>()
  const listeners = new Set<() => void>()
  let accepted: Accepted | undefined
  let arriving: Arriving | undefined
  let orders = nothing
  let cancelExpiry = (): void => {}

  const openAt = (nowMs: number): OpenOptions => ({
    trustedKey: keys.trustedAt(nowMs),
    issuer: identity.installation,
    audience: identity.probeId,
    nowMs,
  })

  const readPage = async (hash: string, jws: string, nowMs: number): Promise<readonly Assignment[]> => {
    if (sha256(jws) !== hash)
      throw new MailscoutError('SIGNATURE_INVALID', `The page does not have the hash ${hash} that the manifest names`)
    return (await open('page', jws, openAt(nowMs))).body.assignments
  }

  const missingPages = (manifest: Manifest): string[] => [...new Set(manifest.page_hashes)].filter((hash) => !pages.has(hash))

  const tell = (): void => {
    for (const listener of listeners) listener()
  }

  const expire = (): void => {
    if (orders.validUntilMs > runtime.wallMs()) return watchExpiry()
    logger.error(
      { code: 'DOCUMENT_EXPIRED', version: accepted?.manifest.version },
      'the standing orders have expired: no tests until a coordinator can be reached and renews them',
    )
    tell()
  }

  const watchExpiry = (): void => {
    cancelExpiry()
    cancelExpiry = runtime.setTimer(orders.validUntilMs - runtime.wallMs(), expire)
  }

  const takeUp = (next: Accepted): void => {
    accepted = next
    orders = {
      assignments: next.manifest.page_hashes.flatMap((hash) => pages.get(hash) ?? []),
      references: next.manifest.references,
      validUntilMs: next.manifest.valid_until,
    }
    watchExpiry()
    tell()
  }

  const swap = (next: Accepted): ProbeFrame => {
    arriving = undefined
    if (next.jws !== accepted?.jws || orders === nothing) {
      orderStore.swap({ jws: next.jws, acceptedMs: runtime.wallMs(), pageHashes: next.manifest.page_hashes })
      const keep = new Set(next.manifest.page_hashes)
      for (const hash of pages.keys()) if (!keep.has(hash)) pages.delete(hash)
      takeUp(next)
      logger.info(
        { version: next.manifest.version, assignments: orders.assignments.length, valid_until: next.manifest.valid_until },
        'standing orders taken up',
      )
    }
    return { v: wireVersion, type: 'applied', manifest_version: next.manifest.version }
  }

  const loadPages = async (acceptedMs: number): Promise<void> => {
    for (const { hash, jws } of orderStore.pages()) {
      try {
        pages.set(hash, await readPage(hash, jws, acceptedMs))
      } catch (error) {
        if (!isMailscoutError(error)) throw error
        logger.error({ code: error.code, hash }, `a page of the standing orders on disk is left out: ${error.message}`)
        orderStore.forgetPage(hash)
      }
    }
  }

  return {
    current: () => (orders.validUntilMs > runtime.wallMs() ? orders : { ...nothing, validUntilMs: orders.validUntilMs }),
    onChange(callback) {
      listeners.add(callback)
      return () => listeners.delete(callback)
    },
    async load() {
      const saved = orderStore.manifest()
      // As of when they were accepted: a coordinator's key may have ended since, and the orders end by `valid_until`.
      await loadPages(saved?.acceptedMs ?? runtime.wallMs())
      if (saved === undefined) return
      try {
        const { body: manifest } = await open('manifest', saved.jws, openAt(saved.acceptedMs))
        const missing = missingPages(manifest)
        // The version stays the floor, although the orders cannot be followed.
        accepted = { manifest, jws: saved.jws }
        if (missing.length > 0) throw new MailscoutError('DOCUMENT_MALFORMED', `${missing.length} of its pages are missing`)
        takeUp(accepted)
      } catch (error) {
        if (!isMailscoutError(error)) throw error
        logger.error({ code: error.code }, `the standing orders on disk cannot be followed: ${errorMessage(error)}`)
      }
    },
    async acceptManifest(jws) {
      const nowMs = runtime.wallMs()
      const { body: manifest } = await open('manifest', jws, openAt(nowMs))
      checkSuccession(manifest, arriving?.manifest ?? accepted?.manifest, nowMs)
      const missing = missingPages(manifest)
      if (missing.length === 0) return swap({ manifest, jws })
      arriving = { manifest, jws, missing: new Set(missing) }
      return { v: wireVersion, type: 'want_pages', hashes: missing }
    },
    async acceptPage(hash, jws) {
      if (!arriving?.missing.has(hash)) throw new MailscoutError('FRAME_UNEXPECTED', `Nobody asked for the page ${hash}`)
      const assignments = await readPage(hash, jws, runtime.wallMs())
      orderStore.savePage(hash, jws)
      pages.set(hash, assignments)
      arriving?.missing.delete(hash)
      return arriving?.missing.size === 0 ? swap(arriving) : undefined
    },
    abandon() {
      arriving = undefined
    },
    version: () => (orders === nothing ? 0 : (accepted?.manifest.version ?? 0)),
    stop: () => cancelExpiry(),
  }
}

/** The same version again is a renewal, and must not hold shorter than before: who replays an old one would cut our orders short. */
function checkSuccession(manifest: Manifest, newest: Manifest | undefined, nowMs: number): void {
  if (manifest.valid_until <= nowMs)
    throw new MailscoutError('DOCUMENT_EXPIRED', 'The manifest has ended already: check the clocks')
  if (newest === undefined || manifest.version > newest.version) return
  if (manifest.version === newest.version && manifest.valid_until >= newest.valid_until) return
  throw new MailscoutError(
    'DOCUMENT_OUTDATED',
    `Manifest ${manifest.version} is older than ${newest.version}, which this probe has. If the coordinator was restored from a backup, its versions must go on above that`,
  )
}
