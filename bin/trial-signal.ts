/** `npm run trial:break` and `npm run trial:mend`: stops the customer's mail system of a running trial, and starts it again. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const order = process.argv[2] ?? ''
const dataDir = resolve(process.env.DATA_DIR ?? join(import.meta.dirname, '..', 'data'))

try {
  if (order !== 'break' && order !== 'mend') throw new Error('say break or mend')
  const pid = Number(readFileSync(join(dataDir, 'trial.pid'), 'utf8'))
  writeFileSync(join(dataDir, 'trial.order'), order)
  process.kill(pid, 'SIGUSR2')
} catch (error) {
  const missing = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')
  console.error(missing ? 'No trial is running here: start one with npm start.' : String(error))
  process.exitCode = 1
}
