/** `npm start`: what a killed trial leaves behind is neither in the way of the next one nor taken for it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runningTrial } from '../../bin/trial-process.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mailscout-trial-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('a part of the trial is stopped where the trial has gone', async () => {
  const leash = join(import.meta.dirname, '../../bin/trial-leash.ts')
  const part = spawn(process.execPath, ['--import', leash, '-e', 'process.send("up"); setInterval(() => {}, 1000)'], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  await once(part, 'message')
  part.disconnect()
  const [, signal] = await once(part, 'exit')
  expect(signal).toBe('SIGTERM')
})

test('a file left behind names no trial, whoever has the process id now', async () => {
  const file = join(directory, 'trial.pid')
  expect(await runningTrial(file)).toBeUndefined()
  for (const text of ['', 'x', '-1', '0', '999999999', String(process.pid)]) {
    writeFileSync(file, text)
    expect(await runningTrial(file)).toBeUndefined()
  }
})
