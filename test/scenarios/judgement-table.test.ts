/**
 * The tables of decisions in docs/judgement.md: they tell of every step that the judgement takes in the transcripts and in hundreds of
 * drawn histories, and of none that it takes nowhere.
 */
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { drawHistory, playHistory } from '../support/judgement-histories.ts'
import type { Change } from '../support/judgement-story.ts'
import { playTranscript } from '../support/judgement-transcript.ts'
import { parseTranscripts } from '../support/transcript.ts'

/** What is rarer than once in a hundred of them has a transcript of its own: testdata/rare-steps.txt. */
const historyCount = 600

const stepOf = ({ from, to, reason }: Change): string => (from === to ? `${to} stands: ${reason}` : `${from} → ${to}: ${reason}`)

const page = readFileSync(join(import.meta.dirname, '../../docs/judgement.md'), 'utf8')
const words = (cell: string): string[] => cell.replaceAll('`', '').split(', ')
const turns = [...page.matchAll(/^\| ([`\w, ]+) \| ([\w, ]+) \| `(\w+)` \| .+ \|$/gm)].flatMap(
  ([, to = '', from = '', reason = '']) => words(to).flatMap((one) => words(from).map((other) => `${other} → ${one}: ${reason}`)),
)
const standing = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \| `(\w+)` \| .+ \|$/gm)].flatMap(([, to = '', reason = '']) =>
  words(to).map((one) => `${one} stands: ${reason}`),
)
const listed = [...turns, ...standing]

function shown(): Set<string> {
  const transcripts = globSync(join(import.meta.dirname, 'testdata/*.txt')).flatMap((path) =>
    parseTranscripts(basename(path), readFileSync(path, 'utf8')),
  )
  const histories = Array.from({ length: historyCount }, (_, seed) => playHistory(drawHistory(seed)).changes)
  return new Set([...transcripts.map((transcript) => playTranscript(transcript).changes), ...histories].flat().map(stepOf))
}

describe('the tables of decisions', () => {
  const seen = shown()

  test('are found, and say everything once', () => {
    expect(turns.length).toBeGreaterThan(40)
    expect(standing.length).toBeGreaterThan(8)
    expect(listed).toEqual([...new Set(listed)])
  })

  test('tell of every step that is taken', () => {
    expect([...seen].filter((step) => !listed.includes(step))).toEqual([])
  })

  test('tell of no step that is never taken', () => {
    expect(listed.filter((step) => !seen.has(step))).toEqual([])
  })
})
