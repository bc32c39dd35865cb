/** Structured logs, one JSON object a line. Secrets never reach a log: the redaction below is the second line of defence. */
import { type Logger, pino } from 'pino'

export type { Logger } from 'pino'

export function createLogger(part: string, level: string): Logger {
  return pino({
    base: { part },
    level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: ['*.password', '*.authorization', '*.token', '*.enrolment_token', 'authorization', 'token', 'password'] },
  })
}

export const silentLogger: Logger = pino({ level: 'silent' })
