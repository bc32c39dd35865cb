/** A result's finer points in words. */
import type { Result } from '../api/resources.ts'
import { howLong, timeOf } from './time.ts'
import { outcomeMark } from './verdicts.ts'

/** A mail that came back after all: it annotates and changes no verdict. */
export function lateWords(result: Result): string | null {
  if (result.late_returned_at === null || result.late_returned_at === undefined) return null
  const tookMs = timeOf(result.late_returned_at) - timeOf(result.sent_at)
  return Number.isNaN(tookMs) ? 'Came back late.' : `Came back late, after ${howLong(tookMs)}.`
}

/** What the mail server said, or what else explains an outcome that is not good; a plain `250 OK` explains nothing. */
export function explanation(result: Result): string | null {
  const { detail } = result
  if (outcomeMark(result.outcome).tone === 'good') return null
  const said = detail?.server_words ?? detail?.dsn_words ?? detail?.reason ?? null
  const where = detail?.mx ?? detail?.address ?? null
  const words = said === null || where === null ? said : `${said} (${where})`
  const parts = [words, lateWords(result)].filter((part) => part !== null)
  return parts.length === 0 ? null : parts.join(' ')
}
