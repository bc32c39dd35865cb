/**
 * Compact JWS (RFC 7515), narrowed to what a mail needs: Ed25519 only, one key chosen by `kid`, nothing negotiable. It stands
 * beside `jose` because the responder has no npm dependency.
 */
import { createHash, createPublicKey, sign as cryptoSign, verify as cryptoVerify, type KeyObject } from 'node:crypto'
import { MailscoutError } from '../errors.ts'

/** A certificate or token with the longest addresses allowed stays below 1.5 KiB. */
const jwsCharsMax = 2048
const headerNames = new Set(['alg', 'typ', 'kid'])

export type JwsHeader = { typ: string; kid: string }

/** Which key belongs to a `kid`; undefined refuses it. The key never comes from the document itself (RFC 8725 §3.5). */
export type KeyLookup = (kid: string) => KeyObject | undefined

export function sign(header: JwsHeader, payload: object, privateKey: KeyObject): string {
  // RFC 9864 replaces the polymorphic `EdDSA` by the fully specified `Ed25519`.
  const input = `${encodeJson({ alg: 'Ed25519', typ: header.typ, kid: header.kid })}.${encodeJson(payload)}`
  return `${input}.${cryptoSign(null, Buffer.from(input), privateKey).toString('base64url')}`
}

/**
 * Returns the `kid` and the payload of a genuine document.
 * Throws DOCUMENT_MALFORMED, DOCUMENT_TYPE_WRONG, ISSUER_UNKNOWN or SIGNATURE_INVALID.
 */
export function verify(text: string, expected: { typ: string; publicKeyOf: KeyLookup }): { kid: string; payload: unknown } {
  if (text.length > jwsCharsMax) throw malformed(`it is longer than ${jwsCharsMax} characters`)
  const parts = text.split('.')
  const [headerPart, payloadPart, signaturePart] = parts
  if (parts.length !== 3 || headerPart === undefined || payloadPart === undefined || signaturePart === undefined) {
    throw malformed('it must have exactly three parts')
  }
  const header = readHeader(headerPart)
  if (header.typ !== expected.typ) {
    throw new MailscoutError('DOCUMENT_TYPE_WRONG', `The signed text is of another type than ${expected.typ}.`)
  }
  const publicKey = expected.publicKeyOf(header.kid)
  if (publicKey === undefined) throw new MailscoutError('ISSUER_UNKNOWN', 'The signed text names a key that is not trusted here.')
  const signature = decodeBase64url(signaturePart)
  const genuine = signature.length === 64 && cryptoVerify(null, Buffer.from(`${headerPart}.${payloadPart}`), publicKey, signature)
  if (!genuine) throw new MailscoutError('SIGNATURE_INVALID', 'The signature does not belong to the signed text.')
  return { kid: header.kid, payload: decodeJson(payloadPart) }
}

/** RFC 7638 thumbprint of an Ed25519 public key, given as base64url of its 32 bytes. */
export function thumbprint(x: string): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url')
}

/** The same few keys come again and again. Emptied when full, because strangers' certificates bring keys too. */
const keysByX = new Map<string, KeyObject>()
const keysKeptMax = 1000

/** Throws DOCUMENT_MALFORMED when `x` is not the canonical base64url of 32 bytes. */
export function publicKeyFromX(x: string): KeyObject {
  const known = keysByX.get(x)
  if (known !== undefined) return known
  if (!isPublicKeyX(x)) throw malformed('a public key must be 32 bytes in base64url (43 characters)')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  if (keysByX.size >= keysKeptMax) keysByX.clear()
  keysByX.set(x, key)
  return key
}

const xByKey = new WeakMap<KeyObject, string>()

/** base64url of the raw public key that belongs to a private or public Ed25519 key. */
export function publicXOf(key: KeyObject): string {
  const known = xByKey.get(key)
  if (known !== undefined) return known
  const { crv, x } = key.export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw new MailscoutError('KEY_UNREADABLE', 'The key must be an Ed25519 key.')
  xByKey.set(key, x)
  return x
}

export function isPublicKeyX(value: unknown): value is string {
  return typeof value === 'string' && value.length === 43 && Buffer.from(value, 'base64url').toString('base64url') === value
}

function readHeader(part: string): { typ: string; kid: string } {
  const header = decodeJson(part)
  const unknown = Object.keys(header).filter((name) => !headerNames.has(name))
  // `jwk`, `jku`, `x5c`, `crit` and friends let a sender choose how he is checked: none is accepted.
  if (unknown.length > 0) throw malformed('its header may hold alg, typ and kid only')
  const { alg, typ, kid } = header
  if (alg !== 'Ed25519' && alg !== 'EdDSA') throw malformed('its algorithm must be Ed25519')
  if (typeof typ !== 'string' || typeof kid !== 'string' || kid.length > 64) throw malformed('its header needs typ and kid')
  return { typ, kid }
}

const encodeJson = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Strict: Node's decoder skips foreign characters and stray bits, so that one document would have many spellings. */
function decodeBase64url(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.length === 0 || bytes.toString('base64url') !== part) throw malformed('its parts must be base64url without padding')
  return bytes
}

function decodeJson(part: string): Record<string, unknown> {
  const value = parseJson(decodeBase64url(part).toString('utf8'))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('its parts must hold JSON objects')
  return value as Record<string, unknown>
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('its parts must hold JSON')
  }
}

const malformed = (why: string): MailscoutError => new MailscoutError('DOCUMENT_MALFORMED', `The signed text is refused: ${why}.`)
