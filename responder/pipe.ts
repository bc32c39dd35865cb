/**
 * standard input → a token in it? → answer → 0 or 75.
 *
 * Mail servers treat every other status differently, mostly as a bounce to whoever wrote the mail. 75 means
 * "again later": a genuine mail whose answer could not leave stays in the queue of the mail server.
 */
import { errorMessage } from '../common/errors.ts'
import { findTokens, messageBytesMax, readMessage } from '../common/mail/message.ts'

export type PipeStatus = 0 | 75

export type PipeParts = {
  input: AsyncIterable<Uint8Array>
  /** Throws where an answer is due and could not leave. */
  answer(raw: Uint8Array): Promise<void>
  /** One line for the mail server's log and queue listing; only ever with status 75. */
  complain(line: string): void
}

/** The watchdog ends the process at 8 s, before Dovecot's Sieve does at 10 s. */
export const watchdogMs = 8000

export async function runPipe({ input, answer, complain }: PipeParts): Promise<PipeStatus> {
  try {
    const raw = await drain(input)
    // Most mail in a person's mailbox is not ours: no configuration, no state, no output, and no module for any of them.
    if (findTokens(readMessage(raw)).length > 0) await answer(raw)
    return 0
  } catch (error) {
    complain(complaint(errorMessage(error)))
    return 75
  }
}

/** Postfix and others take a leading status as the status of the delivery: it must be temporary too. */
export const complaint = (words: string): string => `4.3.0 mailscout-responder: ${words.replace(/\s+/g, ' ').slice(0, 800)}`

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
