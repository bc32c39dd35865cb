/**
 * Tests in a copy of the tree that is made for them: the project's own files stay as they are, and node_modules is only linked to.
 *
 *   copy ─► mutate ─► vitest, the named tests only ─► what became of each
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve, sep } from 'node:path'
import { type Mutant, mutated } from './mutant.ts'

const root = resolve(import.meta.dirname, '../..')
/** At the top level; what is installed, built or left by a run is no source. */
const notCopied = new Set(['node_modules', '.git', 'data', 'dist', '.vitest'])
/** The slowest named test takes a tenth of it: whoever needs longer hangs. */
const runMsMax = 120_000

export type Named = Mutant['caughtBy']
export type Fate =
  | { kind: 'passed' }
  | { kind: 'failed'; message: string }
  /** The test was not reached: its file does not load, or it has another name. */
  | { kind: 'absent'; message: string }
  | { kind: 'hung' }

/** Runs the named tests in a fresh copy, with the mutation where there is one. */
export async function tryTests(named: readonly Named[], mutant: Mutant | null): Promise<Fate[]> {
  const directory = await mkdtemp(join(tmpdir(), 'mailscout-mutant-'))
  try {
    await copyTree(directory)
    if (mutant !== null) {
      const file = join(directory, mutant.file)
      await writeFile(file, mutated(mutant, await readFile(file, 'utf8')))
    }
    return await runTests(directory, named)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function copyTree(directory: string): Promise<void> {
  const wanted = (source: string) => !notCopied.has(relative(root, source).split(sep)[0] ?? '')
  await cp(root, directory, { recursive: true, filter: wanted })
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'))
}

type Report = { testResults: { name: string; message: string; assertionResults: Assertion[] }[] }
type Assertion = { ancestorTitles: string[]; title: string; status: string; failureMessages: string[] }

async function runTests(directory: string, named: readonly Named[]): Promise<Fate[]> {
  const reportFile = join(directory, 'report.json')
  const files = [...new Set(named.map(({ file }) => file))]
  const pattern = `^(${[...new Set(named.map(({ test }) => RegExp.escape(test)))].join('|')})$`
  const reporting = ['--reporter=json', `--outputFile=${reportFile}`, '--maxWorkers=1', '--no-cache', '--no-fsModuleCache']
  const words = await vitest(directory, ['run', ...files, '-t', pattern, ...reporting])
  if (words === null) return named.map(() => ({ kind: 'hung' }))
  const text = await readFile(reportFile, 'utf8').catch(() => null)
  if (text === null) return named.map(() => ({ kind: 'absent', message: words }))
  return named.map((test) => fateOf(test, directory, JSON.parse(text) as Report))
}

function fateOf({ file, test }: Named, directory: string, { testResults }: Report): Fate {
  const result = testResults.find(({ name }) => relative(directory, name) === file)
  const found = result?.assertionResults.find(({ ancestorTitles, title }) => [...ancestorTitles, title].join(' > ') === test)
  if (found?.status === 'passed') return { kind: 'passed' }
  if (found?.status === 'failed') return { kind: 'failed', message: found.failureMessages.join('\n') }
  return { kind: 'absent', message: result?.message || 'no test of this file has that name' }
}

const running = new Set<ChildProcess>()

/** Ends what is running, workers and all. */
export function stopTrials(): void {
  for (const child of running) killGroup(child)
}

const killGroup = ({ pid }: ChildProcess): boolean => pid !== undefined && process.kill(-pid, 'SIGKILL')

/** What vitest said when it has ended, whatever its status; null where it had to be ended. */
async function vitest(directory: string, words: string[]): Promise<string | null> {
  const program = join(directory, 'node_modules/vitest/vitest.mjs')
  // A group of its own, because a worker in an endless loop outlives vitest.
  const child = spawn(process.execPath, [program, ...words], {
    cwd: directory,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (piece: string) => (said += piece))
  let hung = false
  const limit = setTimeout(() => {
    hung = true
    killGroup(child)
  }, runMsMax)
  try {
    await new Promise((ended, failed) => child.once('close', ended).once('error', failed))
  } finally {
    clearTimeout(limit)
    running.delete(child)
  }
  return hung ? null : said
}
