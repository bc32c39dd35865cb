/**
 * npm run mutants [-- name …]: the tests can fail.
 *
 * Breaks one rule of the product after the other, each in a copy of the tree, and expects the test that is named beside it to fail for it,
 * having passed without. Exits 0 only where every mutant was caught, 1 where one was not, 2 where a name is unknown.
 */
import { mutants } from './list.ts'
import type { Mutant } from './mutant.ts'
import { type Fate, type Named, stopTrials, tryTests } from './trial.ts'

/** Each copy of vitest keeps a core busy. */
const workersMax = 2

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !mutants.some((mutant) => mutant.name === name))
if (unknown.length > 0) {
  console.error(`No mutant is called ${unknown.join(', ')}; there are ${mutants.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopTrials()
    process.exit(1)
  })
}
const chosen = mutants.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
const widest = Math.max(...chosen.map(({ name }) => name.length))

// What fails without a mutation catches nothing.
const sound = await soundTests(chosen.map(({ caughtBy }) => caughtBy))
const queue = [...chosen]
let caught = 0
await Promise.all(Array.from({ length: workersMax }, work))
console.log(`mutants: ${caught} of ${chosen.length} caught`)
process.exit(caught === chosen.length ? 0 : 1)

async function work(): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const startedMs = performance.now()
    const fault = await faultOf(mutant)
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)
    const { file, test } = mutant.caughtBy
    console.log(`${fault === null ? 'caught' : 'MISSED'}  ${mutant.name.padEnd(widest)} ${seconds} s  ${file} > ${test}`)
    if (fault === null) caught += 1
    else console.log(`        ${mutant.why}\n        ${fault.replaceAll('\n', '\n        ')}`)
  }
}

/** Why the mutant does not count as caught, or null. */
async function faultOf(mutant: Mutant): Promise<string | null> {
  const { caughtBy } = mutant
  const before = sound.get(keyOf(caughtBy))
  if (before?.kind !== 'passed') return `without the mutation the test has not passed: ${tell(before)}`
  const [after] = await tryTests([caughtBy], mutant)
  if (after?.kind === 'passed') return 'the test passes all the same'
  if (after?.kind !== 'failed') return `the test did not run to its end: ${tell(after)}`
  // The rule must have been missed, not the code broken.
  if (/^(TypeError|ReferenceError|SyntaxError|RangeError)\b/.test(after.message)) return `the code is broken: ${tell(after)}`
  return null
}

async function soundTests(named: Named[]): Promise<Map<string, Fate>> {
  const distinct = [...new Map(named.map((test) => [keyOf(test), test])).values()]
  const fates = await tryTests(distinct, null)
  return new Map(distinct.map((test, index) => [keyOf(test), fates[index] ?? { kind: 'hung' }]))
}

function keyOf({ file, test }: Named): string {
  return `${file} > ${test}`
}

function tell(fate: Fate | undefined): string {
  if (fate === undefined || fate.kind === 'passed') return 'nothing is known of it'
  return fate.kind === 'hung' ? 'it did not end' : fate.message.slice(0, 2000)
}
