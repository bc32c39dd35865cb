/**
 * Tells the coordinator what stands in the spool: in batches, sealed when they are sent, each kept until it is acknowledged.
 *
 *   put ─► wake ─► at most 20 ms ─► batch, with the probe's health ─► ack ─► settled
 *
 * A batch without an answer ends the session; in the next one everything unsettled is sent again, and the coordinator knows each
 * record by its id (DESIGN 3.4).
 */
import { resultsPerBatchMax } from '../common/limits.ts'
import type { Logger } from '../common/log.ts'
import { type Runtime, uuidv7 } from '../common/runtime.ts'
import { type CoordinatorFrame, type ProbeFrame, wireVersion } from '../common/wire/frames.ts'
import { seal } from '../common/wire/seal.ts'
import type { Health } from '../common/wire/test.ts'
import { sortRecords } from './batch.ts'
import type { Identity } from './identity.ts'
import type { Spool } from './spool.ts'

/** What happens together travels together; a person does not notice it. */
const gatherMs = 20
const healthMs = 30_000
const acknowledgementMsMax = 30_000
/** Two, so that the next batch is sealed and sent while the coordinator commits the last. */
const inFlightMax = 2
/** In base64 a third more: well below `frameBytesMax`. */
const batchBytesMax = 512 * 1024

export type ReporterOptions = {
  runtime: Runtime
  spool: Spool
  identity: Pick<Identity, 'probeId' | 'keyPair' | 'installation'>
  health: () => Health
  /** False where no session is open. */
  send: (frame: ProbeFrame) => boolean
  /** Ends a session in which batches are not answered. */
  restart: (why: string) => void
  logger: Logger
}

type Batch = { seqs: number[]; cancelTimeout: () => void }

export class Reporter {
  readonly #options: ReporterOptions
  readonly #inFlight = new Map<string, Batch>()
  /** Names the session that is open, so that work of the last one cannot leak into it. */
  #session: object | undefined
  /** Everything up to here has been sent in this session. */
  #sentSeq = 0
  #healthDue = false
  #pumping = false
  #asked = false
  #cancelWake: (() => void) | undefined
  #cancelHealth = (): void => {}
  #idle: (() => void)[] = []
  readonly #counts = { batches: 0, acknowledged: 0, refused: 0, malformed: 0 }

  constructor(options: ReporterOptions) {
    this.#options = options
  }

  counts(): Readonly<{ batches: number; acknowledged: number; refused: number; malformed: number }> {
    return this.#counts
  }

  /** Something was put into the spool. */
  wake(): void {
    if (this.#session === undefined || this.#cancelWake !== undefined) return
    this.#cancelWake = this.#options.runtime.setTimer(gatherMs, () => {
      this.#cancelWake = undefined
      void this.#pump()
    })
  }

  /** A session is open: whatever was sent in the last one without an answer is sent again, and our health with it. */
  opened(): void {
    this.closed()
    this.#session = {}
    this.#healthDue = true
    void this.#pump()
  }

  closed(): void {
    this.#session = undefined
    this.#sentSeq = 0
    for (const batch of this.#inFlight.values()) batch.cancelTimeout()
    this.#inFlight.clear()
    this.#cancelWake?.()
    this.#cancelWake = undefined
    this.#cancelHealth()
    this.#tellIdle()
  }

  acknowledged(ack: Extract<CoordinatorFrame, { type: 'ack' }>): void {
    const batch = this.#inFlight.get(ack.batch_id)
    if (batch === undefined) return
    this.#inFlight.delete(ack.batch_id)
    batch.cancelTimeout()
    this.#options.spool.settle(batch.seqs)
    this.#counts.acknowledged += batch.seqs.length - ack.refused.length
    this.#counts.refused += ack.refused.length
    for (const { id, code, detail } of ack.refused) {
      this.#options.logger.error({ record: id, code }, `the coordinator refused a record, which is not sent again: ${detail}`)
    }
    this.#tellIdle()
    void this.#pump()
  }

  /** Resolves when everything has been acknowledged, or when there is no session to tell it in. */
  async drained(): Promise<void> {
    if (this.#isIdle()) return
    void this.#pump()
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async #pump(): Promise<void> {
    // Asked while it is under way, it looks once more: what it saw last may have changed since.
    this.#asked = true
    if (this.#pumping) return
    this.#pumping = true
    while (this.#asked) {
      this.#asked = false
      while (await this.#sendNext());
    }
    this.#pumping = false
  }

  /** False when there is nothing to do before the next wake, acknowledgement or session. */
  async #sendNext(): Promise<boolean> {
    const { runtime, spool, identity, health, send, restart } = this.#options
    const session = this.#session
    if (session === undefined || this.#inFlight.size >= inFlightMax) return false
    const records = spool.next({ afterSeq: this.#sentSeq, rowsMax: resultsPerBatchMax, bytesMax: batchBytesMax })
    if (records.length === 0 && !this.#healthDue) return false
    this.#sentSeq = records.at(-1)?.seq ?? this.#sentSeq
    this.#healthDue = false
    const { body, seqs, malformed } = sortRecords(records)
    this.#dropMalformed(malformed)
    const id = uuidv7(runtime)
    const batch = await seal(
      'result_batch',
      { boot_id: runtime.bootId, health: health(), ...body },
      { key: identity.keyPair, issuer: identity.probeId, audience: identity.installation, issuedAtMs: runtime.wallMs(), id },
    )
    if (session !== this.#session) return true
    const cancelTimeout = runtime.setTimer(acknowledgementMsMax, () => restart('a batch of results was not acknowledged in time'))
    this.#inFlight.set(id, { seqs, cancelTimeout })
    this.#counts.batches += 1
    send({ v: wireVersion, type: 'batch', id, batch })
    this.#scheduleHealth()
    return true
  }

  /** Our own fault, or an older probe's: kept, it would make the coordinator refuse its whole batch for ever. */
  #dropMalformed(malformed: readonly { seq: number; id: string; why: string }[]): void {
    if (malformed.length === 0) return
    for (const { id, why } of malformed) {
      this.#options.logger.error({ record: id, code: 'RESULT_MALFORMED' }, `a record cannot be sent and is lost: ${why}`)
    }
    this.#counts.malformed += malformed.length
    this.#options.spool.settle(malformed.map(({ seq }) => seq))
  }

  #scheduleHealth(): void {
    this.#cancelHealth()
    this.#cancelHealth = this.#options.runtime.setTimer(healthMs, () => {
      this.#healthDue = true
      void this.#pump()
    })
  }

  #isIdle(): boolean {
    return this.#session === undefined || this.#options.spool.depth() === 0
  }

  #tellIdle(): void {
    if (!this.#isIdle()) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}
