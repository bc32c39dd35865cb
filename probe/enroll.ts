/**
 * The first start: with a single-use token the probe tells the coordinator its new key and receives its id, its certificate and the
 * root key, which it trusts because the token names that key's thumbprint (DESIGN 3.1).
 */
import { type ErrorCode, errorCodes, isMailscoutError, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { thumbprint } from '../common/mail/jws.ts'
import { type Runtime, sleep, uuidv7 } from '../common/runtime.ts'
import { readEnrolmentToken } from '../common/wire/enrolment-token.ts'
import { type CoordinatorFrame, readCoordinatorFrame, wireVersion, writeFrame } from '../common/wire/frames.ts'
import { installationName, type KeyPair } from '../common/wire/keys.ts'
import { seal } from '../common/wire/seal.ts'
import { adoptIdentity, type Enrolled, type Identity } from './identity.ts'
import { clockAdvice, isClockFault, randomFraction } from './link.ts'
import { afterEnd, firstAttempt, planAttempt } from './reconnect.ts'
import { codeNamed } from './session.ts'
import { dial } from './socket.ts'

const answerMsMax = 15_000

export type EnrolmentOptions = {
  runtime: Runtime
  coordinators: readonly string[]
  token: string
  keyPair: KeyPair
  returnAddress: string
  dataDir: string
  version: string
  logger: Logger
  signal: AbortSignal
}

/**
 * Asks one coordinator after another until one answers; the identity is on disk when this resolves. Throws ENROLMENT_REFUSED or
 * another coded error that no repetition cures. The key outlives a lost answer: the same token with the same key may be asked again.
 */
export async function enrol(options: EnrolmentOptions): Promise<Identity> {
  const { runtime, coordinators, logger, signal } = options
  let attempts = firstAttempt(coordinators.length)
  for (;;) {
    const planned = planAttempt(attempts, runtime.monotonicMs(), randomFraction(runtime))
    await sleep(runtime, planned.delayMs, signal)
    const coordinator = coordinators[planned.attempts.next] ?? ''
    try {
      const enrolled = await ask(coordinator, await writeRequest(options), options)
      return adoptIdentity(options.dataDir, options.keyPair, checkRoot(enrolled, options))
    } catch (error) {
      if (!isMailscoutError(error) || !error.temporary) throw error
      logger.warn({ coordinator, code: error.code }, `not enrolled yet: ${error.message}; trying again`)
      attempts = afterEnd(planned.attempts, { code: error.code, openForMs: 0 }, runtime.monotonicMs())
    }
  }
}

async function writeRequest({ runtime, token, keyPair, returnAddress, version }: EnrolmentOptions): Promise<string> {
  const enrolment = await seal(
    'enrolment',
    { token, x: keyPair.x, return_address: returnAddress },
    {
      key: keyPair,
      issuer: keyPair.kid,
      audience: installationName(readEnrolmentToken(token).rootKid),
      issuedAtMs: runtime.wallMs(),
      id: uuidv7(runtime),
    },
  )
  return writeFrame({ v: wireVersion, type: 'enrol', enrolment, x: keyPair.x, version })
}

function ask(coordinator: string, request: string, { runtime, signal }: EnrolmentOptions): Promise<Enrolled> {
  return new Promise((resolve, reject) => {
    const socket = dial(coordinator, runtime, {
      opened: () => socket.send(request),
      frame: async (text) => {
        try {
          resolve(readAnswer(readCoordinatorFrame(text)))
        } catch (error) {
          reject(error)
        }
        socket.close('the enrolment has been answered')
      },
      closed: (why) => {
        cancelTimer()
        signal.removeEventListener('abort', abort)
        reject(new MailscoutError('LINK_LOST', why))
      },
    })
    const abort = (): void => {
      reject(signal.reason)
      socket.close('the probe stops')
    }
    const cancelTimer = runtime.setTimer(answerMsMax, () => socket.close('the coordinator did not answer the enrolment in time'))
    signal.addEventListener('abort', abort, { once: true })
  })
}

function readAnswer(frame: CoordinatorFrame): Enrolled {
  if (frame.type === 'enrolled') {
    return { probeId: frame.probe_id, rootX: frame.root_x, returnAddress: frame.return_address, certificate: frame.certificate }
  }
  if (frame.type !== 'error')
    throw new MailscoutError('FRAME_UNEXPECTED', `The coordinator answered the enrolment with ${frame.type}`)
  const code = codeNamed(frame.code)
  throw new MailscoutError(code, `The coordinator refused the enrolment: ${frame.detail}${advice(code)}`)
}

function advice(code: ErrorCode): string {
  if (isClockFault(code)) return `. ${clockAdvice}. Then start again, with the same token`
  if (errorCodes[code]) return ''
  return '. A token works once and for a short time: ask for a new one (POST /v1/probes/{id}/enrolment-token), set MAILSCOUT_ENROLMENT_TOKEN to it and start again'
}

function checkRoot(enrolled: Enrolled, { token, returnAddress }: EnrolmentOptions): Enrolled {
  if (thumbprint(enrolled.rootX) !== readEnrolmentToken(token).rootKid) {
    throw new MailscoutError(
      'ISSUER_UNKNOWN',
      'The coordinator has another root key than the enrolment token names: check MAILSCOUT_COORDINATORS, and that the token was copied from this installation',
    )
  }
  if (enrolled.returnAddress !== returnAddress) {
    throw new MailscoutError(
      'CERTIFICATE_INVALID',
      `The coordinator enrolled this probe with the return address ${enrolled.returnAddress}, not ${returnAddress}`,
    )
  }
  return enrolled
}
