/** One process of the trial: its log goes to a file, what is meant for people (an SMS on the console) to the terminal. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export type Child = {
  logFile: string
  /** Resolves when a line of the log has these words; rejects when the process ends before. */
  ready(words: string): Promise<void>
  /** How the process ended, each time anew after a restart. */
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

export function startChild({ args, environment, root, logFile, name }: ChildOptions): Child {
  const log = createWriteStream(logFile, { flags: 'a', mode: 0o600 })
  const watchers = new Set<(line: string) => void>()
  let purpose = false
  let tell: (how: string) => void = () => {}
  const ended = new Promise<string>((resolve) => {
    tell = resolve
  })
  let child = launch()

  function launch(): ChildProcess {
    // Its own process group: Ctrl-C reaches the trial, which stops its parts in order.
    const started = spawn(process.execPath, args, {
      cwd: root,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    for (const stream of [started.stdout, started.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        log.write(`${line}\n`)
        for (const watch of watchers) watch(line)
        if (!line.startsWith('{') && stream === started.stdout) console.log(line)
      })
    }
    started.on('exit', (code, signal) => tell(signal ?? `exit status ${code}`))
    return started
  }

  return {
    logFile,
    ended,
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
        ended.then((how) => reject(new Error(`${name} ended (${how}):\n${tailOf(logFile)}`)))
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

const tailOf = (file: string): string => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8).join('\n')
