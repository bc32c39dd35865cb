/**
 * Who this probe is: its key (`keys/probe.pem`), and what the enrolment gave it (`identity.json`): id, root key, return address and
 * the newest probe certificate.
 */
import type { KeyObject } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorMessage, MailscoutError } from '../common/errors.ts'
import { publicKeyFromX, thumbprint } from '../common/mail/jws.ts'
import { type CertificateClaims, verifyCertificate } from '../common/mail/token.ts'
import { installationName, type KeyPair, loadOrCreateKeyPair, writePrivateFile } from '../common/wire/keys.ts'
import { CompactJws, checker, MailAddress, PublicKeyX, strict, Uuid } from '../common/wire/schema.ts'

export type Root = {
  /** The raw public key, base64url. */
  x: string
  kid: string
  publicKey: KeyObject
}

export type Identity = {
  readonly probeId: string
  readonly keyPair: KeyPair
  readonly returnAddress: string
  readonly rootX: string
  readonly root: Root
  /** The installation's name: issuer of what we accept, audience of what we say. */
  readonly installation: string
  /** The newest certificate, to travel in test mails. */
  certificate(): string
  /** When it ends, ms since 1970. */
  certificateEndsMs(): number
  /**
   * Keeps a newer certificate, on disk first; false where it is no newer. Throws CERTIFICATE_INVALID, ISSUER_UNKNOWN,
   * SIGNATURE_INVALID or DOCUMENT_MALFORMED for one that is not for this probe.
   */
  renew(certificate: string): boolean
}

const IdentityFile = strict({ probe_id: Uuid, root_x: PublicKeyX, return_address: MailAddress, certificate: CompactJws })
const checkIdentityFile = checker(IdentityFile, 'IDENTITY_UNREADABLE')

export type Enrolled = { probeId: string; rootX: string; returnAddress: string; certificate: string }

const identityPath = (dataDir: string): string => join(dataDir, 'identity.json')

export const loadProbeKey = (dataDir: string): KeyPair => loadOrCreateKeyPair(join(dataDir, 'keys', 'probe.pem'))

export const rootFromX = (x: string): Root => ({ x, kid: thumbprint(x), publicKey: publicKeyFromX(x) })

/** The identity on disk; undefined before the enrolment. Throws IDENTITY_UNREADABLE and what `renew` throws. */
export function loadIdentity(dataDir: string, keyPair: KeyPair): Identity | undefined {
  const path = identityPath(dataDir)
  if (!existsSync(path)) return undefined
  return identityOver(dataDir, keyPair, readIdentityFile(path))
}

/** Verifies what the enrolment gave and writes it down before anybody relies on it. */
export function adoptIdentity(dataDir: string, keyPair: KeyPair, enrolled: Enrolled): Identity {
  const identity = identityOver(dataDir, keyPair, enrolled)
  save(dataDir, enrolled)
  return identity
}

function readIdentityFile(path: string): Enrolled {
  try {
    const file = checkIdentityFile(JSON.parse(readFileSync(path, 'utf8')))
    return { probeId: file.probe_id, rootX: file.root_x, returnAddress: file.return_address, certificate: file.certificate }
  } catch (cause) {
    throw new MailscoutError(
      'IDENTITY_UNREADABLE',
      `${path} is damaged (${errorMessage(cause)}): restore it from your backup, or delete it and enrol the probe again`,
      { cause },
    )
  }
}

function identityOver(dataDir: string, keyPair: KeyPair, enrolled: Enrolled): Identity {
  const root = rootFromX(enrolled.rootX)
  let certificate = enrolled.certificate
  let claims = certifiedClaims(certificate, enrolled, keyPair)
  return {
    probeId: enrolled.probeId,
    keyPair,
    returnAddress: enrolled.returnAddress,
    rootX: root.x,
    root,
    installation: installationName(root.kid),
    certificate: () => certificate,
    certificateEndsMs: () => claims.exp * 1000,
    renew(candidate) {
      const candidateClaims = certifiedClaims(candidate, enrolled, keyPair)
      if (candidateClaims.exp <= claims.exp) return false
      save(dataDir, { ...enrolled, certificate: candidate })
      certificate = candidate
      claims = candidateClaims
      return true
    },
  }
}

function certifiedClaims(certificate: string, enrolled: Omit<Enrolled, 'certificate'>, keyPair: KeyPair): CertificateClaims {
  const claims = verifyCertificate(certificate, [enrolled.rootX])
  const faults = [
    claims.x === keyPair.x ? undefined : 'another key than keys/probe.pem',
    claims.sub === enrolled.probeId ? undefined : `another probe, ${claims.sub}`,
    claims.ret === enrolled.returnAddress ? undefined : `another return address, ${claims.ret}`,
  ].filter((fault) => fault !== undefined)
  if (faults.length > 0)
    throw new MailscoutError('CERTIFICATE_INVALID', `The probe certificate is for ${faults.join(' and for ')}`)
  return claims
}

function save(dataDir: string, enrolled: Enrolled): void {
  const file = {
    probe_id: enrolled.probeId,
    root_x: enrolled.rootX,
    return_address: enrolled.returnAddress,
    certificate: enrolled.certificate,
  }
  writePrivateFile(identityPath(dataDir), `${JSON.stringify(file, undefined, 2)}\n`)
}
