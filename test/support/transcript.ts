/**
 * Transcripts: stories of the judgement as text, played one line after the other and compared with what was told.
 *
 *   # Why this rule is there.
 *   story one vantage: its double test alone decides
 *   monitor regions=eu
 *   mail lost from=15:00
 *   until 60:00 omit=ask
 *   ----
 *   30:00 suspected test_failed
 *   40:30 down quorum_fails
 *   40:30 PAGE customer, since 20:00: eu fail
 *
 * A line is a word, further words, and `key=value` or `key=(value,value)`. Times are minutes and seconds since the start of the story.
 * What is expected follows `----` and ends at an empty line; `nothing` where nothing is told.
 */

export type Line = { at: string; directive: string; words: string[]; options: Record<string, string[]> }
export type Step = Line & {
  /** Null where the line is not followed by `----`. */
  expected: string[] | null
  /** Where the expected lines stand in the file: from this line, so many. */
  from: number
}
export type Transcript = { name: string; steps: Step[] }

const divider = '----'
const nothing = 'nothing'

export function parseTranscripts(file: string, text: string): Transcript[] {
  const transcripts: Transcript[] = []
  const lines = text.split('\n')
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]?.trim() ?? ''
    if (line === '' || line.startsWith('#')) continue
    const at = `${file}:${index + 1}`
    if (line.startsWith('story ')) {
      transcripts.push({ name: line.slice('story '.length).trim(), steps: [] })
      continue
    }
    const steps = transcripts.at(-1)?.steps
    if (steps === undefined) throw new Error(`${at}: a story comes first`)
    const step: Step = { ...parseLine(at, line), expected: null, from: index + 2 }
    if (lines[index + 1]?.trim() === divider) {
      const rest = lines.slice(step.from)
      const end = rest.findIndex((told) => told.trim() === '')
      step.expected = rest.slice(0, end === -1 ? rest.length : end)
      index = step.from + step.expected.length - 1
    }
    steps.push(step)
  }
  return transcripts
}

function parseLine(at: string, line: string): Line {
  const [directive = '', ...rest] = line.split(/\s+/)
  const words = rest.filter((word) => !word.includes('='))
  const options: Record<string, string[]> = {}
  for (const option of rest.filter((word) => word.includes('='))) {
    const [key = '', value = ''] = option.split('=')
    options[key] = value.replace(/^\((.*)\)$/, '$1').split(',')
  }
  return { at, directive, words, options }
}

export const asTold = (lines: readonly string[]): string[] => (lines.length === 0 ? [nothing] : [...lines])

/** The text with what was really told in place of what each step expects. */
export function rewritten(text: string, told: ReadonlyMap<Step, readonly string[]>): string {
  const lines = text.split('\n')
  for (const [step, actual] of [...told].toSorted(([a], [b]) => b.from - a.from)) {
    lines.splice(step.from, step.expected?.length ?? 0, ...actual)
  }
  return lines.join('\n')
}

export function secondsOf({ at }: Line, time: string | undefined): number {
  const [, minutes, seconds] = /^(\d+):(\d\d)$/.exec(time ?? '') ?? []
  if (minutes === undefined || seconds === undefined) throw new Error(`${at}: a time is written 15:00, not ${time}`)
  return Number(minutes) * 60 + Number(seconds)
}

export function oneOf<const T extends string>({ at }: Line, word: string | undefined, words: readonly T[]): T {
  const found = words.find((known) => known === word)
  if (found === undefined) throw new Error(`${at}: ${word} is none of ${words.join(', ')}`)
  return found
}

/** A slip of the pen in a transcript must not pass for a quiet world. */
export function check(
  { at, directive, words, options }: Line,
  wordsAllowed: string[] | null,
  optionsAllowed: readonly string[],
): void {
  const strange = [
    ...(wordsAllowed === null ? [] : words.filter((word) => !wordsAllowed.includes(word))),
    ...Object.keys(options).filter((option) => !optionsAllowed.includes(option)),
  ]
  if (strange.length > 0) throw new Error(`${at}: ${directive} takes no ${strange.join(', ')}`)
}
