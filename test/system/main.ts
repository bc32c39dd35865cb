/**
 * The system tests: install what is missing, start the lab, run the cases in this process, remove the lab.
 *
 *   node test/system/main.ts [--keep] [part of the name of a case file …]
 *
 * A failed run, or one with --keep, leaves its logs and mailboxes behind and says where.
 */
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { setLab } from './lab/current.ts'
import { install } from './lab/install.ts'
import { directoryOf, Lab, removeLeftovers, removeRun } from './lab/lab.ts'

const caseTimeoutMs = 15 * 60_000

const started = performance.now()
const runId = String(process.pid)
const keep = process.argv.includes('--keep')
const chosen = process.argv.slice(2).filter((argument) => argument !== '--keep')

install()
removeLeftovers()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(1, `stopped by ${signal}`))
await startLab()

const all = globSync(join(import.meta.dirname, 'cases/*.ts')).sort()
const files = chosen.length === 0 ? all : all.filter((file) => chosen.some((part) => basename(file).includes(part)))
// In one process, so that the cases share the lab; the runner finishes when all of them have.
const tests = run({ files, isolation: 'none', timeout: caseTimeoutMs })
let verdict: Parameters<typeof end> = [1, 'system tests: the run ended without a summary']
tests.on('test:summary', ({ counts, success }) => {
  const { tests: total, passed, skipped } = counts
  const failed = total - passed - skipped
  const words = `system tests: ${passed} of ${total} passed, ${failed} failed, ${skipped} skipped`
  verdict = [success && total > 0 ? 0 : 1, words]
})
const report = tests.compose(spec)
report.pipe(process.stdout)
// The reporter tells why tests failed after their summary.
report.on('end', () => end(verdict[0], `${verdict[1]}, ${elapsedSeconds()} s`))

async function startLab(): Promise<void> {
  removeRun(runId)
  try {
    const lab = new Lab(runId)
    await lab.start()
    setLab(lab)
    console.log(`lab: up after ${elapsedSeconds()} s in ${lab.directory}`)
  } catch (error) {
    console.error(error)
    end(1, 'system tests: the lab did not start, no case was run')
  }
}

/** Ends all that was started, says the last line, and leaves. */
function end(status: 0 | 1, lastLine: string): never {
  const keepFiles = keep || status !== 0
  removeRun(runId, keepFiles)
  if (keepFiles) console.log(`lab: logs and mailboxes are kept in ${directoryOf(runId)}`)
  console.log(lastLine)
  process.exit(status)
}

function elapsedSeconds(): string {
  return ((performance.now() - started) / 1000).toFixed(1)
}
