/** The list of mutations does not rot: each still finds its text, and the file of its test is still there. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { mutants } from '../mutants/list.ts'
import { type Mutant, mutated } from '../mutants/mutant.ts'

const inProject = (file: string) => join(import.meta.dirname, '../..', file)

describe('the list of mutations', () => {
  test.each(mutants)('$name changes one place of $file', (mutant) => {
    const text = readFileSync(inProject(mutant.file), 'utf8')
    expect(mutated(mutant, text)).not.toBe(text)
    expect(existsSync(inProject(mutant.caughtBy.file))).toBe(true)
  })

  test('names each mutant once', () => {
    const names = mutants.map(({ name }) => name)
    expect(names).toEqual([...new Set(names)])
    expect(names.length).toBeGreaterThanOrEqual(16)
  })
})

describe('a mutation', () => {
  const mutant: Mutant = { name: 'm', file: 'f', find: 'a > b', replace: '$&', why: '', caughtBy: { file: '', test: '' } }

  test('puts the replacement in as it stands', () => {
    expect(mutated(mutant, 'if (a > b)')).toBe('if ($&)')
  })

  test.each(['if (b > a)', 'a > b || a > b'])('of a text that is not there once is refused: %s', (text) => {
    expect(() => mutated(mutant, text)).toThrow('not once')
  })
})
