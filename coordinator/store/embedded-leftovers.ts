/**
 * What an earlier life left behind. A coordinator that was killed leaves its server running; another coordinator that still
 * runs must keep its server. The file `supervisor` tells the two apart.
 */
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MailscoutError } from '../../common/errors.ts'
import type { Logger } from '../../common/log.ts'
import { type Runtime, sleep } from '../../common/runtime.ts'
import type { Place } from './embedded-place.ts'
import { commandLine, isAlive, processLife } from './processes.ts'

/** A fast shutdown takes 20 to 30 ms when idle; the rest is for open transactions and a slow disk. */
export const fastStopMs = 10_000
export const immediateStopMs = 5_000

/** Takes the database for this process; the returned function gives it back. Throws CONFLICT where a live coordinator has it. */
export async function takeOwnership(place: Place): Promise<() => Promise<void>> {
  const path = join(place.folder, 'supervisor')
  const holder = await readFile(path, 'utf8').catch(() => '')
  const [pidText = '', life = ''] = holder.trim().split(' ')
  const pid = Number(pidText)
  const sameLife = pid > 0 && (await isAlive(pid)) && life === (await processLife(pid))
  if (sameLife) throw inUse(place, pid)
  if (holder !== '') await rm(path, { force: true })
  try {
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(`${process.pid} ${await processLife(process.pid)}\n`)
    await file.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw inUse(place, undefined)
    throw error
  }
  return () => rm(path, { force: true })
}

function inUse(place: Place, pid: number | undefined): MailscoutError {
  const who = pid === undefined ? 'Another coordinator' : `Another coordinator (process ${pid})`
  return new MailscoutError('CONFLICT', `${who} uses the database in ${place.folder}: stop it, or set another DATA_DIR.`)
}

/**
 * Stops the server that a killed coordinator left behind. Stopped, not reused: a reused one would have no log, no exit event
 * and the settings of another time. It costs about 20 ms.
 */
export async function stopOrphan(place: Place, runtime: Runtime, logger: Logger): Promise<void> {
  const path = join(place.data, 'postmaster.pid')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  const pid = Number(text?.split('\n', 1)[0])
  if (text === undefined || !(pid > 0) || !(await isAlive(pid))) return

  const command = await commandLine(pid)
  if (!(command.includes('postgres') && command.includes(place.data))) return forgetReusedId(path, text)

  logger.warn({ pid }, 'an earlier coordinator was killed and left its database server: stopping it')
  for (const [signal, boundMs] of [
    ['SIGINT', fastStopMs],
    ['SIGQUIT', immediateStopMs],
  ] as const) {
    process.kill(pid, signal)
    if (await isGoneWithin(pid, boundMs, runtime)) return
  }
  throw new MailscoutError(
    'CONFLICT',
    `The database server with process id ${pid} in ${place.folder} does not stop: end it by hand.`,
  )
}

/**
 * The id in the file belongs to some other program now, and PostgreSQL would refuse to start while that one lives. It ignores
 * the id of its own parent, which is this process; the file itself must stay, because its shared memory key guards against
 * server processes that outlived their postmaster.
 */
async function forgetReusedId(path: string, text: string): Promise<void> {
  await writeFile(path, text.replace(/^\d+/, String(process.pid)))
}

async function isGoneWithin(pid: number, boundMs: number, runtime: Runtime): Promise<boolean> {
  const deadlineMs = runtime.monotonicMs() + boundMs
  while (runtime.monotonicMs() < deadlineMs) {
    if (!(await isAlive(pid))) return true
    await sleep(runtime, 10)
  }
  return false
}
