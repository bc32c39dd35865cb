/** Structured logs, one JSON object a line. Secrets never reach a log: the redaction below is the second line of defence. */
import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

// Whoever read the log may be gone: the lines are lost, the process goes on.
process.stdout.on('error', () => {})

export function createLogger(part: string, level: string): Logger {
  return pino(
    {
      base: { part },
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: ['*.password', '*.authorization', '*.token', '*.enrolment_token', 'authorization', 'token', 'password'],
      },
    },
    // Not pino's own writer: where nobody reads any more, that one tries for ever to write its last lines, and the process never ends.
    process.stdout,
  )
}

export const silentLogger: Logger = pino({ level: 'silent' })
