/** Puts the sink together and runs it until SIGTERM. What it does goes to standard output, one JSON object a line. */
import { errorMessage } from '../common/errors.ts'
import type { Runtime } from '../common/runtime.ts'
import type { ResponderConfig } from './config.ts'
import { journalLine } from './journal.ts'
import { createDiskMemory, openStateDir, stateDirs } from './memory.ts'
import { startSink } from './sink.ts'
import { createSubmit } from './submit.ts'

export type SinkOptions = {
  listen: { host: string; port: number }
  lmtp: boolean
  config: ResponderConfig
  runtime: Runtime
}

export async function runSink({ listen, lmtp, config, runtime }: SinkOptions): Promise<void> {
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
