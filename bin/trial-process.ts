import { readFile } from 'node:fs/promises'
import { commandLine } from '../coordinator/store/processes.ts'

/** The trial that `pidFile` names, if it still runs: a killed trial leaves the file, and its id may belong to another program by now. */
export async function runningTrial(pidFile: string): Promise<number | undefined> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  return pid > 0 && (await commandLine(pid)).includes('bin/trial.ts') ? pid : undefined
}
