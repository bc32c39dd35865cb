/** One life of the PostgreSQL server: start, readiness, log, end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { type Runtime, sleep } from '../../common/runtime.ts'
import { type Binaries, toolEnvironment } from './embedded-binaries.ts'
import { fastStopMs, immediateStopMs } from './embedded-leftovers.ts'
import type { Place } from './embedded-place.ts'

export type ServerSettings = Readonly<Record<string, string>>

export type ServerExit = { code: number | null; signal: NodeJS.Signals | null; lastWords: string }

export type Server = {
  readonly pid: number
  /** Resolves when the process is gone, for whatever reason. */
  readonly exited: Promise<ServerExit>
  stop(): Promise<void>
}

type Start = { binaries: Binaries; place: Place; settings: ServerSettings; logger: Logger; runtime: Runtime }

/** Recovery after a crash replays the log since the last checkpoint, which is at most some minutes of work. */
const startMsMax = 5 * 60_000
/** Server processes notice within a second or two that their postmaster was killed; until then a new one may not start. */
const leftoverMsMax = 15_000
const lastWordsMax = 20

/** Resolves when the server takes connections. Throws DATABASE_UNAVAILABLE with the server's own words. */
export async function startServer(start: Start): Promise<Server> {
  const { runtime } = start
  const startedMs = runtime.monotonicMs()
  for (;;) {
    const server = launch(start)
    const exit = await readyOrExit(server, start, startedMs + startMsMax)
    if (exit === undefined) return server
    if (!isLeftover(exit.lastWords) || runtime.monotonicMs() - startedMs > leftoverMsMax) {
      throw new MailscoutError(
        'DATABASE_UNAVAILABLE',
        `The embedded PostgreSQL in ${start.place.folder} did not start:\n${exit.lastWords}`,
      )
    }
    await sleep(runtime, 250)
  }
}

const isLeftover = (words: string) => /lock file .* already exists|shared memory block .* still in use/.test(words)

function launch({ binaries, place, settings, logger, runtime }: Start): Server {
  const child = spawn(binaries.postgres, ['-D', place.data, ...settingArguments(place, settings)], {
    cwd: '/',
    env: toolEnvironment,
    // A session of its own: Ctrl-C on the terminal must reach the coordinator first, which then stops the server in order.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...place.runAs,
  })
  const words = collectWords(child, logger)
  const exited = new Promise<ServerExit>((resolve) => {
    // `close`, not `exit`: by then the last lines have been read.
    child.once('error', (error) => resolve({ code: null, signal: null, lastWords: error.message }))
    child.once('close', (code, signal) => resolve({ code, signal, lastWords: words.join('\n') }))
  })
  return { pid: child.pid ?? 0, exited, stop: () => stop(child, exited, runtime, logger) }
}

function settingArguments(place: Place, settings: ServerSettings): string[] {
  const all: ServerSettings = {
    // Only this folder leads to the server; it is closed to others, which is what makes `trust` authentication safe.
    listen_addresses: '',
    unix_socket_directories: `"${place.sockets.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    port: '5432',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '',
    ...settings,
  }
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

function collectWords(child: ChildProcess, logger: Logger): string[] {
  const words: string[] = []
  if (child.stderr === null) return words
  createInterface({ input: child.stderr }).on('line', (line) => {
    words.push(line)
    if (words.length > lastWordsMax) words.shift()
    logger[logLevel(line)]({ source: 'postgres' }, line)
  })
  return words
}

/** An ERROR of the server is one statement that failed, which its caller reports; only FATAL and PANIC are about the server. */
function logLevel(line: string): 'error' | 'warn' | 'debug' {
  if (/^(PANIC):/.test(line)) return 'error'
  return /^(FATAL|WARNING):/.test(line) ? 'warn' : 'debug'
}

/** undefined: ready. */
async function readyOrExit(server: Server, { place, runtime }: Start, deadlineMs: number): Promise<ServerExit | undefined> {
  let exit: ServerExit | undefined
  const watched = server.exited.then((seen) => {
    exit = seen
  })
  while (exit === undefined) {
    if (await isReady(place, server.pid)) return undefined
    if (runtime.monotonicMs() > deadlineMs) {
      await server.stop()
      return { ...(await server.exited), lastWords: `it was not ready within ${startMsMax / 60_000} minutes` }
    }
    await Promise.race([sleep(runtime, 10), watched])
  }
  return exit
}

/** Line 8 of postmaster.pid is `ready`, padded with blanks; line 1 must be our child, or the file is an earlier server's. */
async function isReady(place: Place, pid: number): Promise<boolean> {
  const lines = (await readFile(join(place.data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  return lines[0] === String(pid) && lines[7]?.trim() === 'ready'
}

/** Fast shutdown (transactions rolled back, a checkpoint written); if that hangs, immediate (recovery at the next start). */
async function stop(child: ChildProcess, exited: Promise<ServerExit>, runtime: Runtime, logger: Logger): Promise<void> {
  for (const [signal, boundMs] of [
    ['SIGINT', fastStopMs],
    ['SIGQUIT', immediateStopMs],
  ] as const) {
    child.kill(signal)
    if (await within(exited, boundMs, runtime)) return
    logger.warn({ pid: child.pid, signal }, `the database server did not stop within ${boundMs / 1000} s`)
  }
}

function within(exited: Promise<unknown>, boundMs: number, runtime: Runtime): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = runtime.setTimer(boundMs, () => resolve(false))
    void exited.then(() => {
      cancel()
      resolve(true)
    })
  })
}
