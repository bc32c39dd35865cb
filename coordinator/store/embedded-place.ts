/**
 * Where the embedded database lies and as whom it runs.
 *
 * PostgreSQL refuses to run as root, so root starts it as the user `postgres`, else `nobody`. That user must be able to enter
 * every folder above the data, which it cannot where the checkout lies under a folder of mode 0700 such as /root: then, and only
 * then, the data lie under /var/lib/mailscout, and a file in DATA_DIR says where.
 */
import { execFile } from 'node:child_process'
import { chown, mkdir, mkdtemp, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import type { Runtime } from '../../common/runtime.ts'

const run = promisify(execFile)

/** The user that runs the server; undefined: the same as this process. Fits the options of `spawn`. */
export type RunAs = { readonly uid: number; readonly gid: number } | undefined

export type Place = {
  /** Holds everything of this database, mode 0700. */
  readonly folder: string
  readonly data: string
  readonly sockets: string
  /** The socket folder lies outside `folder`, because the path would be too long, and is removed at the end. */
  readonly socketsAreTemporary: boolean
  readonly runAs: RunAs
}

/** Where root may keep what another user must reach. */
export const sharedFolder = '/var/lib/mailscout'

/** sockaddr_un holds 108 bytes with the closing zero; on macOS 104. */
const socketPathBytesMax = 103
const socketName = '.s.PGSQL.5432'

/** Throws CONFIG_INVALID where no usable place exists; the message says what to set. */
export async function choosePlace(options: { dataDir: string; logger: Logger; runtime: Runtime }): Promise<Place> {
  await mkdir(options.dataDir, { recursive: true })
  const home = join(await realpath(resolve(options.dataDir)), 'postgres')
  await mkdir(home, { recursive: true, mode: 0o700 })
  const folder = isRoot() ? await folderForRoot(home, options) : home
  const data = join(folder, 'data')
  const runAs = await userFor(data)
  if (runAs === undefined) await refuseForeignData(data)
  return { folder, data, runAs, ...(await socketFolder(folder, runAs)) }
}

const isRoot = () => process.getuid?.() === 0

/** Existing data decide: the server must run as their owner. */
async function userFor(data: string): Promise<RunAs> {
  if (!isRoot()) return undefined
  const existing = await stat(data).catch(() => undefined)
  if (existing !== undefined && existing.uid !== 0) return { uid: existing.uid, gid: existing.gid }
  return serviceUser()
}

async function serviceUser(): Promise<RunAs> {
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody')
  if (entry === undefined) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      'PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`: run Mailscout as an ordinary user.',
    )
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

async function refuseForeignData(data: string): Promise<void> {
  const existing = await stat(data).catch(() => undefined)
  if (existing === undefined || existing.uid === process.getuid?.()) return
  throw new MailscoutError(
    'CONFIG_INVALID',
    `${data} belongs to the user with id ${existing.uid}: run Mailscout as that user, or set DATA_DIR to another folder.`,
  )
}

async function folderForRoot(home: string, { logger, runtime }: { logger: Logger; runtime: Runtime }): Promise<string> {
  const pointer = join(home, 'LOCATION')
  const elsewhere = await readFile(pointer, 'utf8').catch(() => undefined)
  if (elsewhere !== undefined) return existingElsewhere(elsewhere.trim(), pointer)

  const user = await userFor(join(home, 'data'))
  if (user !== undefined) await chown(home, user.uid, user.gid)
  if (await canEnter(home, user)) return home

  const reason = `the user with id ${user?.uid} may not enter ${home} (a folder above it is closed to others)`
  if (await stat(join(home, 'data')).catch(() => undefined)) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      `There is a database in ${home}, but ${reason}: open that folder, or move DATA_DIR.`,
    )
  }
  const folder = join(sharedFolder, `postgres-${Buffer.from(runtime.randomBytes(6)).toString('hex')}`)
  await mkdir(sharedFolder, { recursive: true })
  await mkdir(folder, { mode: 0o700 })
  if (user !== undefined) await chown(folder, user.uid, user.gid)
  if (!(await canEnter(folder, user))) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      `Neither ${home} nor ${folder} will do: ${reason}. Set DATA_DIR to a folder that it may enter.`,
    )
  }
  await writeFile(pointer, `${folder}\n`)
  logger.warn({ folder, pointer }, `the embedded database lies in ${folder}, because ${reason}; ${pointer} remembers it`)
  return folder
}

async function existingElsewhere(folder: string, pointer: string): Promise<string> {
  if (await stat(folder).catch(() => undefined)) return folder
  throw new MailscoutError(
    'CONFIG_INVALID',
    `${pointer} says that the database lies in ${folder}, which is gone: restore it, or remove the file to start empty.`,
  )
}

/** Asked of the system by trying, because modes alone do not tell (access lists, mounts). */
export async function canEnter(folder: string, runAs: RunAs): Promise<boolean> {
  return run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { cwd: '/', env: {}, ...runAs }).then(
    () => true,
    () => false,
  )
}

async function socketFolder(folder: string, runAs: RunAs): Promise<Pick<Place, 'sockets' | 'socketsAreTemporary'>> {
  const inside = join(folder, 'sockets')
  const socketsAreTemporary = Buffer.byteLength(join(inside, socketName)) > socketPathBytesMax
  // mkdtemp makes it 0700: with `trust` authentication the closed folder is what keeps others out.
  const sockets = socketsAreTemporary ? await mkdtemp('/tmp/mailscout-') : inside
  await mkdir(sockets, { recursive: true, mode: 0o700 })
  if (runAs !== undefined) await chown(sockets, runAs.uid, runAs.gid)
  return { sockets, socketsAreTemporary }
}
