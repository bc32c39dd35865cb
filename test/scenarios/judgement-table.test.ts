/** The table of decisions in docs/judgement.md: it says all that happens, and each line of it happens in a transcript. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Decision } from '../../coordinator/core/evidence.ts'
import { simulate } from '../sim/run.ts'

type Change = { from: string; to: string; reason: string }

const page = readFileSync(join(import.meta.dirname, '../../docs/judgement.md'), 'utf8')
const rows = [...page.matchAll(/^\| ([`\w, ]+) \| ([\w, ]+) \| `(\w+)` \| .+ \|$/gm)].map(
  ([, to = '', from = '', reason = '']) => ({
    to: to.replaceAll('`', '').split(', '),
    from: from.split(', '),
    reason,
  }),
)
const decisions = new Set(rows.flatMap(({ to }) => to))
const isTold = ({ from, to, reason }: Change): boolean =>
  rows.some((row) => row.to.includes(to) && row.reason === reason && row.from.includes(from))

/** The changes among lines such as `30:00 suspected test_failed`. */
function changesIn(lines: readonly string[], first: Decision): Change[] {
  let from: string = first
  return lines.flatMap((line) => {
    const [, to = '', reason = ''] = / (?:decision )?(\w+) (\w+)$/.exec(line) ?? []
    if (!decisions.has(to)) return []
    const change = { from, to, reason }
    from = to
    return [change]
  })
}

const ofTranscripts = globSync(join(import.meta.dirname, 'testdata/*.txt'))
  .flatMap((path) =>
    readFileSync(path, 'utf8')
      .split(/^story /m)
      .slice(1),
  )
  .flatMap((story) => changesIn(story.split('\n'), /^monitor.* new$/m.test(story) ? 'pending' : 'up'))

describe('the table of decisions', () => {
  test('tells of every change in the transcripts', () => {
    expect(ofTranscripts.filter((change) => !isTold(change))).toEqual([])
  })

  test.each(rows)('$to $reason happens in a transcript', ({ to, reason }) => {
    expect(ofTranscripts.some((change) => to.includes(change.to) && change.reason === reason)).toBe(true)
  })

  test('tells of every change in twenty random histories', () => {
    const lines = Array.from({ length: 20 }, (_, index) => {
      const log: string[] = []
      simulate({ seed: BigInt(9000 + index), years: 0.1, weather: { outages: true }, log: (line) => log.push(line) })
      return log
    })
    const changes = lines.flatMap((log) => changesIn(log, 'up'))
    expect(changes.length).toBeGreaterThan(100)
    expect(changes.filter((change) => !isTold(change))).toEqual([])
  })
})
