/** One-off orders: verified, and handed over once, also across restarts and under another signature. */
import { decodeJwt } from 'jose'
import { MailscoutError } from '../common/errors.ts'
import { jobStartMsMax } from '../common/limits.ts'
import type { Runtime } from '../common/runtime.ts'
import { clockToleranceMs, open } from '../common/wire/seal.ts'
import type { Job } from '../common/wire/test.ts'
import type { CoordinatorKeys } from './coordinator-keys.ts'
import type { Identity } from './identity.ts'
import type { Store } from './store.ts'

/** Longer than any difference of clocks under which the job could still pass as timely. */
const rememberMs = 10 * 60_000

export type Jobs = {
  /**
   * Verifies and records a job, and returns it with the instant (UTC, ms) before which it must start. Throws DOCUMENT_REPLAYED for
   * one that was taken before, DOCUMENT_EXPIRED, AUDIENCE_WRONG, ISSUER_UNKNOWN, SIGNATURE_INVALID or DOCUMENT_MALFORMED.
   */
  accept(jws: string): Promise<{ job: Job; startBeforeMs: number }>
}

export function createJobs(options: {
  runtime: Runtime
  store: Store
  identity: Pick<Identity, 'probeId' | 'installation'>
  keys: CoordinatorKeys
}): Jobs {
  const { runtime, store, identity, keys } = options
  store.database.exec('CREATE TABLE IF NOT EXISTS jobs_seen (name TEXT PRIMARY KEY, forget_ms INTEGER NOT NULL)')
  const record = store.database.prepare('INSERT INTO jobs_seen (name, forget_ms) VALUES (?, ?) ON CONFLICT (name) DO NOTHING')
  const forget = store.database.prepare('DELETE FROM jobs_seen WHERE forget_ms < ?')

  /** True the first time only, for the document and for the job in it. */
  const isNew = (names: readonly string[], forgetMs: number): boolean =>
    store.transaction(() => {
      forget.run(runtime.wallMs())
      return names.every((name) => Number(record.run(name, forgetMs).changes) === 1)
    })

  return {
    async accept(jws) {
      const nowMs = runtime.wallMs()
      const {
        body: job,
        id,
        issuedAtMs,
      } = await open('job', jws, {
        trustedKey: keys.trustedAt(nowMs),
        issuer: identity.installation,
        audience: identity.probeId,
        nowMs,
      })
      const { exp } = decodeJwt(jws)
      if (exp === undefined || id === undefined || issuedAtMs === undefined)
        throw new MailscoutError('DOCUMENT_MALFORMED', 'A job must have a date (iat), an end (exp) and a jti')
      // One that is dated in the future is obeyed: by a clock that is behind, every job is, and its vote would be missing.
      if (nowMs - issuedAtMs > jobStartMsMax + clockToleranceMs)
        throw new MailscoutError('DOCUMENT_EXPIRED', 'The job was given too long ago')
      const names = [`document ${id}`, `job ${job.id}`]
      if (!isNew(names, exp * 1000 + rememberMs)) {
        throw new MailscoutError('DOCUMENT_REPLAYED', `Job ${job.id} was taken before, and runs once`)
      }
      return { job, startBeforeMs: exp * 1000 }
    },
  }
}
