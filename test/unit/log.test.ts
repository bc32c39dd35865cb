/** The log of a process whose reader has gone: the lines are lost, the process is not. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')

/** Logs two lines when its standard input ends, the second while the first is being written, and ends as the mains do. */
const program = (level: 'info' | 'fatal') => `
  import { createLogger } from './common/log.ts'
  const logger = createLogger('test', 'info')
  process.stdin.on('end', () => {
    logger.info('stopping')
    logger.${level}('stopped')
    process.exit(7)
  }).resume()`

test.each(['info', 'fatal'] as const)('a process ends after last lines of level %s that nobody reads', async (level) => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program(level)], { cwd: root })
  try {
    child.stdout.destroy()
    child.stderr.destroy()
    child.stdin.end()
    const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(10_000) })
    expect(code).toBe(7)
  } finally {
    child.kill('SIGKILL')
  }
})

test('the last lines before an exit reach standard output', async () => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program('info')], { cwd: root })
  child.stdin.end()
  const text = (await child.stdout.toArray()).join('')
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines).toMatchObject([
    { level: 'info', part: 'test', msg: 'stopping' },
    { level: 'info', msg: 'stopped' },
  ])
})
