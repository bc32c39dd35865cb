/**
 * Signs documents and opens them again: JWT claims in a compact JWS (RFC 7515, RFC 7519), `Ed25519` only (RFC 9864), because only
 * the JWT checks cover type, issuer, audience and age. The key is found by `kid` among those that the caller trusts; nothing in the
 * document chooses the algorithm or the key (RFC 8725).
 */
import type { KeyObject } from 'node:crypto'
import { type JWTPayload, errors as joseErrors, jwtVerify, SignJWT } from 'jose'
import type { Static, TSchema } from 'typebox'
import { type ErrorCode, MailscoutError } from '../errors.ts'
import { type DocumentBody, type DocumentKind, documents } from './documents.ts'
import { checker } from './schema.ts'

export type SigningKey = { privateKey: KeyObject; kid: string }

export type SealOptions = {
  key: SigningKey
  issuer: string
  audience: string
  /** Left out where the same content must give the same bytes (pages). */
  issuedAtMs?: number
  expiresAtMs?: number
  id?: string
}

export type OpenOptions = {
  /** The key that the caller trusts under this id, or undefined. */
  trustedKey: (kid: string) => KeyObject | undefined
  issuer: string
  audience: string
  nowMs: number
  /** Refuse documents issued longer ago. */
  maxAgeMs?: number
}

export type Opened<K extends DocumentKind> = { body: DocumentBody<K>; id: string | undefined; issuedAtMs: number | undefined }

/** Clocks of probe and coordinator may differ by so much before their documents are refused. */
export const clockToleranceMs = 60_000

const checks = Object.fromEntries(
  Object.entries(documents).map(([kind, { schema }]) => [kind, checker(schema as TSchema, 'DOCUMENT_MALFORMED')]),
) as { [K in DocumentKind]: (value: unknown) => Static<(typeof documents)[K]['schema']> }

export async function seal<K extends DocumentKind>(kind: K, body: DocumentBody<K>, options: SealOptions): Promise<string> {
  const jwt = new SignJWT({ body } as JWTPayload)
    .setProtectedHeader({ alg: 'Ed25519', typ: documents[kind].typ, kid: options.key.kid })
    .setIssuer(options.issuer)
    .setAudience(options.audience)
  if (options.issuedAtMs !== undefined) jwt.setIssuedAt(Math.floor(options.issuedAtMs / 1000))
  if (options.expiresAtMs !== undefined) jwt.setExpirationTime(Math.floor(options.expiresAtMs / 1000))
  if (options.id !== undefined) jwt.setJti(options.id)
  return await jwt.sign(options.key.privateKey)
}

/** Verifies signature, type, issuer, audience and age, then the body's shape; throws a coded error naming what was wrong. */
export async function open<K extends DocumentKind>(kind: K, jws: string, options: OpenOptions): Promise<Opened<K>> {
  const payload = await verified(documents[kind].typ, jws, options)
  if (typeof payload.aud !== 'string') throw new MailscoutError('AUDIENCE_WRONG', 'The document must name exactly one audience')
  return {
    body: checks[kind](payload.body) as DocumentBody<K>,
    id: payload.jti,
    issuedAtMs: payload.iat === undefined ? undefined : payload.iat * 1000,
  }
}

async function verified(typ: string, jws: string, options: OpenOptions): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(
      jws,
      (header) => {
        const key = options.trustedKey(header.kid ?? '')
        if (key === undefined)
          throw new MailscoutError('ISSUER_UNKNOWN', `The document is signed by key ${header.kid}, which is not trusted here`)
        return key
      },
      {
        algorithms: ['Ed25519'],
        typ,
        issuer: options.issuer,
        audience: options.audience,
        currentDate: new Date(options.nowMs),
        clockTolerance: clockToleranceMs / 1000,
        ...(options.maxAgeMs === undefined ? {} : { maxTokenAge: options.maxAgeMs / 1000 }),
      },
    )
    return payload
  } catch (error) {
    if (error instanceof MailscoutError) throw error
    const aheadMs = datedAheadMs(error, options.nowMs)
    if (aheadMs !== null) {
      const what = `The document is dated ${Math.round(aheadMs / 1000)} s in the future: the clock of its sender, or ours, is wrong`
      throw new MailscoutError('DOCUMENT_NOT_YET_VALID', what, { cause: error })
    }
    throw new MailscoutError(
      codeOf(error),
      `The document was refused: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}

/** By how much a document whose signature is good was dated in the future, so that it was refused; null where something else was wrong. */
export function datedAheadMs(error: unknown, nowMs: number): number | null {
  if (error instanceof MailscoutError) return datedAheadMs(error.cause, nowMs)
  if (!(error instanceof joseErrors.JWTClaimValidationFailed) || error.claim !== 'iat') return null
  const { iat } = error.payload
  return iat !== undefined && iat * 1000 > nowMs ? iat * 1000 - nowMs : null
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof joseErrors.JWTExpired) return 'DOCUMENT_EXPIRED'
  if (error instanceof joseErrors.JWTClaimValidationFailed) {
    if (error.claim === 'typ') return 'DOCUMENT_TYPE_WRONG'
    if (error.claim === 'aud') return 'AUDIENCE_WRONG'
    if (error.claim === 'iss') return 'ISSUER_UNKNOWN'
    return 'DOCUMENT_NOT_YET_VALID'
  }
  if (error instanceof joseErrors.JWSSignatureVerificationFailed || error instanceof joseErrors.JOSEAlgNotAllowed)
    return 'SIGNATURE_INVALID'
  return 'DOCUMENT_MALFORMED'
}
