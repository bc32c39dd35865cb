/**
 * One session on the probe link, as pure logic: a state, a frame, and what follows from it.
 *
 *   hello ─► challenge: the coordinator proves itself ─► prove ─► welcome ─► open: orders, jobs, acknowledgements
 *
 * Nothing is believed before the coordinator has proved that the root key certified it and that it saw our nonce.
 */
import { type ErrorCode, errorCodes, MailscoutError } from '../common/errors.ts'
import { type CoordinatorFrame, type ProbeFrame, wireVersion } from '../common/wire/frames.ts'
import { open, seal } from '../common/wire/seal.ts'
import { type CertifiedKey, verifyCoordinatorCertificate } from './coordinator-keys.ts'
import type { Identity } from './identity.ts'

export type SessionState = { phase: 'greeting'; nonce: string } | { phase: 'proving' } | { phase: 'open' }

export type Delivery = Extract<
  CoordinatorFrame,
  { type: 'welcome' | 'manifest' | 'page' | 'ack' | 'job' | 'certificate' | 'error' }
>

export type Step = {
  state: SessionState
  send?: ProbeFrame
  /** For the parts behind the link. */
  deliver?: Delivery
  /** The certificate of the coordinator that has just proved itself. */
  coordinatorCertificate?: string
}

type Self = Pick<Identity, 'probeId' | 'keyPair' | 'root' | 'installation'>

export const greet = (self: Self, nonce: string, version: string, bootId: string): Step => ({
  state: { phase: 'greeting', nonce },
  send: { v: wireVersion, type: 'hello', probe_id: self.probeId, nonce, version, boot_id: bootId },
})

/** Throws a coded error for a frame that does not belong here, or that proves the other side wrong; the state stays as it was. */
export async function step(state: SessionState, frame: CoordinatorFrame, self: Self, nowMs: number): Promise<Step> {
  if (state.phase === 'greeting' && frame.type === 'challenge') return await answerChallenge(state.nonce, frame, self, nowMs)
  if (state.phase === 'proving' && frame.type === 'welcome') return { state: { phase: 'open' }, deliver: frame }
  if (state.phase === 'open' && isOrder(frame)) return { state, deliver: frame }
  throw new MailscoutError('FRAME_UNEXPECTED', `A frame ${frame.type} does not belong where the session is ${state.phase}`)
}

async function answerChallenge(
  nonce: string,
  frame: Extract<CoordinatorFrame, { type: 'challenge' }>,
  self: Self,
  nowMs: number,
): Promise<Step> {
  const key = await verifyCoordinatorCertificate(frame.coordinator_certificate, self.root, nowMs)
  await checkProof(frame.proof, key, nonce, self, nowMs)
  const proof = await seal(
    'probe_proof',
    { nonce: frame.nonce },
    { key: self.keyPair, issuer: self.probeId, audience: self.installation, issuedAtMs: nowMs },
  )
  return {
    state: { phase: 'proving' },
    send: { v: wireVersion, type: 'prove', proof },
    coordinatorCertificate: frame.coordinator_certificate,
  }
}

/** Fresh by the nonce, so that it needs no time. */
async function checkProof(proof: string, key: CertifiedKey, nonce: string, self: Self, nowMs: number): Promise<void> {
  const { body } = await open('coordinator_proof', proof, {
    trustedKey: (kid) => (kid === key.kid ? key.publicKey : undefined),
    issuer: self.installation,
    audience: self.probeId,
    nowMs,
  })
  if (body.nonce !== nonce) throw new MailscoutError('DOCUMENT_REPLAYED', 'The coordinator proved another session, not this one')
}

function isOrder(frame: CoordinatorFrame): frame is Exclude<Delivery, { type: 'welcome' }> {
  return ['manifest', 'page', 'ack', 'job', 'certificate', 'error'].includes(frame.type)
}

/** A code from a newer coordinator that we do not know is no more than a lost link. */
export const codeNamed = (code: string): ErrorCode => (Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'LINK_LOST')
