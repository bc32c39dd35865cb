import { beforeAll, describe, expect, it } from 'vitest'
import type { CoordinatorFrame } from '../../common/wire/frames.ts'
import { createKeyPair, type KeyPair } from '../../common/wire/keys.ts'
import { open } from '../../common/wire/seal.ts'
import { rootFromX } from '../../probe/identity.ts'
import { greet, type SessionState, step } from '../../probe/session.ts'
import { Installation } from '../support/installation.ts'
import { uuidOf } from '../support/plans.ts'
import { probeId } from '../support/probe-parts.ts'

const nowMs = Date.parse('2026-11-23T12:00:00Z')
const nonce = 'n'.repeat(32)
const theirNonce = 'c'.repeat(32)
const home = new Installation()
const stranger = new Installation()
const keyPair: KeyPair = createKeyPair()
const self = { probeId, keyPair, root: rootFromX(home.root.x), installation: home.name }
const greeting: SessionState = { phase: 'greeting', nonce }

async function challenge(changes: { certificate?: Promise<string>; proof?: Promise<string> } = {}): Promise<CoordinatorFrame> {
  return {
    v: 1,
    type: 'challenge',
    nonce: theirNonce,
    coordinator_certificate: await (changes.certificate ?? home.coordinatorCertificate(nowMs)),
    proof: await (changes.proof ?? home.proof(nonce, probeId, nowMs)),
  }
}

describe('the session', () => {
  let genuine: CoordinatorFrame
  beforeAll(async () => {
    genuine = await challenge()
  })

  it('opens after both sides have proved themselves', async () => {
    const hello = greet(self, nonce, '1.0', 'boot')
    expect(hello.send).toEqual({ v: 1, type: 'hello', probe_id: probeId, nonce, version: '1.0', boot_id: 'boot' })
    const proving = await step(hello.state, genuine, self, nowMs)
    if (proving.send?.type !== 'prove') throw new Error('The challenge was not answered')
    const proof = await open('probe_proof', proving.send.proof, {
      trustedKey: (kid) => (kid === keyPair.kid ? keyPair.publicKey : undefined),
      issuer: probeId,
      audience: home.name,
      nowMs,
    })
    expect(proof.body.nonce).toBe(theirNonce)
    const welcome: CoordinatorFrame = { v: 1, type: 'welcome', server_time: nowMs, certificate: 'x'.repeat(30) }
    expect(await step(proving.state, welcome, self, nowMs)).toEqual({ state: { phase: 'open' }, deliver: welcome })
  })

  const day = 86_400_000
  it.each([
    ['a certificate of another root', { certificate: stranger.coordinatorCertificate(nowMs) }, 'ISSUER_UNKNOWN'],
    [
      'a certificate that names our root but was signed by another',
      { certificate: home.coordinatorCertificate(nowMs, { key: { ...stranger.root, kid: home.root.kid } }) },
      'SIGNATURE_INVALID',
    ],
    [
      'a certificate that has ended',
      { certificate: home.coordinatorCertificate(nowMs, { expiresAtMs: nowMs - day }) },
      'DOCUMENT_EXPIRED',
    ],
    [
      'a proof by a key that was not certified',
      { proof: stranger.proof(nonce, probeId, nowMs, { issuer: home.name }) },
      'ISSUER_UNKNOWN',
    ],
    [
      'a forged proof',
      { proof: home.proof(nonce, probeId, nowMs, { key: { ...stranger.coordinator, kid: home.coordinator.kid } }) },
      'SIGNATURE_INVALID',
    ],
    ['a proof over the nonce of another session', { proof: home.proof('o'.repeat(32), probeId, nowMs) }, 'DOCUMENT_REPLAYED'],
    ['a proof for another probe', { proof: home.proof(nonce, uuidOf(7), nowMs) }, 'AUDIENCE_WRONG'],
    [
      'a proof that is no proof',
      { proof: home.coordinatorCertificate(nowMs, { key: home.coordinator, audience: probeId }) },
      'DOCUMENT_TYPE_WRONG',
    ],
  ])('refuses %s', async (_, changes, code) => {
    await expect(step(greeting, await challenge(changes), self, nowMs)).rejects.toMatchObject({ code })
  })

  it.each([
    ['a welcome before the challenge', greeting, { v: 1, type: 'welcome', server_time: nowMs, certificate: 'x'.repeat(30) }],
    ['a job before the welcome', { phase: 'proving' }, { v: 1, type: 'job', job: 'x'.repeat(30) }],
    ['a second welcome', { phase: 'open' }, { v: 1, type: 'welcome', server_time: nowMs, certificate: 'x'.repeat(30) }],
  ] as [string, SessionState, CoordinatorFrame][])('does not take %s', async (_, state, frame) => {
    await expect(step(state, frame, self, nowMs)).rejects.toMatchObject({ code: 'FRAME_UNEXPECTED' })
  })

  it('delivers orders only once it is open', async () => {
    const job: CoordinatorFrame = { v: 1, type: 'job', job: 'x'.repeat(30) }
    expect(await step({ phase: 'open' }, job, self, nowMs)).toEqual({ state: { phase: 'open' }, deliver: job })
  })
})
