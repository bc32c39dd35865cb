/**
 * The rules of DESIGN 3.3, a file for each: why, what happens, and the decisions, questions and pages that follow. How they are written is
 * told in test/support/transcript.ts, what may happen in test/support/judgement-transcript.ts.
 *
 * At the defaults a test starts every 20 min from each vantage: eu 0:00, 20:00, …; us 6:40, 26:40, …; ap 13:20, 33:20, … Timeout 10 min,
 * re-test after 30 s, two witnesses. `REWRITE=1 npx vitest run test/scenarios/judgement-transcripts.test.ts` writes what is told into the
 * files; whoever does so reads the difference.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { playTranscript } from '../support/judgement-transcript.ts'
import { parseTranscripts, rewritten, type Step } from '../support/transcript.ts'

const rewrite = process.env.REWRITE === '1'
const files = globSync(join(import.meta.dirname, 'testdata/*.txt')).sort()

test('the transcripts are found', () => {
  expect(files.length).toBeGreaterThan(10)
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
    test('is written anew', () => {
      const told = new Map<Step, string[]>(transcripts.flatMap((transcript) => [...playTranscript(transcript).told]))
      writeFileSync(path, rewritten(text, told))
    })
  } else {
    test.each(transcripts.map((transcript) => [transcript.name, transcript] as const))('%s', (_, transcript) => {
      for (const [{ at, expected }, told] of playTranscript(transcript).told) expect(told, at).toEqual(expected)
    })
  }
})
