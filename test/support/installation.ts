/** The keys of an installation and whatever it signs, for tests that play the coordinator. */
import { randomBytes } from 'node:crypto'
import { jobStartMsMax, manifestValidMs } from '../../common/limits.ts'
import { mintCertificate } from '../../common/mail/token.ts'
import type { Manifest, Page } from '../../common/wire/documents.ts'
import { writeEnrolmentToken } from '../../common/wire/enrolment-token.ts'
import { createKeyPair, installationName, type KeyPair, sha256 } from '../../common/wire/keys.ts'
import { type SealOptions, seal } from '../../common/wire/seal.ts'
import type { Job } from '../../common/wire/test.ts'

const dayMs = 86_400_000

export class Installation {
  readonly root: KeyPair
  readonly coordinator = createKeyPair()
  readonly name: string
  readonly enrolmentToken: string

  constructor(root = createKeyPair()) {
    this.root = root
    this.name = installationName(root.kid)
    this.enrolmentToken = writeEnrolmentToken(randomBytes(32), root.kid)
  }

  coordinatorCertificate(nowMs: number, changes: Partial<SealOptions> = {}): Promise<string> {
    const options = { key: this.root, issuer: this.name, audience: this.name, issuedAtMs: nowMs, expiresAtMs: nowMs + 30 * dayMs }
    return seal('coordinator_certificate', { x: this.coordinator.x }, { ...options, ...changes })
  }

  proof(nonce: string, probeId: string, nowMs: number, changes: Partial<SealOptions> = {}): Promise<string> {
    const options = { key: this.coordinator, issuer: this.name, audience: probeId, issuedAtMs: nowMs }
    return seal('coordinator_proof', { nonce }, { ...options, ...changes })
  }

  probeCertificate(probeId: string, x: string, returnAddress: string, nowMs: number, validMs = 14 * dayMs): string {
    const nbf = Math.floor(nowMs / 1000) - 60
    return mintCertificate(
      { sub: probeId, x, ret: returnAddress, nbf, exp: nbf + Math.floor(validMs / 1000) },
      this.root.privateKey,
    )
  }

  async page(
    assignments: Page['assignments'],
    probeId: string,
    changes: Partial<SealOptions> = {},
  ): Promise<{ hash: string; jws: string }> {
    const jws = await seal('page', { assignments }, { key: this.coordinator, issuer: this.name, audience: probeId, ...changes })
    return { hash: sha256(jws), jws }
  }

  manifest(body: Partial<Manifest>, probeId: string, nowMs: number, changes: Partial<SealOptions> = {}): Promise<string> {
    const whole = { version: 1, valid_until: nowMs + manifestValidMs, page_hashes: [], references: [], ...body }
    return seal('manifest', whole, { key: this.coordinator, issuer: this.name, audience: probeId, issuedAtMs: nowMs, ...changes })
  }

  job(job: Job, probeId: string, nowMs: number, changes: Partial<SealOptions> = {}): Promise<string> {
    const times = { issuedAtMs: nowMs, expiresAtMs: nowMs + jobStartMsMax }
    return seal('job', job, { key: this.coordinator, issuer: this.name, audience: probeId, id: job.id, ...times, ...changes })
  }
}
