/**
 * The probe link's socket side: accepts connections on `/probe`, reads frames in order, keeps the link alive, and wakes sessions when the
 * database says that something changed for their probe. One session a probe: the newest wins.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { errorMessage, isMailscoutError } from '../../common/errors.ts'
import { frameBytesMax, heartbeatMs, linkSilenceMsMax, manifestRenewMs } from '../../common/limits.ts'
import { type CoordinatorFrame, readProbeFrame, wireVersion, writeFrame } from '../../common/wire/frames.ts'
import { announce } from '../store/announce.ts'
import { findProbe, touchSession } from '../store/probe-link.ts'
import type { HubContext, Session } from './context.ts'
import { currentCertificate } from './handshake.ts'
import { sendJobs, sendManifest } from './orders.ts'
import { type Connection, createConnection } from './session.ts'

export type Hub = {
  /** Sessions open here, for the metrics. */
  readonly sessions: ReadonlyMap<string, Session>
  close(): Promise<void>
}

/** Who has not proved itself by then is cut off. */
const handshakeMsMax = 15_000
/** Connections that have not proved themselves yet; more at once are refused, so that strangers cannot crowd out probes. */
const strangersMax = 500
/** Frames that wait while one is handled; a probe waits for acknowledgements and never comes near. */
const framesQueuedMax = 200
/** A stopping coordinator waits no longer for a probe's goodbye: its host may be gone. */
const goodbyeMsMax = 2_000
const closeGoingAway = 1001
const closePolicy = 1008
/** Our own fault: the probe sends again over a new session. */
const closeFault = 1011
const closeSuperseded = 4001

export async function startHub(context: HubContext, httpServer: Server): Promise<Hub> {
  const { database, logger, runtime } = context
  const sockets = new WebSocketServer({ noServer: true, maxPayload: frameBytesMax, perMessageDeflate: false })
  const sessions = new Map<string, Session & { socket: WebSocket }>()
  const strangers = new Set<WebSocket>()

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node leaves this socket to us: without a listener, a stranger's reset would be an unexpected fault, and end the coordinator.
    socket.on('error', (error) => logger.debug({ reason: error.message }, 'probe link'))
    if (request.url?.split('?', 1)[0] !== '/probe') return dismiss(socket, '404 Not Found')
    if (strangers.size >= strangersMax) return dismiss(socket, '503 Service Unavailable\r\nRetry-After: 10')
    sockets.handleUpgrade(request, socket, head, (webSocket) => accept(webSocket))
  }
  httpServer.on('upgrade', onUpgrade)

  function accept(socket: WebSocket): void {
    strangers.add(socket)
    const send = (frame: CoordinatorFrame) => {
      if (socket.readyState === socket.OPEN) socket.send(writeFrame(frame))
    }
    const connection = createConnection(context, send, (session) => {
      strangers.delete(socket)
      sessions.get(session.probe.id)?.socket.close(closeSuperseded, 'a newer session has taken over')
      sessions.set(session.probe.id, Object.assign(session, { socket }))
      logger.info({ probe: session.probe.id, name: session.probe.name }, 'probe connected')
    })
    const stopHeart = keepAlive(socket, connection)
    readInOrder(socket, connection, send)
    socket.on('error', (error) => logger.debug({ reason: error.message }, 'probe link'))
    socket.on('close', () => {
      strangers.delete(socket)
      stopHeart()
      const session = connection.session()
      if (session === null || sessions.get(session.probe.id)?.socket !== socket) return
      sessions.delete(session.probe.id)
      logger.info({ probe: session.probe.id, name: session.probe.name }, 'probe disconnected')
    })
  }

  /** Frames are handled one after the other, so that an acknowledgement never overtakes what it acknowledges. */
  function readInOrder(socket: WebSocket, connection: Connection, send: (frame: CoordinatorFrame) => void): void {
    let queue: Promise<void> = Promise.resolve()
    let waiting = 0
    socket.on('message', (data, isBinary) => {
      if (isBinary || ++waiting > framesQueuedMax)
        return socket.close(closePolicy, isBinary ? 'frames are text' : 'too many frames')
      // A stranger who has been refused is heard no more.
      const heard = () => connection.session() !== null || socket.readyState === socket.OPEN
      queue = queue
        .then(() => (heard() ? connection.receive(readProbeFrame(data.toString())) : undefined))
        .catch((error: unknown) => refuse(error, connection, socket, send))
        .finally(() => waiting--)
    })
  }

  function refuse(error: unknown, connection: Connection, socket: WebSocket, send: (frame: CoordinatorFrame) => void): void {
    const known = isMailscoutError(error)
    const probe = connection.session()?.probe.id
    logger.warn(
      { probe, code: known ? error.code : 'INTERNAL', ...(known ? {} : { err: error }) },
      `a frame was refused: ${errorMessage(error)}`,
    )
    send({
      v: wireVersion,
      type: 'error',
      code: known ? error.code : 'INTERNAL',
      detail: known ? error.message.slice(0, 1000) : 'The coordinator failed; send it again',
    })
    // Who cannot prove itself has nothing more to say; an open session goes on after a bad frame, unless the fault is ours: then the
    // probe sends again over a new session.
    if (connection.session() === null || !known) socket.close(known ? closePolicy : closeFault, known ? error.code : 'INTERNAL')
  }

  function keepAlive(socket: WebSocket, connection: Connection): () => void {
    let heardMs = runtime.monotonicMs()
    let renewedMs = heardMs
    const startedMs = heardMs
    const hear = () => {
      heardMs = runtime.monotonicMs()
    }
    socket.on('pong', hear)
    socket.on('message', hear)
    let cancel = () => {}
    const beat = async () => {
      const nowMs = runtime.monotonicMs()
      const session = connection.session()
      if (nowMs - heardMs > linkSilenceMsMax || (session === null && nowMs - startedMs > handshakeMsMax))
        return socket.terminate()
      socket.ping()
      if (session !== null) {
        const ours = await touchSession(database.system, session.probe.id, session.id, nowMs - heardMs)
        if (!ours) return socket.close(closeSuperseded, 'a newer session has taken over')
        if (nowMs - renewedMs > manifestRenewMs) {
          renewedMs = nowMs
          await renew(session)
        }
      }
    }
    const next = () => {
      cancel = runtime.setTimer(heartbeatMs, () => {
        beat()
          .catch((error: unknown) => logger.error({ err: error }, `heartbeat: ${errorMessage(error)}`))
          .finally(next)
      })
    }
    next()
    return () => cancel()
  }

  async function renew(session: Session): Promise<void> {
    const certificate = await currentCertificate(context, database.system, session.probe)
    session.send({ v: wireVersion, type: 'certificate', certificate })
    await sendManifest(context, session)
  }

  /** Something changed for a probe: the coordinator that holds its session tells it. */
  async function onProbeChanged(payload: string): Promise<void> {
    const { probe_id } = JSON.parse(payload) as { probe_id: string }
    const session = sessions.get(probe_id)
    if (session === undefined) return
    // Retired, or its key taken away so that it can enrol anew.
    if ((await findProbe(database.system, probe_id))?.key_id !== session.probe.key_id)
      return session.socket.close(closePolicy, 'PROBE_UNKNOWN')
    await sendJobs(context, session)
    await updateManifest(session)
  }
  const updating = new Map<string, { again: boolean }>()
  /** A burst of changes becomes two looks at the most: the one under way, and one after it that sees them all. */
  async function updateManifest(session: Session): Promise<void> {
    const underWay = updating.get(session.id)
    if (underWay !== undefined) {
      underWay.again = true
      return
    }
    const look = { again: true }
    updating.set(session.id, look)
    try {
      while (look.again) {
        look.again = false
        await sendManifest(context, session, 'if changed')
      }
    } finally {
      updating.delete(session.id)
    }
  }
  const fail = (error: unknown) => logger.error({ err: error }, `probe link: ${errorMessage(error)}`)
  const unlisten = await database.listen(
    'probe',
    (payload) => void onProbeChanged(payload).catch(fail),
    () => {
      for (const session of sessions.values())
        sendJobs(context, session)
          .then(() => sendManifest(context, session))
          .catch(fail)
    },
  )
  return {
    sessions,
    async close() {
      httpServer.off('upgrade', onUpgrade)
      await unlisten()
      for (const socket of sockets.clients) {
        socket.close(closeGoingAway, 'the coordinator stops')
        socket.once(
          'close',
          runtime.setTimer(goodbyeMsMax, () => socket.terminate()),
        )
      }
      sockets.close()
      for (const session of sessions.values())
        await announce(database.system, 'live', { kind: 'probe', customer_id: null, id: session.probe.id })
    },
  }
}

function dismiss(socket: Duplex, status: string): void {
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
