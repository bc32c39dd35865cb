/** A Node for programs that mail systems run as their users, who may not be allowed into the folder of the test's own Node. */
import { spawnSync } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'

/** The machine's own Node, else a copy of the test's, made in `directory`. */
export function nodeForUsers(directory: string): string {
  const usable = ['/usr/bin/node', '/usr/local/bin/node'].find(runsForNobody)
  if (usable !== undefined) return usable
  const copy = join(directory, 'node')
  cpSync(process.execPath, copy)
  if (!runsForNobody(copy)) throw new Error(`${copy} cannot be run by an ordinary user`)
  return copy
}

function runsForNobody(file: string): boolean {
  return (
    spawnSync('setpriv', ['--reuid=nobody', '--regid=nogroup', '--clear-groups', file, '--version'], { env: {} }).status === 0
  )
}
