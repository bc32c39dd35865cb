/**
 * The keys that speak for a coordinator: each certified by the root key, and remembered on disk, so that standing orders can be
 * verified again while no coordinator can be reached. Any certified key of the installation may sign any order.
 */
import type { KeyObject } from 'node:crypto'
import { decodeJwt } from 'jose'
import { errorMessage, isMailscoutError, MailscoutError } from '../common/errors.ts'
import { manifestValidMs } from '../common/limits.ts'
import type { Logger } from '../common/log.ts'
import { publicKeyFromX, thumbprint } from '../common/mail/jws.ts'
import { installationName } from '../common/wire/keys.ts'
import { open } from '../common/wire/seal.ts'
import type { Root } from './identity.ts'
import type { Store } from './store.ts'

export type CertifiedKey = { kid: string; publicKey: KeyObject; endsMs: number }

export type CoordinatorKeys = {
  /** Verifies the certificate at `nowMs` and remembers its key. Throws a coded error. */
  admit(certificate: string, nowMs: number): Promise<CertifiedKey>
  /** The lookup of keys that were certified at the instant `atMs`. */
  trustedAt(atMs: number): (kid: string) => KeyObject | undefined
  /** Reads back what was remembered; what does not verify is forgotten. */
  load(nowMs: number): Promise<void>
}

/** Throws DOCUMENT_EXPIRED, ISSUER_UNKNOWN, SIGNATURE_INVALID or DOCUMENT_MALFORMED. */
export async function verifyCoordinatorCertificate(certificate: string, root: Root, nowMs: number): Promise<CertifiedKey> {
  const installation = installationName(root.kid)
  const { body } = await open('coordinator_certificate', certificate, {
    trustedKey: (kid) => (kid === root.kid ? root.publicKey : undefined),
    issuer: installation,
    audience: installation,
    nowMs,
  })
  const { exp } = decodeJwt(certificate)
  if (exp === undefined) throw new MailscoutError('DOCUMENT_MALFORMED', 'A coordinator certificate must have an end (exp)')
  return { kid: thumbprint(body.x), publicKey: publicKeyFromX(body.x), endsMs: exp * 1000 }
}

export function createCoordinatorKeys(options: { store: Store; root: Root; logger: Logger }): CoordinatorKeys {
  const { root, logger } = options
  const { database } = options.store
  database.exec(
    'CREATE TABLE IF NOT EXISTS coordinator_keys (kid TEXT PRIMARY KEY, certificate TEXT NOT NULL, ends_ms INTEGER NOT NULL)',
  )
  const keys = new Map<string, CertifiedKey>()
  const remember = database.prepare(
    `INSERT INTO coordinator_keys (kid, certificate, ends_ms) VALUES (?, ?, ?)
     ON CONFLICT (kid) DO UPDATE SET certificate = excluded.certificate, ends_ms = excluded.ends_ms WHERE excluded.ends_ms > ends_ms`,
  )
  const forget = database.prepare('DELETE FROM coordinator_keys WHERE kid = ?')

  const hold = (key: CertifiedKey): void => {
    if (key.endsMs >= (keys.get(key.kid)?.endsMs ?? 0)) keys.set(key.kid, key)
  }

  return {
    async admit(certificate, nowMs) {
      const key = await verifyCoordinatorCertificate(certificate, root, nowMs)
      remember.run(key.kid, certificate, key.endsMs)
      hold(key)
      return key
    },
    trustedAt: (atMs) => (kid) => {
      const key = keys.get(kid)
      return key !== undefined && key.endsMs > atMs ? key.publicKey : undefined
    },
    async load(nowMs) {
      for (const row of database.prepare('SELECT kid, certificate, ends_ms FROM coordinator_keys').all()) {
        const kid = String(row.kid)
        const endsMs = Number(row.ends_ms)
        try {
          // Orders signed before the end stay good until they expire themselves: the signature counts here, not the end.
          if (endsMs + manifestValidMs < nowMs) throw new MailscoutError('DOCUMENT_EXPIRED', 'No order signed by it can be valid')
          hold(await verifyCoordinatorCertificate(String(row.certificate), root, Math.min(nowMs, endsMs)))
        } catch (error) {
          if (!isMailscoutError(error)) throw error
          logger.warn({ kid, code: error.code }, `a remembered coordinator key is forgotten: ${errorMessage(error)}`)
          forget.run(kid)
        }
      }
    },
  }
}
