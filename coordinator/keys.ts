/**
 * The coordinator's keys: the root key, which everybody pins, and the key that signs day by day, certified by the root (DESIGN 3.1).
 * The root key may be kept off-line: then a certificate in `coordinator.crt` stands in for it, and probe certificates must have been issued
 * in advance.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MailscoutError } from '../common/errors.ts'
import { certificateValidMs } from '../common/limits.ts'
import { isPublicKeyX, thumbprint } from '../common/mail/jws.ts'
import { mintCertificate } from '../common/mail/token.ts'
import type { Runtime } from '../common/runtime.ts'
import { installationName, type KeyPair, loadOrCreateKeyPair } from '../common/wire/keys.ts'
import { seal } from '../common/wire/seal.ts'

export type CoordinatorKeys = {
  rootX: string
  rootKid: string
  /** Issuer of what we sign, and audience of what probes sign for us. */
  installation: string
  /** Signs assignments and jobs. */
  signing: KeyPair
  /** The root's word for `signing`, made anew well before it ends. */
  certificate(): Promise<string>
  /** Root's word for a probe's key and its one return address; null where the root key is off-line. */
  certifyProbe(probe: { id: string; x: string; returnAddress: string }): ProbeCertificate | null
}

export type ProbeCertificate = { certificate: string; notBeforeMs: number; notAfterMs: number }

const coordinatorCertificateMs = 90 * 24 * 3_600_000
/** A probe whose clock is behind ours must find its certificate valid. */
const backdateMs = 3_600_000

export function loadCoordinatorKeys(dataDir: string, runtime: Runtime): CoordinatorKeys {
  const folder = join(dataDir, 'keys')
  const signing = loadOrCreateKeyPair(join(folder, 'coordinator.pem'))
  const offline = join(folder, 'root.pub')
  if (existsSync(offline)) return offlineKeys(readFileSync(offline, 'utf8').trim(), join(folder, 'coordinator.crt'), signing)

  const root = loadOrCreateKeyPair(join(folder, 'root.pem'))
  const installation = installationName(root.kid)
  return {
    rootX: root.x,
    rootKid: root.kid,
    installation,
    signing,
    certificate: () =>
      seal(
        'coordinator_certificate',
        { x: signing.x },
        { key: root, issuer: installation, audience: installation, expiresAtMs: runtime.wallMs() + coordinatorCertificateMs },
      ),
    certifyProbe({ id, x, returnAddress }) {
      const notBeforeMs = runtime.wallMs() - backdateMs
      const notAfterMs = runtime.wallMs() + certificateValidMs
      const claims = { sub: id, x, ret: returnAddress, nbf: Math.floor(notBeforeMs / 1000), exp: Math.floor(notAfterMs / 1000) }
      return { certificate: mintCertificate(claims, root.privateKey), notBeforeMs, notAfterMs }
    },
  }
}

function offlineKeys(rootX: string, certificatePath: string, signing: KeyPair): CoordinatorKeys {
  if (!isPublicKeyX(rootX))
    throw new MailscoutError('KEY_UNREADABLE', 'keys/root.pub must hold the public root key, base64url of 32 bytes')
  if (!existsSync(certificatePath)) {
    throw new MailscoutError(
      'KEY_UNREADABLE',
      `The root key is off-line and ${certificatePath} is missing: certify key ${signing.x} with the root key and put it there`,
    )
  }
  const certificate = readFileSync(certificatePath, 'utf8').trim()
  const rootKid = thumbprint(rootX)
  return {
    rootX,
    rootKid,
    installation: installationName(rootKid),
    signing,
    certificate: async () => certificate,
    certifyProbe: () => null,
  }
}
