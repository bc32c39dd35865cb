/** A folder of transcripts as tests: each file says why, and each of its stories tells what it should; or, on demand, is written anew. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseTranscripts, rewritten, type Step, type Transcript } from './transcript.ts'

const rewrite = process.env.REWRITE === '1'
type Told = ReadonlyMap<Step, string[]>

/** `folder` within test/scenarios; `play` returns what each step told that is to be compared. */
export function transcriptsIn(folder: string, play: (transcript: Transcript) => Told | Promise<Told>): void {
  const files = globSync(join(import.meta.dirname, '../scenarios', folder, '*.txt')).sort()

  test('the transcripts are found', () => {
    expect(files.length).toBeGreaterThan(0)
  })

  describe.each(files.map((path) => [basename(path, '.txt'), path] as const))('%s', (_, path) => {
    const text = readFileSync(path, 'utf8')
    const transcripts = parseTranscripts(basename(path), text)

    test('says why', () => {
      expect(text).toMatch(/^# \S/)
      const names = transcripts.map(({ name }) => name)
      expect(names).toEqual([...new Set(names)])
    })

    if (rewrite) {
      test('is written anew', async () => {
        const told = new Map<Step, string[]>()
        for (const transcript of transcripts) for (const [step, lines] of await play(transcript)) told.set(step, lines)
        writeFileSync(path, rewritten(text, told))
      })
    } else {
      test.each(transcripts.map((transcript) => [transcript.name, transcript] as const))('%s', async (_, transcript) => {
        for (const [{ at, expected }, told] of await play(transcript)) expect(told, at).toEqual(expected)
      })
    }
  })
}
