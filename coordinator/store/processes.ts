/** Facts about other processes of this machine, by their id. */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** True while the process runs. A zombie is dead: it only waits for its parent to notice. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there and belongs to someone else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await processStatus(pid))?.state !== 'Z'
}

/** The arguments of a process joined by blanks, or '' where it is gone. */
export async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return raw.replaceAll('\0', ' ').trim()
  }
  return run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    ({ stdout }) => stdout.trim(),
    () => '',
  )
}

/**
 * Names one life of a process: ids are reused, an id with its start time is not. Where the system does not tell (no /proc),
 * it is '' and the id alone must do.
 */
export const processLife = async (pid: number): Promise<string> => (await processStatus(pid))?.startTicks ?? ''

async function processStatus(pid: number): Promise<{ state: string; startTicks: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // proc_pid_stat(5): the name in brackets may hold blanks and brackets, so count from the last one; state is field 3, start 22.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  const state = fields?.[0]
  const startTicks = fields?.[19]
  return state === undefined || startTicks === undefined ? undefined : { state, startTicks }
}
