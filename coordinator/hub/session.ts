/** The frames of one connection, in order: the handshake, then reports. Each handler validates authority and calls one step of the way. */
import { type ErrorCode, MailscoutError } from '../../common/errors.ts'
import { batchAgeMsMax } from '../../common/limits.ts'
import { publicKeyFromX } from '../../common/mail/jws.ts'
import { uuidv7 } from '../../common/runtime.ts'
import { type CoordinatorFrame, type ProbeFrame, wireVersion } from '../../common/wire/frames.ts'
import { open } from '../../common/wire/seal.ts'
import { ingestBatch, withClockKnown } from '../flow/ingest.ts'
import { announce } from '../store/announce.ts'
import { markJobTaken, openSession, saveHealth } from '../store/probe-link.ts'
import type { HubContext, Session } from './context.ts'
import { type Challenged, challenge, checkProof, currentCertificate, enrol } from './handshake.ts'
import { sendJobs, sendManifest, sendPages } from './orders.ts'

export type Connection = {
  /** Handles one frame; throws a coded error, which the peer is told. */
  receive(frame: ProbeFrame): Promise<void>
  /** The proved session, once there is one. */
  session(): Session | null
}

export function createConnection(
  context: HubContext,
  send: (frame: CoordinatorFrame) => void,
  onOpen: (session: Session) => void,
): Connection {
  let challenged: Challenged | null = null
  let session: Session | null = null

  async function receive(frame: ProbeFrame): Promise<void> {
    if (session !== null) return await receiveReport(context, session, frame)
    if (frame.type === 'enrol') return send(await enrol(context, frame))
    if (frame.type === 'hello') {
      const { challenged: next, answer } = await challenge(context, frame)
      challenged = next
      return send(answer)
    }
    if (frame.type === 'prove' && challenged !== null) {
      await checkProof(context, challenged, frame)
      session = await welcome(context, challenged, send)
      onOpen(session)
      await sendManifest(context, session)
      return await sendJobs(context, session)
    }
    throw new MailscoutError('FRAME_UNEXPECTED', `A frame ${frame.type} comes after hello, challenge and prove`)
  }
  return { receive, session: () => session }
}

async function welcome(context: HubContext, { probe, version }: Challenged, send: Session['send']): Promise<Session> {
  const { database, runtime, coordinatorId } = context
  const session: Session = { id: uuidv7(runtime), probe, send, pages: new Map(), manifestVersion: 0, jobsSent: new Set() }
  const certificate = await database.system.begin(async (sql) => {
    await openSession(sql, probe.id, { id: session.id, coordinatorId, version })
    await announce(sql, 'live', { kind: 'probe', customer_id: null, id: probe.id })
    await announce(sql, 'probe', { probe_id: probe.id })
    return await currentCertificate(context, sql, probe)
  })
  send({ v: wireVersion, type: 'welcome', server_time: runtime.wallMs(), certificate })
  return session
}

async function receiveReport(context: HubContext, session: Session, frame: ProbeFrame): Promise<void> {
  switch (frame.type) {
    case 'batch':
      return await receiveBatch(context, session, frame)
    case 'want_pages':
      return sendPages(session, frame.hashes)
    case 'job_taken':
      return await markJobTaken(context.database.system, session.probe.id, frame.job_id)
    case 'applied':
      return context.logger.debug({ probe: session.probe.id, version: frame.manifest_version }, 'manifest applied')
    case 'error':
      return context.logger.warn(
        { probe: session.probe.id, code: frame.code, detail: frame.detail },
        'the probe refused something',
      )
    default:
      throw new MailscoutError('FRAME_UNEXPECTED', `A frame ${frame.type} does not belong into an open session`)
  }
}

async function receiveBatch(context: HubContext, session: Session, frame: Extract<ProbeFrame, { type: 'batch' }>): Promise<void> {
  const { probe } = session
  const nowMs = context.runtime.wallMs()
  const {
    body,
    id,
    issuedAtMs = nowMs,
  } = await open('result_batch', frame.batch, {
    trustedKey: (kid) => (kid === probe.key_id ? publicKeyFromX(probe.public_key) : undefined),
    issuer: probe.id,
    audience: context.keys.installation,
    nowMs,
    maxAgeMs: batchAgeMsMax,
  })
  if (id !== frame.id) throw new MailscoutError('DOCUMENT_REPLAYED', 'The signed batch is another one than the frame says')
  const batch = await withClockKnown(context.database.system, body, issuedAtMs)
  const refused: { id: string; code: ErrorCode; detail: string }[] = await ingestBatch(context, probe, batch)
  await saveHealth(context.database.system, probe.id, batch.health)
  session.send({ v: wireVersion, type: 'ack', batch_id: frame.id, refused })
}
