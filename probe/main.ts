/** `npm run probe`: reads the settings, starts, stops on SIGTERM or SIGINT; what nobody expected ends it loudly. */
import { errorMessage, isMailscoutError } from '../common/errors.ts'
import { createLogger, type Logger } from '../common/log.ts'
import { systemRuntime } from '../common/runtime.ts'
import { type RunningProbe, startProbe } from './app.ts'
import { readProbeConfig } from './config.ts'

/** A stop that takes longer is cut off: everything that matters is on disk. */
const stopMsMax = 10_000

const stopping = new AbortController()
let logger: Logger | undefined
let running: RunningProbe | undefined

async function end(code: number): Promise<void> {
  if (stopping.signal.aborted) return
  stopping.abort(new Error('The probe stops'))
  setTimeout(() => process.exit(1), stopMsMax).unref()
  await running?.stop()
  process.exit(code)
}

/** At once, without a tidy stop: after an unexpected error nothing in memory is to be trusted, and the disk is. */
function fail(error: unknown): void {
  if (stopping.signal.aborted && error === stopping.signal.reason) process.exit(0)
  const coded = isMailscoutError(error)
  logger?.fatal(
    { code: coded ? error.code : undefined, err: coded ? undefined : error },
    `the probe ends: ${errorMessage(error)}`,
  )
  console.error(coded ? `${error.code}: ${error.message}` : error)
  process.exit(1)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
process.on('SIGTERM', () => void end(0))
process.on('SIGINT', () => void end(0))

try {
  const config = readProbeConfig(process.env)
  logger = createLogger('probe', config.logLevel)
  running = await startProbe({ config, runtime: systemRuntime, logger, signal: stopping.signal })
} catch (error) {
  fail(error)
}
