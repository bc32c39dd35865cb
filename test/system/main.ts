/**
 * The system tests: install what is missing, start the lab, run the cases in this process, remove the lab.
 * Arguments: parts of names of case files (default all). MAILSCOUT_LAB_KEEP=1 keeps logs and mailboxes of the run.
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { setLab } from './lab/current.ts'
import { install } from './lab/install.ts'
import { Lab, removeLeftovers } from './lab/lab.ts'

const caseTimeoutMs = 15 * 60_000

const started = performance.now()
install()
removeLeftovers()
const lab = new Lab(String(process.pid))
let ending: Promise<void> | undefined
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(1, `${signal}: stopped`))
process.on('uncaughtException', (error) => void end(1, error.stack ?? String(error)))
try {
  await lab.start()
} catch (error) {
  console.error(error)
  await end(1, `lab did not start; its logs: ${lab.directory}/log`)
}
setLab(lab)
console.log(`lab: up after ${((performance.now() - started) / 1000).toFixed(1)} s in ${lab.directory}`)

const all = globSync(join(import.meta.dirname, 'cases/*.ts')).sort()
const chosen = process.argv.slice(2)
const files = chosen.length === 0 ? all : all.filter((file) => chosen.some((part) => file.includes(part)))
const tests = run({ files, isolation: 'none', timeout: caseTimeoutMs })
tests.on('test:summary', ({ counts, success }) => {
  const { passed, skipped, tests: total } = counts
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  void end(
    success && total > 0 ? 0 : 1,
    `system tests: ${passed} of ${total} passed, ${total - passed - skipped} failed, ${skipped} skipped, ${seconds} s`,
  )
})
tests.compose(spec).pipe(process.stdout)

/** Removes the lab once, whoever asks first; then says the last line. A failed run keeps its files. */
function end(status: 0 | 1, lastLine: string): Promise<void> {
  ending ??= (async () => {
    const keepFiles = status !== 0 || process.env.MAILSCOUT_LAB_KEEP === '1'
    await lab.remove(keepFiles)
    if (keepFiles) console.log(`lab: logs and mailboxes are kept in ${lab.directory}`)
    console.log(lastLine)
    process.exit(status)
  })()
  return ending
}
