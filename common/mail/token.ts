/**
 * The chain of trust that travels in a test mail: root key → probe certificate → token, as `certificate~token`.
 * Verifying says who made it and for whom; time is judged apart, because the reader's clock is what we measure (DESIGN 3.1).
 */
import { createHash, type KeyObject } from 'node:crypto'
import { MailscoutError } from '../errors.ts'
import { domainOf, isMailAddress } from './headers.ts'
import { isPublicKeyX, publicKeyFromX, publicXOf, sign, thumbprint, verify } from './jws.ts'
import { tokenCharsMax } from './message.ts'

const certificateType = 'mailscout-probe-cert+jws'
const tokenType = 'rtmail+jws'
/** Two machines whose clocks differ by less than this agree on the time as far as a stamp is concerned. */
const clockToleranceMs = 60_000

/** The root's word that this key may ask for answers to this one address. Times in seconds since the epoch. */
export type CertificateClaims = { v: 1; sub: string; x: string; ret: string; nbf: number; exp: number }

/**
 * `tid` test id (UUID), `mon` monitor, `prb` probe (UUID), `rcpt` recipientHash of the target address, `ret` return address,
 * `mid` Message-ID of the test mail, `att` attempt from 1. Times in seconds since the epoch.
 */
export type TokenClaims = {
  v: 1
  tid: string
  mon: string
  prb: string
  rcpt: string
  ret: string
  mid: string
  att: number
  iat: number
  exp: number
}

export type VerifiedToken = { certificate: CertificateClaims; token: TokenClaims; text: string }

export function mintCertificate(claims: Omit<CertificateClaims, 'v'>, rootKey: KeyObject): string {
  const checked = readCertificateClaims({ v: 1, ...claims })
  return sign({ typ: certificateType, kid: thumbprint(publicXOf(rootKey)) }, checked, rootKey)
}

/** Returns `certificate~token`. The claims are checked as a reader would. */
export function mintToken(options: { certificate: string; claims: Omit<TokenClaims, 'v'>; probeKey: KeyObject }): string {
  const checked = readTokenClaims({ v: 1, ...options.claims })
  return `${options.certificate}~${sign({ typ: tokenType, kid: thumbprint(publicXOf(options.probeKey)) }, checked, options.probeKey)}`
}

/** `rootKeysX`: base64url of each trusted root key. Throws a coded error; checks no times. */
export function verifyCertificate(text: string, rootKeysX: readonly string[]): CertificateClaims {
  const rootX = (kid: string) => rootKeysX.find((x) => thumbprint(x) === kid)
  const { payload } = verify(text, { typ: certificateType, publicKeyOf: (kid) => keyOf(rootX(kid)) })
  return readCertificateClaims(payload)
}

/** Checks both signatures, both shapes, and that the token stays within what its certificate grants. Checks no times. */
export function verifyToken(text: string, rootKeysX: readonly string[]): VerifiedToken {
  const parts = text.split('~')
  const [certificateText, tokenText] = parts
  if (text.length > tokenCharsMax || parts.length !== 2 || certificateText === undefined || tokenText === undefined) {
    throw new MailscoutError('DOCUMENT_MALFORMED', 'A token must be certificate~token.')
  }
  const certificate = verifyCertificate(certificateText, rootKeysX)
  const probeKid = thumbprint(certificate.x)
  const { payload } = verify(tokenText, {
    typ: tokenType,
    publicKeyOf: (kid) => (kid === probeKid ? publicKeyFromX(certificate.x) : undefined),
  })
  const token = readTokenClaims(payload)
  if (token.prb !== certificate.sub || token.ret !== certificate.ret) {
    throw new MailscoutError('CERTIFICATE_INVALID', 'The token asks for more than the certificate of its probe grants.')
  }
  return { certificate, token, text }
}

/** What the times of a verified token are read from. */
export type TimedToken = { certificate: Pick<CertificateClaims, 'nbf' | 'exp'>; token: Pick<TokenClaims, 'iat' | 'exp'> }
export type Timeliness = 'timely' | 'not_yet_valid' | 'expired'

/** What the reader's own clock says about certificate and token; never a reason to leave a genuine mail unanswered. */
export function timeliness({ certificate, token }: TimedToken, nowMs: number): Timeliness {
  if (nowMs < Math.max(certificate.nbf, token.iat) * 1000 - clockToleranceMs) return 'not_yet_valid'
  if (nowMs > Math.min(certificate.exp, token.exp) * 1000 + clockToleranceMs) return 'expired'
  return 'timely'
}

/** The recipient without his name: base64url SHA-256 of the lower-cased address. */
export const recipientHash = (address: string): string => createHash('sha256').update(address.toLowerCase()).digest('base64url')

/** True when the domain of `ret` is one of `domains` or lies below one: `eu.probe.example` under `probe.example`. */
export function returnDomainPinned(ret: string, domains: readonly string[]): boolean {
  if (!isMailAddress(ret)) return false
  const domain = domainOf(ret)
  return domains.some((pinned) => domain === pinned.toLowerCase() || domain.endsWith(`.${pinned.toLowerCase()}`))
}

/** The Message-ID of a test mail, in the domain that sends it. */
export const testMessageId = (tid: string, returnAddress: string): string => `<${tid}@${domainOf(returnAddress)}>`

/** What a person reads in the Subject. The tail, because a UUIDv7 begins with the time. */
export const shortTestId = (tid: string): string => tid.slice(-12)

/** The ENVID of a test mail (RFC 3461 §4.4), which a delivery status notification gives back. */
export const envelopeId = (tid: string): string => `mailscout-${tid}`

/** The test that an `Original-Envelope-Id` names, if it is one of ours. */
export function testOfEnvelopeId(value: string): string | undefined {
  const tid = /^mailscout-(.{36})$/.exec(value)?.[1]
  return isUuid(tid) ? tid : undefined
}

function readCertificateClaims(payload: unknown): CertificateClaims {
  const { v, sub, x, ret, nbf, exp } = versioned(payload)
  if (v === 1 && isUuid(sub) && isPublicKeyX(x) && isMailAddress(ret) && isWindow(nbf, exp))
    return { v, sub, x, ret, nbf, exp: Number(exp) }
  throw new MailscoutError('CERTIFICATE_INVALID', 'The claims of the probe certificate do not have their shape.')
}

function readTokenClaims(payload: unknown): TokenClaims {
  const { v, tid, mon, prb, rcpt, ret, mid, att, iat, exp } = versioned(payload)
  const named = isUuid(tid) && isOpaqueId(mon) && isUuid(prb) && isHash(rcpt) && isMailAddress(ret) && isMessageId(mid)
  if (v === 1 && named && isAttempt(att) && isWindow(iat, exp)) {
    return { v, tid, mon, prb, rcpt, ret, mid, att, iat, exp: Number(exp) }
  }
  throw new MailscoutError('DOCUMENT_MALFORMED', 'The claims of the token do not have their shape.')
}

function versioned(payload: unknown): Record<string, unknown> {
  const claims = (payload ?? {}) as Record<string, unknown>
  if (claims.v !== 1)
    throw new MailscoutError('VERSION_UNSUPPORTED', 'Only version 1 of certificate and token is known: update this part.')
  return claims
}

const keyOf = (x: string | undefined): KeyObject | undefined => (x === undefined ? undefined : publicKeyFromX(x))

export const isUuid = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value)

/** A Message-ID with its angle brackets, in the plain form that we write. */
export const isMessageId = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= 250 && /^<[A-Za-z0-9._+=-]{1,128}@[A-Za-z0-9.-]{1,253}>$/.test(value)

const isOpaqueId = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(value)
const isHash = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value)
const isAttempt = (value: unknown): value is number => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 99
/** Up to the year 9999, where ISO 8601 gets a fifth digit. */
const isSeconds = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 253_402_300_799
const isWindow = (from: unknown, to: unknown): from is number => isSeconds(from) && isSeconds(to) && from < to
