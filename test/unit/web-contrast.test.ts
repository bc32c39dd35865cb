/** Every text colour of the dashboard on the grounds that it stands on, by WCAG 2.2 (1.4.3: 4.5, 1.4.11: 3 for shapes). */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const css = readFileSync(new URL('../../coordinator/web/styles/tokens.css', import.meta.url), 'utf8')
const tokens = new Map(
  [...css.matchAll(/--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map(
    ([, name = '', light = '', dark = '']) => [name, { light, dark }],
  ),
)

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(colour.slice(start, start + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

function colourOf(name: string, theme: 'light' | 'dark'): string {
  const token = tokens.get(name)
  if (token === undefined) throw new Error(`tokens.css has no colour named ${name}`)
  return token[theme]
}

function contrast(text: string, ground: string, theme: 'light' | 'dark'): number {
  const [brighter = 0, darker = 0] = [text, ground].map((name) => luminance(colourOf(name, theme))).sort((a, b) => b - a)
  return (brighter + 0.05) / (darker + 0.05)
}

const tones = ['good', 'warn', 'bad', 'unsure', 'idle']
const grounds = ['page', 'surface', 'surface-sunk', 'surface-raised']
const texts: [string, string][] = [
  ...grounds.flatMap((ground) => ['text', 'text-muted', 'accent', ...tones].map((text): [string, string] => [text, ground])),
  ...tones.flatMap((tone) => [tone, 'text', 'text-muted'].map((text): [string, string] => [text, `${tone}-soft`])),
  ['on-accent', 'accent'],
]
const lines = Array.from({ length: 8 }, (_, index): [string, string] => [`series-${index + 1}`, 'surface'])

describe.each(['light', 'dark'] as const)('in the %s theme', (theme) => {
  it.each(texts)('%s can be read on %s', (text, ground) => expect(contrast(text, ground, theme)).toBeGreaterThanOrEqual(4.5))
  it.each(lines)('%s can be seen on %s', (line, ground) => expect(contrast(line, ground, theme)).toBeGreaterThanOrEqual(3))
})
