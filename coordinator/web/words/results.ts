/** A result's finer points in words. */
import type { Result } from '../api/resources.ts'
import { howLong, timeOf } from './time.ts'

/** A mail that came back after all: it annotates and changes no verdict. */
export function lateWords(result: Result): string | null {
  if (result.late_returned_at === null || result.late_returned_at === undefined) return null
  const tookMs = timeOf(result.late_returned_at) - timeOf(result.sent_at)
  return Number.isNaN(tookMs) ? 'Came back late.' : `Came back late, after ${howLong(tookMs)}.`
}

/** What the mail server said, or what else explains the outcome. */
export function explanation(result: Result): string | null {
  const { detail } = result
  const said = detail?.server_words ?? detail?.dsn_words ?? detail?.reason ?? null
  const where = detail?.mx ?? detail?.address ?? null
  if (said === null) return lateWords(result)
  const words = where === null ? said : `${said} (${where})`
  const late = lateWords(result)
  return late === null ? words : `${words} ${late}`
}
