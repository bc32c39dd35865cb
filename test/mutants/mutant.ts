/** A mutation of the product: one rule broken on purpose, and the test that must notice. */

export type Mutant = {
  name: string
  /** Relative to the root of the project, as is the test file. */
  file: string
  /** Stands in the file exactly once. */
  find: string
  replace: string
  /** The rule that is broken. */
  why: string
  /** The test's name is that of its suites and its own, joined by ` > `, as the reporter prints it. */
  caughtBy: { file: string; test: string }
}

/** The file's text with the mutation in it. A list that has rotted is told of, and never taken for a mutant that was caught. */
export function mutated({ name, file, find, replace }: Mutant, text: string): string {
  const times = text.split(find).length - 1
  if (times !== 1) throw new Error(`${name}: ${file} holds the text to replace ${times} times, not once: ${find}`)
  if (find === replace) throw new Error(`${name}: the replacement changes nothing`)
  return text.replace(find, () => replace)
}
