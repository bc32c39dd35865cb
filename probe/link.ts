/**
 * The probe's side of the link: keeps one session open to one of the coordinators, and dials again whenever it ends.
 *
 *   plan ─► dial ─► session (session.ts) ─► open: frames to and fro ─► end ─► plan …
 */
import { type ErrorCode, isMailscoutError, type MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import { type CoordinatorFrame, type ProbeFrame, readCoordinatorFrame, wireVersion, writeFrame } from '../common/wire/frames.ts'
import type { CoordinatorKeys } from './coordinator-keys.ts'
import type { Identity } from './identity.ts'
import { type Attempts, afterEnd, firstAttempt, isRefusal, planAttempt } from './reconnect.ts'
import { codeNamed, type Delivery, greet, type SessionState, type Step, step } from './session.ts'
import { dial, type Socket } from './socket.ts'

/** From the dialling to the welcome. */
const greetingMsMax = 15_000

export type LinkHandlers = {
  /** A session is open; the welcome is delivered after it. */
  opened(): void
  /** The open session has ended. */
  closed(): void
  /** One frame of an open session; what it throws with a code is answered with an error frame. */
  frame(frame: Delivery): Promise<void>
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

export class Link {
  readonly #options: LinkOptions
  #attempts: Attempts
  #session: Session | undefined
  /** Of the next attempt, or of the greeting in progress. */
  #cancelTimer = (): void => {}
  #stopped = false
  #trouble: string | undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.#attempts = firstAttempt(options.coordinators.length)
  }

  start(): void {
    this.#plan()
  }

  /** False where no session is open: the frame is not sent. */
  send(frame: ProbeFrame): boolean {
    if (this.#session?.openedMs === undefined) return false
    this.#session.socket.send(writeFrame(frame))
    return true
  }

  isOpen(): boolean {
    return this.#session?.openedMs !== undefined
  }

  /** What keeps us from every session until somebody mends it here; undefined: nothing that is known. */
  trouble(): string | undefined {
    return this.#trouble
  }

  /** Ends the session and dials again. */
  restart(why: string): void {
    this.#session?.socket.close(why)
  }

  /** Ends the session for good. */
  stop(): void {
    this.#stopped = true
    this.#cancelTimer()
    this.#session?.socket.close('the probe stops')
  }

  #plan(): void {
    const { runtime } = this.#options
    const { attempts, delayMs } = planAttempt(this.#attempts, runtime.monotonicMs(), randomFraction(runtime))
    this.#attempts = attempts
    this.#cancelTimer = runtime.setTimer(delayMs, () => this.#connect())
  }

  #connect(): void {
    const { runtime, coordinators, identity, version } = this.#options
    const address = coordinators[this.#attempts.next] ?? ''
    const socket = dial(address, runtime, {
      opened: () => this.#apply(session, greet(identity, freshNonce(runtime), version, runtime.bootId)),
      frame: (text) => this.#receive(session, text),
      closed: (why, superseded) => this.#ended(session, superseded ? 'SESSION_SUPERSEDED' : session.end, why),
    })
    const session: Session = { address, socket, state: { phase: 'greeting', nonce: '' }, openedMs: undefined, end: 'LINK_LOST' }
    this.#session = session
    this.#cancelTimer = runtime.setTimer(greetingMsMax, () =>
      socket.close('the coordinator did not complete its greeting in time'),
    )
  }

  async #receive(session: Session, text: string): Promise<void> {
    try {
      await this.#handle(session, readCoordinatorFrame(text))
    } catch (error) {
      if (!isMailscoutError(error)) throw error
      this.#refuse(session, error)
    }
  }

  async #handle(session: Session, frame: CoordinatorFrame): Promise<void> {
    const { identity, keys, runtime, handlers } = this.#options
    if (frame.type === 'error' && session.state.phase !== 'open') {
      session.end = codeNamed(frame.code)
      session.socket.close(`${frame.code}: ${frame.detail}`)
      return
    }
    // Remembered for the close that may follow, whose reason stands in this frame only.
    session.end = frame.type === 'error' && isFarewell(frame.code) ? codeNamed(frame.code) : 'LINK_LOST'
    const next = await step(session.state, frame, identity, runtime.wallMs())
    if (next.coordinatorCertificate !== undefined) await keys.admit(next.coordinatorCertificate, runtime.wallMs())
    if (this.#session !== session) return
    this.#apply(session, next)
    if (next.deliver !== undefined) await handlers.frame(next.deliver)
  }

  #apply(session: Session, next: Step): void {
    const { runtime, logger, handlers } = this.#options
    const opens = session.state.phase !== 'open' && next.state.phase === 'open'
    session.state = next.state
    if (next.send !== undefined) session.socket.send(writeFrame(next.send))
    if (!opens) return
    this.#cancelTimer()
    session.openedMs = runtime.monotonicMs()
    this.#trouble = undefined
    logger.info({ coordinator: session.address }, 'session open: the coordinator has proved itself')
    handlers.opened()
  }

  /** A fault in an open session concerns one frame; before, it concerns whom we are talking to. */
  #refuse(session: Session, error: MailscoutError): void {
    const { logger } = this.#options
    const { code, message } = error
    logger.warn({ coordinator: session.address, code }, `a frame of the coordinator is refused: ${message}`)
    if (this.#session !== session) return
    session.socket.send(writeFrame({ v: wireVersion, type: 'error', code, detail: message.slice(0, 1000) }))
    if (session.state.phase === 'open') return
    session.end = code
    session.socket.close(message)
  }

  #ended(session: Session, code: ErrorCode, why: string): void {
    if (this.#session !== session) return
    const { runtime, logger, handlers } = this.#options
    this.#session = undefined
    this.#cancelTimer()
    const nowMs = runtime.monotonicMs()
    const openForMs = session.openedMs === undefined ? 0 : nowMs - session.openedMs
    this.#attempts = afterEnd(this.#attempts, { code, openForMs }, nowMs)
    if (session.openedMs !== undefined) handlers.closed()
    if (this.#stopped) return
    this.#plan()
    const clockDiffers = session.openedMs === undefined && isClockFault(code)
    if (clockDiffers) this.#trouble = `${why}. ${clockAdvice}`
    const facts = { coordinator: session.address, code, failures: this.#attempts.failures }
    if (clockDiffers) logger.error(facts, `no session with this coordinator: ${why}. ${clockAdvice}; dialling again`)
    else if (isRefusal(code)) logger.error(facts, `no session with this coordinator: ${why}. ${advice(code)}`)
    else logger.warn(facts, `no session with this coordinator: ${why}; dialling again`)
  }
}

export const freshNonce = (runtime: Pick<Runtime, 'randomBytes'>): string =>
  Buffer.from(runtime.randomBytes(24)).toString('base64url')

export const randomFraction = (runtime: Pick<Runtime, 'randomBytes'>): number =>
  Buffer.from(runtime.randomBytes(4)).readUInt32BE(0) / 2 ** 32

/** What a coordinator says before it closes an open session; any other error concerns one frame. */
const isFarewell = (code: string): boolean => ['SESSION_SUPERSEDED', 'PROBE_UNKNOWN', 'VERSION_UNSUPPORTED'].includes(code)

/** The proofs of a greeting are made for the moment: where they are of another time, so is one of the two clocks. */
export const isClockFault = (code: ErrorCode): boolean => code === 'DOCUMENT_NOT_YET_VALID' || code === 'DOCUMENT_EXPIRED'
export const clockAdvice =
  'The clocks of this machine and of the coordinator differ by more than a minute: set this one by NTP, and if it is right, that one'

function advice(code: ErrorCode): string {
  if (code === 'PROBE_UNKNOWN') return 'If this probe was retired, stop it; otherwise enrol it again. Asking again in 10 minutes'
  if (code === 'VERSION_UNSUPPORTED') return 'Update the older side. Asking again in 10 minutes'
  return 'Check MAILSCOUT_COORDINATORS: this address may belong to another installation. Asking again in 10 minutes'
}
