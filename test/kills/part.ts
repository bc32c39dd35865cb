/** One process of the installation: started, watched through its log, killed, started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Life } from './history.ts'

const root = join(import.meta.dirname, '../..')
/** Where the run itself dies, its parts stop too. */
const leash = join(root, 'bin/trial-leash.ts')
const linesKept = 20
const stopMsMax = 20_000

export type PartOptions = {
  name: string
  args: readonly string[]
  environment: Readonly<Record<string, string>>
  directory: string
  /** Words of the log line that says it is ready. */
  readyWords: string
  /** It ended, and nobody had killed or stopped it. */
  onUnexpectedEnd: (what: string, part: Part) => void
}

type Running = { child: ChildProcess; life: Life; gone: Promise<void>; ready: Promise<boolean> }

export class Part {
  readonly name: string
  readonly lives: Life[] = []
  readonly #options: PartOptions
  readonly #log: WriteStream
  readonly #last: string[] = []
  #running: Running | undefined
  #expectedToEnd = false

  constructor(options: PartOptions) {
    this.name = options.name
    this.#options = options
    this.#log = createWriteStream(join(options.directory, 'logs', `${options.name}.log`), { flags: 'a' })
  }

  get running(): boolean {
    return this.#running !== undefined
  }

  start(): void {
    if (this.#running !== undefined) throw new Error(`${this.name} is running already`)
    this.#expectedToEnd = false
    const life: Life = { startedMs: Date.now(), readyMs: null, endedMs: null }
    const child = spawn(process.execPath, ['--import', leash, ...this.#options.args], {
      cwd: root,
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...this.#options.environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Its own process group: Ctrl-C reaches the run, which stops its parts in order.
      detached: true,
    })
    const gone = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        life.endedMs = Date.now()
        this.#running = undefined
        if (!this.#expectedToEnd)
          this.#options.onUnexpectedEnd(`${this.name} ended by itself (${signal ?? `exit status ${code}`})`, this)
        resolve()
      })
    })
    const ready = new Promise<boolean>((resolve) => {
      void gone.then(() => resolve(false))
      this.#follow(child, () => {
        life.readyMs = Date.now()
        resolve(true)
      })
    })
    this.lives.push(life)
    this.#running = { child, life, gone, ready }
  }

  /** True once it is ready; false where it ended before. */
  async ready(): Promise<boolean> {
    return (await this.#running?.ready) ?? false
  }

  async mustBeReady(): Promise<void> {
    if (!(await this.ready())) throw new Error(`${this.name} did not become ready; its log ends:\n${this.#last.join('\n')}`)
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM, and kill -9 where that is not heard; false then. */
  async stop(): Promise<boolean> {
    const { gone } = this.#running ?? {}
    const timer = setTimeout(() => void this.kill(), stopMsMax)
    await this.#end('SIGTERM')
    clearTimeout(timer)
    return gone === undefined || this.lives.at(-1)?.endedMs !== null
  }

  freeze(): void {
    this.#running?.child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#running?.child.kill('SIGCONT')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    this.#expectedToEnd = true
    const { child, gone } = this.#running ?? {}
    child?.kill(signal)
    await gone
  }

  #follow(child: ChildProcess, onReady: () => void): void {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue
      createInterface({ input: stream }).on('line', (line) => {
        this.#log.write(`${line}\n`)
        this.#last.push(line)
        if (this.#last.length > linesKept) this.#last.shift()
        if (line.includes(this.#options.readyWords)) onReady()
      })
    }
  }
}
