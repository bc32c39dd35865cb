/**
 * The probe's side of the link: keeps one session open to one of the coordinators, and dials again whenever it ends.
 *
 *   plan ─► dial ─► session (session.ts) ─► open: frames to and fro ─► end ─► plan …
 */
import { type ErrorCode, errorMessage, isMailscoutError, type MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import { type CoordinatorFrame, type ProbeFrame, readCoordinatorFrame, wireVersion, writeFrame } from '../common/wire/frames.ts'
import type { CoordinatorKeys } from './coordinator-keys.ts'
import type { Identity } from './identity.ts'
import { afterEnd, firstAttempt, isRefusal, planAttempt } from './reconnect.ts'
import { codeNamed, type Delivery, greet, type SessionState, step } from './session.ts'
import { dial, type Socket } from './socket.ts'

/** From the first byte to the welcome. */
const greetingMsMax = 15_000

export type LinkHandlers = {
  /** A session is open; the welcome is delivered after it. */
  opened(): void
  /** The open session has ended. */
  closed(): void
  /** One frame of an open session; what it throws with a code is answered with an error frame. */
  frame(frame: Delivery): Promise<void>
}

export type Link = {
  start(): void
  /** False where no session is open: the frame is not sent. */
  send(frame: ProbeFrame): boolean
  isOpen(): boolean
  /** Ends the session and dials again. */
  restart(why: string): void
  /** Ends the session for good. */
  stop(): void
}

export type LinkOptions = {
  runtime: Runtime
  coordinators: readonly string[]
  identity: Identity
  keys: CoordinatorKeys
  version: string
  logger: Logger
  handlers: LinkHandlers
}

type Session = { address: string; socket: Socket; state: SessionState; openedMs: number | undefined; end: ErrorCode }

export function createLink(options: LinkOptions): Link {
  const { runtime, coordinators, identity, keys, logger, handlers } = options
  let attempts = firstAttempt(coordinators.length)
  let session: Session | undefined
  let cancelTimer = (): void => {}
  let stopped = false

  const plan = (): void => {
    const planned = planAttempt(attempts, runtime.monotonicMs(), randomFraction(runtime))
    attempts = planned.attempts
    cancelTimer = runtime.setTimer(planned.delayMs, connect)
  }

  const connect = (): void => {
    const address = coordinators[attempts.next] ?? ''
    const socket = dial(address, runtime, {
      opened: () => apply(current, greet(identity, freshNonce(runtime), options.version, runtime.bootId)),
      frame: (text) => receive(current, text),
      closed: (why) => ended(current, why),
    })
    const current: Session = { address, socket, state: { phase: 'greeting', nonce: '' }, openedMs: undefined, end: 'LINK_LOST' }
    session = current
    cancelTimer = runtime.setTimer(greetingMsMax, () => socket.close('the coordinator did not complete its greeting in time'))
  }

  const ended = (current: Session, why: string): void => {
    if (session !== current) return
    session = undefined
    cancelTimer()
    const nowMs = runtime.monotonicMs()
    const openForMs = current.openedMs === undefined ? 0 : nowMs - current.openedMs
    attempts = afterEnd(attempts, { code: current.end, openForMs }, nowMs)
    if (current.openedMs !== undefined) handlers.closed()
    if (stopped) return
    plan()
    const facts = { coordinator: current.address, code: current.end, failures: attempts.failures }
    if (isRefusal(current.end))
      logger.error(facts, `the coordinator refused or failed to prove itself: ${why}. ${advice(current.end)}`)
    else logger.warn(facts, `no session with the coordinator: ${why}; dialling again`)
  }

  const receive = async (current: Session, text: string): Promise<void> => {
    try {
      const frame = readCoordinatorFrame(text)
      await handle(current, frame)
    } catch (error) {
      if (!isMailscoutError(error)) throw error
      if (session !== current) return
      refuse(current, error)
    }
  }

  const handle = async (current: Session, frame: CoordinatorFrame): Promise<void> => {
    if (frame.type === 'error' && current.state.phase !== 'open') return turnedAway(current, frame)
    // Remembered for the close that may follow, whose reason stands in this frame only.
    current.end = frame.type === 'error' && isFarewell(codeNamed(frame.code)) ? codeNamed(frame.code) : 'LINK_LOST'
    const next = await step(current.state, frame, identity, runtime.wallMs())
    if (next.coordinatorCertificate !== undefined) await keys.admit(next.coordinatorCertificate, runtime.wallMs())
    if (session !== current) return
    apply(current, next)
    if (next.deliver !== undefined) await handlers.frame(next.deliver)
  }

  const turnedAway = (current: Session, frame: { code: string; detail: string }): void => {
    current.end = codeNamed(frame.code)
    current.socket.close(`${frame.code}: ${frame.detail}`)
  }

  const apply = (current: Session, next: { state: SessionState; send?: ProbeFrame }): void => {
    const opens = current.state.phase !== 'open' && next.state.phase === 'open'
    current.state = next.state
    if (next.send !== undefined) current.socket.send(writeFrame(next.send))
    if (!opens) return
    cancelTimer()
    current.openedMs = runtime.monotonicMs()
    logger.info({ coordinator: current.address }, 'session open: the coordinator has proved itself')
    handlers.opened()
  }

  /** A fault in an open session concerns one frame; before, it concerns whom we are talking to. */
  const refuse = (current: Session, error: MailscoutError): void => {
    const frame: ProbeFrame = { v: wireVersion, type: 'error', code: error.code, detail: error.message.slice(0, 1000) }
    current.socket.send(writeFrame(frame))
    logger.warn({ coordinator: current.address, code: error.code }, `a frame of the coordinator is refused: ${error.message}`)
    if (current.state.phase === 'open') return
    current.end = error.code
    current.socket.close(error.message)
  }

  return {
    start: plan,
    send(frame) {
      if (session?.openedMs === undefined) return false
      session.socket.send(writeFrame(frame))
      return true
    },
    isOpen: () => session?.openedMs !== undefined,
    restart: (why) => session?.socket.close(why),
    stop() {
      stopped = true
      cancelTimer()
      session?.socket.close('the probe stops')
    },
  }
}

export const freshNonce = (runtime: Pick<Runtime, 'randomBytes'>): string =>
  Buffer.from(runtime.randomBytes(24)).toString('base64url')

/** What a coordinator says before it closes an open session; any other error concerns one frame. */
const isFarewell = (code: ErrorCode): boolean =>
  code === 'SESSION_SUPERSEDED' || code === 'PROBE_UNKNOWN' || code === 'VERSION_UNSUPPORTED'

const randomFraction = (runtime: Pick<Runtime, 'randomBytes'>): number =>
  Buffer.from(runtime.randomBytes(4)).readUInt32BE(0) / 2 ** 32

function advice(code: ErrorCode): string {
  if (code === 'PROBE_UNKNOWN') return 'If this probe was retired, stop it; otherwise enrol it again. Asking again in 10 minutes'
  if (code === 'VERSION_UNSUPPORTED') return 'Update the older side. Asking again in 10 minutes'
  return 'Check MAILSCOUT_COORDINATORS: this address may belong to another installation. Asking again in 10 minutes'
}
