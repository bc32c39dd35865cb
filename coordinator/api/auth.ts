/**
 * Who is asking: `Authorization: Bearer <key>`.
 *
 * A key is `msk_<uuid>_<32 random bytes, base64url>`. The database holds its SHA-256 only; a slow hash is for passwords, and these
 * cannot be guessed. An operator may set the text of his key himself (MAILSCOUT_OPERATOR_KEY): that one has a fixed id.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { MailscoutError } from '../../common/errors.ts'
import { type Runtime, uuidv7 } from '../../common/runtime.ts'
import {
  anOperatorKeyIsInForce,
  findKeysInForce,
  insertApiKey,
  type KeyScope,
  lockOperatorKey,
  noteKeyUse,
  putOperatorKey,
} from '../store/api-keys.ts'
import type { Database } from '../store/database.ts'

export type Identity = {
  key_id: string
  scope: KeyScope
  /** Null for an operator, who sees all customers. */
  customer_id: string | null
}

/** What a route asks for: anybody's key, one that may change things, or the operator's. */
export type Needs = 'read' | 'write' | 'operator'

/** So long may a key that was revoked elsewhere still pass here. */
const cacheMsMax = 5_000
const cacheSizeMax = 10_000
const bearerLengthMax = 512
export const operatorKeyLengthMin = 32
/** The operator's key from the configuration. */
const configuredKeyId = '00000000-0000-7000-8000-000000000001'

export function makeApiKey(runtime: Runtime): { id: string; key: string; secret_hash: string } {
  const id = uuidv7(runtime)
  const key = `msk_${id}_${Buffer.from(runtime.randomBytes(32)).toString('base64url')}`
  return { id, key, secret_hash: hashKey(key) }
}

const hashKey = (key: string): string => createHash('sha256').update(key).digest('base64url')

const sameHash = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

export type Authenticator = {
  /** Throws UNAUTHENTICATED. */
  authenticate(authorization: string | undefined): Promise<Identity>
  /** A key was revoked here: it ends at once. */
  forget(keyId: string): void
}

export function createAuthenticator(database: Database, runtime: Runtime): Authenticator {
  const cache = new Map<string, { identity: Identity; untilMs: number }>()

  const lookUp = async (key: string, hash: string): Promise<Identity | undefined> => {
    const id = /^msk_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_[A-Za-z0-9_-]{43}$/.exec(key)?.[1]
    const candidates = await findKeysInForce(database.system, [configuredKeyId, ...(id === undefined ? [] : [id])])
    const stored = candidates.find((candidate) => sameHash(candidate.secret_hash, hash))
    if (stored === undefined) return undefined
    if (stored.use_is_old) await noteKeyUse(database.system, stored.id)
    return { key_id: stored.id, scope: stored.scope, customer_id: stored.customer_id }
  }

  return {
    async authenticate(authorization) {
      const key = readBearer(authorization)
      const hash = hashKey(key)
      const nowMs = runtime.monotonicMs()
      const known = cache.get(hash)
      if (known !== undefined && nowMs < known.untilMs) return known.identity
      cache.delete(hash)
      const identity = await lookUp(key, hash)
      if (identity === undefined) throw unauthenticated('This API key is unknown or revoked')
      if (cache.size >= cacheSizeMax) cache.clear()
      cache.set(hash, { identity, untilMs: nowMs + cacheMsMax })
      return identity
    },
    forget(keyId) {
      for (const [hash, { identity }] of cache) if (identity.key_id === keyId) cache.delete(hash)
    },
  }
}

function readBearer(authorization: string | undefined): string {
  const key = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (key === undefined) throw unauthenticated('Send your API key as "Authorization: Bearer <key>"')
  if (key.length < operatorKeyLengthMin || key.length > bearerLengthMax) throw unauthenticated('This is no API key')
  return key
}

const unauthenticated = (message: string) => new MailscoutError('UNAUTHENTICATED', message)

/** Throws FORBIDDEN where the key's scope does not reach. */
export function requireRights(identity: Identity, needs: Needs): void {
  if (needs === 'operator' && identity.scope !== 'operator')
    throw new MailscoutError('FORBIDDEN', "This is the operator's: use an operator's key")
  if (needs === 'write' && identity.scope === 'read')
    throw new MailscoutError('FORBIDDEN', 'This key may only read: use one of scope customer')
}

/** Who did it, for the audit log. */
export const actorOf = (identity: Identity): string => `${identity.scope} key ${identity.key_id}`

/**
 * Sees to it that there is an operator's key. `configured` (at least 32 characters) becomes it, in place of an earlier configured
 * one; without it a key is made where there is none, and returned so that it can be shown once. Throws CONFIG_INVALID.
 */
export async function ensureOperatorKey(
  context: { database: Database; runtime: Runtime },
  configured: string | undefined,
): Promise<{ created: string | undefined }> {
  if (
    configured !== undefined &&
    !(configured.length >= operatorKeyLengthMin && configured.length <= bearerLengthMax && /^\S+$/.test(configured))
  ) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      `MAILSCOUT_OPERATOR_KEY must have ${operatorKeyLengthMin} to ${bearerLengthMax} characters without spaces: make one with "openssl rand -base64 32"`,
    )
  }
  return await context.database.system.begin(async (sql) => {
    await lockOperatorKey(sql)
    if (configured !== undefined) {
      await putOperatorKey(sql, { id: configuredKeyId, secret_hash: hashKey(configured) })
      return { created: undefined }
    }
    if (await anOperatorKeyIsInForce(sql)) return { created: undefined }
    const { id, key, secret_hash } = makeApiKey(context.runtime)
    await insertApiKey(sql, { id, customer_id: null, scope: 'operator', secret_hash })
    return { created: key }
  })
}
