/**
 * standard input → decide → submit → 0 or 75.
 *
 * Mail servers treat every other status differently, mostly as a bounce to whoever wrote the mail (FIELD-NOTES 1.3). 75 means
 * "again later": a genuine mail whose answer could not leave stays in the queue of the mail server.
 */
import type { Environment } from '../common/config.ts'
import { errorMessage } from '../common/errors.ts'
import { findTokens, messageBytesMax, readMessage } from '../common/mail/message.ts'
import { type Runtime, uuidv7 } from '../common/runtime.ts'
import type { ResponderConfig } from './config.ts'
import { createFileJournal } from './journal.ts'
import { createDiskMemory, openStateDir, stateDirs } from './memory.ts'
import { type Delivery, decide } from './reply.ts'
import type { Submit } from './submit.ts'
import { responderVersion } from './version.ts'

export type PipeStatus = 0 | 75

export type PipeParts = {
  input: AsyncIterable<Uint8Array>
  /** When the process began; UTC, milliseconds since the epoch. */
  receivedAtMs: number
  delivery: Delivery
  loadConfig(): ResponderConfig
  createSubmit(config: ResponderConfig): Submit
  runtime: Runtime
  /** One line for the mail server's log and queue listing; only ever with status 75. */
  complain(line: string): void
}

/** The watchdog ends the process at 8 s, before Dovecot's Sieve does at 10 s. */
export const watchdogMs = 8000
const submitMsMax = 6500

export async function runPipe(parts: PipeParts): Promise<PipeStatus> {
  try {
    const raw = await drain(parts.input)
    // Most mail in a person's mailbox is not ours: no configuration, no state, no output.
    if (findTokens(readMessage(raw)).length === 0) return 0
    await answer(raw, parts)
    return 0
  } catch (error) {
    parts.complain(complaint(errorMessage(error)))
    return 75
  }
}

/** Postfix and others take a leading status as the status of the delivery: it must be temporary too. */
export const complaint = (words: string): string => `4.3.0 mailscout-responder: ${words.replace(/\s+/g, ' ').slice(0, 800)}`

/** What the mail server tells a command about the delivery: Postfix, Exim, OpenSMTPD and qmail use these names. */
export function deliveryOf(environment: Environment): Delivery {
  const { SENDER, RECIPIENT, ORIGINAL_RECIPIENT, LOCAL_PART, DOMAIN } = environment
  const local = LOCAL_PART === undefined || DOMAIN === undefined ? undefined : `${LOCAL_PART}@${DOMAIN}`
  const recipients = [ORIGINAL_RECIPIENT, RECIPIENT, local].filter((address) => address !== undefined)
  return { ...(SENDER === undefined ? {} : { sender: SENDER }), recipients }
}

async function answer(raw: Uint8Array, { receivedAtMs, delivery, runtime, ...parts }: PipeParts): Promise<void> {
  const config = parts.loadConfig()
  const stateDir = openStateDir(stateDirs(config.stateDir))
  const journal = createFileJournal(stateDir, runtime.wallMs)
  const memory = createDiskMemory(stateDir)
  const decision = decide({ raw, delivery, receivedAtMs, answerId: uuidv7(runtime), config, memory, version: responderVersion })
  if (decision.action === 'ignore') {
    const { action, ...why } = decision
    return journal({ msg: 'ignored', ...why })
  }
  const { mail, to, tid, probeId, repeated, clockSuspect } = decision
  try {
    await parts.createSubmit(config)({ mail, to }, submitMsMax)
  } catch (error) {
    journal({ msg: 'not sent', tid, error: errorMessage(error) })
    throw error
  }
  journal({ msg: 'answered', tid, probe_id: probeId, repeated, clock_suspect: clockSuspect })
}

/** To the end, also beyond what is kept: a mail server whose pipe breaks takes that for a failure. */
async function drain(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const kept: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of input) {
    if (bytes < messageBytesMax) kept.push(chunk.subarray(0, messageBytesMax - bytes))
    bytes += chunk.length
  }
  return Buffer.concat(kept)
}
