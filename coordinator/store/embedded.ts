/**
 * The embedded database: a real PostgreSQL in DATA_DIR/postgres, started and stopped by the coordinator.
 *
 *   place → programs → ownership → initdb (first start) → leftovers of a killed coordinator → start → ready
 *
 * Why this and not another embedded database: docs/decisions/0002-embedded-postgresql.md.
 */
import { execFile } from 'node:child_process'
import { chown, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorMessage, MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Runtime } from '../../common/runtime.ts'
import { type Binaries, findBinaries, toolEnvironment } from './embedded-binaries.ts'
import { stopOrphan, takeOwnership } from './embedded-leftovers.ts'
import { choosePlace, type Place } from './embedded-place.ts'
import { type ServerExit, type ServerSettings, startServer } from './embedded-server.ts'

const run = promisify(execFile)

export type EmbeddedPostgres = {
  /** For `openDatabase`: the host is the folder of the socket. */
  readonly connection: { readonly host: string; readonly port: number; readonly user: string; readonly database: string }
  /** The folder of the data, which is not always below DATA_DIR (see embedded-place.ts). */
  readonly folder: string
  readonly pid: number
  /** Stops the server in order; at most 15 s. Safe to call twice. */
  stop(): Promise<void>
}

export type EmbeddedOptions = {
  dataDir: string
  logger: Logger
  runtime: Runtime
  /** Settings of postgresql.conf, e.g. `{ fsync: 'off' }` for a test. */
  settings?: ServerSettings
  /** Called once if the server ends without having been asked to. */
  onUnexpectedExit?: (exit: ServerExit) => void
}

const initdbMsMax = 120_000

/**
 * Throws CONFIG_INVALID where this machine or DATA_DIR will not do, CONFLICT where another coordinator uses the folder, and
 * DATABASE_UNAVAILABLE where the server does not come up; each says what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { logger, runtime, settings = {} } = options
  const place = await choosePlace(options)
  const binaries = await findBinaries(place.runAs, logger)
  const giveBack = await takeOwnership(place)
  try {
    await ensureCluster(place, binaries, logger)
    await stopOrphan(place, runtime, logger)
    const server = await startServer({ binaries, place, settings, logger, runtime })
    logger.info({ folder: place.folder, pid: server.pid }, 'the embedded PostgreSQL is ready')

    let stopping: Promise<void> | undefined
    void server.exited.then((exit) => {
      if (stopping === undefined) options.onUnexpectedExit?.(exit)
    })
    const stop = async () => {
      await server.stop()
      await cleanUp(place, giveBack)
    }
    return {
      connection: { host: place.sockets, port: 5432, user: 'postgres', database: 'postgres' },
      folder: place.folder,
      pid: server.pid,
      stop: () => {
        stopping ??= stop()
        return stopping
      },
    }
  } catch (error) {
    await cleanUp(place, giveBack)
    throw error
  }
}

async function cleanUp(place: Place, giveBack: () => Promise<void>): Promise<void> {
  if (place.socketsAreTemporary) await rm(place.sockets, { recursive: true, force: true })
  await giveBack()
}

/** The first start makes the data folder, aside and then renamed: an interrupted initdb is never taken for a whole one. */
async function ensureCluster(place: Place, binaries: Binaries, logger: Logger): Promise<void> {
  if (await stat(place.data).catch(() => undefined)) return refuseOtherMajor(place, binaries)

  const unfinished = join(place.folder, 'data.unfinished')
  await rm(unfinished, { recursive: true, force: true })
  await mkdir(unfinished, { mode: 0o700 })
  if (place.runAs !== undefined) await chown(unfinished, place.runAs.uid, place.runAs.gid)
  logger.info({ folder: place.data }, 'making the embedded database')
  // The built-in locale sorts the same on every machine; that of the C library changes with its version and breaks indexes.
  const locale = ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C', '-E', 'UTF8']
  try {
    await run(binaries.initdb, ['-D', unfinished, '-U', 'postgres', '-A', 'trust', ...locale, '--no-instructions'], {
      cwd: '/',
      env: toolEnvironment,
      timeout: initdbMsMax,
      ...place.runAs,
    })
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw new MailscoutError(
      'DATABASE_UNAVAILABLE',
      `The embedded database could not be made in ${place.folder}: ${errorMessage(error)}`,
      {
        cause: error,
      },
    )
  }
  await rename(unfinished, place.data)
}

async function refuseOtherMajor(place: Place, binaries: Binaries): Promise<void> {
  const major = (await readFile(join(place.data, 'PG_VERSION'), 'utf8').catch(() => '')).trim()
  if (major === binaries.major) return
  throw new MailscoutError(
    'CONFIG_INVALID',
    `${place.data} was made by PostgreSQL ${major === '' ? '(unknown)' : major}, and this program brings ${binaries.major}: ` +
      'move the data over with pg_upgrade, or set another DATA_DIR.',
  )
}
