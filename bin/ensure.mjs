// Runs before every npm script, on whatever Node the machine has: installs the locked packages when the lock
// file has changed since the last install. The packages include the pinned Node 24, which npm then puts first in PATH.
// Plain JavaScript without imports from node_modules, because nothing is installed yet.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')
const stamp = join(root, 'node_modules', '.mailscout-lock-hash')
const lock = join(root, '.ensure.lock')
const lockStaleMs = 15 * 60_000

const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')
const installed = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted

if (!installed()) {
  takeLock()
  try {
    if (!installed()) install()
  } finally {
    rmSync(lock, { force: true })
  }
}

function install() {
  console.log('mailscout: installing the locked packages (once; about 20 s)')
  const done = spawnSync('npm', ['ci', '--loglevel=error'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
  if (done.status !== 0) {
    console.error('mailscout: npm ci failed. Is the npm registry reachable? Nothing was started.')
    process.exitCode = 1
    rmSync(lock, { force: true })
    process.exit(1)
  }
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stamp, wanted)
}

/** Two npm commands at once must not both rewrite node_modules: the second waits for the first. */
function takeLock() {
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx'))
      return
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > lockStaleMs)
        rmSync(lock, { force: true })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
    }
  }
}
