/**
 * The standing orders: a signed manifest and its pages, kept on disk, so that the probe goes on by itself (DESIGN 3.2).
 *
 *   manifest ─► verify ─► want_pages ─► page by page: verify, keep ─► all there: swap in one transaction ─► applied
 *
 * Whatever is forged, foreign or outdated is refused with a code, and the old orders stay.
 */
import { isMailscoutError, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import type { Manifest } from '../common/wire/documents.ts'
import { type ProbeFrame, wireVersion } from '../common/wire/frames.ts'
import { sha256 } from '../common/wire/keys.ts'
import { type OpenOptions, open } from '../common/wire/seal.ts'
import type { Assignment, Reference } from '../common/wire/test.ts'
import type { CoordinatorKeys } from './coordinator-keys.ts'
import type { Identity } from './identity.ts'
import { createOrderStore, type OrderStore } from './order-store.ts'
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
  /** Calls back after each change, renewal and expiry included; the returned function ends that. */
  onChange(callback: () => void): () => void
}

export type OrderBookOptions = {
  runtime: Runtime
  store: Store
  identity: Pick<Identity, 'probeId' | 'installation'>
  keys: CoordinatorKeys
  logger: Logger
}

type Signed = { manifest: Manifest; jws: string }

const nothing: StandingOrders = { assignments: [], references: [], validUntilMs: 0 }

export class OrderBook implements Orders {
  readonly #options: OrderBookOptions
  readonly #orderStore: OrderStore
  /** Every page at hand, of the manifest in force and of the one that is arriving. */
  readonly #pages = new Map<string, readonly Assignment[]>()
  readonly #listeners = new Set<() => void>()
  #accepted: Signed | undefined
  #arriving: (Signed & { missing: Set<string> }) | undefined
  #orders = nothing
  #cancelExpiry = (): void => {}

  constructor(options: OrderBookOptions) {
    this.#options = options
    this.#orderStore = createOrderStore(options.store)
  }

  current(): StandingOrders {
    if (this.#orders.validUntilMs > this.#options.runtime.wallMs()) return this.#orders
    return { ...nothing, validUntilMs: this.#orders.validUntilMs }
  }

  onChange(callback: () => void): () => void {
    this.#listeners.add(callback)
    return () => this.#listeners.delete(callback)
  }

  /** The version that is followed, 0 for none. */
  version(): number {
    return this.#orders === nothing ? 0 : (this.#accepted?.manifest.version ?? 0)
  }

  /** Takes up what is on disk, verified again. What fails is logged and left out. */
  async load(): Promise<void> {
    const { runtime, logger } = this.#options
    const saved = this.#orderStore.manifest()
    // As of when they were accepted: a coordinator's key may have ended since, and the orders end by `valid_until`.
    const asOfMs = saved?.acceptedMs ?? runtime.wallMs()
    await this.#loadPages(asOfMs)
    if (saved === undefined) return
    try {
      const { body: manifest } = await open('manifest', saved.jws, this.#trust(asOfMs))
      // The version stays the floor, even where the orders cannot be followed.
      this.#accepted = { manifest, jws: saved.jws }
      const missing = this.#missingPages(manifest)
      if (missing.length > 0) throw new MailscoutError('DOCUMENT_MALFORMED', `${missing.length} of its pages are missing`)
      this.#follow(this.#accepted)
    } catch (error) {
      if (!isMailscoutError(error)) throw error
      logger.error({ code: error.code }, `the standing orders on disk cannot be followed: ${error.message}`)
    }
  }

  /** Returns what to answer: `want_pages`, or `applied`. Throws a coded error, and the old orders stay. */
  async acceptManifest(jws: string): Promise<ProbeFrame> {
    const nowMs = this.#options.runtime.wallMs()
    const { body: manifest } = await open('manifest', jws, this.#trust(nowMs))
    checkSuccession(manifest, this.#arriving?.manifest ?? this.#accepted?.manifest, nowMs)
    const missing = this.#missingPages(manifest)
    if (missing.length === 0) return this.#swap({ manifest, jws })
    this.#arriving = { manifest, jws, missing: new Set(missing) }
    return { v: wireVersion, type: 'want_pages', hashes: missing }
  }

  /** Returns `applied` with the last missing page. Throws a coded error. */
  async acceptPage(hash: string, jws: string): Promise<ProbeFrame | undefined> {
    if (!this.#arriving?.missing.has(hash)) throw new MailscoutError('FRAME_UNEXPECTED', `Nobody asked for the page ${hash}`)
    const assignments = await this.#readPage(hash, jws, this.#options.runtime.wallMs())
    this.#orderStore.savePage(hash, jws)
    this.#pages.set(hash, assignments)
    this.#arriving?.missing.delete(hash)
    return this.#arriving?.missing.size === 0 ? this.#swap(this.#arriving) : undefined
  }

  /** The session has ended: a half-arrived manifest is forgotten, its pages are kept. */
  abandon(): void {
    this.#arriving = undefined
  }

  stop(): void {
    this.#cancelExpiry()
  }

  #trust(nowMs: number): OpenOptions {
    const { keys, identity } = this.#options
    return { trustedKey: keys.trustedAt(nowMs), issuer: identity.installation, audience: identity.probeId, nowMs }
  }

  async #readPage(hash: string, jws: string, nowMs: number): Promise<readonly Assignment[]> {
    if (sha256(jws) !== hash) {
      throw new MailscoutError('SIGNATURE_INVALID', `The page does not have the hash ${hash} that the signed manifest names`)
    }
    return (await open('page', jws, this.#trust(nowMs))).body.assignments
  }

  async #loadPages(asOfMs: number): Promise<void> {
    for (const { hash, jws } of this.#orderStore.pages()) {
      try {
        this.#pages.set(hash, await this.#readPage(hash, jws, asOfMs))
      } catch (error) {
        if (!isMailscoutError(error)) throw error
        this.#options.logger.error(
          { code: error.code, hash },
          `a page on disk is left out and will be asked for: ${error.message}`,
        )
        this.#orderStore.forgetPage(hash)
      }
    }
  }

  #missingPages(manifest: Manifest): string[] {
    return [...new Set(manifest.page_hashes)].filter((hash) => !this.#pages.has(hash))
  }

  #swap(next: Signed): ProbeFrame {
    const { runtime, logger } = this.#options
    const { version, page_hashes: pageHashes, valid_until: validUntil } = next.manifest
    this.#arriving = undefined
    if (next.jws !== this.#accepted?.jws || this.#orders === nothing) {
      this.#orderStore.swap({ jws: next.jws, acceptedMs: runtime.wallMs(), pageHashes })
      const keep = new Set(pageHashes)
      for (const hash of this.#pages.keys()) if (!keep.has(hash)) this.#pages.delete(hash)
      this.#follow(next)
      logger.info({ version, assignments: this.#orders.assignments.length, valid_until: validUntil }, 'standing orders taken up')
    }
    return { v: wireVersion, type: 'applied', manifest_version: version }
  }

  #follow(next: Signed): void {
    this.#accepted = next
    this.#orders = {
      assignments: next.manifest.page_hashes.flatMap((hash) => this.#pages.get(hash) ?? []),
      references: next.manifest.references,
      validUntilMs: next.manifest.valid_until,
    }
    this.#watchExpiry()
    this.#tell()
  }

  #watchExpiry(): void {
    const { runtime } = this.#options
    this.#cancelExpiry()
    this.#cancelExpiry = runtime.setTimer(this.#orders.validUntilMs - runtime.wallMs(), () => this.#expire())
  }

  #expire(): void {
    const { runtime, logger } = this.#options
    // A timer holds 24 days at most, and the wall clock may have been set back.
    if (this.#orders.validUntilMs > runtime.wallMs()) {
      this.#watchExpiry()
      return
    }
    logger.error(
      { code: 'DOCUMENT_EXPIRED', version: this.version() },
      'the standing orders have expired: no tests until a coordinator can be reached and renews them',
    )
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** The clocks of two coordinators of one installation may differ by so much. */
const clockToleranceMs = 60_000

/** The same version again is a renewal, and must not end sooner than ours: a replayed one would cut our orders short. */
function checkSuccession(manifest: Manifest, newest: Manifest | undefined, nowMs: number): void {
  if (manifest.valid_until <= nowMs) {
    throw new MailscoutError('DOCUMENT_EXPIRED', 'The manifest has ended already: check the clocks of probe and coordinator')
  }
  if (newest === undefined || manifest.version > newest.version) return
  if (manifest.version === newest.version && manifest.valid_until >= newest.valid_until - clockToleranceMs) return
  throw new MailscoutError(
    'DOCUMENT_OUTDATED',
    `Manifest ${manifest.version} is older than manifest ${newest.version}, which this probe has; if the coordinator was restored from a backup, its versions must go on above that`,
  )
}
