/** Prints the message where a person sees it, instead of sending it: for a trial without a provider. */
import type { Gateway } from './gateway.ts'
import { printable } from './template.ts'

/** Fits a terminal of 80 columns with some air. */
const lineWidth = 64

/** `write` gets whole lines, e.g. `(text) => process.stdout.write(text)`. */
export function createConsoleGateway(name: string, write: (text: string) => void): Gateway {
  return {
    name,
    kind: 'console',
    async send({ to, text, reference }) {
      write(`\n${frame(`SMS to ${to}`, wrap(text), `reference ${reference}`).join('\n')}\n\n`)
      return {}
    },
  }
}

function frame(head: string, lines: string[], foot: string): string[] {
  const rule = (left: string, label: string, right: string) => `${left}─ ${printable(label)} `.padEnd(lineWidth + 3, '─') + right
  return [rule('┌', head, '┐'), ...lines.map((line) => `│ ${line.padEnd(lineWidth)} │`), rule('└', foot, '┘')]
}

/** Breaks at blanks, and inside a word only where it is longer than a line. */
function wrap(text: string): string[] {
  const pieces = new RegExp(`(?=\\S)(.{1,${lineWidth}})(?:\\s+|$)|(\\S{${lineWidth}})`, 'g')
  return text.split('\n').flatMap((line) => [...printable(line).matchAll(pieces)].map((match) => match[1] ?? match[2] ?? ''))
}
