/** `npm run coordinator`: reads the settings, starts, stops on SIGTERM or SIGINT. */
import { mkdirSync } from 'node:fs'
import { errorMessage, isMailscoutError } from '../common/errors.ts'
import { createLogger } from '../common/log.ts'
import { systemRuntime } from '../common/runtime.ts'
import { type RunningCoordinator, startCoordinator } from './app.ts'
import { readCoordinatorConfig } from './config.ts'
import { isUnheardFault } from './store/faults.ts'

/** Whoever waits for us to stop is given up on after this. */
const stopMsMax = 20_000

let running: RunningCoordinator | undefined
let ending = false

async function end(code: number): Promise<void> {
  if (ending) return
  ending = true
  setTimeout(() => process.exit(code === 0 ? 1 : code), stopMsMax).unref()
  await running?.stop()
  process.exit(code)
}

function fail(error: unknown): void {
  console.error(isMailscoutError(error) ? `${error.code}: ${error.message}` : error)
  void end(1)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', (error) => {
  if (!isUnheardFault(error)) fail(error)
})
process.on('SIGTERM', () => void end(0))
process.on('SIGINT', () => void end(0))

try {
  const config = readCoordinatorConfig(process.env)
  const logger = createLogger('coordinator', config.logLevel)
  // Readable by others, because the embedded server runs as another user; the keys are in a folder of their own.
  mkdirSync(config.dataDir, { recursive: true, mode: 0o755 })
  running = await startCoordinator({
    config,
    logger,
    runtime: systemRuntime,
    write: (text) => void process.stdout.write(text),
    onFatal: (error) => {
      logger.fatal({ reason: errorMessage(error) }, 'the coordinator cannot go on')
      void end(1)
    },
  })
} catch (error) {
  fail(error)
}
