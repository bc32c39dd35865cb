/** `npm run trial:break` and `npm run trial:mend`: stops the customer's mail system of a running trial, and starts it again. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { runningTrial } from './trial-process.ts'

const order = process.argv[2] ?? ''
const dataDir = resolve(process.env.DATA_DIR ?? join(import.meta.dirname, '..', 'data'))

if (order !== 'break' && order !== 'mend') throw new Error('say break or mend')
const pid = await runningTrial(join(dataDir, 'trial.pid'))
if (pid === undefined) {
  console.error(`No trial is running with the data in ${dataDir}: start one with npm start.`)
  process.exitCode = 1
} else {
  writeFileSync(join(dataDir, 'trial.order'), order)
  process.kill(pid, 'SIGUSR2')
}
