/** One process of the trial: its log goes to a file, what is meant for people (an SMS on the console) to the terminal. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export type Child = {
  logFile: string
  /** Resolves when a line of the log has these words; rejects when the process ends before. */
  ready(words: string): Promise<void>
  /** The end of its log. */
  lastLines(): string
  /** How the process ended for the first time. */
  ended: Promise<string>
  stoppedOnPurpose(): boolean
  stop(): Promise<void>
  restart(): void
}

export type ChildOptions = {
  name: string
  args: string[]
  environment: Record<string, string>
  root: string
  logFile: string
}

const killAfterMs = 15_000
const linesKept = 8
const leash = join(import.meta.dirname, 'trial-leash.ts')

export function startChild({ args, environment, root, logFile, name }: ChildOptions): Child {
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 })
  const watchers = new Set<(line: string) => void>()
  const last: string[] = []
  let purpose = false
  let tell: (how: string) => void = () => {}
  const ended = new Promise<string>((resolve) => {
    tell = resolve
  })
  let child = launch()

  function launch(): ChildProcess {
    // Its own process group: Ctrl-C reaches the trial, which stops its parts in order.
    const started = spawn(process.execPath, ['--import', leash, ...args], {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    })
    for (const stream of [started.stdout, started.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`)
        last.push(line)
        if (last.length > linesKept) last.shift()
        for (const watch of watchers) watch(line)
        if (!line.startsWith('{') && stream === started.stdout) console.log(line)
      })
    }
    // Not `exit`: what it said last is read by then.
    started.on('close', (code, signal) => tell(signal ?? `exit status ${code}`))
    return started
  }

  return {
    logFile,
    ended,
    lastLines: () => last.join('\n'),
    stoppedOnPurpose: () => purpose,
    async ready(words) {
      const lines: string[] = []
      await new Promise<void>((resolve, reject) => {
        const watch = (line: string) => {
          lines.push(line)
          if (!line.includes(words)) return
          watchers.delete(watch)
          resolve()
        }
        watchers.add(watch)
        ended.then((how) => reject(new Error(`${name} ended (${how})`)))
      })
    },
    async stop() {
      purpose = true
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      child.kill('SIGTERM')
      const hard = setTimeout(() => child.kill('SIGKILL'), killAfterMs)
      await gone
      clearTimeout(hard)
    },
    restart() {
      purpose = false
      child = launch()
    },
  }
}
