/** configuration → state → decide → submit → journal: what the pipe does with a mail that carries a token. */
import type { Environment } from '../common/config.ts'
import { errorMessage } from '../common/errors.ts'
import { type Runtime, uuidv7 } from '../common/runtime.ts'
import { loadResponderConfig, responderConfigPath } from './config.ts'
import { createFileJournal } from './journal.ts'
import { createDiskMemory, openStateDir, stateDirs } from './memory.ts'
import { type Delivery, decide } from './reply.ts'
import { createSubmit } from './submit.ts'
import { responderVersion } from './version.ts'

/** Well within the watchdog, so that a failure can still be told in words. */
const submitMsMax = 6500

export type AnswerOptions = {
  environment: Environment
  /** When the process began; UTC, milliseconds since the epoch. */
  receivedAtMs: number
  runtime: Runtime
}

/** Resolves when the mail needs nothing more; throws CONFIG_INVALID, SUBMISSION_FAILED and the like where an answer must wait. */
export async function answer(raw: Uint8Array, { environment, receivedAtMs, runtime }: AnswerOptions): Promise<void> {
  const config = loadResponderConfig(responderConfigPath(environment))
  const stateDir = openStateDir(stateDirs(config.stateDir))
  const journal = createFileJournal(stateDir, runtime.wallMs)
  const decision = decide({
    raw,
    delivery: deliveryOf(environment),
    receivedAtMs,
    answerId: uuidv7(runtime),
    config,
    memory: createDiskMemory(stateDir),
    version: responderVersion,
  })
  if (decision.action === 'ignore') {
    const { action, ...why } = decision
    return journal({ msg: 'ignored', ...why })
  }
  const { mail, to, tid, probeId, repeated, clockSuspect } = decision
  try {
    await createSubmit(config, runtime)({ mail, to }, submitMsMax)
  } catch (error) {
    journal({ msg: 'not sent', tid, error: errorMessage(error) })
    throw error
  }
  journal({ msg: 'answered', tid, probe_id: probeId, repeated, clock_suspect: clockSuspect })
}

/** What the mail server tells a command about the delivery: Postfix, Exim, OpenSMTPD and qmail use these names. */
export function deliveryOf(environment: Environment): Delivery {
  const { SENDER, RECIPIENT, ORIGINAL_RECIPIENT, LOCAL_PART, DOMAIN } = environment
  const local = LOCAL_PART === undefined || DOMAIN === undefined ? undefined : `${LOCAL_PART}@${DOMAIN}`
  const recipients = [ORIGINAL_RECIPIENT, RECIPIENT, local].filter((address) => address !== undefined)
  return { ...(SENDER === undefined ? {} : { sender: SENDER }), recipients }
}
