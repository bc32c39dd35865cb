/** Puts the sink together and runs it until SIGTERM. What it does goes to standard output, one JSON object a line. */
import { type Environment, parseHostPort } from '../common/config.ts'
import { errorMessage } from '../common/errors.ts'
import type { Runtime } from '../common/runtime.ts'
import { loadResponderConfig, responderConfigPath } from './config.ts'
import { journalLine } from './journal.ts'
import { createDiskMemory, openStateDir, stateDirs } from './memory.ts'
import { startSink } from './sink.ts'
import { createSubmit } from './submit.ts'

export type SinkOptions = { listen: { host: string; port: number }; lmtp: boolean }

/** The words behind `sink` on the command line. */
export function readSinkOptions(words: readonly string[]): SinkOptions | { fault: string } {
  const [flag, address, ...rest] = words.filter((word) => word !== '--lmtp')
  if (flag !== '--listen' || address === undefined || rest.length > 0) return { fault: 'sink needs --listen HOST:PORT' }
  try {
    return { listen: parseHostPort(address), lmtp: words.includes('--lmtp') }
  } catch (error) {
    return { fault: `--listen ${errorMessage(error)}` }
  }
}

/** Throws CONFIG_INVALID, or what listening throws. */
export async function runSink(options: SinkOptions & { environment: Environment; runtime: Runtime }): Promise<void> {
  const { listen, lmtp, environment, runtime } = options
  const config = loadResponderConfig(responderConfigPath(environment))
  // Whoever read the log may be gone. Without a listener the failed write is an unexpected fault, and telling of it fails again.
  process.stdout.on('error', () => {})
  const journal = (entry: Record<string, unknown>) => void process.stdout.write(journalLine(runtime.wallMs(), entry))
  const stateDir = openStateDir(stateDirs(config.stateDir))
  if (stateDir === undefined) journal({ msg: 'no state directory can be written: a repeated test mail gets a fresh stamp' })
  const memory = createDiskMemory(stateDir)
  const sink = await startSink({ listen, lmtp, config, memory, submit: createSubmit(config, runtime), journal, runtime })
  const stop = async (signal: string) => {
    journal({ msg: 'stopping', signal })
    await sink.close()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal))
  // A fault in one connection must not take the mail system of a customer down with it.
  process.on('uncaughtException', (error) => journal({ msg: 'unexpected fault', error: errorMessage(error) }))
  // Last: whoever waits for this line may end us at once.
  journal({ msg: 'listening', ...sink.address, lmtp })
}
