/** One JSON object a line about every mail that carried a token, in a file of bounded size beside the state. */
import { appendFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'

export type Journal = (entry: Record<string, unknown>) => void

const journalBytesMax = 1024 * 1024

export const journalLine = (wallMs: number, entry: Record<string, unknown>): string =>
  `${JSON.stringify({ time: new Date(wallMs).toISOString(), part: 'responder', ...entry })}\n`

/** Keeps the newest one to two MiB: `responder.log` and, before it, `responder.log.1`. A journal that fails stops no answer. */
export function createFileJournal(stateDir: string | undefined, wallMs: () => number): Journal {
  return (entry) => {
    if (stateDir === undefined) return
    const path = join(stateDir, 'responder.log')
    try {
      if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > journalBytesMax) renameSync(path, `${path}.1`)
      appendFileSync(path, journalLine(wallMs(), entry), { mode: 0o600 })
    } catch {
      // A full disk must not cost an answer.
    }
  }
}
