/** Who is at the other end: enrolment of a new probe, and the proof of identity on both sides (common/wire/frames.ts shows the order). */
import { MailscoutError } from '../../common/errors.ts'
import { batchAgeMsMax, certificateRenewMs } from '../../common/limits.ts'
import { publicKeyFromX, thumbprint } from '../../common/mail/jws.ts'
import { readEnrolmentToken } from '../../common/wire/enrolment-token.ts'
import { type CoordinatorFrame, type ProbeFrame, wireVersion } from '../../common/wire/frames.ts'
import { sha256 } from '../../common/wire/keys.ts'
import { clockToleranceMs, datedAheadMs, open, seal } from '../../common/wire/seal.ts'
import { announce } from '../store/announce.ts'
import type { Sql } from '../store/connection.ts'
import {
  findCertificate,
  findEnrolment,
  findProbe,
  type LinkedProbe,
  noteClock,
  saveCertificate,
  saveEnrolment,
} from '../store/probe-link.ts'
import type { HubContext } from './context.ts'

type Frame<T extends ProbeFrame['type']> = Extract<ProbeFrame, { type: T }>

/**
 * Binds a new probe's key to the probe that the token was made for. The same key may come again with the same token while it is
 * valid, in case our answer was lost; another key may not.
 */
export async function enrol(context: HubContext, frame: Frame<'enrol'>): Promise<CoordinatorFrame> {
  const { keys, database, runtime, logger } = context
  const key = publicKeyFromX(frame.x)
  const kid = thumbprint(frame.x)
  const { body } = await open('enrolment', frame.enrolment, {
    trustedKey: (named) => (named === kid ? key : undefined),
    issuer: kid,
    audience: keys.installation,
    nowMs: runtime.wallMs(),
    maxAgeMs: batchAgeMsMax,
  })
  if (body.x !== frame.x) throw refusal('The enrolment names another key than the one that signed it')
  if (readEnrolmentToken(body.token).rootKid !== keys.rootKid)
    throw refusal('The enrolment token belongs to another installation')
  return await database.system.begin(async (sql) => {
    const row = await findEnrolment(sql, sha256(body.token))
    if (row === null) throw refusal('The enrolment token is not known: copy it again from the answer that created the probe')
    if (row.public_key !== null && row.public_key !== frame.x)
      throw refusal(`The token has been used: probe ${row.name} has enrolled with another key`)
    if (row.expired && row.public_key === null) throw refusal('The enrolment token has expired: ask for a new one')
    await saveEnrolment(sql, { id: row.id, x: frame.x, kid, returnAddress: body.return_address, version: frame.version })
    const certificate = await currentCertificate(context, sql, {
      id: row.id,
      public_key: frame.x,
      return_address: body.return_address,
    })
    await announce(sql, 'live', { kind: 'probe', customer_id: null, id: row.id })
    logger.info({ probe: row.id, name: row.name, key: kid, return_address: body.return_address }, 'a probe has enrolled')
    return {
      v: wireVersion,
      type: 'enrolled',
      probe_id: row.id,
      root_x: keys.rootX,
      return_address: body.return_address,
      certificate,
    }
  })
}

export type Challenged = { probe: LinkedProbe; nonce: string; version: string }

/** Answers a hello: who the coordinator is, proved over the probe's nonce, and a nonce for the probe to prove itself by. */
export async function challenge(
  context: HubContext,
  frame: Frame<'hello'>,
): Promise<{ challenged: Challenged; answer: CoordinatorFrame }> {
  const { keys, runtime, database } = context
  const probe = await findProbe(database.system, frame.probe_id)
  if (probe === null)
    throw new MailscoutError('PROBE_UNKNOWN', 'No such probe has enrolled here, or it has been retired: enrol it anew')
  const nonce = Buffer.from(runtime.randomBytes(24)).toString('base64url')
  const proof = await seal(
    'coordinator_proof',
    { nonce: frame.nonce },
    // It is fresh by the nonce. A probe whose clock is wrong must come as far as its own proof, by which we know its clock.
    { key: keys.signing, issuer: keys.installation, audience: probe.id, issuedAtMs: runtime.wallMs() },
  )
  return {
    challenged: { probe, nonce, version: frame.version },
    answer: { v: wireVersion, type: 'challenge', nonce, coordinator_certificate: await keys.certificate(), proof },
  }
}

/** Checks that the probe holds its key, and that its clock is near ours; throws a coded refusal. */
export async function checkProof(context: HubContext, challenged: Challenged, frame: Frame<'prove'>): Promise<void> {
  const { probe, nonce } = challenged
  const nowMs = context.runtime.wallMs()
  const { body, issuedAtMs = nowMs } = await open('probe_proof', frame.proof, {
    trustedKey: (kid) => (kid === probe.key_id ? publicKeyFromX(probe.public_key) : undefined),
    issuer: probe.id,
    audience: context.keys.installation,
    nowMs,
    // It is fresh by the nonce: one of any age is read, so that we know by how much the probe's clock is behind.
    maxAgeMs: anyAgeMs,
  }).catch(async (error: unknown) => {
    const aheadMs = datedAheadMs(error, nowMs)
    if (aheadMs !== null) await tellClock(context, probe, -aheadMs)
    throw error
  })
  if (body.nonce !== nonce) throw new MailscoutError('DOCUMENT_REPLAYED', 'The proof answers another challenge')
  const behindMs = nowMs - issuedAtMs
  if (behindMs <= batchAgeMsMax + clockToleranceMs) return
  await tellClock(context, probe, behindMs)
  const what = `The proof is dated ${Math.round(behindMs / 1000)} s in the past: the clock of its sender, or ours, is wrong`
  throw new MailscoutError('DOCUMENT_EXPIRED', what)
}

const anyAgeMs = Number.MAX_SAFE_INTEGER

/**
 * A probe whose clock is ahead, or so far behind that its batches look like old ones, is cut off until somebody sets it: the operator reads
 * why in the log, and in the list of the probes. `lackMs`: what its clock lacks.
 */
async function tellClock({ database, logger }: HubContext, probe: LinkedProbe, lackMs: number): Promise<void> {
  const byS = Math.round(Math.abs(lackMs) / 1000)
  const [way, by] = lackMs < 0 ? ['ahead of', { ahead_s: byS }] : ['behind', { behind_s: byS }]
  logger.error(
    { probe: probe.id, name: probe.name, ...by },
    `the clock of the probe is ${way} ours by more than is allowed: it is cut off until its clock, or ours, is set right (NTP)`,
  )
  await noteClock(database.system, probe.id, lackMs)
  await announce(database.system, 'live', { kind: 'probe', customer_id: null, id: probe.id })
}

/** A certificate good for at least another week, issued now if there is none. */
export async function currentCertificate(
  { keys, runtime }: Pick<HubContext, 'keys' | 'runtime'>,
  sql: Sql,
  probe: { id: string; public_key: string; return_address: string },
): Promise<string> {
  const held = await findCertificate(sql, probe.id)
  if (held !== null && held.not_after > runtime.wallMs() + certificateRenewMs) return held.certificate
  const issued = keys.certifyProbe({ id: probe.id, x: probe.public_key, returnAddress: probe.return_address })
  if (issued !== null) {
    await saveCertificate(sql, probe.id, issued)
    return issued.certificate
  }
  if (held !== null) return held.certificate
  throw new MailscoutError(
    'CERTIFICATE_INVALID',
    'The root key is off-line and no certificate for this probe has been issued in advance',
  )
}

const refusal = (message: string) => new MailscoutError('ENROLMENT_REFUSED', message)
