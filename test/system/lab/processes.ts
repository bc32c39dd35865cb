/**
 * Programs inside the lab's hosts: started with a clean environment, watched through their log file. What
 * still runs at the end is found by its namespace and ended there.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { until } from './until.ts'

/** The network namespace of a host; commands run in it also see its /etc (resolv.conf, postfix, passwd). */
export type Place = { namespace: string }

export type ProgramSpec = {
  /** Also the name of its log file. */
  name: string
  at: Place
  command: readonly string[]
  env?: Record<string, string>
  /** Runs as this user of the host; default root. */
  user?: string
  cwd?: string
}

export type Finished = { code: number; stdout: string; stderr: string }

/** node_modules/.bin of the test run is deliberately not in it: programs of the lab are those of the machine. */
const cleanEnvironment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', HOME: '/root' }

export class Program {
  readonly spec: ProgramSpec
  readonly logFile: string
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #logStart = 0

  constructor(spec: ProgramSpec, logFile: string) {
    this.spec = spec
    this.logFile = logFile
  }

  start(): this {
    if (this.alive) throw new Error(`${this.spec.name} is running already`)
    mkdirSync(dirname(this.logFile), { recursive: true })
    const log = openSync(this.logFile, 'a')
    this.#logStart = statSync(this.logFile).size
    const [file, ...args] = insideCommand(this.spec.at, this.spec.command, this.spec.user)
    // Its own process group: Postfix signals its whole group, and Ctrl-C must reach only the test run.
    const child = spawn(file, args, {
      env: { ...cleanEnvironment, ...this.spec.env },
      stdio: ['ignore', log, log],
      detached: true,
      ...(this.spec.cwd === undefined ? {} : { cwd: this.spec.cwd }),
    })
    closeSync(log)
    // The test runner finishes when nothing else is to be waited for; servers of the lab are no reason to wait.
    child.unref()
    this.#child = child
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    return this
  }

  get alive(): boolean {
    return this.#child?.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.spec.name} has not been started`)
    return this.#child.pid
  }

  /** What it printed since its last start. */
  log(): string {
    return readFileSync(this.logFile).subarray(this.#logStart).toString('utf8')
  }

  /** Waits for a line of the present run; fails at once when the program ends instead. */
  async awaitLog(pattern: RegExp, withinMs = 15_000): Promise<RegExpExecArray> {
    const seen = () => pattern.exec(this.log()) ?? undefined
    const found = await until(`${pattern} in the log of ${this.spec.name}`, () => seen() ?? (this.alive ? undefined : 'ended'), {
      withinMs,
      everyMs: 25,
    }).catch((error: unknown) => {
      throw new Error(`${this.spec.name} did not become ready; its log ends:\n${this.log().slice(-3000)}`, { cause: error })
    })
    const match = found === 'ended' ? seen() : found
    if (match === undefined) throw new Error(`${this.spec.name} ended; its log:\n${this.log().slice(-3000)}`)
    return match
  }

  /** Sends SIGTERM and waits for the end; throws when it is still there after `withinMs`. */
  async stop(withinMs = 15_000): Promise<void> {
    this.#signal('SIGTERM')
    await this.#ended(withinMs)
  }

  /** kill -9, as a crash of the machine would. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#ended(5_000)
  }

  /** SIGSTOP and SIGCONT: it is there, but answers nothing. */
  freeze(): void {
    this.#signal('SIGSTOP')
  }

  thaw(): void {
    this.#signal('SIGCONT')
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.alive) process.kill(this.pid, signal)
  }

  async #ended(withinMs: number): Promise<void> {
    const late = Symbol('late')
    let timer: NodeJS.Timeout | undefined
    const alarm = new Promise((resolve) => {
      timer = setTimeout(() => resolve(late), withinMs)
    })
    const winner = await Promise.race([this.#exited, alarm])
    clearTimeout(timer)
    if (winner === late) throw new Error(`${this.spec.name} (process ${this.pid}) is still there ${withinMs} ms after the signal`)
  }
}

export class Programs {
  readonly #logDirectory: string

  constructor(logDirectory: string) {
    this.#logDirectory = logDirectory
  }

  /** Makes a program without starting it. */
  prepare(spec: ProgramSpec): Program {
    return new Program(spec, join(this.#logDirectory, `${spec.name}.log`))
  }

  start(spec: ProgramSpec): Program {
    return this.prepare(spec).start()
  }
}

/** Runs a command inside a host to its end. An exit status other than 0 is returned, not thrown. */
export function runInside(
  at: Place,
  command: readonly string[],
  options: { input?: string; user?: string; env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<Finished> {
  const [file, ...args] = insideCommand(at, command, options.user)
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      args,
      {
        env: { ...cleanEnvironment, ...options.env },
        timeout: options.timeoutMs ?? 60_000,
        killSignal: 'SIGKILL',
        maxBuffer: 16 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ code: 0, stdout, stderr })
        if (typeof error.code === 'number') return resolve({ code: error.code, stdout, stderr })
        reject(error)
      },
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
  })
}

/** Like runInside, but an exit status other than 0 throws with what the command said. Returns its standard output. */
export async function mustRunInside(...call: Parameters<typeof runInside>): Promise<string> {
  const done = await runInside(...call)
  if (done.code !== 0) throw new Error(`${call[1].join(' ')} ended with ${done.code}: ${done.stderr || done.stdout}`)
  return done.stdout
}

/** Whether anything in this host listens on the TCP port. */
export async function isListening(at: Place, port: number): Promise<boolean> {
  const table = await mustRunInside(at, ['cat', '/proc/net/tcp', '/proc/net/tcp6'])
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  // Columns: number, local address, remote address, state; 0A is LISTEN.
  return table.split('\n').some((line) => {
    const [, address, , state] = line.trim().split(/\s+/)
    return address?.endsWith(local) === true && state === '0A'
  })
}

export async function awaitPort(at: Place, port: number, withinMs = 20_000): Promise<void> {
  await until(`port ${port} in ${at.namespace}`, () => isListening(at, port), { withinMs })
}

/** `ip netns exec` and `setpriv` both replace themselves by the command: the process id is the program's own. */
function insideCommand(at: Place, command: readonly string[], user: string | undefined): [string, ...string[]] {
  const asUser = user === undefined ? [] : ['setpriv', `--reuid=${user}`, '--regid=nogroup', '--clear-groups', '--']
  return ['ip', 'netns', 'exec', at.namespace, ...asUser, ...command]
}
